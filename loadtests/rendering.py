"""Bodies rendered from the demonstration's careers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from random import Random
from typing import Final

from loadtests.bodies import TEMPLATE_LEARNERS, Body
from lrs.demo.career import career
from lrs.demo.learner import learner
from lrs.scoring.catalogue import Catalogue

_DAY_US: Final = 86_400_000_000


def make_bodies(
    catalogue: Catalogue, seed: int, *, batch: int, interleaved: int, statements: int, now: int
) -> list[Body]:
    """Bodies of `batch` statements each (0: single statements, without an array), some `statements` in
    all. Learners of the last days before `now` (microseconds since 1970).

    The statements of `interleaved` learners alternate, as when a class sends through one client.
    """
    spoken = list(islice(_spoken(catalogue, seed, interleaved, now), statements))
    if batch == 0:
        return [Body.of([statement], alone=True) for statement in spoken]
    starts = range(0, len(spoken) - batch + 1, batch)
    return [Body.of(spoken[start : start + batch]) for start in starts]


def _spoken(catalogue: Catalogue, seed: int, interleaved: int, now: int) -> Iterator[bytes]:
    """Statements without end: always so many learners side by side, each with one statement in turn."""
    if not 1 <= interleaved < TEMPLATE_LEARNERS:
        raise ValueError(f"1 to {TEMPLATE_LEARNERS - 1} learners can be interleaved, not {interleaved}")
    rng = Random(f"load {seed}")
    numbers = iter(range(TEMPLATE_LEARNERS))
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
