"""Reconciliation: which statements were sent and did not arrive, and which arrived and were not sent.

Both sides have a digest of any range of time. Where the two are equal nothing is missing; where they
are not, the range is halved, until it holds so few statements that their ids are listed. To find three
among a million takes some sixty digests and three short lists.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import Final, Protocol
from uuid import UUID

MODULUS: Final = 1 << 128

LISTED: Final = 1_000
"""A range with no more statements than this is listed."""


@dataclass(frozen=True, slots=True)
class Digest:
    """How many ids, and the sum of their numbers modulo 2^128; the number of an id is the first half of
    SHA-256 of its 16 bytes."""

    count: int = 0
    sum: int = 0

    def __add__(self, other: Digest) -> Digest:
        return Digest(self.count + other.count, (self.sum + other.sum) % MODULUS)

    @classmethod
    def of(cls, ids: Iterable[bytes]) -> Digest:
        """Of ids of 16 bytes each."""
        count = total = 0
        for id_ in ids:
            count += 1
            total += number(id_)
        return cls(count, total % MODULUS)


def number(id_: bytes) -> int:
    """The number of an id of 16 bytes."""
    return int.from_bytes(sha256(id_).digest()[:16], "big")


class Store(Protocol):
    """The other side: what it stored after `since` and not after `until`, in µs since 1970."""

    async def digest(self, since: int, until: int) -> Digest:
        """Its digest."""

    async def ids(self, since: int, until: int) -> set[UUID]:
        """Its ids."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`missing`: sent, but not stored. `surplus`: stored, but not sent."""

    missing: frozenset[UUID]
    surplus: frozenset[UUID]


async def compare(sent: Sequence[tuple[int, UUID]], store: Store, since: int, until: int) -> Difference:
    """Compare what was sent with what the store has of a range.

    `sent`: (when it was stored, in µs since 1970, id). An instant that is not quite right, say that of its
    request's answer, costs some lists, and does no harm.
    """
    sent = sorted(sent)
    instants = [instant for instant, _ in sent]
    sums = [0, *accumulate(number(id_.bytes) for _, id_ in sent)]
    missing: set[UUID] = set()
    surplus: set[UUID] = set()
    # What was sent before the range, or after it, belongs to its first part, or its last.
    waiting = [(since, until, 0, len(sent))]
    while waiting:
        low, high, first, last = waiting.pop()
        expected = Digest(last - first, (sums[last] - sums[first]) % MODULUS)
        found = await store.digest(low, high)
        if found == expected:
            continue
        if max(found.count, expected.count) <= LISTED or high - low <= 1:
            ids, own = await store.ids(low, high), {id_ for _, id_ in sent[first:last]}
            missing |= own - ids
            surplus |= ids - own
            continue
        middle = _middle(instants, low, high, first, last)
        cut = bisect_right(instants, middle, first, last)
        waiting += [(low, middle, first, cut), (middle, high, cut, last)]
    return Difference(frozenset(missing - surplus), frozenset(surplus - missing))


def _middle(instants: Sequence[int], low: int, high: int, first: int, last: int) -> int:
    """Where a range is cut: at the median of what was sent in it, if that lies inside."""
    median = instants[(first + last) // 2] if first < last else low
    return median if low < median < high else (low + high) // 2
