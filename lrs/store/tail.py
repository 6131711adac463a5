"""The tail: learning events that a stage has not done yet, as one snapshot of the store shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lrs.log.port import EVIDENCE
from lrs.scoring.event import Events, Flag, Pairs
from lrs.store.evidence import unpack
from lrs.store.sql import queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray

    from lrs.store.connection import Connection

_READ: Final = 32
"""Records that are read at a time."""

_ENTRY: Final = np.dtype([("offset", "<i8"), ("tenant", "<i4"), ("pos", "<i8"), ("retracts", "?")])


class Forgotten(Exception):
    """The log turned while it was read: look again, in a newer snapshot."""


class Tail:
    """What a stage has not done of the evidence log. Between two looks only what is new is read."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._entries: dict[int, NDArray[np.void]] = {}
        self._ends: dict[int, int] = {}

    async def look(self, connection: Connection) -> None:
        """Go on to the snapshot of the connection's transaction, which is newer than the last one.

        Raises Forgotten when records went away since the snapshot was taken.
        """
        heads = await connection.fetch(queries("verification")["tails"], EVIDENCE, self._stage)
        for partition, done, end, slots in heads:
            entries = self._entries.get(partition, np.empty(0, _ENTRY))
            parts = [entries[entries["offset"] >= done]]
            start = max(done, self._ends.get(partition, 0))
            async for offset, (events, _) in read(connection, partition, start, end, slots):
                parts.append(_entries(offset, events))
            self._entries[partition], self._ends[partition] = np.concatenate(parts), max(start, end)

    def facts(self, tenant: int) -> NDArray[np.int64]:
        """The pos of every statement whose own event is not done."""
        return self._poss(tenant, retracts=False)

    def retractions(self, tenant: int) -> NDArray[np.int64]:
        """The pos of every statement whose retraction is not done."""
        return self._poss(tenant, retracts=True)

    def _poss(self, tenant: int, *, retracts: bool) -> NDArray[np.int64]:
        parts = [
            entries["pos"][(entries["tenant"] == tenant) & (entries["retracts"] == retracts)]
            for entries in self._entries.values()
        ]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


async def read(
    connection: Connection, partition: int, start: int, end: int, slots: list[int]
) -> AsyncIterator[tuple[int, tuple[Events, Pairs]]]:
    """The events of each record of a partition of the evidence log, with its offset; ticks are passed over.

    Raises Forgotten when a record is not there.
    """
    for first in range(start, end, _READ):
        last = min(first + _READ, end)
        rows = await connection.fetch(queries("verification")["records"], slots, partition, first, last)
        if len(rows) != last - first:
            raise Forgotten(f"records {first} to {last - 1} of evidence partition {partition} are incomplete")
        for row in rows:
            if row["value"]:
                yield row["log_offset"], unpack(row["value"])


def _entries(offset: int, events: Events) -> NDArray[np.void]:
    entries = np.empty(len(events), _ENTRY)
    entries["offset"], entries["tenant"], entries["pos"] = offset, events["tenant"], events["pos"]
    entries["retracts"] = (events["flags"] & Flag.RETRACT) != 0
    return entries
