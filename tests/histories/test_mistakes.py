"""The histories find plausible mistakes, and tell them shortly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.histories.history import judged, search, shortest, time_of_histories
from tests.histories.mistakes import MISTAKES, EvidenceOutside, VoidsUnordered
from tests.histories.plan import Plan
from tests.histories.program import Program
from tests.histories.report import told

WITHIN = 400
"""Histories within which each mistake is found."""


@pytest.fixture(autouse=True, scope="module")
def _time_of_histories() -> Iterator[None]:
    with time_of_histories():
        yield


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_found(mistake: Callable[[], Program]) -> None:
    found = search(range(WITHIN), mistake())
    assert found is not None
    _, plan, wrong = found
    assert judged(plan, mistake()) == wrong, "its plan tells it again"


@pytest.mark.parametrize("mistake", [EvidenceOutside, VoidsUnordered])
def test_the_shortest_history_needs_all_that_is_in_it(mistake: Callable[[], Program]) -> None:
    def wrong(plan: Plan) -> bool:
        return bool(judged(plan, mistake()))

    found = search(range(WITHIN), mistake())
    assert found is not None
    least = shortest(found[1], wrong)
    assert wrong(least)
    assert least.size <= found[1].size
    for place in range(len(least.faults)):
        assert not wrong(replace(least, faults=[*least.faults[:place], *least.faults[place + 1 :]]))
    for choice in least.order:
        order = {each: chosen for each, chosen in least.order.items() if each != choice}
        assert not wrong(replace(least, order=order))
    text = told(least, mistake())
    assert "WRONG: " in text
    assert "lease.advance" in text, "queries are told by their names"
