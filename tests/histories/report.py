"""Histories in words, and what many of them have met."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.histories.answers import name_of
from tests.histories.arrival import arrivals_of
from tests.histories.history import happen, time_of_histories
from tests.histories.plan import Dice, Item, Plan, drawn

if TYPE_CHECKING:
    from tests.histories.program import Program
    from tests.histories.world import World


def told(plan: Plan, program: Program | None = None) -> str:
    """What happens in the history of a plan, step by step, and what is wrong at its end."""
    world, wrong = happen(plan, Dice(plan.order), program)
    lines = [f"log on {'Kafka' if plan.kafka else 'PostgreSQL'}, {plan.workers} workers of each stage"]
    for number, requests in enumerate(plan.clients):
        for request in requests:
            items = ", ".join(_item(item) for item in request.items)
            lines.append(f"client {number} sends to edge {request.edge} as {request.authority}: {items}")
    for number, records in enumerate(plan.producers if plan.has_intake else ()):
        for record in records:
            items = ", ".join(_item(item) for item in record.items)
            place = "a key" if record.keyed else f"partition {record.partition}"
            lines.append(f"producer {number} produces to {place}, {record.form}: {items}")
    if plan.has_intake:
        lines.append(f"the intake may void: {plan.voids}")
    lines += [f"{step:5d} {' '.join(_word(word) for word in words)}" for step, *words in world.notes]
    return "\n".join([*lines, *(f"WRONG: {each}" for each in wrong)])


def _item(item: Item) -> str:
    name = f"{item.id}" if item.named else f"{item.id} without its id"
    if item.target is None:
        return f"{name} of learner {item.learner}" + (" (other)" if item.variant else "")
    return f"{name} {'voids' if item.voids else 'refers to'} {item.target}"


def _word(word: object) -> str:
    return name_of(word) if isinstance(word, str) else str(word)


@dataclass
class Coverage:
    """How much happened in some histories."""

    histories: int = 0
    steps: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    """What became of the inbox's."""

    def add(self, world: World) -> None:
        """Count one more."""
        self.histories += 1
        self.steps += world.steps
        self.faults.update(note[2] for note in world.notes if note[1] == "FAULT")
        self.ended.update(note[3] for note in world.notes if note[1] == "failed")
        for sent in world.sent:
            if sent.outcome is None:
                self.answers["never answered"] += 1
            elif sent.outcome.conflicts:
                self.answers["refused"] += 1
            else:
                self.answers["repeated" if sent.outcome.repeated else "accepted"] += 1

        for arrival in arrivals_of(world):
            told = [dict(refusal.headers)["lrs-reason"].decode() for _, refusal in arrival.refusals]
            self.records[told[0] if told else "accepted"] += 1
            self.records["refused twice"] += len(told) > 1
            self.records["read twice"] += arrival.read > 1

    def merge(self, other: Coverage) -> None:
        """Count what another one counted."""
        self.histories += other.histories
        self.steps += other.steps
        self.faults += other.faults
        self.ended += other.ended
        self.answers += other.answers
        self.records += other.records

    def line(self, seconds: float) -> str:
        """The counts, for people."""
        steps = self.steps / max(self.histories, 1)
        parts = [
            f"{self.histories} histories of {steps:.0f} steps in {seconds:.0f} s",
            *(
                f"{title}: " + ", ".join(f"{count} {name}" for name, count in counts.most_common())
                for title, counts in (
                    ("requests", self.answers),
                    ("records of the inbox", self.records),
                    ("faults", self.faults),
                    ("workers ended", self.ended),
                )
            ),
        ]
        return "\n".join(parts)


def swept(seeds: range) -> tuple[int | None, Coverage]:
    """The first seed of these whose history goes wrong, and what happened until then."""
    coverage = Coverage()
    with time_of_histories():
        for seed in seeds:
            world, found = happen(*drawn(seed))
            coverage.add(world)
            if found:
                return seed, coverage
    gc.collect()
    return None, coverage
