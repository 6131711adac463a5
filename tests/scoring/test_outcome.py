"""What stands in the journal of outcomes is what a fold over the set of facts says."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.scoring.event import ABSENT
from lrs.scoring.level import ACCUMULATED, UNREAD, changed_levels, read_levels
from lrs.scoring.outcome import (
    MOST_EVIDENCE,
    About,
    Newest,
    Outcome,
    Subject,
    Turn,
    level_turns,
    milestones,
    outcomes,
    subjects,
)
from lrs.scoring.readout import NEVER, day_in_kolkata, read_out
from lrs.scoring.score import Output
from lrs.scoring.state import State
from tests.scoring.test_order import sets
from tests.scoring.world import ADL, AUTHORITIES, DAY, STORED, Said, World, world

AT = STORED + 9 * DAY
TODAY = day_in_kolkata(AT)
EARNED = "http://id.tincanapi.com/verb/earned"
PROCTOR = AUTHORITIES[0]


@dataclass
class Journal:
    """What the store keeps, in memory: the state, the levels that were read out, every outcome."""

    place: World = field(default_factory=world)
    state: State = field(default_factory=State)
    levels: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    told: list[tuple[uuid.UUID, Outcome]] = field(default_factory=list)
    newest: dict[Subject, Newest] = field(default_factory=dict)
    catalogue: int = 1

    def take(self, arrivals: Sequence[tuple[Said, bool]], day: int = TODAY) -> list[Outcome]:
        """Score statements and retractions (True); the outcomes of that."""
        sums = self.state.accumulator_rows()
        output = self.place.take(self.state, arrivals)
        turns = milestones(output, self.place.tables)
        changed = {(row[0], row[1]) for row in output.competencies.tolist()}
        rows = [
            (*row, *self.levels.get((row[0], row[1]), (UNREAD, UNREAD)))
            for row in sums.tolist()
            if (row[0], row[1]) in changed
        ]
        stored = np.array(rows, ACCUMULATED)
        after, before = changed_levels(stored, output.competencies, day, self.place.tables)
        for agent, competency, level, again in after.tolist():
            self.levels[agent, competency] = level, again
        return self.follow(turns + level_turns(before, after, output))

    def follow(self, turns: Sequence[Turn]) -> list[Outcome]:
        """Write the outcomes of turns."""
        wanted = subjects(turns, self.place.tables)
        known = {subject: self.newest[subject] for subject in wanted if subject in self.newest}
        found = outcomes(turns, known, self.place.tables, self.catalogue, AT)
        for one in found:
            agent, _, target, _ = one.subject
            id_ = one.id(1, self.place.names[agent], self.place.names[target])
            self.told.append((id_, one))
            self.newest[one.subject] = Newest(
                id_, one.revision, one.holds, one.effective, one.catalogue, one.evidence
            )
        return found

    def standing(self) -> set[tuple[Subject, int]]:
        """What a reader of the journal takes for true: published, and not retracted."""
        retracted = {one.retracts for _, one in self.told}
        return {
            (one.subject, AT if one.subject[1] == About.LEVEL else one.effective)
            for id_, one in self.told
            if one.holds and id_ not in retracted
        }


def folded(place: World, said: Sequence[Said]) -> set[tuple[Subject, int]]:
    """What a fold over a set of statements says, all at once."""
    state = State()
    output = place.take(state, [(one, False) for one in said])
    return set(_true(place, state, output))


def _true(place: World, state: State, output: Output) -> Iterator[tuple[Subject, int]]:
    tables = place.tables
    modules = {module.id for module in place.catalogue.modules}
    known = modules | {course.id for course in place.catalogue.courses}
    for (agent, activity), progress in zip(output.keys.tolist(), output.after, strict=True):
        name = place.names[activity]
        if name in modules and progress["satisfied"] != ABSENT:
            yield (agent, About.MODULE, activity, 0), int(progress["satisfied"])
        if name in known and progress["earned"] != ABSENT:
            yield (agent, About.CERTIFICATE, activity, 0), int(progress["earned"])
    for (agent, course), progress in zip(output.courses.keys.tolist(), output.courses.after, strict=True):
        if progress["completed"] != ABSENT:
            yield (agent, About.COURSE, course, 0), int(progress["completed"])
    for standing in read_out(state.accumulator_rows(), TODAY, tables):
        for level in range(1, int(standing["level"]) + 1):
            yield (int(standing["agent"]), About.LEVEL, int(standing["competency"]), level), AT


@settings(max_examples=60)
@given(said=sets, data=st.data())
def test_what_stands_is_what_a_fold_says_whatever_the_order_and_the_repetition(
    said: list[Said], data: st.DataObject
) -> None:
    gone = {one.id for one in said if data.draw(st.booleans(), label=f"void {one.number}")}
    arrivals = [(one, False) for one in said] + [(one, True) for one in said if one.id in gone]
    repeated = data.draw(st.lists(st.sampled_from(arrivals), max_size=6) if arrivals else st.just([]))
    arrivals = data.draw(st.permutations(arrivals + repeated))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(arrivals)), max_size=6)))
    journal = Journal()
    for start, stop in pairwise([0, *cuts, len(arrivals)]):
        journal.take(arrivals[start:stop])
    assert journal.standing() == folded(journal.place, [one for one in said if one.id not in gone])

    ids = [id_ for id_, _ in journal.told]
    assert len(set(ids)) == len(ids)
    revisions: dict[Subject, int] = {}
    for id_, one in journal.told:
        revisions[one.subject] = revisions.get(one.subject, 0) + 1
        assert one.revision == revisions[one.subject]
        assert one.retracts is None or one.retracts in ids[: ids.index(id_)]
        assert len(one.evidence) <= MOST_EVIDENCE

    before = list(journal.told)
    for start, stop in pairwise([0, *cuts, len(arrivals)]):
        journal.take(arrivals[start:stop])
    assert journal.told == before, "a replay tells nothing new"


def proven(number: int, at: int = STORED) -> Said:
    """A proctored pass."""
    return Said(number, ADL + "passed", "m:exam", timestamp=at, scaled=10_000, authority=PROCTOR)


def about(found: Sequence[Outcome], what: About) -> list[Outcome]:
    return [one for one in found if one.subject[1] == what]


def ids(*said: Said) -> set[uuid.UUID]:
    return {uuid.UUID(bytes=one.id) for one in said}


def evidence(one: Outcome) -> set[uuid.UUID]:
    return {id_ for _, id_ in one.evidence}


def test_an_outcome_names_the_statement_that_brought_it_about() -> None:
    journal = Journal()
    tried = Said(1, ADL + "failed", "m:exam", timestamp=STORED, scaled=1_000, authority=PROCTOR)
    passed = proven(2, STORED + 5)
    journal.take([(tried, False)])
    [done] = about(journal.take([(passed, False), (proven(3, STORED + 6), False)]), About.MODULE)
    assert (done.effective, evidence(done)) == (STORED + 5, ids(passed))
    assert (done.revision, done.holds, done.retracts) == (1, True, None)


def test_a_void_takes_back_and_what_is_left_is_told_anew() -> None:
    journal = Journal()
    first, second = proven(1, STORED), proven(2, STORED + 50)
    journal.take([(first, False), (second, False)])
    [(told, _)] = [entry for entry in journal.told if entry[1].subject[1] == About.MODULE]
    [moved] = about(journal.take([(first, True)]), About.MODULE)
    assert (moved.revision, moved.holds, moved.effective, moved.retracts) == (2, True, STORED + 50, told)
    assert evidence(moved) == ids(second)
    [lost] = about(journal.take([(second, True)]), About.MODULE)
    assert (lost.revision, lost.holds, evidence(lost)) == (3, False, ids(second))
    again = proven(3, STORED)
    [back] = about(journal.take([(again, False)]), About.MODULE)
    assert (back.revision, back.holds, back.retracts, back.effective) == (4, True, None, STORED)
    assert len({id_ for id_, _ in journal.told}) == len(journal.told), "the same again has another id"


def test_a_course_is_proven_by_the_statements_of_all_its_modules() -> None:
    journal = Journal()
    said = [
        Said(1, ADL + "completed", "m:video", timestamp=STORED),
        proven(2, STORED + 1),
        Said(3, ADL + "completed", "m:work", timestamp=STORED + 2),
    ]
    for one in said[:2]:
        assert not about(journal.take([(one, False)]), About.COURSE)
    [done] = about(journal.take([(said[2], False)]), About.COURSE)
    assert (done.effective, evidence(done)) == (STORED + 2, ids(*said))
    assert done.evidence[0][0] == STORED + 2, "the latest stands first"
    [undone] = about(journal.take([(said[0], True)]), About.COURSE)
    assert (undone.holds, evidence(undone)) == (False, ids(said[0]))


def test_a_certificate_is_told_of_what_the_catalogue_knows() -> None:
    journal = Journal()
    said = [Said(1, EARNED, "course:a"), Said(2, EARNED, "m:work"), Said(3, EARNED, "badge:elsewhere")]
    found = about(journal.take([(one, False) for one in said]), About.CERTIFICATE)
    assert {journal.place.names[one.subject[2]] for one in found} == {"course:a", "m:work"}


def test_each_level_is_reached_once_and_lost_once() -> None:
    journal = Journal()
    said = [proven(number, STORED + number * DAY) for number in range(6)]
    reached = about([one for each in said for one in journal.take([(each, False)])], About.LEVEL)
    levels = [one.subject[3] for one in reached]
    assert levels == sorted(set(levels))
    assert levels[-1] == 4
    assert all(one.holds and one.effective == AT for one in reached)
    assert evidence(reached[-1]) <= ids(*said)
    assert evidence(reached[-1])
    lost = about(journal.take([(one, True) for one in said]), About.LEVEL)
    assert [one.subject[3] for one in lost] == levels
    assert not any(one.holds for one in lost)
    assert {one.retracts for one in lost} == {
        id_ for id_, one in journal.told if one.holds and one.subject[1] == About.LEVEL
    }


def test_what_nobody_was_told_of_is_not_taken_back() -> None:
    journal = Journal()
    said = [proven(number, STORED + number * DAY) for number in range(6)]
    journal.place.take(journal.state, [(one, False) for one in said])
    assert journal.take([(said[0], True)]) == []
    assert journal.take([(one, True) for one in said]) == []


def test_what_was_told_under_an_earlier_catalogue_stays() -> None:
    journal = Journal()
    journal.take([(proven(1, STORED), False)])
    journal.catalogue = 2
    agent, module = journal.place.number("learner"), journal.place.number("m:exam")
    subject = (agent, About.MODULE, module, 0)
    for was, now in ((ABSENT, STORED + 5), (STORED + 5, ABSENT), (STORED + 5, STORED + 6)):
        assert journal.follow([Turn(subject, was, now)]) == []
    [lost] = journal.follow([Turn(subject, STORED, ABSENT)])
    assert (lost.holds, lost.catalogue) == (False, 2)


def test_a_level_is_looked_at_again_before_it_changes_by_time() -> None:
    place, state = world(), State()
    place.take(state, [(proven(number, STORED + number * DAY), False) for number in range(6)])
    sums = state.accumulator_rows()
    quick = read_levels(sums, TODAY, place.tables, search=False)
    exact = read_levels(sums, TODAY, place.tables, search=True)
    standings = read_out(sums, TODAY, place.tables)
    assert quick["level"].tolist() == exact["level"].tolist() == standings["level"].tolist()
    assert exact["look_again"].tolist() == standings["next_change"].tolist()
    later = exact["look_again"] != NEVER
    assert later.any()
    assert (quick["look_again"][later] == TODAY + 1).all()
