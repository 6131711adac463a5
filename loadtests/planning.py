"""From a scenario to a plan."""

from __future__ import annotations

from typing import Final

import numpy as np

from loadtests.curve import rates
from loadtests.plan import Plan
from loadtests.rendering import make_bodies
from loadtests.scenario import WRITING, LoadError, RequestKind, Scenario
from lrs.demo.career import demonstration_catalogue
from lrs.scoring.catalogue import Catalogue

RENDERED: Final = 20_000
"""Statements rendered for each kind at most; then the bodies come again with other ids and learners."""
MOST: Final = 20_000_000
"""Requests of a run at most."""


def make_plan(scenario: Scenario, seed: int, now: int, catalogue: Catalogue | None = None) -> Plan:
    """The plan of a run that begins about `now` (microseconds since 1970). The same arguments give the same
    plan. Raises LoadError."""
    curve = rates(scenario, seed)
    if curve.expected > MOST:
        raise LoadError(f"{scenario.title}: {curve.expected:,.0f} requests; a run has at most {MOST:,}")
    rng = np.random.default_rng(seed)
    due = curve.due(rng)
    weights = np.array([request.weight for request in scenario.request])
    kind = rng.choice(len(weights), len(due), p=weights / weights.sum()).astype(np.uint8)
    counts = np.bincount(kind, minlength=len(weights))
    taught = catalogue or demonstration_catalogue()
    return Plan(
        seed,
        scenario.seconds,
        scenario.give_up,
        scenario.connections,
        scenario.request,
        [
            _bodies(request, taught, (seed * 64 + place) % (1 << 63), int(count), now)
            for place, (request, count) in enumerate(zip(scenario.request, counts, strict=True))
        ],
        due.tobytes(),
        kind.tobytes(),
    )


def _bodies(request: RequestKind, catalogue: Catalogue, seed: int, count: int, now: int) -> list[bytes]:
    if request.kind not in WRITING or count == 0:
        return []
    size = request.statements
    bodies = make_bodies(
        catalogue,
        seed,
        batch=0 if size == 1 else size,
        interleaved=request.learners,
        statements=max(size, min(count * size, RENDERED)),
        now=now,
    )
    return [body.content for body in bodies]
