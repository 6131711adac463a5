"""Bodies made beforehand, so that the driver costs little beside the system that it drives.

A body is rendered once. Each time it is sent, every UUID in it (of statements, registrations and
sessions) gets another beginning, and every learner another number, by overwriting bytes at places
found beforehand: so it is always new statements of other learners.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from random import Random
from typing import Final

from lrs.demo.career import career
from lrs.demo.learner import ACCOUNT, learner
from lrs.scoring.catalogue import Catalogue

GENERATIONS: Final = 10_000
"""After so many rounds the learners come again; the ids do not."""

_STAMP: Final = 8
"""Hexadecimal digits at the beginning of a UUID that tell the round."""
_ACCOUNT_STAMP: Final = 4
"""Leading digits of an account's number that tell the round; the others tell the learner."""
_LEARNERS: Final = 10**8 // GENERATIONS

_ID: Final = re.compile(rb'\{"id":"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})","actor"')
_UUID: Final = re.compile(rb'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')
_ACCOUNT: Final = re.compile(rb'"' + ACCOUNT.split("{")[0].encode() + rb'(\d{8})"')
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True)
class Fresh:
    """A body as it is sent, and the ids of its statements, in order."""

    content: bytes
    ids: list[str]


class Body:
    """A rendered body: one statement, or an array of them."""

    def __init__(self, statements: Sequence[bytes], *, alone: bool = False) -> None:
        """`alone`: the single statement goes without an array."""
        content = statements[0] if alone else b"[" + b",".join(statements) + b"]"
        self.statements = len(statements)
        self._template = content
        self._ids = [match.start(1) for match in _ID.finditer(content)]
        if len(self._ids) != self.statements:
            raise ValueError(
                f"{self.statements} statements, but {len(self._ids)} ids stand where they should"
            )
        self._stamps = _slices(_UUID, content, _STAMP)
        self._accounts = _slices(_ACCOUNT, content, _ACCOUNT_STAMP)

    def fresh(self, generation: int) -> Fresh:
        """The body for one round; no id of it is in any other round below 2^32."""
        content = bytearray(self._template)
        stamp = b"%0*x" % (_STAMP, generation)
        for place in self._stamps:
            content[place] = stamp
        number = b"%0*d" % (_ACCOUNT_STAMP, generation % GENERATIONS)
        for place in self._accounts:
            content[place] = number
        return Fresh(bytes(content), [content[place : place + 36].decode() for place in self._ids])


class Supply:
    """Bodies in turn, round after round; never the same id twice, for one seed."""

    def __init__(self, bodies: Sequence[Body]) -> None:
        if not bodies:
            raise ValueError("a supply needs a body at least")
        self._bodies, self._next, self._generation = bodies, 0, 0

    def __next__(self) -> Fresh:
        if self._next == len(self._bodies):
            self._next, self._generation = 0, self._generation + 1
        self._next += 1
        return self._bodies[self._next - 1].fresh(self._generation)


def make_bodies(
    catalogue: Catalogue, seed: int, *, batch: int, interleaved: int, statements: int, now: int
) -> list[Body]:
    """Bodies of `batch` statements each (0: single statements, without an array), some `statements` in
    all. Learners of the last days before `now` (microseconds since 1970).

    The statements of `interleaved` learners alternate, as when a class sends through one client.
    """
    spoken = list(islice(_spoken(catalogue, seed, interleaved, now), statements))
    if batch == 0:
        return [Body([statement], alone=True) for statement in spoken]
    starts = range(0, len(spoken) - batch + 1, batch)
    return [Body(spoken[start : start + batch]) for start in starts]


def _spoken(catalogue: Catalogue, seed: int, interleaved: int, now: int) -> Iterator[bytes]:
    """Statements without end: always so many learners side by side, each with one statement in turn."""
    if not 1 <= interleaved < _LEARNERS:
        raise ValueError(f"1 to {_LEARNERS - 1} learners can be interleaved, not {interleaved}")
    rng = Random(f"load {seed}")
    numbers = iter(range(_LEARNERS))
    seats = [_life(next(numbers), catalogue, seed, rng, now) for _ in range(interleaved)]
    while True:
        for seat, life in enumerate(seats):
            statement = next(life, None)
            if statement is None:
                seats[seat] = _life(next(numbers), catalogue, seed, rng, now)
                statement = next(seats[seat])
            yield statement


def _life(number: int, catalogue: Catalogue, seed: int, rng: Random, now: int) -> Iterator[bytes]:
    sittings = career(learner(number), catalogue, seed)
    return chain.from_iterable(
        (statement for _, statement in sitting.statements(now - rng.randrange(_DAY_US, 20 * _DAY_US)))
        for sitting in sittings
    )


def _slices(pattern: re.Pattern[bytes], content: bytes, width: int) -> list[slice]:
    return [slice(match.start(1), match.start(1) + width) for match in pattern.finditer(content)]
