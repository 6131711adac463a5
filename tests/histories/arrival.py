"""What became of the inbox's records: each was taken once in effect, or was refused with its reason.

What should become of a record is told by what was produced and by the rules, never by what the intake
wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from lrs.log import frame as frames
from lrs.log.instants import Instants
from lrs.log.kafka import record_of
from lrs.log.port import STATEMENTS
from tests.histories import inbox
from tests.histories.program import TENANT

if TYPE_CHECKING:
    from lrs.xapi.statement import Statement
    from tests.histories.kafka import Raw
    from tests.histories.plan import Item
    from tests.histories.said import AllSaid
    from tests.histories.witness import Committed
    from tests.histories.world import World

_Place = tuple[int, int]


@dataclass(frozen=True)
class Arrival:
    """A record of the inbox. `reason`: why the rules refuse it, empty if they do not; then it has statements
    under the ids that are theirs. `refusals`: what was told of it, and as which record of its topic."""

    raw: Raw
    reason: str
    items: Sequence[Item]
    statements: Sequence[tuple[UUID, Statement]]
    refusals: Sequence[tuple[int, Raw]]
    read: int

    @property
    def may_be_stored(self) -> bool:
        """Whether its statements may be stored on its word. One that was read more than once may be refused
        for what was promised to another one meanwhile, and yet come first when persist settles it."""
        return not self.reason and (not self.refusals or self.read > 1)

    def __str__(self) -> str:
        return f"record {self.raw.offset} of the inbox's partition {self.raw.partition}"


def arrivals_of(world: World) -> list[Arrival]:
    """All records of the inbox."""
    refusals: dict[_Place, list[tuple[int, Raw]]] = {}
    for number, refusal in enumerate(world.brokers.topics[inbox.REJECTED].records[0]):
        told = dict(refusal.headers)
        place = int(told["lrs-partition"]), int(told["lrs-offset"])
        refusals.setdefault(place, []).append((number, refusal))
    found = []
    for arrived in world.arrived:
        place = arrived.raw.partition, arrived.raw.offset
        reason = inbox.reason(arrived.made, world.plan.voids)
        statements = () if reason else arrived.made.statements
        ids = [
            inbox.id_at(*place, index) if each.id is None else UUID(bytes=each.id)
            for index, each in enumerate(statements)
        ]
        items = arrived.produced.items if statements else ()
        found.append(
            Arrival(
                arrived.raw,
                reason,
                items,
                list(zip(ids, statements, strict=True)),
                refusals.get(place, ()),
                arrived.read,
            )
        )
    return found


def wrongs_of_inbox(world: World, arrivals: Sequence[Arrival], said: AllSaid) -> list[str]:
    """What is wrong with what became of them."""
    found = [text for arrival in arrivals for text in _refusals(arrival)]
    found += [text for arrival in arrivals for text in _effect(world, arrival, said)]
    told = sum(len(arrival.refusals) for arrival in arrivals)
    if told != len(world.brokers.topics[inbox.REJECTED].records[0]):
        found.append("what never came to the inbox was refused")
    at = {(arrival.raw.partition, arrival.raw.offset): arrival for arrival in arrivals}
    appended = _appended(world.brokers.topics[STATEMENTS].records)
    for done in world.committed:
        for (partition, offset), arrival in at.items():
            if (
                partition == done.partition
                and done.first <= offset < done.end
                and not _durable(arrival, done, appended)
            ):
                found.append(f"the intake said that {arrival} is done, and it was not durable")
    return found


def _refusals(arrival: Arrival) -> Iterator[str]:
    """Whoever is refused is told the reason, and gets back what was produced."""
    raw = arrival.raw
    for _, refusal in arrival.refusals:
        told = dict(refusal.headers)
        if told["lrs-reason"].decode() != (arrival.reason or "conflict"):
            yield f"{arrival} was refused as {told['lrs-reason']!r}, not as {arrival.reason!r}"
        if told["lrs-topic"].decode() != inbox.TOPIC or not told["lrs-rule"] or not told["lrs-path"]:
            yield f"{arrival} was refused without saying where and why: {told}"
        if _is_too_long(arrival):
            if refusal.value or told["lrs-bytes"].decode() != str(len(raw.value or b"")):
                yield f"{arrival} is too long to come back, and nobody was told how long"
            continue
        came = {(name.lower(), content) for name, content in raw.headers}
        if (refusal.value, refusal.key) != (raw.value or b"", raw.key) or not came <= set(refusal.headers):
            yield f"{arrival} did not come back as it came"


def _is_too_long(arrival: Arrival) -> bool:
    return len(arrival.raw.value or b"") > inbox.LONGEST


def _effect(world: World, arrival: Arrival, said: AllSaid) -> Iterator[str]:
    """It was taken, or it was refused."""
    if arrival.reason:
        if not arrival.refusals:
            yield f"{arrival} breaks a rule ({arrival.reason}), and nobody was told"
        return
    known = world.database.table("known_id")
    buried = {value[0] for value in world.database.table("dead_letter").values()}
    contested = [
        id_
        for id_, statement in arrival.statements
        if any(each.statement.digest != statement.digest for each in said[id_])
    ]
    for id_, statement in arrival.statements:
        row = known.get((TENANT, id_))
        is_stored = row is not None and row[0].bytes == statement.digest
        late = id_ in contested and id_ in buried and row is not None
        if not arrival.refusals and not is_stored and not late:
            yield f"{arrival}: statement {id_} was neither stored nor refused"
    if arrival.refusals and not contested:
        yield f"{arrival} was refused as a conflict, and none of its ids is another's"
    is_array = (arrival.raw.value or b"").strip().startswith(b"[")
    places = {
        (f"$[{index}].id" if is_array else "$.id").encode(): str(id_).encode()
        for index, (id_, _) in enumerate(arrival.statements)
        if id_ in contested
    }
    for _, refusal in arrival.refusals:
        told = dict(refusal.headers)
        if (id_text := places.get(told["lrs-path"])) is None or id_text not in told["lrs-rule"]:
            yield f"{arrival} was refused for what is no conflict: {told['lrs-path']!r}, {told['lrs-rule']!r}"


def _appended(log: Sequence[Sequence[Raw]]) -> dict[tuple[UUID, bytes], list[_Place]]:
    """By id and digest: where in the log a statement stands that persist is to store."""
    found: dict[tuple[UUID, bytes], list[_Place]] = {}
    for partition, records in enumerate(log):
        for number, raw in enumerate(records):
            record = record_of(raw, Instants(0, 0))
            if not record.value:
                continue
            columns = frames.decode(record.value).columns
            for place, (id_, digest) in enumerate(
                zip(columns["id"].tolist(), columns["digest"].tolist(), strict=True)
            ):
                if place not in record.skip:
                    key = UUID(bytes=id_), digest
                    found.setdefault(key, []).append((partition, number))
    return found


def _durable(arrival: Arrival, done: Committed, appended: dict[tuple[UUID, bytes], list[_Place]]) -> bool:
    """Whether the record was in the log, or among those that are refused, before it was said to be done."""
    [refused] = done.lengths[inbox.REJECTED]
    if any(number < refused for number, _ in arrival.refusals):
        return True
    log = done.lengths[STATEMENTS]
    return not arrival.reason and all(
        any(number < log[partition] for partition, number in appended.get((id_, statement.digest), ()))
        for id_, statement in arrival.statements
    )
