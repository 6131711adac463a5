"""Rates over time, and when the requests are due that come at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from loadtests.scenario import LoadError, Scenario
from simulator.arrivals import arrivals
from simulator.scenario import ScenarioError
from simulator.scenario import load as load_simulation

Floats = npt.NDArray[np.float64]

STEPS: Final = 240
"""A curve has so many steps: fine enough for a day's quarter of an hour, coarse enough to be smooth."""


@dataclass(frozen=True)
class Rates:
    """Requests a second, constant within each of STEPS equal parts of the run."""

    seconds: float
    rate: Floats

    @property
    def expected(self) -> float:
        """How many requests are due in the mean."""
        return float(self.rate.mean() * self.seconds)

    def due(self, rng: np.random.Generator) -> Floats:
        """When requests are due, seconds since the begin, rising: a Poisson process of these rates (by
        inversion: unit exponential gaps, through the inverse of the rates' integral)."""
        width = self.seconds / len(self.rate)
        integral = np.concatenate(([0.0], np.cumsum(self.rate) * width))
        gaps: list[Floats] = []
        reached = 0.0
        while reached < integral[-1]:
            more = rng.standard_exponential(int(integral[-1] - reached) + 64)
            gaps.append(more)
            reached += float(more.sum())
        at = np.cumsum(np.concatenate(gaps))
        at = at[at < integral[-1]]
        return np.interp(at, integral, np.linspace(0.0, self.seconds, len(integral)))


def rates(scenario: Scenario, seed: int) -> Rates:
    """The scenario's curve, scaled to its peak and compressed to its seconds. Raises LoadError."""
    form = _points(scenario) if scenario.curve.points is not None else _simulated(scenario, seed)
    if form.max() <= 0:
        raise LoadError(f"{scenario.title}: the curve is 0 everywhere")
    return Rates(scenario.seconds, form / form.max() * scenario.peak)


def _points(scenario: Scenario) -> Floats:
    assert scenario.curve.points is not None
    at, level = np.array(scenario.curve.points).T
    if len(at) < 2 or (np.diff(at) < 0).any() or at[0] != 0 or at[-1] != 1:
        raise LoadError(f"{scenario.title}: $.curve.points: times must rise from 0 to 1, not {at.tolist()}")
    return np.interp((np.arange(STEPS) + 0.5) / STEPS, at, level)


def _simulated(scenario: Scenario, seed: int) -> Floats:
    assert scenario.curve.simulator is not None
    settings = [f"population.learners={scenario.curve.learners}", *scenario.curve.set]
    try:
        due = arrivals(load_simulation(scenario.curve.simulator, settings), seed).per_second()
    except ScenarioError as error:
        raise LoadError(f"{scenario.title}: $.curve.simulator: {error}") from None
    edges = np.linspace(0, len(due), STEPS + 1)
    integral = np.concatenate(([0.0], np.cumsum(due)))
    return np.diff(np.interp(edges, np.arange(len(due) + 1), integral))
