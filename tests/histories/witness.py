"""What clients, producers and readers saw in a history, and what stages said of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lrs.store import term

if TYPE_CHECKING:
    from lrs.http.framing import Outcome
    from tests.histories.inbox import Made
    from tests.histories.kafka import Raw
    from tests.histories.plan import Produced, Request


@dataclass
class Sent:
    """A request that a client sent until it was answered. `outcome`: None if it never was; `attempts`: how
    often it was sent."""

    request: Request
    outcome: Outcome | None = None
    attempts: int = 0
    errors: list[Exception] = field(default_factory=list)


@dataclass
class Arrived:
    """A record that stands in the inbox. `read`: how often a worker read it."""

    produced: Produced
    made: Made
    raw: Raw
    read: int = 0


@dataclass(frozen=True)
class Committed:
    """The intake said that the records of a partition are done from `first` up to `end`. `lengths`: of the
    topics on the brokers, just before."""

    partition: int
    first: int
    end: int
    lengths: Mapping[str, tuple[int, ...]]


@dataclass
class Polled:
    """The positions of statements that a poller met, up to an instant (µs since 1970)."""

    met: list[int] = field(default_factory=list)
    through: int = term.EPOCH - 1


@dataclass
class Seen:
    """What readers saw. `lists`: a list's positions, newest first, and how far the store was at its first
    page; `missed`: what had been promised."""

    polled: list[Polled] = field(default_factory=list)
    lists: list[tuple[list[int], tuple[int, ...]]] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
