"""Every kernel compiled ahead: what a first run would wait for, one after the other."""

from __future__ import annotations

from simulator.arrivals import arrivals
from simulator.calibration import load_calibration
from simulator.emission import Emission
from simulator.marginals import marginals
from simulator.scenario import load
from simulator.study import study
from simulator.theory import against_theory


def warm() -> None:
    """Compile into numba's cache on disk, by small runs of everything."""
    tiny = load(["learning-week"], ["population.learners=2000", "run.begin=11:00", "run.hours=0.1"])
    study(tiny, load_calibration(), seeds=1, thin=2, sizing=False)
    arrivals(tiny, 1).times_load(2.0, 1)
    for _ in Emission(tiny, 1).chunks():
        pass
    marginals(learners=1000)
    against_theory("M/M/1", 1000)
