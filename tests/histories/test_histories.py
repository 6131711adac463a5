"""Seeded histories of the stages: whatever goes wrong on the way, nothing is lost, doubled or half done.

`make histories` lets a hundred thousand happen.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lrs.metrics.intake import BECAME
from tests.histories.history import happen, judged, shortest, time_of_histories
from tests.histories.plan import KINDS_ON_KAFKA, Dice, drawn
from tests.histories.report import Coverage, told

HISTORIES = 1_000


@pytest.fixture(autouse=True, scope="module")
def _time_of_histories() -> Iterator[None]:
    with time_of_histories():
        yield


def test_whatever_goes_wrong_every_promise_is_kept() -> None:
    coverage = Coverage()
    for seed in range(HISTORIES):
        plan, dice = drawn(seed)
        world, wrong = happen(plan, dice)
        coverage.add(world)
        if wrong:
            least = shortest(plan, lambda some: bool(judged(some)))
            pytest.fail(f"seed {seed}; its shortest history:\n{told(least)}")
    # What the histories are about did happen in them.
    assert min(coverage.answers[kind] for kind in ("accepted", "repeated", "refused", "never answered")) > 0
    assert coverage.faults.keys() == {*KINDS_ON_KAFKA}
    assert coverage.ended["Fenced"] > 0
    assert min(coverage.records[became] for became in (*BECAME, "refused twice", "read twice")) > 0


@pytest.mark.parametrize("seed", range(20, 26))
def test_a_seed_is_one_history_and_so_is_its_plan(seed: int) -> None:
    plan, dice = drawn(seed)
    first, _ = happen(plan, dice)
    again, _ = happen(*drawn(seed))
    replayed, _ = happen(plan, Dice(plan.order))
    assert first.notes == again.notes
    assert first.notes == replayed.notes
