"""A scenario that is small enough for a test, and the shipped service times."""

from __future__ import annotations

import pytest

from simulator.calibration import Calibration, load_calibration
from simulator.scenario import Scenario, load

SMALL = ("population.learners=20000", "run.hours=0.5", 'run.begin="11:00"')


@pytest.fixture(scope="session")
def small() -> Scenario:
    return load(["learning-week"], SMALL)


@pytest.fixture(scope="session")
def assumed() -> Calibration:
    return load_calibration()
