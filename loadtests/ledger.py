"""What the store says it holds: its public digest, ids, and the instants at which they were stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from loadtests.reader import Reader
from loadtests.sent import Digest
from lrs.xapi.timestamp import format_timestamp

MOST_IDS: Final = 10_000
"""The most ids that one answer lists."""

_EVER: Final = "2100-01-01T00:00:00Z"
_TRIES: Final = 4
_PAUSE: Final = 1.0
"""Seconds: about as long as an idle partition takes to move on."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Page:
    """Ids in the order in which they were stored, and when each was; where the next page goes on, None
    when this was the last one."""

    ids: list[UUID]
    stored: list[int]
    after: str | None


@dataclass(frozen=True)
class Ledger:
    """The public digest. Instants are the LRS's, in microseconds since 1970; a range is what was stored after
    its first and not after its second."""

    reader: Reader

    async def agrees(self, expected: Digest, since: int) -> tuple[bool, int]:
        """Whether the store's digest after `since` is this one, and up to which instant it was told.

        An answer covers what every partition of the log has passed. It is asked for again while that still
        moves on, since what was expected may just not be covered.
        """
        covered = ""
        for _ in range(_TRIES):
            told = await self.reader.json(
                "/api/v1/digest", {"since": format_timestamp(since), "until": _EVER}
            )
            if _digest(told) == expected:
                return True, instant(told["until"])
            if told["until"] == covered:
                break
            covered = told["until"]
            await asyncio.sleep(_PAUSE)
        return False, instant(covered)

    async def digest(self, since: int, until: int) -> Digest:
        """The digest of a range that is covered."""
        return _digest(await self.reader.json("/api/v1/digest", _range(since, until)))

    async def page(self, since: int, until: int, limit: int, after: str | None = None) -> Page:
        """The first ids of a range, or the next ones, up to `limit`, which is MOST_IDS at most."""
        more = {} if after is None else {"after": after}
        asked = {**_range(since, until), "limit": str(limit), **more}
        told = await self.reader.json("/api/v1/digest/ids", asked)
        stored = [instant(one["stored"]) for one in told["ids"]]
        return Page([UUID(one["id"]) for one in told["ids"]], stored, told["after"])

    async def stored(self, id_: UUID) -> int | None:
        """When a statement was stored; None when it cannot be read."""
        status, statement = await self.reader.answer("/xapi/statements", {"statementId": str(id_)})
        return instant(statement["stored"]) if status == 200 else None


def instant(text: str) -> int:
    """Microseconds since 1970 of a time as the LRS writes it."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def _range(since: int, until: int) -> dict[str, str]:
    return {"since": format_timestamp(since), "until": format_timestamp(until)}


def _digest(told: Any) -> Digest:
    return Digest(told["count"], int(told["sum"], 16))
