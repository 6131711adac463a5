"""What a store holds of a run's statements, read as little as possible.

Where the digest of a range of time is that of the statements supposed in it, it holds these and nothing
else: that is proof, however they were supposed. Any other range is cut in two, until it is so short that its
ids are listed. So times, clocks and guesses decide how much is read, and never what is found.

A cut is made at an instant of the LRS, and the first ids after it are listed: they are a range of their own,
the window. They show by how much the two clocks differ there. Of a statement that was under way when the
window began and is not in it, it is then known that it was stored before, and of one that was under way when
it ended, that it was stored after, or that they are missing. The window is made longer until few requests
were under way during all of it; these are asked for one by one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol
from uuid import UUID

import numpy as np
import numpy.typing as npt

from loadtests.ledger import MOST_IDS, Page
from loadtests.sent import NOWHERE, UNKNOWN, Digest, Places, Role, Sent
from loadtests.span import Instants

Choice = npt.NDArray[np.bool_]

LISTED: Final = 500
"""A range with no more statements than this is listed."""
WINDOW: Final = 64
"""Statements of a window at first."""
CUTS: Final = 500
"""After so many, what is left is listed: too much differs for cutting to save anything."""
SETTLED: Final = 5_000
"""With more requests in doubt than this everything is listed."""

_AT_ONCE: Final = 8
_SHARE: Final = 8
"""A window of n statements is long enough when no more than n/8 requests were under way during all of it."""
_OF_RANGE: Final = 4
"""A window that has become a fourth of its range decides nothing: the range is listed."""
_EIGHTHS: Final = (4, 2, 6, 1, 7, 3, 5)


class Shelf(Protocol):
    """The store, by its public digest. Instants and ranges as those of `Ledger`."""

    async def digest(self, since: int, until: int) -> Digest:
        """The digest of a range."""

    async def page(self, since: int, until: int, limit: int, after: str | None = None) -> Page:
        """Some ids of a range."""

    async def stored(self, id_: UUID) -> int | None:
        """When one was stored."""


@dataclass
class Found:
    """What is stored of a run, and how much was asked for it."""

    times: Places
    """How often each statement is there."""
    others: Counter[UUID] = field(default_factory=Counter)
    """What is there besides, and how often."""
    digests: int = 0
    """Ranges whose digest was read."""
    listed: int = 0
    """Ids that were listed."""
    asked: int = 0
    """Ids that were asked for one by one."""


class _Drift(NamedTuple):
    """What is added to a request's begin, and to its end, so that its statements' instants lie between: the
    LRS's clock minus the generator's as far as that is known, and what passed between acknowledgement and
    store. Microseconds."""

    earliest: int
    latest: int

    @property
    def middle(self) -> int:
        return (self.earliest + self.latest) // 2


@dataclass
class _Range:
    """A range of time, and the statements that are supposed to be all of it: None when they are not known."""

    since: int
    until: int
    supposed: Places | None
    drift: _Drift | None = None


@dataclass
class _Window:
    """The ids from the beginning of a range, as far as they were listed."""

    since: int
    until: int
    """The end of the range; when `whole`, also that of the window."""
    ids: list[UUID] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    after: str | None = None
    whole: bool = False

    def take(self, page: Page) -> None:
        """Go on by a page."""
        self.ids += page.ids
        self.stored += page.stored
        self.after, self.whole = page.after, page.after is None

    @property
    def end(self) -> int:
        """Everything up to this instant was listed; another partition may have more of the last one."""
        return self.until if self.whole else self.stored[-1] - 1

    @property
    def complete(self) -> int:
        """How many of the ids are not after the end."""
        return len(self.ids) if self.whole else int(np.searchsorted(self.stored, self.end, "right"))


async def find(sent: Sent, shelf: Shelf, since: int, until: int) -> Found:
    """What the store has of a range that is all of the run's, or of others."""
    return await _Bisection(sent, shelf).found_in(since, until)


