"""A store's public digest in memory, and runs that went there: in flight together, and not without loss."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import accumulate
from uuid import UUID

import numpy as np

from loadtests.ledger import Page
from loadtests.sent import Digest, Role, Sent

BEGUN = 1_795_000_000_000_000
"""When the runs begin on the store's clock."""


class Shelf:
    """`rows`: when each id was stored; an id may stand there twice. It counts what it is asked."""

    def __init__(self, rows: Sequence[tuple[int, UUID]]) -> None:
        ordered = sorted(rows, key=lambda row: row[0])
        self.instants = [instant for instant, _ in ordered]
        self.ids = [id_ for _, id_ in ordered]
        numbers = (int.from_bytes(sha256(id_.bytes).digest()[:16], "big") for id_ in self.ids)
        self._sums = list(accumulate(numbers, initial=0))
        self._stored = {id_: instant for instant, id_ in reversed(ordered)}
        self.digests = self.listed = self.asked = 0

    async def digest(self, since: int, until: int) -> Digest:
        self.digests += 1
        first, last = self._between(since, until)
        return Digest(last - first, (self._sums[last] - self._sums[first]) % (1 << 128))

    async def page(self, since: int, until: int, limit: int, after: str | None = None) -> Page:
        first, last = self._between(since, until)
        first = first if after is None else int(after)
        end = min(first + limit, last)
        self.listed += end - first
        return Page(self.ids[first:end], self.instants[first:end], str(end) if end < last else None)

    async def stored(self, id_: UUID) -> int | None:
        self.asked += 1
        return self._stored.get(id_)

    def everything(self, since: int, until: int) -> Counter[UUID]:
        """What a listing of all of a range finds; it counts as nothing."""
        return Counter(self.ids[slice(*self._between(since, until))])

    def _between(self, since: int, until: int) -> tuple[int, int]:
        return bisect_right(self.instants, since), bisect_right(self.instants, until)


@dataclass(frozen=True)
class Way:
    """How statements come to be stored. Seconds, but for `skew` and `grain`, microseconds."""

    requests: int = 400
    batch: int = 5
    """At most so many statements a request."""
    rate: float = 500.0
    """Requests a second."""
    latency: float = 0.05
    """The mean; some take fifty times as long."""
    lag: float = 0.0
    """Until what was acknowledged is stored, at most: that of an intake."""
    skew: int = 0
    """The store's clock minus the sender's."""
    creep: float = 0.0
    """Seconds by which the clocks come apart in each second."""
    grain: int = 1
    """Instants are multiples of it, so that many statements share one."""
    blind: bool = False
    """The sender noted nothing of when requests were under way."""
    lying: bool = False
    """What it noted has nothing to do with it."""


@dataclass(frozen=True)
class Harm:
    """What differs between what was sent and what is stored, in numbers of statements, or of requests in
    doubt; `torn`: of requests in doubt any part may be stored."""

    missing: int = 0
    doubled: int = 0
    foreign: int = 0
    doubted: int = 0
    torn: bool = False
    gap: float = 0.0
    """Of all that was stored so large a part is missing in one piece."""


@dataclass
class Run:
    """What was sent, and the store that it went to."""

    sent: Sent
    shelf: Shelf
    since: int
    until: int
    lost: set[UUID] = field(default_factory=set)


def run(seed: int, way: Way, harm: Harm) -> Run:
    """A run as it may have been."""
    rng = random.Random(seed)
    requests, roles, begun, ended, ids = [], [], [], [], []
    rows: list[tuple[int, UUID]] = []
    doubted = set(rng.sample(range(way.requests), min(harm.doubted, way.requests)))
    now = 0.0
    for number in range(way.requests):
        now += rng.expovariate(way.rate)
        took = rng.expovariate(1 / way.latency) * (50 if rng.random() < 0.01 else 1)
        at = now + rng.random() * took + rng.random() * way.lag
        stored = BEGUN + way.skew + int(at * (1 + way.creep) * 1e6)
        there = rng.random() < 0.5
        span = (now, now + took)
        if way.lying:
            span = (rng.random() * 100, 100 + rng.random() * 100)
        for place in range(rng.randint(1, way.batch)):
            id_ = UUID(int=rng.getrandbits(128))
            ids.append(id_.bytes)
            requests.append(number)
            roles.append(Role.IN_DOUBT if number in doubted else Role.ACKNOWLEDGED)
            begun.append(0 if way.blind else int(span[0] * 1e6))
            ended.append((1 << 32) * 100 if way.blind else int(span[1] * 1e6) + 1)
            if number not in doubted or (rng.random() < 0.5 if harm.torn else there):
                rows.append(((stored + place) // way.grain * way.grain, id_))
    rows.sort()
    end = rows[-1][0] if rows else BEGUN + way.skew
    first = rng.randrange(len(rows) + 1)
    gone = rows[first : first + int(harm.gap * len(rows))]
    gone += rng.sample(rows, min(harm.missing, len(rows)))
    lost = {id_ for _, id_ in gone}
    kept = [row for row in rows if row[1] not in lost]
    since, until = BEGUN + way.skew - 10_000_000, end + 5_000_000
    kept += [(rng.randint(since, until), id_) for _, id_ in rng.sample(kept, min(harm.doubled, len(kept)))]
    kept += [(rng.randint(since, until), UUID(int=rng.getrandbits(128))) for _ in range(harm.foreign)]
    # What was stored before the run, or is not covered, is nobody's business.
    kept += [(since - rng.randrange(1_000), UUID(int=rng.getrandbits(128))) for _ in range(20)]
    kept += [(until + 1 + rng.randrange(1_000), UUID(int=rng.getrandbits(128))) for _ in range(20)]
    times = np.array(begun, np.int64), np.array(ended, np.int64)
    return Run(Sent.of(ids, requests, roles, *times), Shelf(kept), since, until, lost)
