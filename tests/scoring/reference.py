"""Scoring in plain Python, written from the documents: slow, on names, without a look at the kernels.

Sources: cmi5 (Quartz) 9.3, 9.5, 9.6, 10.2; the decisions on effective time, trust, aggregators,
session time and forward decay as the package's documentation states them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from lrs.scoring.catalogue import Aggregator, Catalogue, Counting, EvidenceClass, Item, Module, ModuleKind
from lrs.scoring.event import LANDMARK_US, MoveOn
from tests.scoring.world import ADL, CMI5, DAY, Said

MINUTE = 60_000_000

KINDS = {
    **{
        ADL + verb: verb
        for verb in ("launched", "initialized", "completed", "passed", "failed", "terminated")
    },
    **{ADL + verb: verb for verb in ("scored", "attempted", "progressed", "mastered", "answered")},
    ADL + "registered": "enrolled",
    **{CMI5 + verb: verb for verb in ("waived", "abandoned", "satisfied")},
    "http://id.tincanapi.com/verb/earned": "earned",
    "https://w3id.org/xapi/video/verbs/played": "played",
}
BY_THE_SYSTEM = {"waived", "abandoned", "satisfied", "earned", "enrolled"}


@dataclass(frozen=True)
class Fact:
    """A statement that means something."""

    said: Said
    kind: str
    home: str
    when: int
    refused: bool
    score: int | None
    progress: int | None

    @property
    def order(self) -> tuple[int, bytes]:
        return self.when, self.said.id

    @property
    def session(self) -> tuple[int, int]:
        return self.said.registration, self.said.session

    @property
    def is_defined(self) -> bool:
        return {"cmi5", "moveon"} <= self.said.categories


def fact_of(said: Said, catalogue: Catalogue) -> Fact | None:
    """What a statement becomes; None: nothing."""
    kind = KINDS.get(said.verb)
    if kind is None or said.activity is None:
        return None
    if kind in ("waived", "abandoned", "satisfied") and "cmi5" not in said.categories:
        return None
    if kind in ("passed", "mastered") and said.success is False:
        return None
    if kind == "failed" and said.success is True:
        return None
    if kind == "completed" and said.completion is False:
        return None
    modules = {module.id for module in catalogue.modules}
    courses = {course.id for course in catalogue.courses}
    home = said.activity
    if home not in modules | courses and "cmi5" in said.categories:
        allowed = modules | courses if kind == "satisfied" else modules
        home = next((name for name in said.related if name in allowed), home)
    when, refused = said.stored, False
    if said.timestamp is not None:
        if LANDMARK_US <= said.timestamp <= said.stored + 5 * MINUTE:
            when = said.timestamp
        else:
            refused = True
    score = None if said.scaled is None else max(said.scaled, 0)
    progress = said.progress
    if kind == "progressed":
        progress, score = (score if progress is None else progress), None
    return Fact(said, kind, home, when, refused, score, progress)


def counted(facts: Iterable[Fact]) -> list[Fact]:
    """Without sessions to browse or review."""
    facts = list(facts)
    idle = {fact.session for fact in facts if not fact.said.normal and fact.said.session}
    return [fact for fact in facts if fact.said.normal and fact.session not in idle]


def _least(times: Iterable[int | None]) -> int | None:
    return min((time for time in times if time is not None), default=None)


def progress_of(facts: list[Fact], module: Module | None) -> dict[str, Any]:
    """Progress from the facts of one learner and one home."""
    cmi5 = module is not None and module.kind is ModuleKind.CMI5
    good = counted(facts)
    own = [fact for fact in facts if fact.kind not in BY_THE_SYSTEM]
    satisfied, passed, waived, attempts = [], [], [], 0
    for registration in {fact.said.registration for fact in facts}:
        mine = [fact for fact in good if fact.said.registration == registration]
        launches = [
            fact
            for fact in facts
            if fact.said.registration == registration
            and fact.kind == "launched"
            and "cmi5" in fact.said.categories
        ]
        move_on = module.move_on if module else MoveOn.COMPLETED_OR_PASSED
        mastery = module.passing_score if module and module.passing_score >= 0 else None
        if launches:
            last = max(launches, key=lambda fact: fact.order).said
            if last.move_on:
                move_on = NAMES[last.move_on]
            if last.mastery is not None:
                mastery = last.mastery

        def qualifies(fact: Fact) -> bool:
            return fact.is_defined or not cmi5

        passes = [
            fact
            for fact in mine
            if fact.kind in ("passed", "mastered")
            and (mastery is None or fact.score is None or fact.score >= mastery)
        ]
        passed += [fact.when for fact in passes]
        done = _least(fact.when for fact in mine if fact.kind == "completed" and qualifies(fact))
        pass_ = _least(fact.when for fact in passes if qualifies(fact))
        waive = _least(
            fact.when for fact in mine if fact.kind == "waived" and fact.is_defined and fact.said.success
        )
        waived.append(waive)
        if move_on is MoveOn.PASSED:
            met = pass_
        elif move_on is MoveOn.COMPLETED:
            met = done
        elif move_on is MoveOn.COMPLETED_AND_PASSED:
            met = None if done is None or pass_ is None else max(done, pass_)
        elif move_on is MoveOn.COMPLETED_OR_PASSED:
            met = _least((done, pass_))
        else:
            met = _least(fact.when for fact in mine)
        satisfied.append(_least((met, waive)))
        sessions = {fact.said.session for fact in mine if fact.kind not in BY_THE_SYSTEM}
        attempts += max(len(sessions - {0}), int(0 in sessions))

    def first(*kinds: str) -> int | None:
        return _least(fact.when for fact in good if fact.kind in kinds)

    marks = ("attempted", "completed", "passed", "failed", "mastered", "scored", "terminated")
    return {
        "first": _least(fact.when for fact in own),
        "last": max((fact.when for fact in own), default=None),
        "completed": first("completed"),
        "passed": _least(passed),
        "failed": first("failed"),
        "waived": _least(waived),
        "satisfied": _least(satisfied),
        "lms_satisfied": first("satisfied"),
        "earned": first("earned"),
        "duration_ms": duration_ms(facts),
        "best_score": max(
            (fact.score for fact in good if fact.kind in marks and fact.score is not None), default=-1
        ),
        "progress": max((fact.progress for fact in own if fact.progress is not None), default=-1),
        "attempts": attempts,
        "registrations": len({fact.said.registration for fact in facts}),
        "facts": len(facts),
    }


NAMES = {
    "Passed": MoveOn.PASSED,
    "Completed": MoveOn.COMPLETED,
    "CompletedAndPassed": MoveOn.COMPLETED_AND_PASSED,
    "CompletedOrPassed": MoveOn.COMPLETED_OR_PASSED,
    "NotApplicable": MoveOn.NOT_APPLICABLE,
}


def duration_ms(facts: list[Fact]) -> int:
    """Time spent, by marking every boundary and asking for each gap whether some session covers it."""
    spans: list[tuple[int, int]] = []
    for session in {fact.session for fact in facts}:
        mine = sorted((fact for fact in facts if fact.session == session), key=lambda fact: fact.order)
        closed = []
        for place, fact in enumerate(mine):
            if fact.kind in ("terminated", "abandoned") and fact.said.duration_ms is not None:
                start = fact.when - 1000 * fact.said.duration_ms
                since = 0
                for earlier in range(place):
                    if (
                        mine[earlier].kind in ("terminated", "abandoned")
                        and mine[earlier].said.duration_ms is not None
                    ):
                        since = earlier
                opened = [one.when for one in mine[since:place] if one.kind in ("launched", "initialized")]
                closed.append((max([start, *opened]), fact.when))
        if closed:
            spans += closed
        else:
            times = [fact.when for fact in mine if fact.kind not in BY_THE_SYSTEM]
            spans += [(a, min(b, a + 5 * MINUTE)) for a, b in pairwise(times)]
    edges = sorted({edge for span in spans for edge in span})
    total = sum(b - a for a, b in pairwise(edges) if any(s <= a and b <= e for s, e in spans))
    return total // 1000


def gain(weight: int, when: int, half_life: int) -> int:
    """((w LUT[u & 255]) >> 8) << (u >> 8), u = floor(256 d / H)."""
    days = max(0, (when - LANDMARK_US) // DAY)
    whole, part = divmod(256 * days // half_life, 256)
    table = int(Fraction(2.0 ** (16 + part / 256)) + Fraction(1, 2))
    return (weight * table // 256) * 2**whole


def windows(facts: list[Fact], days: int) -> list[list[Fact]]:
    """Facts by windows; each opens with the first fact outside the one before."""
    found: list[list[Fact]] = []
    for fact in sorted(facts, key=lambda fact: fact.order):
        if found and fact.when < found[-1][0].when + days * DAY:
            found[-1].append(fact)
        else:
            found.append([fact])
    return found


Counted = tuple[int, int, int, int]
"""Weight factor in 256ths, score, expected score, time."""


def choose(
    facts: list[Fact], rule: Counting, passing: int | None, expected: int, full: bool
) -> list[Counted]:
    """What counts of these attempts. `full`: completions, which are worth everything."""

    def worth(fact: Fact) -> int:
        if full:
            return 10_000
        if fact.score is not None:
            return fact.score
        if fact.kind == "failed":
            return 0
        return 10_000 if passing is None else passing

    def passes(fact: Fact) -> bool:
        if fact.kind == "scored":
            return passing is not None and fact.score is not None and fact.score >= passing
        return fact.kind in ("passed", "mastered") and (
            passing is None or fact.score is None or fact.score >= passing
        )

    found: list[Counted] = []
    for window in windows(facts, rule.window_days):
        if rule.aggregator is Aggregator.MEAN_OF_ASSESSORS:
            latest = {fact.said.authority: worth(fact) for fact in window}
            mean = Fraction(sum(latest.values()), len(latest))
            found.append((256, int(mean + Fraction(1, 2)), expected, window[-1].when))
        elif rule.aggregator is Aggregator.LATEST:
            found.append((256, worth(window[-1]), expected, window[-1].when))
        else:
            found.append((256, worth(window[0]), expected, window[0].when))
            if rule.aggregator is Aggregator.FIRST_ATTEMPT_AND_PASS and not passes(window[0]):
                later = [fact for fact in window if passes(fact)]
                found += [(rule.pass_weight, worth(fact), expected, fact.when) for fact in later[:1]]
    return found


Accumulators = dict[tuple[str, int, int], tuple[int, int, int]]


def accumulate(
    found: Accumulators, item: Item, evidence: EvidenceClass, counts: list[Counted], half_life: int
) -> None:
    """Add what counts to an item's accumulator."""
    key = (item.competency, item.level, int(evidence))
    for factor, score, expected, when in counts:
        q = gain(item.weight * factor // 256, when, half_life)
        w, a, e = found.get(key, (0, 0, 0))
        found[key] = (w + q, a + q * score, e + q * expected)


def contributions(facts: list[Fact], module: Module, catalogue: Catalogue, found: Accumulators) -> None:
    """Add what the facts of one learner and one module prove."""
    cmi5 = module.kind is ModuleKind.CMI5
    good = counted(facts)
    passing = module.passing_score if module.passing_score >= 0 else None
    expected = module.expected_score if module.expected_score >= 0 else 6_000
    outcomes = [
        fact
        for fact in good
        if fact.kind in ("passed", "failed", "mastered") and (fact.is_defined or not cmi5)
    ]
    decided = {fact.session for fact in outcomes if fact.said.session}
    attempts = outcomes + [
        fact
        for fact in good
        if fact.kind == "scored" and fact.score is not None and fact.session not in decided
    ]
    completions = [
        fact
        for fact in good
        if fact.kind == "earned" or (fact.kind == "completed" and (fact.is_defined or not cmi5))
    ]
    half_lives = {competency.id: competency.half_life_days for competency in catalogue.competencies}
    for item in module.items:
        rule = catalogue.counting[item.evidence]
        half_life = half_lives[item.competency]
        if item.evidence is EvidenceClass.COMPLETION:
            accumulate(found, item, item.evidence, choose(completions, rule, passing, 6_000, True), half_life)
        elif item.evidence is EvidenceClass.ASSESSMENT:
            accumulate(
                found, item, item.evidence, choose(attempts, rule, passing, expected, False), half_life
            )
        else:
            trusted = catalogue.authorities[item.evidence]
            good_ones = [fact for fact in attempts if fact.said.authority in trusted]
            others = [fact for fact in attempts if fact.said.authority not in trusted]
            claim = EvidenceClass.SELF_CLAIM
            accumulate(
                found, item, item.evidence, choose(good_ones, rule, passing, expected, False), half_life
            )
            counts = choose(others, catalogue.counting[claim], passing, expected, False)
            accumulate(found, item, claim, counts, half_life)


@dataclass(frozen=True)
class Result:
    """All that is derived for one learner."""

    facts: dict[str, list[Fact]]
    progress: dict[str, dict[str, Any]]
    courses: dict[str, dict[str, Any]]
    accumulators: Accumulators


def score(said: Iterable[Said], catalogue: Catalogue) -> Result:
    """Score one learner's statements (without those voided); repeated ids count once."""
    facts: dict[str, list[Fact]] = defaultdict(list)
    for statement in {one.id: one for one in said}.values():
        fact = fact_of(statement, catalogue)
        if fact is not None:
            facts[fact.home].append(fact)
    modules = {module.id: module for module in catalogue.modules}
    progress = {home: progress_of(set_, modules.get(home)) for home, set_ in facts.items()}
    found: Accumulators = {}
    for home, set_ in facts.items():
        if home in modules:
            contributions(set_, modules[home], catalogue, found)
    courses = {}
    half_lives = {competency.id: competency.half_life_days for competency in catalogue.competencies}
    for course in catalogue.courses:
        states = [progress.get(part.module) for part in course.parts]
        times = [state["satisfied"] if state else None for state in states]
        always = [modules[part.module].move_on is MoveOn.NOT_APPLICABLE for part in course.parts]
        done = [free or time is not None for free, time in zip(always, times, strict=True)]
        started = _least(state["first"] if state else None for state in states)
        known = [time for time in times if time is not None]
        completed = (max(known) if known else started) if all(done) else None
        weight = sum(part.weight for part in course.parts)
        gained = sum(part.weight for part, is_done in zip(course.parts, done, strict=True) if is_done)
        courses[course.id] = {
            "started": started,
            "completed": completed,
            "satisfied": sum(done),
            "percent": 10_000 * gained // weight,
        }
        if completed is not None:
            for item in course.items:
                counts = [(256, 10_000, 6_000, completed)]
                accumulate(found, item, item.evidence, counts, half_lives[item.competency])
    return Result(dict(facts), progress, courses, {key: sums for key, sums in found.items() if any(sums)})
