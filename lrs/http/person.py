"""A person's own: export and erasure of everything that is kept of an agent, under /api/v1."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from lrs.http.call import Call, Send, answer
from lrs.http.error import Refusal, parameter, unavailable
from lrs.http.statements import agent_parameter
from lrs.log.port import EVIDENCE, STATEMENTS
from lrs.store.erasure import Eraser, NobodyKnown, StagesBehind, trail
from lrs.store.rebuilding import RebuildingRuns
from lrs.xapi.version import Version

if TYPE_CHECKING:
    import asyncpg

    from lrs.http.access import Access
    from lrs.http.body import Receive
    from lrs.http.edge import Route
    from lrs.store.export import Exporter
    from lrs.store.horizon import Horizon
    from lrs.store.name import Names

PATH: Final = "/api/v1/person"
TRAIL_PATH: Final = "/api/v1/person/erasures"

_TOPICS: Final = (STATEMENTS, EVIDENCE)


class Person:
    """GET and DELETE /api/v1/person, GET /api/v1/person/erasures."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        access: Access,
        names: Names,
        horizon: Horizon,
        exporter: Exporter,
        eraser: Eraser,
    ) -> None:
        self._pool, self._access, self._names, self._horizon = pool, access, names, horizon
        self._exporter, self._eraser = exporter, eraser

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        return {
            (PATH, "GET"): self._export,
            (PATH, "HEAD"): self._export,
            (PATH, "DELETE"): self._erase,
            (TRAIL_PATH, "GET"): self._trail,
            (TRAIL_PATH, "HEAD"): self._trail,
        }

    async def _export(self, call: Call, _: Receive, send: Send) -> None:
        """A zip archive (`lrs.store.export`), streamed."""
        credential = await self._access.permitted(call, "person")
        agent = _agent(call.parameters(frozenset({"agent"})))
        await self._horizon.caught_up(*_TOPICS)
        number = await self._names.find("agent", credential.tenant, agent)
        if number is None:
            raise _nobody()
        headers = [
            (b"content-type", b"application/zip"),
            (b"content-disposition", b'attachment; filename="person.zip"'),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if call.method == "GET":
            now = time.time_ns() // 1000
            async for piece in self._exporter.archive(credential.tenant, agent, number, now):
                if piece:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _erase(self, call: Call, _: Receive, send: Send) -> None:
        """Erase, or go on with it; answers when it is done, with the line of the audit trail."""
        credential = await self._access.permitted(call, "person")
        parameters = call.parameters(frozenset({"agent", "related"}))
        related = parameters.get("related", "false")
        if related not in ("true", "false"):
            raise parameter("related", related, "must be true or false")
        agent, by = _agent(parameters), f"credential {credential.key}"
        try:
            done = await self._eraser.erase(credential.tenant, agent, by, related=related == "true")
        except NobodyKnown:
            raise _nobody() from None
        except StagesBehind as error:
            raise unavailable(str(error), "overload") from None
        except RebuildingRuns:
            raise unavailable("an erasure or a rebuilding is under way", "overload") from None
        await answer(send, 200, msgspec.json.encode(done))

    async def _trail(self, call: Call, _: Receive, send: Send) -> None:
        credential = await self._access.permitted(call, "person")
        call.parameters(frozenset())
        found = await trail(self._pool, credential.tenant)
        await answer(send, 200, msgspec.json.encode({"erasures": found}), head=call.method == "HEAD")


def _agent(parameters: dict[str, str]) -> str:
    if "agent" not in parameters:
        raise parameter("agent", "", "must be given: an agent as JSON")
    return agent_parameter(parameters["agent"], Version.V2_0_0)


def _nobody() -> Refusal:
    return Refusal(404, "nothing is known of this person", "invalid")
