"""A batch: events turned into facts, grouped by the evidence that they touch.

`read_batch` decides for each event whether it is a fact (the mapping), when it took effect, and where
its home is. The batch then names the keys of the stored rows that `score` needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lrs.scoring.event import (
    ABSENT,
    LANDMARK_US,
    NONE,
    ONE,
    PARTITION_BITS,
    Events,
    Flag,
    Pairs,
)
from lrs.scoring.fact import FACT, FORMAT, ORIGINS, REFERENCE_SCORE, FactFlag, Facts, Kind
from lrs.scoring.kernel import kernel
from lrs.scoring.mapping import CATEGORY_MASK, CATEGORY_SHIFT, OTHER_CATEGORY, MappingTable
from lrs.scoring.table import Tables, find_home

FUTURE_US: Final = 300_000_000
"""How far a timestamp may lie ahead of `stored`: clocks differ."""

KEY: Final = np.dtype([("agent", "<i8"), ("activity", "<i8")])
"""The key of evidence (agent, home activity) and of course progress (agent, course)."""

# What becomes of an event. From _NO_ACTIVITY on: nothing, by reason.
_FACT, _RETRACTION, _NO_ACTIVITY, _NO_AGENT, _UNMAPPED_VERB, _UNMAPPED_CATEGORY, _CONTRADICTION = range(7)
REASONS: Final = ("no_activity", "no_agent", "unmapped_verb", "unmapped_category", "contradiction")
"""Why an event is no fact: its object is no activity, its actor no single agent; its verb is not
mapped, or only in a category that it lacks; its result contradicts its verb."""

_RESULT: Final = int(Flag.HAS_SUCCESS | Flag.SUCCESS)
_COPIED: Final = 0x3FF
_MAX_DURATION: Final = int(np.iinfo(np.int32).max)


@dataclass(frozen=True)
class Batch:
    """Facts by key. `facts[starts[k]:starts[k + 1]]` are those of `keys[k]`, in the events' order;
    `retracts` marks those that take a fact back. `homes[k]` is the key's row in the catalogue, -1: none.
    `courses` are the keys of the course rows touched; part p says that key `part_keys[p]` is slot
    `part_slots[p]` of course row `part_rows[p]` (slot -1: the course itself)."""

    keys: npt.NDArray[np.void]
    starts: npt.NDArray[np.int64]
    facts: Facts
    retracts: npt.NDArray[np.bool_]
    homes: npt.NDArray[np.int64]
    courses: npt.NDArray[np.void]
    course_index: npt.NDArray[np.int64]
    part_keys: npt.NDArray[np.int64]
    part_rows: npt.NDArray[np.int64]
    part_slots: npt.NDArray[np.int64]
    counts: Mapping[str, int]


def effective_time(timestamp: int, stored: int) -> tuple[int, bool]:
    """When a statement took effect, and whether its timestamp was refused as implausible."""
    effective, refused = _effective(timestamp, stored)
    return int(effective), bool(refused)


def read_batch(events: Events, pairs: Pairs, tables: Tables, mapping: MappingTable) -> Batch:
    """The batch of these events of one tenant; `pairs` as in the evidence log, sorted by row."""
    count = len(events)
    related = np.searchsorted(pairs["row"], np.arange(count + 1)).astype(np.int64)
    activities = np.ascontiguousarray(pairs["activity"])
    facts = np.zeros(count, FACT)
    agents, actives = np.empty(count, np.int64), np.empty(count, np.int64)
    outcome, homes = np.empty(count, np.uint8), np.empty(count, np.int64)
    refused = _interpret(
        np.require(events, requirements=("C", "W")),
        related,
        activities,
        tables,
        mapping.kinds,
        mapping.version,
        facts,
        agents,
        actives,
        outcome,
        homes,
    )
    kept = np.flatnonzero(outcome < _NO_ACTIVITY)
    rows = kept[np.lexsort((actives[kept], agents[kept]))]
    starts = _starts(agents[rows], actives[rows])
    firsts = rows[starts[:-1]]
    keys = np.empty(len(firsts), KEY)
    keys["agent"], keys["activity"] = agents[firsts], actives[firsts]
    by_reason = np.bincount(outcome, minlength=_CONTRADICTION + 1)[_NO_ACTIVITY:]
    counts = {"events": count, "time_refused": int(refused)}
    counts.update(zip(REASONS, by_reason.tolist(), strict=True))
    courses, course_index, part_keys, part_rows, part_slots = _courses(keys, homes[firsts], tables)
    return Batch(
        keys,
        starts,
        facts[rows],
        outcome[rows] == _RETRACTION,
        homes[firsts],
        courses,
        course_index,
        part_keys,
        part_rows,
        part_slots,
        counts,
    )


def _courses(
    keys: npt.NDArray[np.void], homes: npt.NDArray[np.int64], tables: Tables
) -> tuple[npt.NDArray[Any], ...]:
    part_keys, course, slots = _parts(homes, tables)
    agents = keys["agent"][part_keys]
    order = np.lexsort((course, agents))
    starts = _starts(agents[order], course[order])
    rows = np.empty(len(order), np.int64)
    rows[order] = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    firsts = order[starts[:-1]]
    courses = np.empty(len(firsts), KEY)
    courses["agent"], courses["activity"] = agents[firsts], tables.courses["activity"][course[firsts]]
    return courses, course[firsts], part_keys, rows, slots


@kernel
def _effective(timestamp: int, stored: int) -> tuple[int, bool]:
    if timestamp == ABSENT:
        return stored, False
    if LANDMARK_US <= timestamp <= stored + FUTURE_US:
        return timestamp, False
    return stored, True


@kernel
def _starts(agents: npt.NDArray[np.int64], actives: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each run of equal (agent, activity) begins, and the end."""
    starts = np.empty(len(agents) + 1, np.int64)
    count = 0
    for i in range(len(agents)):
        if i == 0 or agents[i] != agents[i - 1] or actives[i] != actives[i - 1]:
            starts[count] = i
            count += 1
    starts[count] = len(agents)
    return starts[: count + 1].copy()


