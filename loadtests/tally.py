"""What generator processes saw: latencies, answers, and what became of each request."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import Any, Final, Self

import msgspec
from msgspec import Struct, field

from loadtests.histogram import Histogram
from loadtests.span import Spans

INTERVALS: Final = 60
"""Equal parts of a run for which latencies are told apart."""

QUERYABLE: Final = "queryable"
"""The name under which it is counted how long it took until a record's statements could be queried."""

_MOST_TEXTS: Final = 20


class Fate(IntEnum):
    """What became of a request."""

    UNSENT = 0
    DONE = 1
    """Answered as it should be; statements were acknowledged."""
    IN_DOUBT = 2
    """Given up without a final answer: its statements may be stored or not."""
    WRONG = 3
    """Answered as it should not be."""


class Latency(Struct):
    """Two clocks for the same requests.

    `intended` counts from the moment when a request was due until its final answer, repetitions included;
    `service` from the sending of each attempt until its answer.
    """

    intended: Histogram = field(default_factory=Histogram)
    service: Histogram = field(default_factory=Histogram)

    def merge(self, other: Latency) -> None:
        """Count what another one counted, too."""
        self.intended.merge(other.intended)
        self.service.merge(other.service)


class Interval(Struct):
    """The requests due in one part of the run."""

    due: int = 0
    statements: int = 0
    """Statements acknowledged of those requests."""
    latency: Latency = field(default_factory=Latency)


class Tally(Struct):
    """What one process saw."""

    fates: bytearray
    """The Fate of each request of its share, in order."""
    spans: Spans = field(default_factory=lambda: Spans.of(0))
    """When each of them was under way."""
    latency: dict[str, Latency] = {}
    """By the name of the request's kind."""
    intervals: list[Interval] = field(default_factory=lambda: [Interval() for _ in range(INTERVALS)])
    lag: Histogram = field(default_factory=Histogram)
    """From when a request was due until the generator began with it: the generator's own fault."""
    statements: int = 0
    """Statements acknowledged, each once."""
    busy: int = 0
    """Attempts answered 429 or 503."""
    broken: int = 0
    """Attempts without an answer: no connection, a connection lost, no answer in time."""
    held: int = 0
    """Requests that began while all connections were in use."""
    outstanding: int = 0
    """Requests under way at once, at most."""
    positions: dict[int, int] = {}
    """For each partition of the log the offset after the newest write that told one."""
    problems: dict[str, int] = {}
    """Wrong answers, and what was busy or broken, by text."""

    @classmethod
    def of(cls, requests: int) -> Self:
        """Of a share of so many requests, before the first."""
        return cls(bytearray(requests), Spans.of(requests))

    def problem(self, text: str) -> None:
        """Count a text; what comes beyond the first kinds of text is counted together."""
        if text not in self.problems and len(self.problems) >= _MOST_TEXTS:
            text = "others"
        self.problems[text] = self.problems.get(text, 0) + 1

    def position(self, text: str) -> None:
        """Remember a write's position, partition and offset with a dot between them."""
        partition, _, offset = text.partition(".")
        if partition.isdigit() and offset.isdigit():
            self.positions[int(partition)] = max(self.positions.get(int(partition), 0), int(offset))


class Outcome(Struct):
    """What all processes of a run saw. `tallies` by place; None for one that never told."""

    tallies: list[Tally | None]
    begun: float
    """When the first request could be due, seconds since 1970."""

    @property
    def complete(self) -> bool:
        """Whether every process told what it saw."""
        return all(tally is not None for tally in self.tallies)

    def fate(self, number: int) -> Fate:
        """What became of a request."""
        tally = self.tallies[number % len(self.tallies)]
        return Fate.IN_DOUBT if tally is None else Fate(tally.fates[number // len(self.tallies)])

    def spans(self, requests: int) -> Spans:
        """When each request was under way, by number; those of a process that never told, at any time."""
        found, of = Spans.of(requests), len(self.tallies)
        for place, tally in enumerate(self.tallies):
            if tally is not None:
                found.begun[place::of], found.ended[place::of] = tally.spans.begun, tally.spans.ended
        return found

    def merged(self) -> Tally:
        """All in one; `fates` and `spans` are empty."""
        total = Tally(bytearray())
        for tally in self.tallies:
            if tally is None:
                continue
            for name, latency in tally.latency.items():
                total.latency.setdefault(name, Latency()).merge(latency)
            for into, one in zip(total.intervals, tally.intervals, strict=True):
                into.due += one.due
                into.statements += one.statements
                into.latency.merge(one.latency)
            total.lag.merge(tally.lag)
            total.statements += tally.statements
            total.busy += tally.busy
            total.broken += tally.broken
            total.held += tally.held
            total.outstanding += tally.outstanding
            for partition, offset in tally.positions.items():
                total.position(f"{partition}.{offset}")
            for text, count in tally.problems.items():
                total.problems[text] = total.problems.get(text, 0) + count
        return total

    def write(self, path: Path) -> None:
        """Write it to a file."""
        path.write_bytes(pack(self))

    @classmethod
    def read(cls, path: Path) -> Outcome:
        """What `write` wrote."""
        return msgspec.msgpack.decode(path.read_bytes(), type=cls, dec_hook=_decoded)


def pack(value: Tally | Outcome) -> bytes:
    """As bytes, to be sent."""
    return msgspec.msgpack.encode(value, enc_hook=_encoded)


def unpack(content: bytes) -> Tally:
    """A tally as `pack` gave it."""
    return msgspec.msgpack.decode(content, type=Tally, dec_hook=_decoded)


def _encoded(value: Any) -> Any:
    if isinstance(value, Histogram | Spans):
        return value.packed()
    raise NotImplementedError


def _decoded(kind: type, value: Any) -> Any:
    if kind is Histogram:
        return Histogram.unpacked(value)
    if kind is Spans:
        return Spans.unpacked(value)
    raise NotImplementedError
