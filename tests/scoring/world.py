"""A small world to score: a catalogue with every kind of rule, statements, and their events."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lrs.scoring.canonical import export
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.event import ABSENT, EVENT, LANDMARK_US, MOVE_ON, NONE, PAIR, PARTITION_BITS, Flag, halves
from lrs.scoring.mapping import MappingTable, default_mapping
from lrs.scoring.score import Output
from lrs.scoring.state import State
from lrs.scoring.table import Tables, compile_catalogue

ADL = "http://adlnet.gov/expapi/verbs/"
CMI5 = "https://w3id.org/xapi/adl/verbs/"
DAY = 86_400_000_000
STORED = LANDMARK_US + 2_500 * DAY

CATALOGUE = """
format: 1
competencies:
  - {id: "c:one", domain: domain, name: {en: One}, half_life_days: 1096}
  - {id: "c:two", domain: functional, name: {en: Two}, half_life_days: 540}
courses:
  - id: course:a
    name: {en: A}
    modules:
      - id: m:cmi5
        name: {en: "Unit"}
        kind: cmi5
        move_on: CompletedAndPassed
        passing_score: 0.6
        expected_score: 0.55
        weight: 3
        evidence: assessment
        develops: [{competency: "c:one", level: 2}, {competency: "c:two", level: 1, weight: 0.33}]
      - id: m:video
        name: {en: Video}
        kind: video
        move_on: Completed
        evidence: completion
        develops: [{competency: "c:one", level: 1}]
      - {id: "m:free", name: {en: Free}, kind: cmi5, move_on: NotApplicable, weight: 2}
    develops: [{competency: "c:two", level: 3, weight: 2}]
  - id: course:b
    name: {en: B}
    modules:
      - {use: "m:video", weight: 5}
      - id: m:exam
        name: {en: Exam}
        kind: plain
        move_on: Passed
        passing_score: 0.7
        evidence: proctored
        develops: [{competency: "c:one", level: 4}, {competency: "c:one", level: 3, evidence: completion}]
      - id: m:work
        name: {en: Work}
        kind: plain
        move_on: CompletedOrPassed
        evidence: workplace
        develops: [{competency: "c:two", level: 5, weight: 0.5}]
authorities:
  proctored: [{mbox: "mailto:proctor@EXAMPLE.org"}, {account: {homePage: "https://example.org", name: both}}]
  workplace: [{account: {homePage: "https://example.org", name: both}}, {openid: "https://example.org/boss"}]
counting:
  assessment: {window_days: 3, pass_weight: 0.25}
  proctored: {window_days: 2}
  workplace: {window_days: 4}
  completion: {window_days: 5}
