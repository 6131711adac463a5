"""What is meant to happen in a history: who sends what, what goes wrong, and in which order.

A plan is data: the same plan gives the same history, and a part of a plan is a plan.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version

if TYPE_CHECKING:
    from lrs.xapi.statement import Statement

ADL = "http://adlnet.gov/expapi/verbs/"
IDS, LEARNERS, AUTHORITIES = 10, 3, 2
_NAMESPACE = uuid.UUID("6f1b1c3e-57a5-4c57-9a0e-6d1b6b1f2d10")


@dataclass(frozen=True)
class Item:
    """One statement. `id`: numbers its id; `target`: the id of the statement that it voids, or refers to;
    `variant`: two of one id that differ here are different statements; `named`: whether the id is sent."""

    id: int
    learner: int = 0
    target: int | None = None
    voids: bool = False
    variant: int = 0
    named: bool = True


@dataclass(frozen=True)
class Request:
    """Statements that are sent together. `after`: seconds that the sender waits before."""

    items: Sequence[Item]
    authority: int = 1
    edge: int = 0
    after: float = 0.0


@dataclass(frozen=True)
class Produced:
    """A record that somebody produces to the inbox. `form`: how it says its statements, or what is wrong
    with it (`tests.histories.inbox.FORMS`); `keyed`: whether it has a key, which then chooses the partition;
    `after`: seconds that the producer waits before."""

    items: Sequence[Item]
    form: str = "plain"
    partition: int = 0
    keyed: bool = False
    after: float = 0.0


@dataclass(frozen=True)
class Fault:
    """What goes wrong before the step with this number: its kind, whom it concerns (a place in the list of
    processes, of which the intake's are the last), for how many seconds."""

    step: int
    kind: str
    target: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """`clients`: what each sends, one request after the other. `order`: by number of the choice, what is
    chosen; 0, the usual, where nothing is said. `workers`: of each stage. `producers`: what each produces to
    the inbox, where the log is on Kafka; `voids`: what the intake's credential may void: none, own or any."""

    clients: Sequence[Sequence[Request]]
    faults: Sequence[Fault] = ()
    order: dict[int, int] = field(default_factory=dict)
    kafka: bool = False
    workers: int = 2
    readers: int = 1
    producers: Sequence[Sequence[Produced]] = ()
    voids: str = "any"

    @property
    def size(self) -> tuple[int, int, int]:
        """How much there is to understand: requests and records, faults, choices that are not the usual."""
        sent = sum(len(each) for each in (*self.clients, *self.producers))
        return sent, len(self.faults), len(self.order)

    @property
    def has_intake(self) -> bool:
        """Whether somebody produces; an intake needs a log on Kafka."""
        return self.kafka and bool(self.producers)


CRASH, PAUSE, CUT, RESET, JUMP, REBALANCE, RESTART, AWAY = (
    "crash", "pause", "cut", "reset", "jump", "rebalance", "restart", "brokers away"
)  # fmt: skip
KINDS = (CRASH, CRASH, PAUSE, PAUSE, PAUSE, CUT, RESET, JUMP, RESTART)
KINDS_ON_KAFKA = (*KINDS, *(REBALANCE,) * 5, AWAY, AWAY)
STEPS = 400
"""Faults happen before this step."""

FORMS: tuple[Sequence[str], Sequence[str]] = (
    ("plain", "plain", "array", "version 2.0"),
    (
        "empty array", "time of nobody", "no value", "cut short", "no UTF-8", "too deep",
        "a bad one among them", "an id twice", "version 3.1", "no data", "longer than can be refused",
    ),
)  # fmt: skip
"""How a record of the inbox is made: as is right, and as a hostile or careless producer does it."""


class Dice:
    """The choices of a history: those of a plan, or drawn, and then noted in it."""

    def __init__(
        self, order: dict[int, int], drawn: random.Random | None = None, disorder: float = 0.0
    ) -> None:
        self.order, self._random, self._disorder = order, drawn, disorder
        self.made = 0
        self.usual = False
        """Whether only the usual is chosen from now on."""

    def pick(self, choices: int) -> int:
        """One of so many."""
        self.made += 1
        if self.usual:
            return 0
        if self._random is None:
            return self.order.get(self.made, 0) % choices
        if self._random.random() >= self._disorder:
            return 0
        chosen = self._random.randrange(choices)
        if chosen:
            self.order[self.made] = chosen
        return chosen


def drawn(seed: int) -> tuple[Plan, Dice]:
    """The plan of a seed, and the dice that complete its order as it happens."""
    dice = random.Random(seed)
    ids = dice.randint(3, IDS)

    def item() -> Item:
        kind = dice.random()
        number = dice.randrange(ids)
        if kind < 0.3:
            return Item(number, dice.randrange(LEARNERS), dice.randrange(ids), dice.random() < 0.75)
        return Item(number, dice.randrange(LEARNERS), variant=int(dice.random() < 0.15))

    def request() -> Request:
        items = {each.id: each for each in (item() for _ in range(dice.choice((1, 1, 1, 2, 3))))}
        return Request(
            list(items.values()),
            dice.choice((1, 1, 1, 2)),
            dice.randrange(2),
            dice.choice((0.0, 0.0, 0.0, 0.02, 0.3)),
        )

    clients = [[request() for _ in range(dice.randint(1, 3))] for _ in range(dice.randint(1, 3))]
    kafka = dice.random() < 0.4

    def produced() -> Produced:
        count = dice.choice((1, 1, 2, 3))
        items = {each.id: each for each in (item() for _ in range(count))}
        form = dice.choice(FORMS[dice.random() < 0.3])
        return Produced(
            [replace(each, named=dice.random() < 0.6) for each in items.values()],
            form,
            dice.randrange(2),
            dice.random() < 0.3,
            dice.choice((0.0, 0.0, 0.0, 0.02, 0.3)),
        )

    def produces() -> list[Produced]:
        records = [produced() for _ in range(dice.randint(1, 4))]
        return [*records, dice.choice(records)] if dice.random() < 0.4 else records

    producers = [produces() for _ in range(dice.choice((0, 1, 1, 2)))] if kafka else []

    def target() -> int:
        at_intake = producers and dice.random() < 0.3
        return -dice.randint(1, 2) if at_intake else dice.randrange(12)

    kinds = KINDS_ON_KAFKA if kafka else KINDS
    faults = [
        Fault(
            int(STEPS * dice.random() ** 1.5),
            dice.choice(kinds),
            target(),
            dice.choice((0.3, 2.0, 7.0, 7.0)),
        )
        for _ in range(dice.choice((0, 1, 2, 3)))
    ]

    order: dict[int, int] = {}
    plan = Plan(
        clients,
        sorted(faults, key=lambda fault: fault.step),
        order,
        kafka=kafka,
        workers=dice.choice((1, 2, 2)),
        readers=dice.choice((0, 1, 2)),
        producers=producers,
        voids=dice.choice(("any", "own", "none")) if producers else "any",
    )
    return plan, Dice(order, dice, dice.choice((0.0, 0.1, 0.5, 1.0)))


@cache
def id_of(number: int) -> uuid.UUID:
    """The statement id with this number."""
    return uuid.uuid5(_NAMESPACE, str(number))


@cache
def statement_of(item: Item) -> Statement:
    """What is sent for an item, read as the edge reads it."""
    said: dict[str, Any] = {
        **({"id": str(id_of(item.id))} if item.named else {}),
        "actor": {"objectType": "Agent", "mbox": f"mailto:learner{item.learner}@example.org"},
        "timestamp": f"2026-02-{item.id + 1:02}T10:{item.learner:02}:00Z",
    }
    if item.target is None:
        passed = item.id % 2 == 0
        activity: dict[str, Any] = {"id": "m:quiz" if passed else "m:text"}
        if item.id % 3 == 0:
            activity["definition"] = {"name": {"en": f"Name {item.id}.{item.variant}"}}
        said["verb"] = {"id": ADL + ("passed" if passed else "completed")}
        said["object"] = activity
        if passed:
            said["result"] = {"success": True, "score": {"scaled": (50 + item.id * 4 + item.variant) / 100}}
        elif item.variant:
            said["result"] = {"completion": True}
    else:
        said["verb"] = {"id": ADL + "voided" if item.voids else "http://example.org/verbs/commented"}
        said["object"] = {"objectType": "StatementRef", "id": str(id_of(item.target))}
    [statement] = read_statements(msgspec.json.encode(said), Version.V1_0_3)
    return statement
