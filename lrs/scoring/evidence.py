"""Evidence: the stored sets of facts, and what a batch adds to them.

A set grows by union on the statement id; a retraction marks the fact. Both are idempotent and
commute, whatever the order and however they are split into batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lrs.scoring.batch import Batch
from lrs.scoring.fact import CHUNK, FACT, EvidenceError, FactFlag, Facts, read_facts
from lrs.scoring.kernel import kernel
from lrs.scoring.order import argsort_rows

EvidenceRow = tuple[int, int, int, bytes]
"""A stored row: agent, home activity, chunk number from 0, packed facts."""

CHUNK_ROW: Final = np.dtype(
    [("agent", "<i8"), ("activity", "<i8"), ("chunk", "<i8"), ("start", "<i8"), ("stop", "<i8")]
)

MERGED: Final = ("added", "repeated", "retracted", "retracted_again", "retracted_ahead")
"""What became of facts and retractions: a new fact; one that is known; a fact taken back; one taken
back before; a retraction that came before its fact, and waits for it."""
_ADDED, _REPEATED, _RETRACTED, _RETRACTED_AGAIN, _RETRACTED_AHEAD = range(5)


@dataclass(frozen=True)
class Sets:
    """The sets of a batch's keys: `facts[starts[k]:starts[k + 1]]`, stored ones first. `was` and `now`
    say which facts counted before the batch and count after it."""

    facts: Facts
    starts: npt.NDArray[np.int64]
    was: npt.NDArray[np.bool_]
    now: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Chunks:
    """Evidence rows to upsert: `facts[start:stop]` of each of `rows`."""

    rows: npt.NDArray[np.void]
    facts: Facts

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[EvidenceRow]:
        columns = (self.rows[name].tolist() for name in ("agent", "activity", "chunk"))
        return zip(*columns, self.packed(), strict=True)

    def packed(self) -> list[bytes]:
        """The packed facts of each row."""
        everything = self.facts.tobytes()
        starts, stops = (
            (self.rows["start"] * FACT.itemsize).tolist(),
            (self.rows["stop"] * FACT.itemsize).tolist(),
        )
        return [everything[start:stop] for start, stop in zip(starts, stops, strict=True)]


def stored_facts(
    keys: npt.NDArray[np.void], rows: Iterable[EvidenceRow]
) -> tuple[Facts, npt.NDArray[np.int64]]:
    """The facts of stored rows (in any order) and where those of each key start.

    Raises EvidenceError where a row belongs to no key, a chunk is missing or repeated, or a chunk
    that is not the last is not full.
    """
    agents, activities, numbers, packed = (
        zip(*rows, strict=True) if (rows := list(rows)) else ((), (), (), ())
    )
    places = np.empty((3, len(rows)), np.int64)
    places[0], places[1], places[2] = agents, activities, numbers
    order = np.lexsort(places[::-1])
    facts = read_facts(bytearray().join([packed[row] for row in order.tolist()]))
    sizes = np.array([len(chunk) for chunk in packed], np.int64)[order]
    places = np.ascontiguousarray(places.T[order])
    if (sizes % FACT.itemsize).any():
        raise EvidenceError(f"a chunk's bytes are not a multiple of {FACT.itemsize}")
    starts, wrong = _locate(np.ascontiguousarray(keys), places, sizes // FACT.itemsize)
    if wrong >= 0:
        agent, activity, chunk = places[wrong].tolist()
        raise EvidenceError(
            f"evidence row ({agent}, {activity}, {chunk}) (agent, activity, chunk) is not of a key asked for,"
            f" or its key's chunks are not numbered from 0 with {CHUNK} facts in each but the last"
        )
    return facts, starts


def merge(batch: Batch, facts: Facts, starts: npt.NDArray[np.int64]) -> tuple[Sets, Chunks, dict[str, int]]:
    """The sets after the batch, the rows that change, and counts by `MERGED`. `facts` and `starts` as
    from `stored_facts`; they are not changed."""
    merged = np.empty(len(facts) + len(batch.facts), FACT)
    was, now = np.empty(len(merged), np.bool_), np.empty(len(merged), np.bool_)
    changed = np.zeros(len(merged), np.bool_)
    ends, counts = _merge(facts, starts, batch.facts, batch.starts, batch.retracts, merged, was, now, changed)
    sets = Sets(merged, ends, was, now)
    rows = np.empty(len(merged) // CHUNK + len(batch.keys), CHUNK_ROW)
    rows = rows[: _dirty_chunks(batch.keys, ends, changed, rows)]
    return sets, Chunks(rows, merged), dict(zip(MERGED, counts.tolist(), strict=True))


@kernel
def _locate(
    keys: npt.NDArray[np.void], places: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], int]:
    starts = np.zeros(len(keys) + 1, np.int64)
    row, at = 0, 0
    for key in range(len(keys)):
        starts[key] = at
        chunk = 0
        while (
            row < len(places)
            and places[row, 0] == keys[key]["agent"]
            and places[row, 1] == keys[key]["activity"]
        ):
            if (
                places[row, 2] != chunk
                or (chunk > 0 and sizes[row - 1] != CHUNK)
                or not 0 < sizes[row] <= CHUNK
            ):
                return starts, row
            at += sizes[row]
            row += 1
            chunk += 1
    starts[len(keys)] = at
    return starts, row if row < len(places) else -1


@kernel
def _merge(
    stored: Facts,
    stored_starts: npt.NDArray[np.int64],
    new: Facts,
    new_starts: npt.NDArray[np.int64],
    retracts: npt.NDArray[np.bool_],
    merged: Facts,
    was: npt.NDArray[np.bool_],
    now: npt.NDArray[np.bool_],
    changed: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    counts = np.zeros(len(MERGED), np.int64)
    starts = np.empty(len(stored_starts), np.int64)
    at = 0
    for key in range(len(stored_starts) - 1):
        first, old = stored_starts[key], stored_starts[key + 1] - stored_starts[key]
        begin, fresh = new_starts[key], new_starts[key + 1] - new_starts[key]
        starts[key] = at
        ids = np.empty((old + fresh, 4), np.uint64)
        for i in range(old):
            fact = stored[first + i]
            merged[at + i] = fact
            was[at + i] = now[at + i] = fact["flags"] & FactFlag.RETRACTED == 0
            ids[i, 0], ids[i, 1], ids[i, 2], ids[i, 3] = fact["id_hi"], fact["id_lo"], 0, 0
        for i in range(fresh):
            fact = new[begin + i]
            # Of several events of one id the fact is that of the least pos; retractions come last.
            rank = 2 if retracts[begin + i] else 1
            ids[old + i, 0], ids[old + i, 1] = fact["id_hi"], fact["id_lo"]
            ids[old + i, 2], ids[old + i, 3] = rank, np.uint64(fact["pos"])
        order = argsort_rows(ids, old + fresh)
        keep = np.zeros(fresh, np.uint8)  # 1: add, 2: add as retracted
        i = 0
        while i < len(order):
            base = order[i]
            known, ahead = base < old, ids[base, 2] == 2
            alive = known and now[at + base]
            if not known:
                keep[base - old] = 2 if ahead else 1
                counts[_RETRACTED_AHEAD if ahead else _ADDED] += 1
                alive = not ahead
            i += 1
            while i < len(order) and ids[order[i], 0] == ids[base, 0] and ids[order[i], 1] == ids[base, 1]:
                if ids[order[i], 2] == 1:
                    counts[_REPEATED] += 1
                elif ids[order[i], 2] == 2 and alive:
                    alive = False
                    counts[_RETRACTED] += 1
                    if known:
                        now[at + base] = False
                        merged[at + base]["flags"] |= FactFlag.RETRACTED
                        changed[at + base] = True
                    else:
                        keep[base - old] = 2
                elif ids[order[i], 2] == 2:
                    counts[_RETRACTED_AGAIN] += 1
                i += 1
        at += old
        for j in range(fresh):
            if keep[j]:
                merged[at] = new[begin + j]
                if keep[j] == 2:
                    merged[at]["flags"] |= FactFlag.RETRACTED
                was[at], now[at], changed[at] = False, keep[j] == 1, True
                at += 1
    starts[len(starts) - 1] = at
    return starts, counts


@kernel
def _dirty_chunks(
    keys: npt.NDArray[np.void],
    starts: npt.NDArray[np.int64],
    changed: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.void],
) -> int:
    count = 0
    for key in range(len(keys)):
        for start in range(starts[key], starts[key + 1], CHUNK):
            stop = min(start + CHUNK, starts[key + 1])
            if changed[start:stop].any():
                row = rows[count]
                row["agent"], row["activity"] = keys[key]["agent"], keys[key]["activity"]
                row["chunk"] = (start - starts[key]) // CHUNK
                row["start"], row["stop"] = start, stop
                count += 1
    return count
