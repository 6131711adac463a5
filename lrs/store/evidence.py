"""The evidence log: what persist tells score, by learner, in persist's own transaction.

A record holds the learning events of one batch that belong to one evidence partition (the learner's
number modulo the partitions), zstd-compressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import zstandard

from lrs.log import frame as frames
from lrs.scoring.event import ABSENT, EVENT, NONE, PAIR, Events, Flag, Pairs, decode_events, encode_events
from lrs.store.batch import Batch
from lrs.store.reread import Stored, reread
from lrs.store.sql import queries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lrs.log.postgres import PostgresLog
    from lrs.store.connection import Connection
    from lrs.store.dictionary import Dictionaries
    from lrs.store.name import Names

_compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)

_FLAGS: Final = (
    (frames.HAS_SUCCESS, Flag.HAS_SUCCESS),
    (frames.SUCCESS, Flag.SUCCESS),
    (frames.HAS_COMPLETION, Flag.HAS_COMPLETION),
    (frames.COMPLETION, Flag.COMPLETION),
    (frames.CMI5, Flag.CMI5),
    (frames.CMI5_MOVE_ON, Flag.MOVE_ON),
    (frames.VIDEO, Flag.VIDEO),
    (frames.NOT_NORMAL, Flag.NOT_NORMAL),
)


def pack(events: Events, pairs: Pairs) -> bytes:
    """The value of an evidence record."""
    return _compressor.compress(encode_events(events, pairs))


def unpack(value: bytes) -> tuple[Events, Pairs]:
    """What `pack` packed."""
    return decode_events(zstandard.ZstdDecompressor().decompress(value))


def events_of(batch: Batch, authorities: NDArray[np.int64]) -> tuple[Events, Pairs]:
    """The learning events of a batch: of statements in which an identified agent meets an activity.

    `authorities`: the agent number of each row's authority.
    """
    columns = batch.columns
    rows = np.flatnonzero((columns["actor"] != 0) & (columns["object"] != 0))
    new_row = np.full(batch.rows, -1, np.int64)
    new_row[rows] = np.arange(len(rows))
    events = np.zeros(len(rows), EVENT)

    def column(name: str) -> NDArray[Any]:
        return columns[name][rows]

    def given(name: str, absent: int) -> NDArray[Any]:
        values = column(name)
        return np.where(values == frames.NONE, absent, values)

    events["pos"] = column("pos")
    for name, source in (("id", "id"), ("registration", "registration")):
        halves = np.frombuffer(column(source).tobytes(), ">u8").reshape(-1, 2)
        events[f"{name}_hi"], events[f"{name}_lo"] = halves[:, 0], halves[:, 1]
    events["agent"], events["activity"] = column("actor"), column("object")
    events["authority"] = authorities[rows]
    timestamps = column("timestamp")
    events["timestamp"] = np.where(timestamps == frames.ABSENT, ABSENT, timestamps)
    durations = column("duration")
    events["duration_ms"] = np.where(durations < 0, NONE, durations)
    for name in ("tenant", "verb", "session", "move_on"):
        events[name] = column(name)
    events["scaled"] = given("scaled", 0)
    events["progress"], events["mastery"] = given("progress", NONE), given("mastery", NONE)
    theirs = column("flags")
    flags = np.where(column("scaled") != frames.NONE, int(Flag.HAS_SCALED), 0)
    for bit, meaning in _FLAGS:
        flags |= np.where(theirs & bit, int(meaning), 0)
    events["flags"] = flags
    return events, _pairs(batch, new_row)


def _pairs(batch: Batch, new_row: NDArray[np.int64]) -> Pairs:
    """Groupings before parents, each in the statement's order, sorted by the event's row."""
    kinds = batch.activities[:, 2]
    related = np.concatenate(
        (batch.activities[kinds == frames.GROUPING], batch.activities[kinds == frames.PARENT])
    )
    related = related[new_row[related[:, 0]] >= 0]
    related = related[np.argsort(related[:, 0], kind="stable")]
    pairs = np.empty(len(related), PAIR)
    pairs["row"], pairs["activity"] = new_row[related[:, 0]], related[:, 1]
    return pairs


class Authorities:
    """The agents that are authorities, by number of the authority; kept once they were seen."""

    def __init__(self) -> None:
        self._agents: dict[tuple[int, int], int] = {}

    async def of(self, connection: Connection, batch: Batch) -> NDArray[np.int64]:
        """The agent number of the authority of each of the batch's statements."""
        columns = batch.columns
        keys = list(zip(columns["tenant"].tolist(), columns["authority"].tolist(), strict=True))
        for tenant, authority in set(keys) - self._agents.keys():
            for row in await connection.fetch(queries("statement")["authorities"], tenant, [authority]):
                self._agents[tenant, authority] = row["agent"]
        return np.array([self._agents.get(key, 0) for key in keys], np.int64)


class EvidenceWriter:
    """Appends what follows from a batch to the evidence log."""

    def __init__(self, log: PostgresLog, names: Names, dictionaries: Dictionaries) -> None:
        self._log, self._names, self._dictionaries = log, names, dictionaries
        self._authorities = Authorities()

    async def append(
        self,
        connection: Connection,
        batch: Batch,
        voided: NDArray[np.bool_],
        retracted: Sequence[Stored],
    ) -> None:
        """Tell score of the batch, but for what is voided already, and of what is voided by it.

        Takes the locks of the evidence partitions: call it last in the transaction.
        """
        said = batch.take(np.flatnonzero(~voided)) if voided.any() else batch
        parts = [await self._events(connection, said)]
        for tenant in sorted({one.tenant for one in retracted}):
            mine = [one for one in retracted if one.tenant == tenant]
            events, pairs = await self._events(
                connection, await reread(mine, self._dictionaries, self._names, connection)
            )
            events["flags"] |= np.uint16(Flag.RETRACT)
            parts.append((events, pairs))
        events, pairs = joined(parts)
        homes = events["agent"] % self._log.partitions
        records: dict[int, tuple[bytes, int]] = {}
        for partition in np.unique(homes).tolist():
            rows = np.flatnonzero(homes == partition)
            records[partition] = (pack(*of_rows(events, pairs, rows)), len(rows))
        await self._log.append_within(connection, records)

    async def _events(self, connection: Connection, batch: Batch) -> tuple[Events, Pairs]:
        return events_of(batch, await self._authorities.of(connection, batch))


def joined(parts: Sequence[tuple[Events, Pairs]]) -> tuple[Events, Pairs]:
    """Batches of events as one, in order."""
    if not parts:
        return np.zeros(0, EVENT), np.zeros(0, PAIR)
    if len(parts) == 1:
        return parts[0]
    base, moved = 0, []
    for events, pairs in parts:
        shifted = pairs.copy()
        shifted["row"] += base
        moved.append(shifted)
        base += len(events)
    return np.concatenate([events for events, _ in parts]), np.concatenate(moved)


def of_rows(events: Events, pairs: Pairs, rows: NDArray[np.int64]) -> tuple[Events, Pairs]:
    """The events of these rows (ascending) with their pairs."""
    new_row = np.full(len(events), -1, np.int64)
    new_row[rows] = np.arange(len(rows))
    kept = pairs[new_row[pairs["row"]] >= 0].copy()
    kept["row"] = new_row[kept["row"]]
    return events[rows], kept
