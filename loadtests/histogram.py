"""Latencies in buckets of equal relative width, as in HdrHistogram: small, mergeable, exact to 1 %."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Self

_PARTS_BITS: Final = 7
"""Each power of two is split into 2^7 buckets: the bounds of one differ by less than 0.8 %."""
_PARTS: Final = 1 << _PARTS_BITS

SHARES: Final = (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)
"""The quantiles that are reported."""


class Histogram:
    """Durations, kept to the microsecond below 256 µs and to 0.8 % above."""

    __slots__ = ("_counts", "_total_us")

    def __init__(self, counts: Mapping[int, int] | None = None, total_us: int = 0) -> None:
        self._counts, self._total_us = Counter(counts or {}), total_us

    def add(self, seconds: float) -> None:
        """Count a duration; a negative one counts as 0."""
        microseconds = max(0, round(seconds * 1e6))
        self._total_us += microseconds
        self._counts[_bucket(microseconds)] += 1

    def merge(self, other: Histogram) -> None:
        """Count what another one counted, too."""
        self._counts.update(other._counts)
        self._total_us += other._total_us

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return self._counts.total()

    @property
    def mean(self) -> float | None:
        """Seconds; None when nothing was counted."""
        return self._total_us / 1e6 / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The duration in seconds that `share` of them do not exceed (the upper bound of its bucket);
        None when nothing was counted."""
        left = max(1.0, share * self.count)
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 1e-9:
                return _upper(bucket) / 1e6
        return None

    def quantiles(self) -> dict[str, float | None]:
        """The reported quantiles in seconds, by name: p50 to p99.9, and max."""
        return {name(share): self.quantile(share) for share in SHARES}

    def packed(self) -> list[int]:
        """As integers that `unpacked` reads: the sum in microseconds, then bucket and count in turn."""
        return [self._total_us, *(number for pair in sorted(self._counts.items()) for number in pair)]

    @classmethod
    def unpacked(cls, numbers: Iterable[int]) -> Self:
        """What `packed` gave."""
        total, *pairs = numbers
        return cls(dict(zip(pairs[::2], pairs[1::2], strict=True)), total)


def name(share: float) -> str:
    """A quantile's name: p50, p99.9, max."""
    return "max" if share == 1.0 else f"p{share * 100:g}"


def _bucket(microseconds: int) -> int:
    power = max(0, microseconds.bit_length() - _PARTS_BITS - 1)
    return power * _PARTS + (microseconds >> power)


def _upper(bucket: int) -> int:
    """The greatest number of microseconds in a bucket."""
    power = max(0, bucket // _PARTS - 1)
    return ((bucket - power * _PARTS + 1) << power) - 1