"""

AUTHORITIES = (
    "mbox:mailto:proctor@example.org",
    "account:https://example.org both",
    "openid:https://example.org/boss",
    "mbox:mailto:learner@example.org",
)
OBJECTS = ("m:cmi5", "m:video", "m:exam", "m:work", "m:free", "course:a", "lms:unit", "lms:other", "plain")
RELATED = ("m:cmi5", "m:free", "course:a", "course:b", "other:1", "other:2")
VERBS = (
    *(
        ADL + verb
        for verb in ("launched", "initialized", "completed", "passed", "failed", "terminated", "scored")
    ),
    *(ADL + verb for verb in ("attempted", "progressed", "mastered", "answered", "registered")),
    *(CMI5 + verb for verb in ("waived", "abandoned", "satisfied")),
    "http://id.tincanapi.com/verb/earned",
    "https://w3id.org/xapi/video/verbs/played",
    "http://example.org/unmapped",
)
CATEGORY_FLAGS = {"cmi5": Flag.CMI5, "moveon": Flag.MOVE_ON, "video": Flag.VIDEO}


_SCATTER = 0x9E3779B97F4A7C15F39CC0605CEDC835


def number_of(statement_id: int) -> int:
    """The number of the statement that has this id."""
    return statement_id * pow(_SCATTER, -1, 1 << 128) % (1 << 128)


@dataclass(frozen=True)
class Said:
    """One statement, as far as scoring is concerned."""

    number: int
    verb: str
    activity: str | None = "m:cmi5"
    agent: str = "learner"
    stored: int = STORED
    timestamp: int | None = None
    categories: frozenset[str] = frozenset(("cmi5", "moveon"))
    related: tuple[str, ...] = ()
    registration: int = 0
    session: int = 0
    authority: str = AUTHORITIES[3]
    scaled: int | None = None
    success: bool | None = None
    completion: bool | None = None
    progress: int | None = None
    mastery: int | None = None
    move_on: str | None = None
    duration_ms: int | None = None
    normal: bool = True

    @property
    def id(self) -> bytes:
        # Scattered, so that the order of ids is not that of arrival.
        return (self.number * _SCATTER % (1 << 128)).to_bytes(16, "big")

    @property
    def pos(self) -> int:
        return (self.stored - LANDMARK_US) << PARTITION_BITS | 1


@dataclass
class World:
    """Interned numbers for every name; `salt` gives other numbers to the same names."""

    salt: int = 0
    catalogue_text: str = CATALOGUE
    numbers: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.catalogue = read_catalogue(self.catalogue_text)
        mapping = default_mapping()
        known = [
            *self.catalogue.iris(),
            *self.catalogue.agents(),
            *OBJECTS,
            *RELATED,
            *AUTHORITIES,
            "learner",
        ]
        shuffled = np.random.default_rng(self.salt).permutation(len(known))
        for place in shuffled.tolist():
            self.number(known[place])
        self.tables: Tables = compile_catalogue(self.catalogue, self.numbers, self.numbers)
        self.verbs = {verb: number for number, verb in enumerate(mapping.verbs(), start=1 + self.salt)}
        self.mapping: MappingTable = mapping.compile(self.verbs)

    def number(self, name: str) -> int:
        """The interned number of any name."""
        if name not in self.numbers:
            self.numbers[name] = len(self.numbers) + 1 + 1000 * self.salt
            self.names[self.numbers[name]] = name
        return self.numbers[name]

    def agent(self, number: int) -> str:
        return self.names[number]

    activity = agent

    def events(
        self, said: Sequence[Said], retracted: Container[int] = ()
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """The events and pairs that persist would write of these statements; those at the places in
        `retracted` are retractions."""
        events = np.array([self._event(one, place in retracted) for place, one in enumerate(said)], EVENT)
        pairs = [(row, self.number(name)) for row, one in enumerate(said) for name in one.related]
        return events, np.array(pairs, PAIR)

    def _event(self, said: Said, retract: bool) -> tuple[int, ...]:
        flags = Flag.RETRACT if retract else 0
        for category in said.categories:
            flags |= CATEGORY_FLAGS[category]
        for value, has, true in (
            (said.success, Flag.HAS_SUCCESS, Flag.SUCCESS),
            (said.completion, Flag.HAS_COMPLETION, Flag.COMPLETION),
        ):
            if value is not None:
                flags |= has | (true if value else 0)
        if said.scaled is not None:
            flags |= Flag.HAS_SCALED
        if not said.normal:
            flags |= Flag.NOT_NORMAL

        def given(value: int | None, absent: int) -> int:
            return absent if value is None else value

        return (
            said.pos,
            *halves(said.id),
            *halves(said.registration.to_bytes(16, "big")),
            self.number(said.agent),
            0 if said.activity is None else self.number(said.activity),
            self.number(said.authority),
            given(said.timestamp, ABSENT),
            given(said.duration_ms, NONE),
            1,
            self.verbs.get(said.verb, 10_000),
            said.session,
            given(said.scaled, 0),
            given(said.progress, NONE),
            given(said.mastery, NONE),
            flags,
            MOVE_ON[said.move_on] if said.move_on else 0,
            0,
        )

    def score(self, *batches: Sequence[Said], state: State | None = None) -> State:
        """The state after these batches of statements."""
        state = State() if state is None else state
        for batch in batches:
            state.take(*self.events(batch), self.tables, self.mapping)
        return state

    def export(self, state: State) -> list[bytes]:
        """The canonical export of a state."""
        rows = state.evidence_rows(), state.course_rows(), state.accumulator_rows()
        return export(*rows, self, self.tables)

    def take(self, state: State, arrivals: Sequence[tuple[Said, bool]]) -> Output:
        """Score statements and retractions (True) in this order, and keep the result."""
        retracted = {place for place, (_, is_retraction) in enumerate(arrivals) if is_retraction}
        events, pairs = self.events([one for one, _ in arrivals], retracted)
        return state.take(events, pairs, self.tables, self.mapping)


@cache
def world(salt: int = 0) -> World:
    """The world, made once for all tests."""
    return World(salt)


def histories(rng: np.random.Generator, learners: Iterable[str], most: int = 14) -> list[Said]:
    """Random statements, crowded into few days, sessions and activities so that every rule meets others."""
    said: list[Said] = []

    def one(values: Sequence[Any]) -> Any:
        return values[int(rng.integers(len(values)))]

    for learner in learners:
        focus = [one(OBJECTS) for _ in range(int(rng.integers(1, 4)))]
        for _ in range(int(rng.integers(1, most + 1))):
            stored = STORED + int(rng.integers(0, 8 * DAY))
            chance = rng.random(12)
            said.append(
                Said(
                    len(said) + 1,
                    one(VERBS),
                    None if chance[0] < 0.02 else one(focus),
                    learner,
                    stored,
                    None
                    if chance[1] < 0.1
                    else LANDMARK_US - 1
                    if chance[1] < 0.13
                    else stored + 400_000_000
                    if chance[1] < 0.16
                    else STORED + int(rng.integers(-4, 3)) * DAY // 2
                    if chance[1] < 0.6
                    else stored - int(rng.integers(0, 9 * DAY)),
                    frozenset(("cmi5", "moveon"))
                    if chance[2] < 0.6
                    else frozenset(one((("cmi5",), (), ("video",)))),
                    tuple(one(RELATED) for _ in range(int(rng.integers(0, 4)))),
                    int(rng.integers(0, 3)),
                    int(rng.integers(0, 3)),
                    one(AUTHORITIES),
                    None if chance[3] < 0.3 else int(rng.integers(-2_000, 10_001)),
                    None if chance[4] < 0.6 else bool(chance[4] < 0.9),
                    None if chance[5] < 0.7 else bool(chance[5] < 0.95),
                    None if chance[6] < 0.7 else int(rng.integers(0, 10_001)),
                    None if chance[7] < 0.7 else int(rng.integers(0, 10_001)),
                    None if chance[8] < 0.5 else one(tuple(MOVE_ON)),
                    None if chance[9] < 0.4 else int(rng.integers(0, 7_200_000)),
                    bool(chance[10] > 0.08),
                )
            )
    return said