class _Bisection:
    def __init__(self, sent: Sent, shelf: Shelf) -> None:
        self._sent, self._shelf = sent, shelf
        self.found = Found(np.zeros(len(sent), np.int64))
        self._stored: Instants = np.full(len(sent), UNKNOWN, np.int64)
        """When a statement was stored, where the LRS told it."""
        self._supposed = sent.of_role(Role.ACKNOWLEDGED)
        """Which statements are supposed to be there."""
        self._cuts = 0

    async def found_in(self, since: int, until: int) -> Found:
        settled = await self._settle(since, until)
        waiting = deque([_Range(since, until, np.flatnonzero(self._supposed) if settled else None)])
        while waiting:
            part = waiting.popleft()
            waiting += await self._compare(part)
        return self.found

    async def _settle(self, since: int, until: int) -> bool:
        """Suppose of what is in doubt, and of marks, what the LRS says of one statement of each request.
        False when there are too many to ask for."""
        places = np.flatnonzero(~self._supposed)
        speakers, of = self._speakers(places)
        if len(speakers) > SETTLED:
            return False
        stored = self._stored[places] = (await self._ask(speakers))[of]
        self._supposed[places] = (stored > since) & (stored <= until)
        return True

    def _speakers(self, places: Places) -> tuple[Places, Places]:
        """A statement of each request: batches are stored as a whole. And which of them speaks for each."""
        _, first, of = np.unique(self._sent.request[places], return_index=True, return_inverse=True)
        return places[first], of

    async def _ask(self, places: Places) -> Instants:
        """When each of some statements was stored; UNKNOWN for those that are not there."""
        self.found.asked += len(places)
        told: list[int | None] = []
        for at in range(0, len(places), _AT_ONCE):
            some = [self._sent.id(int(place)) for place in places[at : at + _AT_ONCE]]
            told += await asyncio.gather(*map(self._shelf.stored, some))
        return np.array([UNKNOWN if one is None else one for one in told], np.int64)

    async def _compare(self, part: _Range) -> Sequence[_Range]:
        """Decide a range, or cut it; what is left."""
        if part.since >= part.until:
            return ()
        if part.supposed is not None:
            self.found.digests += 1
            told = await self._shelf.digest(part.since, part.until)
            if told == self._sent.digest(part.supposed):
                self.found.times[part.supposed] += 1
                return ()
            if told.count == 0:
                return ()
            divisible = part.until - part.since > 1 and self._cuts < CUTS
            if told.count > LISTED and len(part.supposed) and divisible:
                self._cuts += 1
                return await self._cut(part, part.supposed, told.count)
        await self._list(part)
        return ()

    async def _list(self, part: _Range) -> None:
        more: str | None = None
        while True:
            page = await self._shelf.page(part.since, part.until, MOST_IDS, more)
            self.found.listed += len(page.ids)
            self._take(page.ids)
            if (more := page.after) is None:
                return

    def _take(self, ids: Sequence[UUID]) -> None:
        """Count what was listed."""
        places = self._sent.places(ids)
        np.add.at(self.found.times, places[places != NOWHERE], 1)
        self.found.others.update(id_ for id_, place in zip(ids, places, strict=True) if place == NOWHERE)

    # -- a cut -------------------------------------------------------------------------------------

    async def _cut(self, part: _Range, supposed: Places, count: int) -> Sequence[_Range]:
        """List a window in a range that has `count` ids; what lies before it, and after it."""
        drift = part.drift or await self._first_drift(supposed)
        window = _Window(self._middle(part, supposed, drift), part.until)
        while True:
            more = min(max(WINDOW, len(window.ids)), MOST_IDS)
            page = await self._shelf.page(window.since, part.until, more, window.after)
            self.found.listed += len(page.ids)
            window.take(page)
            drift = self._drift(window) or drift
            rest = self._without(supposed, window)
            before, after = self._sides(rest, window, drift)
            under_way = np.flatnonzero(before & after)
            speakers, of = self._speakers(rest[under_way])
            few = len(speakers) <= max(WINDOW, window.complete) // _SHARE
            if few or window.whole or len(window.ids) > count // _OF_RANGE:
                break
        self._take(window.ids[: window.complete])
        if not few:
            return _Range(part.since, window.since, None), _Range(window.end, part.until, None)
        stored = self._stored[rest[under_way]] = (await self._ask(speakers))[of]
        # What is not there lies on neither side.
        before[under_way] = (stored != UNKNOWN) & (stored <= window.since)
        after[under_way] = stored > window.since
        return (
            _Range(part.since, window.since, rest[before], drift),
            _Range(window.end, part.until, rest[after], drift),
        )

    def _middle(self, part: _Range, supposed: Places, drift: _Drift | None) -> int:
        """Where a range is cut: where half of the statements may have been stored, if that is in it."""
        acknowledged = supposed[self._sent.role[supposed] == Role.ACKNOWLEDGED]
        if drift is not None and len(acknowledged):
            half = int(np.median(self._sent.ended[acknowledged])) + drift.middle
            if part.since < half < part.until:
                return half
        return (part.since + part.until) // 2

    async def _first_drift(self, supposed: Places) -> _Drift | None:
        """By the first of some statements that is there."""
        for eighths in _EIGHTHS:
            place = supposed[len(supposed) * eighths // 8]
            if self._sent.role[place] == Role.ACKNOWLEDGED:
                [stored] = await self._ask(np.array([place]))
                if stored != UNKNOWN:
                    return self._between(np.array([place]), np.array([stored]))
        return None

    def _drift(self, window: _Window) -> _Drift | None:
        """By the acknowledged statements of a window; None when it has none."""
        places = self._sent.places(window.ids)
        known = places != NOWHERE
        known[known] = self._sent.role[places[known]] == Role.ACKNOWLEDGED
        return self._between(places[known], np.array(window.stored)[known]) if known.any() else None

    def _between(self, places: Places, stored: Instants) -> _Drift:
        """The least that has all these statements stored while, or before and after, they were under way. A
        statement is stored after its request began, so that each bounds the difference of the clocks from
        above, and before its request ended, which bounds it from below (Cristian, "Probabilistic clock
        synchronization", 1989)."""
        above = int((stored - self._sent.begun[places]).min())
        below = int((stored - self._sent.ended[places]).max())
        return _Drift(min(above, below), max(above, below))

    def _without(self, supposed: Places, window: _Window) -> Places:
        """What is supposed in the range, and not in the window."""
        inside = np.zeros(len(self._sent), np.bool_)
        places = self._sent.places(window.ids[: window.complete])
        inside[places[places != NOWHERE]] = True
        return supposed[~inside[supposed]]

    def _sides(self, rest: Places, window: _Window, drift: _Drift | None) -> tuple[Choice, Choice]:
        """Which statements may have been stored before a window, and which after it."""
        if window.whole:
            return np.ones(len(rest), np.bool_), np.zeros(len(rest), np.bool_)
        if drift is None:
            return np.ones(len(rest), np.bool_), np.ones(len(rest), np.bool_)
        stored = self._stored[rest]
        told = stored != UNKNOWN
        earliest = np.where(told, stored, self._sent.begun[rest] + drift.earliest)
        latest = np.where(told, stored, self._sent.ended[rest] + drift.latest)
        # What the LRS said was stored in the window, and is not there, has company in its request: after it.
        return earliest <= window.since, (latest > window.end) | (told & (stored > window.since))
