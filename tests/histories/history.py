"""A history: told from a seed or a plan, judged, and cut down to what is needed to understand it."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import lrs.http.framing
import lrs.log.claiming
import lrs.log.inbox
import lrs.log.kafka
import lrs.store.catalogue
import lrs.stream.assignment
import lrs.stream.intake
import lrs.stream.outbox
import lrs.stream.score
from lrs.scoring.warming import warm
from tests.histories.check import wrongs
from tests.histories.loop import now
from tests.histories.plan import Dice, Plan, drawn
from tests.histories.program import Program, in_force
from tests.histories.roles import Silent
from tests.histories.world import NeverAtRest, World


@contextmanager
def time_of_histories() -> Iterator[None]:
    """While histories happen, the product's modules that look at a clock look at theirs."""
    warm()  # whatever is loaded or compiled is not to happen in a history
    clock: Any = SimpleNamespace(
        monotonic=now, perf_counter=now, time=now, time_ns=lambda: int(now() * 1_000_000_000)
    )

    async def compiled(*_given: object) -> Any:
        return in_force()

    with (
        patch.object(lrs.http.framing, "time", clock),
        patch.object(lrs.log.claiming, "time", clock),
        patch.object(lrs.log.claiming, "log", Silent()),
        patch.object(lrs.log.inbox, "time", clock),
        patch.object(lrs.log.kafka, "time", clock),
        patch.object(lrs.stream.assignment, "perf_counter", now),
        patch.object(lrs.stream.intake, "time", clock),
        patch.object(lrs.stream.outbox, "log", Silent()),
        patch.object(lrs.stream.score, "monotonic", now),
        patch.object(lrs.store.catalogue, "compiled", compiled),  # a file of YAML costs more than a history
    ):
        yield


def happen(plan: Plan, dice: Dice, program: Program | None = None) -> tuple[World, list[str]]:
    """Let a history happen; what is wrong with it."""
    world = World(plan, dice, program or Program())
    try:
        world.run()
        found = wrongs(world)
    except NeverAtRest as error:
        found = [f"never at rest: {error}"]
    finally:
        world.close()
    return world, found


def judged(plan: Plan, program: Program | None = None) -> list[str]:
    """What is wrong with the history of a plan."""
    return happen(plan, Dice(plan.order), program)[1]


def search(seeds: range, program: Program | None = None) -> tuple[int, Plan, list[str]] | None:
    """The first seed whose history goes wrong, with its plan."""
    for seed in seeds:
        plan, dice = drawn(seed)
        found = happen(plan, dice, program)[1]
        if found:
            return seed, plan, found
        if seed % 200 == 0:
            gc.collect()
    return None


def shortest(plan: Plan, wrong: Callable[[Plan], bool], tries: int = 1500) -> Plan:
    """The plan without anything that it can do without and still go wrong, after so many tries at most."""
    tried = itertools.count()

    def fails(some: Plan) -> bool:
        return next(tried) < tries and wrong(some)

    before = None
    while before != plan.size:
        before = plan.size
        for who in ("clients", "producers"):
            flat = [
                (number, place)
                for number, sent in enumerate(getattr(plan, who))
                for place in range(len(sent))
            ]
            plan = _only(
                plan,
                who,
                _least(flat, lambda kept, plan=plan, who=who: fails(_only(plan, who, kept))),  # type: ignore[misc]
            )
        faults = _least(list(plan.faults), lambda kept, plan=plan: fails(replace(plan, faults=kept)))  # type: ignore[misc]
        plan = replace(plan, faults=faults)
        order = _least(
            sorted(plan.order.items()),
            lambda kept, plan=plan: fails(replace(plan, order=dict(kept))),  # type: ignore[misc]
        )
        plan = replace(plan, order=dict(order))
        for smaller in (replace(plan, workers=1), replace(plan, readers=0), replace(plan, kafka=False)):
            if smaller != plan and fails(smaller):
                plan = smaller
    return plan


def _only(plan: Plan, who: str, kept: list[tuple[int, int]]) -> Plan:
    """The plan with these of what the clients, or the producers, send, by whose it is and its place."""
    sent = [[] for _ in getattr(plan, who)]  # type: list[list[Any]]
    for number, place in kept:
        sent[number].append(getattr(plan, who)[number][place])
    return replace(plan, **{who: [each for each in sent if each]})  # type: ignore[arg-type]


def _least(parts: list[Any], fails: Callable[[list[Any]], bool]) -> list[Any]:
    """A part of the list that still fails, and of which no piece can be left out (delta debugging:
    Zeller and Hildebrandt 2002)."""
    pieces = 2
    if parts and fails([]):
        return []
    while len(parts) > 1:
        size = -(-len(parts) // pieces)
        for start in range(0, len(parts), size):
            rest = parts[:start] + parts[start + size :]
            if fails(rest):
                parts, pieces = rest, max(pieces - 1, 2)
                break
        else:
            if size == 1:
                break
            pieces = min(2 * pieces, len(parts))
    return parts
