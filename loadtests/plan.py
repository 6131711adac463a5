"""The plan: everything that is decided before the first request goes out.

Due times, kinds, learners, bodies: all follow from the plan, so that any number of generator processes
carry out the same requests, and whoever checks afterwards knows what each of them sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from loadtests.bodies import Body, Fresh
from loadtests.identity import LEARNERS, identities
from loadtests.scenario import WRITING, RequestKind
from lrs.demo.learner import ACCOUNT, HOME_PAGE

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_AIM: Final = 0x9E3779B97F4A7C15


class Plan(msgspec.Struct, frozen=True):
    """A plan as it is handed to generator processes."""

    seed: int
    seconds: float
    give_up: float
    connections: int
    kinds: list[RequestKind]
    bodies: list[list[bytes]]
    """For each kind the bodies as rendered; none for a kind that sends no statements."""
    due: bytes
    """When each request is due, seconds since the begin: float64."""
    kind: bytes
    """The kind of each request: uint8, a place in `kinds`."""
    learners: int = LEARNERS

    def write(self, path: Path) -> None:
        """Write it to a file."""
        path.write_bytes(msgspec.msgpack.encode(self))

    @classmethod
    def read(cls, path: Path) -> Plan:
        """What `write` wrote."""
        return msgspec.msgpack.decode(path.read_bytes(), type=cls)


@dataclass(frozen=True)
class Sending:
    """A request that stores statements: its body, and who speaks in it."""

    body: Fresh
    learners: list[int]


class Agenda:
    """The requests of a plan, by number: 0 is due first."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.due: Floats = np.frombuffer(plan.due, np.float64)
        self.kind: npt.NDArray[np.uint8] = np.frombuffer(plan.kind, np.uint8)
        self._bodies = [
            [Body(content, kind.statements) for content in contents]
            for kind, contents in zip(plan.kinds, plan.bodies, strict=True)
        ]
        self._rank: Integers = np.empty(len(self.kind), np.int64)
        drawn = np.zeros(len(self.kind), np.int64)
        for number, bodies in enumerate(self._bodies):
            [places] = np.nonzero(self.kind == number)
            self._rank[places] = np.arange(len(places))
            drawn[places] = max((body.learners for body in bodies), default=0)
        ends = np.cumsum(drawn)
        self._first_draw: Integers = ends - drawn
        total = int(ends[-1]) if len(ends) else 0
        self._learners: Integers = identities(np.arange(max(1, total)), plan.seed, plan.learners)

    def __len__(self) -> int:
        return len(self.kind)

    def share(self, place: int, of: int) -> range:
        """The requests of one of `of` processes: no two have one in common, together they have all."""
        return range(place, len(self), of)

    def request(self, number: int) -> RequestKind:
        """Of which kind a request is."""
        return self.plan.kinds[self.kind[number]]

    @property
    def writes(self) -> int:
        """Requests that store statements."""
        writing = np.array([kind.kind in WRITING for kind in self.plan.kinds])
        return int(writing[self.kind].sum())

    @property
    def statements(self) -> int:
        """Statements of all requests that store some, each counted once."""
        counts = [kind.statements if kind.kind in WRITING else 0 for kind in self.plan.kinds]
        return int(np.array(counts, np.int64)[self.kind].sum()) if len(self) else 0

    @property
    def speaking_in(self) -> list[float]:
        """How many learners speak in a request of each kind, in the mean."""
        return [
            float(np.mean([body.learners for body in bodies])) if bodies else 0.0 for bodies in self._bodies
        ]

    def sending(self, number: int) -> Sending:
        """What a request that stores statements sends. Raises IndexError for one that does not."""
        bodies = self._bodies[self.kind[number]]
        generation, template = divmod(int(self._rank[number]), max(1, len(bodies)))
        body = bodies[template]
        first = int(self._first_draw[number])
        learners = self._learners[first : first + body.learners].tolist()
        return Sending(body.fresh(generation, learners), learners)

    def learner(self, number: int) -> int:
        """About whom a request asks that stores nothing: somebody whose statements were due before."""
        drawn = max(1, int(self._first_draw[number]))
        return int(self._learners[number * _AIM % (1 << 64) % drawn])

    def speaking(self, learner: int) -> list[int]:
        """The requests in which a learner may speak."""
        [draws] = np.nonzero(self._learners == learner)
        ends = np.concatenate((self._first_draw[1:], [len(self._learners)]))
        return sorted({int(np.searchsorted(ends, draw, "right")) for draw in draws})


def agent(learner: int) -> dict[str, Any]:
    """A learner as an xAPI Agent."""
    account = {"homePage": HOME_PAGE, "name": ACCOUNT.format(learner)}
    return {"objectType": "Agent", "account": account}
