"""Outcomes: what became true of learners, and what is true no more, as entries of a journal.

A subject (agent, about, target, level) holds or does not. Where a batch changes that, or the moment
since when it holds, there is a turn; a turn, held against the newest outcome of its subject, becomes
the next outcome, or none. So a subject's outcomes are numbered (`revision`), alternate between what is
reached and what is taken back, and those that stand (published, and not retracted by a later one) are
what a fold over the set of facts says, whatever the order and the repetition in which facts came.
"""

from __future__ import annotations

import dataclasses
import enum
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from lrs.scoring.catalogue import LEVELS
from lrs.scoring.competency import EVIDENTIAL
from lrs.scoring.event import ABSENT
from lrs.scoring.evidence import Sets
from lrs.scoring.fact import Facts, Kind, mask, statement_id
from lrs.scoring.kernel import kernel
from lrs.scoring.progress import is_in
from lrs.scoring.score import Output
from lrs.scoring.table import Tables

_NAMESPACE: Final = uuid.UUID("5f0e7c54-5a5b-4d2f-9f0a-3f3c5d1a9be2")

MOST_EVIDENCE: Final = 64
"""The most statements that an outcome names; of more, those of the latest effective time."""


class About(enum.IntEnum):
    """What a subject is about. Numbers are stored for ever."""

    MODULE = 1
    """A learner satisfied a module: its moveOn is met."""
    COURSE = 2
    """A learner satisfied every module of a course."""
    CERTIFICATE = 3
    """Somebody said that a learner earned a course's or a module's certificate."""
    LEVEL = 4
    """A learner's level in a competency is `level`, or above."""
    CATALOGUE = 5
    """Another catalogue came into force."""


NAMES: Final[Mapping[tuple[About, bool], str]] = {
    (About.MODULE, True): "module.completed",
    (About.MODULE, False): "module.completed",
    (About.COURSE, True): "course.completed",
    (About.COURSE, False): "course.completed",
    (About.CERTIFICATE, True): "certificate.earned",
    (About.CERTIFICATE, False): "certificate.earned",
    (About.LEVEL, True): "competency.reached",
    (About.LEVEL, False): "competency.lost",
    (About.CATALOGUE, True): "catalogue.switched",
}
"""How an outcome is called, by what it is about and whether that holds from now on."""

Subject = tuple[int, int, int, int]
"""agent, About, target (activity, course or competency), level (0 where there is none)."""

Evidence = tuple[tuple[int, uuid.UUID], ...]
"""(effective time, statement id) of what brought something about, the latest first."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A subject of which a batch changed whether it holds, or since when: `was` and `now` in µs since
    1970, ABSENT where it does not (of a level, 0 where it does)."""

    subject: Subject
    was: int
    now: int
    evidence: Evidence = ()


