"""The system under test, as a load test sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.path.system import System, Use


def _nothing() -> dict[str, Use]:
    return {}


@dataclass(frozen=True)
class Target:
    """A running LRS. `metrics` are addresses of metrics ports, `uses` tells what its processes use, where
    they are on this machine; `check` raises when one of them has failed."""

    address: str
    key: str
    secret: str
    metrics: Sequence[str] = ()
    uses: Callable[[], dict[str, Use]] = _nothing
    check: Callable[[], None] = field(default=lambda: None)

    @classmethod
    def of(cls, system: System) -> Target:
        """An `lrs up` that was started for the test."""
        state = system.state
        return cls(state.http, system.key, system.secret, system.metrics, system.uses, system.check)

    @property
    def here(self) -> bool:
        """Whether it takes its share of this machine's cores."""
        return bool(self.uses())
