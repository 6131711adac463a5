"""What must be so after a history, whatever happened in it.

What should be there is told by what the clients sent and were answered, and by the rules of xAPI, never
by what the stages wrote.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from lrs.scoring.competency import DELTA
from lrs.scoring.event import ABSENT
from lrs.scoring.outcome import About, milestones
from lrs.scoring.state import State
from lrs.store import term
from lrs.store.derivation import Derivation
from lrs.store.evidence import Authorities, events_of
from lrs.store.name import Names
from lrs.store.reread import Stored, reread
from tests.histories.arrival import arrivals_of, wrongs_of_inbox
from tests.histories.plan import id_of, statement_of
from tests.histories.program import DICTIONARIES, PARTITIONS, TENANT, in_force
from tests.histories.said import everything_said

if TYPE_CHECKING:
    from lrs.scoring.outcome import Turn
    from tests.histories.answers.statement import Statement as Row
    from tests.histories.plan import Item
    from tests.histories.said import AllSaid
    from tests.histories.world import World

EXPECTED = (
    "Fenced", "InterfaceError", "ConnectionDoesNotExistError", "InFailedSQLTransactionError",
    "LogUnavailable", "TimeoutError", "KafkaConnectionError", "QueryCanceledError",
)  # fmt: skip
"""Errors by which a worker may end when something goes wrong around it."""


def wrongs(world: World) -> list[str]:
    """What is wrong; nothing, as a rule."""
    arrivals = arrivals_of(world)
    said = everything_said(world, arrivals)
    return [
        *world.seen.missed,
        *_errors(world),
        *_instants(world),
        *_stored(world, said),
        *_voided(world, said),
        *(wrongs_of_inbox(world, arrivals, said) if world.plan.has_intake else ()),
        *_read(world),
        *_journal(world),
        *_derived(world),
    ]


def _rows(world: World) -> list[Row]:
    return sorted(world.database.table("statement").values(), key=lambda row: row.pos)


def _errors(world: World) -> list[str]:
    found = [f"a client saw {error!r}" for sent in world.sent for error in sent.errors]
    for step, what, *told in world.notes:
        if what == "failed" and told[1] not in EXPECTED:
            found.append(f"step {step}: {told[0]} ended by {told[1]}: {told[2]}")
    found += [f"a task ended by {error!r}" for error in world.loop.errors]
    return found


def _instants(world: World) -> list[str]:
    """Within a partition, each record's instants are after those of the record before."""
    found = []
    last: dict[tuple[str, int], int] = {}
    for (topic, partition, offset), (end, count, *_) in sorted(world.database.table("log_record").items()):
        before = last.get((topic, partition), 0)
        if end - count < before:
            found.append(f"{topic} {partition}: the instants of record {offset} begin before those ahead end")
        last[topic, partition] = end
    return found


def _stored(world: World, said: AllSaid) -> list[str]:
    """Acknowledged is stored once, refused is not stored, a request is one or nothing."""
    found = []
    known = world.database.table("known_id")
    rows = _rows(world)
    times = Counter(row.id for row in rows)
    found += [f"statement {id_} is stored {count} times" for id_, count in times.items() if count > 1]
    digests = {id_: digest.bytes for (_, id_), (digest, _) in known.items()}
    for row in rows:
        if known.get((TENANT, row.id), (None, None))[1] != row.pos:
            found.append(f"statement {row.id} is not where its id is known")
    stored = {row.id for row in rows}
    for id_ in digests.keys() - stored:
        found.append(f"the id {id_} is known, and no statement is stored")
    buried = {value[0]: value for value in world.database.table("dead_letter").values()}
    for id_, reason, detail in buried.values():
        if reason != "conflict" or not world.plan.kafka:
            found.append(f"statement {id_} was buried: {reason}, {detail}")
    sayers = Counter((id_, each.statement.digest) for id_, all_said in said.items() for each in all_said)
    for sent in world.sent:
        parts = [(id_of(item.id), statement_of(item).digest) for item in sent.request.items]
        there = [id_ in stored and digests[id_] == digest for id_, digest in parts]
        if sent.outcome is None:
            mine = [present for part, present in zip(parts, there, strict=True) if sayers[part] == 1]
            if any(mine) and not all(there) and not world.plan.kafka:
                found.append(f"of a request that was never answered only a part is stored: {sent.request}")
            continue
        for (id_, _), present in zip(parts, there, strict=True):
            late = world.plan.kafka and id_ in buried and id_ in stored
            if not sent.outcome.conflicts and not present and not late:
                found.append(f"statement {id_} was acknowledged, and is not stored: {sent.request}")
    for row in rows:
        same = [each for each in said.get(row.id, ()) if each.statement.digest == digests.get(row.id)]
        if not any(each.accepted for each in same):
            found.append(f"statement {row.id} is stored, but everybody who sent it was refused")
        elif not any(each.authority == row.authority for each in same):
            found.append(f"statement {row.id} is stored as that of {row.authority}, who did not send it")
        elif DICTIONARIES.decompress(row.dictionary, row.raw) not in {each.statement.raw for each in same}:
            found.append(f"statement {row.id} is stored with other bytes")
    return found


