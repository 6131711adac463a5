"""The kernels against the plain-Python reference, on random histories."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from lrs.scoring.catalogue import EvidenceClass
from lrs.scoring.competency import deltas, explain, explain_course
from lrs.scoring.course import read_course
from lrs.scoring.event import ABSENT
from lrs.scoring.fact import FactFlag, read_facts
from lrs.scoring.progress import PROGRESS, read_progress
from lrs.scoring.state import State
from tests.scoring import reference
from tests.scoring.world import Said, World, histories, world

HISTORIES = int(os.environ.get("LRS_SCORING_HISTORIES", "10000"))
PER_RUN = 500


def _plain(record: np.void) -> dict[str, Any]:
    values = {name: record[name].item() for name in record.dtype.names or ()}
    return {name: None if value == ABSENT else value for name, value in values.items()}


def assert_agrees(place: World, state: State, said: list[Said]) -> None:
    """Every learner's evidence, progress, courses and accumulators are the reference's."""
    of_learner: dict[str, list[Said]] = defaultdict(list)
    for statement in said:
        of_learner[statement.agent].append(statement)
    sets: dict[str, dict[str, bytes]] = defaultdict(dict)
    for (agent, activity), chunks in state.chunks.items():
        sets[place.names[agent]][place.names[activity]] = b"".join(chunks)
    courses: dict[str, dict[str, bytes]] = defaultdict(dict)
    for (agent, course), slots in state.courses.items():
        courses[place.names[agent]][place.names[course]] = slots
    accumulators: dict[str, dict[tuple[str, int, int], tuple[int, int, int]]] = defaultdict(dict)
    for (agent, competency, level, evidence), sums in state.accumulators.items():
        if any(sums):
            accumulators[place.names[agent]][place.names[competency], level, evidence] = sums
    index = {place.names[int(number)]: row for row, number in enumerate(place.tables.courses["activity"])}
    for learner, statements in of_learner.items():
        expected = reference.score(statements, place.catalogue)
        for home, packed in sets[learner].items():
            alive = [fact for fact in read_facts(packed) if not fact["flags"] & FactFlag.RETRACTED]
            found = {(int(fact["id_hi"]) << 64 | int(fact["id_lo"])): fact for fact in alive}
            facts = expected.facts.get(home, [])
            assert found.keys() == {int.from_bytes(fact.said.id, "big") for fact in facts}
            for fact in facts:
                row = found[int.from_bytes(fact.said.id, "big")]
                assert int(row["effective"]) == fact.when
                assert bool(row["flags"] & FactFlag.TIME_REFUSED) == fact.refused
            progress = _plain(read_progress(packed, place.numbers[home], place.tables))
            if facts:
                assert progress == expected.progress[home], (learner, home)
        assert expected.facts.keys() <= sets[learner].keys()
        for name, wanted in expected.courses.items():
            course_state = courses[learner].get(name)
            assert _plain(read_course(course_state, index[name], place.tables)) == wanted, (learner, name)
        assert accumulators[learner] == expected.accumulators, learner


@pytest.mark.parametrize("run", range(max(HISTORIES // PER_RUN, 1)))
def test_kernels_agree_with_the_reference_on_random_histories(run: int) -> None:
    rng = np.random.default_rng(run)
    place = world(run % 3)
    said = histories(rng, [f"learner {run}/{number}" for number in range(PER_RUN)])
    state = State()
    gone = {one.id for one in said if rng.random() < 0.15}
    arrivals = [(one, False) for one in said] + [(one, True) for one in said if one.id in gone]
    arrivals += [(one, one.id in gone and rng.random() < 0.5) for one in said if rng.random() < 0.2]
    order = rng.permutation(len(arrivals))
    for part in np.array_split(order, int(rng.integers(1, 8))):
        place.take(state, [arrivals[i] for i in part])
    assert_agrees(place, state, [one for one in said if one.id not in gone])


def test_explanations_sum_exactly_to_the_accumulators() -> None:
    place = world()
    said = histories(np.random.default_rng(99), [f"explained {number}" for number in range(300)])
    state = place.score(said[::2], said[1::2])
    index = {int(number): row for row, number in enumerate(place.tables.courses["activity"])}
    rows = [
        explain(b"".join(chunks), agent, activity, place.tables)
        for (agent, activity), chunks in state.chunks.items()
    ]
    for (agent, course), slots in state.courses.items():
        completed = int(read_course(slots, index[course], place.tables)["completed"])
        rows.append(explain_course(completed, agent, index[course], place.tables))
    summed = {tuple(row[:4]): tuple(row[4:]) for row in deltas(np.concatenate(rows)).tolist()}
    assert summed == {key: sums for key, sums in state.accumulators.items() if any(sums)}
    assert {evidence for _, _, _, evidence in summed} == set(EvidenceClass)
    assert len(summed) > 100


def test_the_random_histories_reach_every_field_of_progress() -> None:
    place = world()
    said = histories(np.random.default_rng(5), [f"reach {number}" for number in range(400)])
    state = place.score(said)
    found = [
        read_progress(b"".join(chunks), activity, place.tables)
        for (_, activity), chunks in state.chunks.items()
    ]
    for name in PROGRESS.names or ():
        assert len({row[name].item() for row in found}) > 2, name