@kernel
def _parts(
    homes: npt.NDArray[np.int64], tables: Tables
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(key, course, slot) of every place in a course that the keys touch."""
    total = 0
    for home in homes:
        if home >= 0:
            row = tables.homes[home]
            total += row["places_end"] - row["places"] + (row["course"] >= 0)
    keys, courses, slots = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total, np.int64)
    at = 0
    for key in range(len(homes)):
        if homes[key] < 0:
            continue
        row = tables.homes[homes[key]]
        if row["course"] >= 0:
            keys[at], courses[at], slots[at] = key, row["course"], -1
            at += 1
        for place in range(row["places"], row["places_end"]):
            keys[at], courses[at], slots[at] = (
                key,
                tables.places[place]["course"],
                tables.places[place]["slot"],
            )
            at += 1
    return keys, courses, slots


@kernel
def _contradicts(kind: int, flags: int) -> bool:
    """cmi5 9.5.2, 9.5.3: passed is success, failed is not, completed is completion."""
    if kind in (Kind.PASSED, Kind.MASTERED):
        return flags & _RESULT == Flag.HAS_SUCCESS
    if kind == Kind.FAILED:
        return flags & _RESULT == _RESULT
    return kind == Kind.COMPLETED and flags & Flag.HAS_COMPLETION != 0 and flags & Flag.COMPLETION == 0


@kernel
def _interpret(
    events: Events,
    related: npt.NDArray[np.int64],
    activities: npt.NDArray[np.int64],
    tables: Tables,
    kinds: npt.NDArray[np.uint8],
    version: int,
    facts: Facts,
    agents: npt.NDArray[np.int64],
    actives: npt.NDArray[np.int64],
    outcome: npt.NDArray[np.uint8],
    homes: npt.NDArray[np.int64],
) -> int:
    refused_times = 0
    for i in range(len(events)):
        event = events[i]
        flags = int(event["flags"])
        verb = event["verb"]
        kind = 0
        if 0 <= verb < len(kinds):
            kind = int(kinds[verb, (flags >> CATEGORY_SHIFT) & CATEGORY_MASK])
        retraction = flags & Flag.RETRACT != 0
        if event["activity"] == 0:
            outcome[i] = _NO_ACTIVITY
            continue
        if event["agent"] == 0:
            outcome[i] = _NO_AGENT
            continue
        if not retraction:
            if kind == Kind.NONE:
                outcome[i] = _UNMAPPED_VERB
                continue
            if kind == OTHER_CATEGORY:
                outcome[i] = _UNMAPPED_CATEGORY
                continue
            if _contradicts(kind, flags):
                outcome[i] = _CONTRADICTION
                continue
        elif kind == OTHER_CATEGORY:
            kind = 0
        outcome[i] = _RETRACTION if retraction else _FACT

        home = find_home(tables.activities, event["activity"])
        active = event["activity"]
        if home < 0 and flags & Flag.CMI5:
            # cmi5 8.1.5, 9.6.1: the object is the LMS's own id; the publisher's comes in grouping.
            for at in range(related[i], related[i + 1]):
                candidate = find_home(tables.activities, activities[at])
                if candidate >= 0 and (tables.homes[candidate]["course"] < 0 or kind == Kind.SATISFIED):
                    home = candidate
                    active = activities[at]
                    break
        homes[i] = home
        agents[i] = event["agent"]
        actives[i] = active

        fact = facts[i]
        keep = flags & _COPIED
        origins = 0
        if active != event["activity"]:
            keep |= FactFlag.REHOMED
            fact["origin"][0] = event["activity"]
            origins = 1
        for at in range(related[i], related[i + 1]):
            if activities[at] == active:
                continue
            if origins == ORIGINS:
                keep |= FactFlag.ORIGINS_CUT
                break
            fact["origin"][origins] = activities[at]
            origins += 1
        effective, refused = _effective(event["timestamp"], (event["pos"] >> PARTITION_BITS) + LANDMARK_US)
        if refused:
            keep |= FactFlag.TIME_REFUSED
            refused_times += 1
        score = NONE
        if flags & Flag.HAS_SCALED:
            score = min(max(event["scaled"], 0), ONE)
        progress = min(max(event["progress"], NONE), ONE)
        if kind == Kind.PROGRESSED:
            # The SCORM profile reports progress as a scaled score; it is never marks.
            if progress < 0:
                progress = score
            score = NONE
        fact["format"] = FORMAT
        fact["kind"] = kind
        fact["flags"] = keep
        fact["session"] = event["session"]
        fact["id_hi"] = event["id_hi"]
        fact["id_lo"] = event["id_lo"]
        fact["pos"] = event["pos"]
        fact["effective"] = effective
        fact["registration_hi"] = event["registration_hi"]
        fact["registration_lo"] = event["registration_lo"]
        fact["authority"] = event["authority"]
        fact["duration_ms"] = min(max(event["duration_ms"], NONE), _MAX_DURATION)
        fact["score"] = score
        fact["progress"] = progress
        fact["mastery"] = min(max(event["mastery"], NONE), ONE)
        fact["expected"] = tables.homes[home]["expected"] if home >= 0 else REFERENCE_SCORE
        fact["mapping"] = version
        fact["move_on"] = event["move_on"]
    return refused_times