_SATISFYING: Final = mask((Kind.COMPLETED, Kind.PASSED, Kind.MASTERED, Kind.WAIVED))
_EARNING: Final = mask((Kind.EARNED,))
_PROVING: Final = np.array([kind for kind in Kind if EVIDENTIAL >> kind & 1], np.uint8)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest outcome of a subject: `effective` and `evidence` as in Outcome."""

    id: uuid.UUID
    revision: int
    holds: bool
    effective: int
    catalogue: int
    evidence: Evidence = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """An entry of the journal. `holds`: whether its subject does from now on; `effective`: since when it
    holds or, where it does no more, held (µs since 1970); `retracts`: the outcome that is over by this
    one; `evidence`: ids of the statements that brought it about."""

    subject: Subject
    revision: int
    holds: bool
    effective: int
    catalogue: int
    retracts: uuid.UUID | None = None
    evidence: Evidence = ()

    def id(self, tenant: int, agent: str, target: str) -> uuid.UUID:
        """The outcome's id: the same wherever and whenever this turn of these names is written down.

        `agent`: canonical text; `target`: IRI.
        """
        _, about, _, level = self.subject
        name = NAMES[About(about), self.holds]
        named = (tenant, agent, name, target, level, self.revision, self.effective)
        return uuid.uuid5(_NAMESPACE, msgspec.json.encode(named).decode())


def subjects(turns: Iterable[Turn], tables: Tables) -> list[Subject]:
    """The subjects of which `outcomes` must know the newest outcome."""
    found = {turn.subject for turn in turns}
    for turn in turns:
        agent, about, target, _ = turn.subject
        if about == About.COURSE and turn.now != ABSENT:
            found.update((agent, About.MODULE, module, 0) for module in modules_of(target, tables))
    return sorted(found)


def outcomes(
    turns: Iterable[Turn], newest: Mapping[Subject, Newest], tables: Tables, catalogue: int, at: int
) -> list[Outcome]:
    """The outcomes of turns that are found at an instant (µs since 1970) under a catalogue.

    `newest`: of `subjects(turns)`, where there is one. What was told under an earlier catalogue stays,
    unless it is the very same that turned. What nobody was told of (it is older than the journal, or was
    derived anew) is not taken back. A course that is complete is proven by all that its modules were.
    """
    found: list[Outcome] = []
    told: dict[Subject, Newest | Outcome] = dict(newest)
    for turn in sorted(turns, key=lambda turn: turn.subject):
        outcome = _follow(turn, newest.get(turn.subject), catalogue, at)
        if outcome is None:
            continue
        agent, about, target, _ = turn.subject
        evidence = turn.evidence
        if about == About.COURSE and turn.now != ABSENT:
            modules = [(agent, About.MODULE, module, 0) for module in modules_of(target, tables)]
            proofs = [told[module].evidence for module in modules if module in told and told[module].holds]
            evidence = merged([turn.evidence, *proofs])
        outcome = dataclasses.replace(outcome, evidence=evidence)
        told[turn.subject] = outcome
        found.append(outcome)
    return found


def milestones(output: Output, tables: Tables) -> list[Turn]:
    """The turns of modules, certificates and courses in what a batch changed, with their evidence.

    That of a course is what it was in this batch: the statements of its modules that turned.
    """
    keys, homes = output.keys, tables.homes
    place = np.searchsorted(tables.activities, keys["activity"])
    known = np.zeros(len(keys), np.bool_)
    if len(tables.activities):
        place = np.minimum(place, len(tables.activities) - 1)
        known = tables.activities[place] == keys["activity"]
        is_module = known & (homes["course"][place] < 0)
    else:
        is_module = known
    turns: list[Turn] = []
    for about, field, chosen, kinds in (
        (About.MODULE, "satisfied", is_module, _SATISFYING),
        (About.CERTIFICATE, "earned", known, _EARNING),
    ):
        was, now = output.before[field], output.after[field]
        rows = np.flatnonzero((was != now) & chosen)
        if len(rows):
            turns += _turns(about, output, rows, was[rows], now[rows], kinds)
    courses = output.courses
    was, now = courses.before["completed"], courses.after["completed"]
    rows = np.flatnonzero(was != now)
    if len(rows):
        turns += _course_turns(courses.keys[rows], was[rows], now[rows], turns, tables)
    return turns


def level_turns(
    before: npt.NDArray[np.void], after: npt.NDArray[np.void], output: Output | None = None
) -> list[Turn]:
    """The turns of levels that were read out twice (LEVEL, of the same learners and competencies).
    `output`: the batch that changed them; None: time alone did.

    A turn for every level: one that was told under another catalogue may hold no more.
    """
    turns: list[Turn] = []
    for row in np.flatnonzero(before["level"] != after["level"]).tolist():
        agent, competency, new, _ = after[row].tolist()
        old = int(before["level"][row])
        evidence = () if output is None else _proof(output, agent, competency)
        for level in range(1, LEVELS + 1):
            turns.append(
                Turn(
                    (agent, About.LEVEL, competency, level),
                    0 if level <= old else ABSENT,
                    0 if level <= new else ABSENT,
                    evidence,
                )
            )
    return turns


def _turns(
    about: About,
    output: Output,
    rows: npt.NDArray[np.int64],
    was: npt.NDArray[np.int64],
    now: npt.NDArray[np.int64],
    kinds: int,
) -> Iterator[Turn]:
    sets, gained = output.sets, now != ABSENT
    ids, starts = _causes(
        sets.facts,
        sets.starts,
        sets.was,
        sets.now,
        output.places[rows],
        np.where(gained, now, was),
        gained,
        kinds,
        MOST_EVIDENCE,
    )
    evidence = [uuid.UUID(int=hi << 64 | lo) for hi, lo in ids.tolist()]
    for number, ((agent, activity), old, new) in enumerate(
        zip(output.keys[rows].tolist(), was.tolist(), now.tolist(), strict=True)
    ):
        some = sorted(evidence[starts[number] : starts[number + 1]])
        when = old if new == ABSENT else new
        yield Turn((agent, about, activity, 0), old, new, tuple((when, id_) for id_ in some))


def _course_turns(
    keys: npt.NDArray[np.void],
    was: npt.NDArray[np.int64],
    now: npt.NDArray[np.int64],
    turns: list[Turn],
    tables: Tables,
) -> Iterator[Turn]:
    modules = {turn.subject[::2]: turn for turn in turns if turn.subject[1] == About.MODULE}
    for (agent, course), old, new in zip(keys.tolist(), was.tolist(), now.tolist(), strict=True):
        own = [modules[agent, each] for each in modules_of(course, tables) if (agent, each) in modules]
        yield Turn((agent, About.COURSE, course, 0), old, new, merged(turn.evidence for turn in own))


def modules_of(course: int, tables: Tables) -> list[int]:
    """Every module of a course."""
    shape = tables.courses[np.searchsorted(tables.courses["activity"], course)]
    modules: list[int] = tables.slots["activity"][int(shape["slots"]) : int(shape["slots_end"])].tolist()
    return modules


def merged(evidence: Iterable[Evidence]) -> Evidence:
    """All of it once, the latest first, MOST_EVIDENCE at most."""
    every = {one for some in evidence for one in some}
    return tuple(sorted(every, key=lambda one: (-one[0], one[1]))[:MOST_EVIDENCE])


def _proof(output: Output, agent: int, competency: int) -> Evidence:
    """The statements of a batch by which a learner's level in a competency changed."""
    given = output.contributions
    mine = given[(given["agent"] == agent) & (given["competency"] == competency)]
    own = output.places[output.keys["agent"] == agent]
    direct = output.places[
        (output.keys["agent"] == agent) & np.isin(output.keys["activity"], mine["activity"])
    ]
    # Completing a course is told of the course; what completed it is another of the learner's activities.
    for places in (direct, own):
        found = merged(_changed(output.sets, place) for place in places.tolist())
        if found:
            return found
    return ()


