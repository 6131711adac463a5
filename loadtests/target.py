"""The system under test, as a load test sees it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from benchmarks.path.system import System, Use
from loadtests.scenario import LoadError

_BROKER: Final = re.compile(r"[\w.\-]+:\d+")


def _nothing() -> dict[str, Use]:
    return {}


async def _nobody() -> dict[tuple[str, int], float]:
    return {}


@dataclass(frozen=True)
class Inbox:
    """The topics of an LRS's intake, and of what it refuses. `brokers`: host:port, with commas between."""

    brokers: str
    topic: str
    rejected: str

    @classmethod
    def at(cls, url: str, topic: str, rejected: str) -> Self:
        """`url`: kafka://host:port, several with commas between. Raises LoadError."""
        scheme, _, brokers = url.partition("://")
        if scheme != "kafka" or not all(_BROKER.fullmatch(one) for one in brokers.split(",")):
            raise LoadError(f"--to {url!r}: must be kafka://host:port, several with commas between")
        return cls(brokers, topic, rejected)


@dataclass(frozen=True)
class Target:
    """A running LRS. `metrics` are addresses of metrics ports, `uses` tells what its processes use, where
    they are on this machine, `served` what PostgreSQL spent on whom (see System); `check` raises when one of
    them has failed. With an `inbox` statements go there, and everything else to the address. `cores` are
    those to which it is bound, if it is."""

    address: str
    key: str
    secret: str
    metrics: Sequence[str] = ()
    uses: Callable[[], dict[str, Use]] = _nothing
    served: Callable[[], Awaitable[dict[tuple[str, int], float]]] = _nobody
    check: Callable[[], None] = field(default=lambda: None)
    inbox: Inbox | None = None
    cores: tuple[int, ...] = ()

    @classmethod
    def of(cls, system: System) -> Target:
        """An `lrs up` that was started for the test."""
        state = system.state
        return cls(
            state.http,
            system.key,
            system.secret,
            system.metrics,
            system.uses,
            system.served,
            system.check,
        )

    @property
    def here(self) -> bool:
        """Whether it takes its share of this machine's cores."""
        return bool(self.uses())
