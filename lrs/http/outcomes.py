"""The feed of outcomes, under /api/v1: what became true of learners, for whoever follows it.

The same as is published on Kafka, wherever the log is. A position is a vector, one number for each
partition, so that a follower misses nothing and sees each learner's outcomes in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from lrs.http.call import Call, Send, answer
from lrs.http.error import parameter
from lrs.store import outcome

if TYPE_CHECKING:
    import asyncpg

    from lrs.http.access import Access
    from lrs.http.body import Receive
    from lrs.http.edge import Route
    from lrs.store.outcome import Position

PATH: Final = "/api/v1/outcomes"
MOST: Final = 1_000
"""The most outcomes of one answer."""


class Outcomes:
    """GET /api/v1/outcomes."""

    def __init__(self, pool: asyncpg.Pool, access: Access) -> None:
        self._pool, self._access = pool, access

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        return {(PATH, "GET"): self._get, (PATH, "HEAD"): self._get}

    async def _get(self, call: Call, _: Receive, send: Send) -> None:
        credential = await self._access.permitted(call, "outcomes")
        parameters = call.parameters(frozenset({"after", "limit"}))
        limit = parameters.get("limit", "0")
        if not _is_number(limit):
            raise parameter("limit", limit, "must be a non-negative integer")
        start = await outcome.position(self._pool)
        after = _position(parameters["after"], len(start)) if "after" in parameters else start
        found, reached = await outcome.feed(
            self._pool, credential.tenant, after, min(int(limit) or MOST, MOST)
        )
        body = msgspec.json.encode({"outcomes": found, "after": "-".join(map(str, reached))})
        await answer(send, 200, body, head=call.method == "HEAD")


def _position(text: str, partitions: int) -> Position:
    numbers = text.split("-")
    if len(numbers) != partitions or not all(map(_is_number, numbers)):
        raise parameter("after", text, "must be a position, as an answer gave it in its member after")
    return tuple(map(int, numbers))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