def _changed(sets: Sets, place: int) -> Evidence:
    """The facts of one set that a batch brought or took back, and that can prove something."""
    rows = np.arange(sets.starts[place], sets.starts[place + 1])
    rows = rows[(sets.was[rows] != sets.now[rows]) & np.isin(sets.facts["kind"][rows], _PROVING)]
    return tuple((int(fact["effective"]), statement_id(fact)) for fact in sets.facts[rows])


@kernel
def _causes(
    facts: Facts,
    starts: npt.NDArray[np.int64],
    was: npt.NDArray[np.bool_],
    now: npt.NDArray[np.bool_],
    places: npt.NDArray[np.int64],
    when: npt.NDArray[np.int64],
    gained: npt.NDArray[np.bool_],
    kinds: int,
    most: int,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Ids (two halves) of the facts of the sets at `places` that took effect at `when`: of those that
    count now or, where nothing was gained, of those that count no more. Those of the kinds if there
    are any, else of any kind (who need do nothing is satisfied by anything)."""
    bounds = np.zeros(len(places) + 1, np.int64)
    room = 0
    for i in range(len(places)):
        room += min(starts[places[i] + 1] - starts[places[i]], most)
    ids = np.empty((room, 2), np.uint64)
    count = 0
    for i in range(len(places)):
        first = count
        for kind in (kinds, -1):
            for at in range(starts[places[i]], starts[places[i] + 1]):
                fact = facts[at]
                counts = now[at] if gained[i] else was[at] and not now[at]
                if (
                    counts
                    and fact["effective"] == when[i]
                    and is_in(fact["kind"], kind)
                    and count < first + most
                ):
                    ids[count, 0], ids[count, 1] = fact["id_hi"], fact["id_lo"]
                    count += 1
            if count > first:
                break
        bounds[i + 1] = count
    return ids[:count], bounds


def _follow(turn: Turn, newest: Newest | None, catalogue: int, at: int) -> Outcome | None:
    """The outcome of a turn, without its evidence; None where there is nothing to tell."""
    is_level = turn.subject[1] == About.LEVEL
    if newest is None or not newest.holds:
        if turn.was != ABSENT or turn.now == ABSENT:
            return None
        revision = 1 if newest is None else newest.revision + 1
        return Outcome(turn.subject, revision, True, at if is_level else turn.now, catalogue)
    own = is_level or newest.catalogue == catalogue or newest.effective == turn.was
    if turn.now == ABSENT and own:
        effective = at if is_level else newest.effective
        return Outcome(turn.subject, newest.revision + 1, False, effective, catalogue, newest.id)
    if turn.now not in (ABSENT, newest.effective) and own and not is_level:
        return Outcome(turn.subject, newest.revision + 1, True, turn.now, catalogue, newest.id)
    return None
