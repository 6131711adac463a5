"""A batch: the statements of several log records of one partition, as arrays of store numbers.

Persist makes one of the frames it read, and writes it in one transaction. Row i of every array is
the same statement; rows stand in the order of their pos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lrs.log import frame as frames
from lrs.store import term
from lrs.store.definition import fresh_definitions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lrs.log.frame import Frame
    from lrs.log.port import Record
    from lrs.store.connection import Asked
    from lrs.store.definition import Fresh
    from lrs.store.name import Names

_ZERO = np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class Batch:
    """`columns`: those of `lrs.log.frame.COLUMNS` with verb, actor and object as store numbers, and
    tenant, dictionary, authority, received and pos besides. `agents`, `activities`: (row, number,
    kind) of what else is related. `refs`: row -> id of the statement it refers to. `raws`: compressed
    bytes. `places`: row -> (offset of its record, place in the frame). `definitions`: what the statements
    say of activities."""

    columns: Mapping[str, NDArray[Any]]
    agents: NDArray[np.int64]
    activities: NDArray[np.int64]
    refs: Mapping[int, bytes]
    raws: Sequence[bytes]
    offsets: NDArray[np.int64]
    places: NDArray[np.int64]
    definitions: Fresh

    @property
    def rows(self) -> int:
        """How many statements the batch has."""
        return len(self.raws)

    def take(self, keep: NDArray[np.int64]) -> Batch:
        """The batch of these rows (ascending) alone."""
        new_row = np.full(self.rows, -1, np.int64)
        new_row[keep] = np.arange(len(keep))

        def related(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
            kept = pairs[new_row[pairs[:, 0]] >= 0].copy()
            kept[:, 0] = new_row[kept[:, 0]]
            return kept

        return replace(
            self,
            columns={name: column[keep] for name, column in self.columns.items()},
            agents=related(self.agents),
            activities=related(self.activities),
            refs={int(new_row[row]): ref for row, ref in self.refs.items() if new_row[row] >= 0},
            raws=[self.raws[row] for row in keep.tolist()],
            offsets=self.offsets[keep],
            places=self.places[keep],
        )


def check(frame: Frame) -> None:
    """Raise ValueError when the parts of a frame do not fit together: it was damaged on its way."""
    columns, rows = frame.columns, frame.rows
    agents, activities = frame.agent_relations, frame.activity_relations
    referring = flags_of(columns, frames.REFERS | frames.VOIDS)
    fits = (
        all(0 <= number < 1 << 31 for number in (frame.tenant, frame.dictionary, *frame.authorities))
        and len(frame.received) == len(frame.authorities)
        and _below(columns["request"], len(frame.authorities))
        and _below(columns["verb"], len(frame.verbs))
        and _below(columns["actor"], len(frame.agents) + 1)
        and _below(columns["object"], len(frame.activities) + 1)
        and _below(agents["row"], rows)
        and _below(agents["name"], len(frame.agents))
        and _below(activities["row"], rows)
        and _below(activities["name"], len(frame.activities))
        and all(0 <= place < len(frame.activities) for place, _ in frame.definitions)
        and int(columns["size"].sum(dtype=np.int64)) == len(frame.raw)
        and [row for row, _ in frame.refs] == np.flatnonzero(referring).tolist()
        and all(len(ref) == 16 for _, ref in frame.refs)
    )
    if not fits:
        raise ValueError("a damaged frame: its columns, tables and bytes do not fit together")


def _below(numbers: NDArray[Any], bound: int) -> bool:
    return not len(numbers) or int(numbers.max()) < bound


async def gather(
    partition: int, records: Sequence[tuple[Record, Frame]], names: Names, asked: Asked | None = None
) -> Batch:
    """Concatenate frames into one batch, with every name interned (`asked`: see `Names.numbers`)."""
    parts: list[dict[str, NDArray[Any]]] = []
    agents: list[NDArray[np.int64]] = []
    activities: list[NDArray[np.int64]] = []
    refs: dict[int, bytes] = {}
    raws: list[bytes] = []
    offsets: list[NDArray[np.int64]] = []
    places: list[NDArray[np.int64]] = []
    definitions: list[tuple[int, int, int, bytes]] = []
    base = 0
    numbers = {
        kind: await _numbers(
            kind, [(frame.tenant, list(getattr(frame, attribute))) for _, frame in records], names, asked
        )
        for kind, attribute in (("agent", "agents"), ("activity", "activities"), ("verb", "verbs"))
    }
    for index, (record, frame) in enumerate(records):
        rows = frame.rows
        agent, activity, verb = (numbers[kind][index] for kind in ("agent", "activity", "verb"))
        columns = dict(frame.columns)
        columns["verb"] = verb[columns["verb"]]
        columns["actor"] = np.concatenate((_ZERO, agent))[columns["actor"]]
        columns["object"] = np.concatenate((_ZERO, activity))[columns["object"]]
        columns["authority"] = np.array(frame.authorities, np.int64)[columns["request"]]
        columns["received"] = np.array(frame.received, np.int64)[columns["request"]]
        columns["tenant"] = np.full(rows, frame.tenant, np.int64)
        columns["dictionary"] = np.full(rows, frame.dictionary, np.int64)
        instants = np.arange(record.end - rows + 1, record.end + 1, dtype=np.int64)
        columns["pos"] = (instants - term.EPOCH) << term.PARTITION_BITS | partition
        parts.append(columns)
        agents.append(_relations(frame.agent_relations, agent, base))
        activities.append(_relations(frame.activity_relations, activity, base))
        refs.update((base + row, ref) for row, ref in frame.refs)
        raws += frame.raws()
        offsets.append(np.full(rows, record.offset, np.int64))
        places.append(np.arange(rows, dtype=np.int64))
        for place, definition in fresh_definitions(frame, record.skip):
            definitions.append((frame.tenant, int(activity[place]), record.end, definition))
        base += rows
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
    batch = Batch(
        columns,
        np.concatenate(agents) if agents else np.empty((0, 3), np.int64),
        np.concatenate(activities) if activities else np.empty((0, 3), np.int64),
        refs,
        raws,
        np.concatenate(offsets) if offsets else np.empty(0, np.int64),
        np.concatenate(places) if places else np.empty(0, np.int64),
        definitions,
    )
    skipped = _skipped(records)
    return batch.take(np.flatnonzero(~skipped)) if skipped.any() else batch


def _skipped(records: Sequence[tuple[Record, Frame]]) -> NDArray[np.bool_]:
    masks = []
    for record, frame in records:
        mask = np.zeros(frame.rows, np.bool_)
        if len(record.skip):
            mask[np.asarray(record.skip, np.int64)] = True
        masks.append(mask)
    return np.concatenate(masks) if masks else np.empty(0, np.bool_)


async def _numbers(
    kind: str, tables: Sequence[tuple[int, list[str]]], names: Names, asked: Asked | None
) -> list[NDArray[np.int64]]:
    """Store numbers of each frame's name table, asked for once per tenant."""
    by_tenant: dict[int, list[str]] = {}
    spans: list[tuple[int, int, int]] = []
    for tenant, table in tables:
        joined = by_tenant.setdefault(tenant, [])
        spans.append((tenant, len(joined), len(joined) + len(table)))
        joined += table
    found = {
        tenant: np.array(await names.numbers(kind, tenant, joined, asked), np.int64)
        for tenant, joined in by_tenant.items()
    }
    return [found[tenant][start:end] for tenant, start, end in spans]


def _relations(pairs: NDArray[Any], numbers: NDArray[np.int64], base: int) -> NDArray[np.int64]:
    related = np.empty((len(pairs), 3), np.int64)
    related[:, 0] = pairs["row"].astype(np.int64) + base
    related[:, 1] = numbers[pairs["name"]] if len(pairs) else 0
    related[:, 2] = pairs["kind"]
    return related


def flags_of(columns: Mapping[str, NDArray[Any]], bits: int) -> NDArray[np.bool_]:
    """Which rows have one of these flags of `lrs.log.frame`."""
    return (columns["flags"] & bits) != 0


def voiding_rows(batch: Batch) -> list[int]:
    """Rows that void another statement."""
    rows: list[int] = np.flatnonzero(flags_of(batch.columns, frames.VOIDS)).tolist()
    return rows
