"""The digest of what was stored, under /api/v1: what a sender compares with what it sent.

An answer covers what was stored after `since` and not after `until`, or not after the horizon if that
is earlier: it says which, and never changes any more. For that a request for what is quite new waits
until partitions without traffic have moved on as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from lrs.http.call import Call, Send, answer
from lrs.http.error import Refusal, parameter
from lrs.http.statements import CONSISTENT_HEADER
from lrs.store import digest, term
from lrs.xapi.timestamp import format_timestamp, parse_timestamp

if TYPE_CHECKING:
    import asyncpg

    from lrs.http.access import Access
    from lrs.http.body import Receive
    from lrs.http.edge import Route
    from lrs.store.horizon import Horizon

PATH: Final = "/api/v1/digest"
IDS_PATH: Final = "/api/v1/digest/ids"
MOST: Final = 10_000
"""The most ids of one answer."""

_ALLOWED: Final = frozenset({"since", "until", "credential"})


class Digests:
    """GET /api/v1/digest and /api/v1/digest/ids."""

    def __init__(self, pool: asyncpg.Pool, access: Access, horizon: Horizon) -> None:
        self._pool, self._access, self._horizon = pool, access, horizon

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        return {
            (path, method): route
            for path, route in ((PATH, self._digest), (IDS_PATH, self._ids))
            for method in ("GET", "HEAD")
        }

    async def _digest(self, call: Call, _: Receive, send: Send) -> None:
        tenant, parameters = await self._asked(call, _ALLOWED)
        authority, since, until, through = await self._range(tenant, parameters)
        found = await digest.digest(self._pool, tenant, authority, since, until)
        await _send(call, send, since, until, through, {"count": found.count, "sum": f"{found.sum:032x}"})

    async def _ids(self, call: Call, _: Receive, send: Send) -> None:
        tenant, parameters = await self._asked(call, _ALLOWED | {"limit", "after"})
        limit = min(_number("limit", parameters.get("limit", "0")) or MOST, MOST)
        after = _number("after", parameters["after"]) if "after" in parameters else -1
        authority, since, until, through = await self._range(tenant, parameters)
        found = await digest.ids(self._pool, tenant, authority, since, until, limit + 1, after)
        page = found[:limit]
        listed = [{"id": str(id_), "stored": format_timestamp(term.instant(pos))} for pos, id_ in page]
        following = str(page[-1][0]) if len(found) > limit else None
        await _send(call, send, since, until, through, {"ids": listed, "after": following})

    async def _asked(self, call: Call, allowed: frozenset[str]) -> tuple[int, dict[str, str]]:
        """The tenant and the parameters."""
        credential = await self._access.permitted(call, "digest")
        return credential.tenant, call.parameters(allowed)

    async def _range(self, tenant: int, parameters: dict[str, str]) -> tuple[int, int, int, int]:
        """Authority, what the answer covers (after …, not after …), and the horizon."""
        since = _instant("since", parameters)
        until = _instant("until", parameters)
        authority: int | None = digest.EVERYBODY
        if "credential" in parameters:
            authority = await digest.authority_of(self._pool, tenant, parameters["credential"])
        if authority is None:
            raise Refusal(404, "there is no such credential", "invalid")
        through = await self._horizon.settled(until)
        return authority, since, min(until, through), through


def _instant(name: str, parameters: dict[str, str]) -> int:
    """An instant in µs since 1970; before 2020 and far ahead nothing is stored."""
    text = parameters.get(name)
    if text is None:
        raise parameter(name, "", "must be given: a timestamp of ISO 8601")
    instant = parse_timestamp(text)
    if instant is None:
        raise parameter(name, text, "must be a timestamp of ISO 8601")
    return min(max(instant, term.EPOCH - 1), term.LAST)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise parameter(name, text, "must be a non-negative integer")
    return int(text)


async def _send(
    call: Call, send: Send, since: int, until: int, through: int, members: dict[str, Any]
) -> None:
    covered = {"since": format_timestamp(since), "until": format_timestamp(until)}
    body = msgspec.json.encode(covered | members)
    headers = {CONSISTENT_HEADER: format_timestamp(through)}
    await answer(send, 200, body, headers, head=call.method == "HEAD")