def _voided(world: World, said: AllSaid) -> list[str]:
    """Out of sight is what a stored statement voids that may void it, unless it is a void itself."""
    rows = {row.id: row for row in _rows(world)}
    meant = {row.id: _item_of(said, row) for row in rows.values()}
    voided = set()
    for id_, item in meant.items():
        if item is None or not item.voids or item.target is None:
            continue
        target = rows.get(id_of(item.target))
        if target is None:
            continue
        its = meant[target.id]
        may = rows[id_].authority == 1 or rows[id_].authority == target.authority
        if may and its is not None and not its.voids:
            voided.add(target.id)
    there = {row.id for row in rows.values() if row.voided}
    return [
        *(f"statement {id_} is voided, and in sight" for id_ in sorted(voided - there)),
        *(f"statement {id_} is out of sight, and nobody voided it" for id_ in sorted(there - voided)),
    ]


def _item_of(said: AllSaid, row: Row) -> Item | None:
    raw = DICTIONARIES.decompress(row.dictionary, row.raw)
    return next((each.item for each in said.get(row.id, ()) if each.statement.raw == raw), None)


def _read(world: World) -> list[str]:
    """Who polls sees everything once; a list is a snapshot."""
    found = []
    rows = _rows(world)
    in_sight = {row.pos for row in rows if not row.voided}
    ever = {row.pos for row in rows}
    for polled in world.seen.polled:
        twice = [pos for pos, count in Counter(polled.met).items() if count > 1]
        due = {pos for pos in in_sight if term.instant(pos) <= polled.through}
        found += [f"a poller met {pos} twice" for pos in twice]
        found += [f"a poller never met {pos}" for pos in sorted(due - set(polled.met))]
        found += [f"a poller met {pos}, which is not there" for pos in sorted(set(polled.met) - ever)]
    for met, horizon in world.seen.lists:
        if met != sorted(set(met), reverse=True):
            found.append(f"a list is out of order: {met}")
        if horizon:
            inside = {pos for pos in in_sight if term.instant(pos) <= horizon[pos & (term.PARTITIONS - 1)]}
            found += [f"a list missed {pos}" for pos in sorted(inside - set(met))]
    return found


def _journal(world: World) -> list[str]:
    """Outcomes have ids of their own; a subject's are numbered, take turns, and take back the one before."""
    rows = sorted(world.database.table("outcome").items())
    found = []
    ids = Counter(row.id for _, row in rows)
    found += [f"outcome {id_} was told {count} times" for id_, count in ids.items() if count > 1]
    numbers: dict[int, int] = {}
    newest: dict[Any, Any] = {}
    for (_, partition, number), row in rows:
        if number != numbers.get(partition, 0) + 1:
            found.append(f"partition {partition}: outcome {number} follows {numbers.get(partition, 0)}")
        numbers[partition] = number
        before = newest.get(row.subject)
        if row.revision != (1 if before is None else before.revision + 1):
            found.append(f"outcome {row.id} is revision {row.revision} after {before}")
        if row.retracts is not None and (before is None or row.retracts != before.id):
            found.append(f"outcome {row.id} takes back {row.retracts}, not the newest, {before}")
        newest[row.subject] = row
    return found + (_published(world, numbers) if world.plan.kafka else [])


def _published(world: World, numbers: dict[int, int]) -> list[str]:
    """Every outcome is published, by partition in the order of the numbers, repetitions aside."""
    found = []
    for partition in range(PARTITIONS):
        values = world.brokers.outcomes.get(partition, ())
        first = dict.fromkeys(msgspec.json.decode(value)["number"] for value in values)
        if list(first) != list(range(1, numbers.get(partition, 0) + 1)):
            found.append(f"of partition {partition}'s outcomes these were published: {list(first)}")
    return found


def _derived(world: World) -> list[str]:
    """What is derived, and what outcomes say, is the fold over the statements in sight."""
    tables = world.database.tables
    stored = Derivation.of_rows(
        [(*key[2:], facts) for key, facts in tables.get("evidence", {}).items()],
        [(*key[2:], state) for key, state in tables.get("course_progress", {}).items()],
        np.array([(*key[2:], *sums) for key, sums in tables.get("competency", {}).items()], DELTA),
    )
    folded = State()
    rows = [row for row in _rows(world) if not row.voided]
    turns = world.perform(_fold(world, rows, folded)) if rows else []
    expected = Derivation.of(folded)
    found = []
    if not stored.same_as(expected):
        found.append(
            f"derived are {stored.count} facts, {len(stored.courses)} courses,"
            f" {stored.accumulators.tolist()}; the statements say {expected.count},"
            f" {len(expected.courses)}, {expected.accumulators.tolist()}"
        )
    holding = {turn.subject: turn.now for turn in turns if turn.now != ABSENT}
    told = {
        row.subject: row.effective_us
        for _, row in sorted(world.database.table("outcome").items())
        if row.about != About.LEVEL
    }
    standing = {subject: at for subject, at in told.items() if _newest(world, subject).holds}
    if standing != holding:
        found.append(f"outcomes say that {standing} hold; the statements, {holding}")
    return found


def _newest(world: World, subject: tuple[int, ...]) -> Any:
    rows = [row for row in world.database.table("outcome").values() if row.subject == subject]
    return max(rows, key=lambda row: row.revision)


async def _fold(world: World, rows: list[Row], state: State) -> list[Turn]:
    pool, catalogue = world.outside(), in_force()
    stored = [
        Stored(row.tenant, row.pos, row.id.bytes, row.authority, row.flags, row.dictionary, row.raw)
        for row in rows
    ]
    batch = await reread(stored, DICTIONARIES, Names(pool), pool)
    events, pairs = events_of(batch, await Authorities().of(pool, batch))
    output = state.take(events, pairs, catalogue.tables, catalogue.mapping)
    return milestones(output, catalogue.tables)
