"""The statements of a run as arrays: ids, their digest numbers, and when each was under way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import Final, Self
from uuid import UUID

import numpy as np
import numpy.typing as npt

from loadtests.plan import Agenda
from loadtests.scenario import WRITING
from loadtests.span import TICK_US, Instants
from loadtests.tally import Fate, Outcome

Places = npt.NDArray[np.int64]
"""Which statements: their places in the arrays."""

NOWHERE: Final = -1
UNKNOWN: Final = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Digest:
    """How many ids, and the sum of the first halves of their SHA-256, modulo 2^128: whatever their order."""

    count: int
    sum: int

    @classmethod
    def of(cls, ids: Iterable[str]) -> Self:
        """Of ids of one's own."""
        numbers = [int.from_bytes(_hashed(UUID(id_).bytes), "big") for id_ in ids]
        return cls(len(numbers), sum(numbers) % (1 << 128))


class Role(IntEnum):
    """What is known of a statement before the store is asked."""

    ACKNOWLEDGED = 0
    IN_DOUBT = 1
    """Its request got no final answer, or a wrong one."""
    MARK = 2
    """Not of the plan: it came last, to see when an intake had read everything."""


@dataclass(frozen=True)
class Sent:
    """Statements, each at its place in every array. Places follow the order in which requests were due."""

    ids: npt.NDArray[np.bytes_]
    """16 bytes each. Numpy takes zeros at the end for padding: `id` gives all of them."""
    numbers: npt.NDArray[np.uint32]
    """Four digits of 32 bits, the highest first, of each id's number in a digest."""
    request: npt.NDArray[np.int64]
    """Statements of one request have one number."""
    role: npt.NDArray[np.uint8]
    begun: Instants
    ended: Instants
    """From when until when its request was under way: microseconds since the run began, on the generator's
    clock, which need not be the LRS's. Of statements in doubt the end means nothing."""
    order: Places
    """The places in the order of the ids."""

    @classmethod
    def of(
        cls,
        ids: Sequence[bytes],
        request: Sequence[int],
        role: Sequence[int],
        begun: Instants,
        ended: Instants,
    ) -> Self:
        """`ids`: 16 bytes each, none twice."""
        joined = np.frombuffer(b"".join(ids), "S16")
        hashed = b"".join(map(_hashed, ids))
        return cls(
            joined,
            np.frombuffer(hashed, ">u4").reshape(-1, 4).astype(np.uint32),
            np.array(request, np.int64),
            np.array(role, np.uint8),
            begun,
            ended,
            np.argsort(joined),
        )

    @classmethod
    def by(cls, agenda: Agenda, outcome: Outcome, marks: Iterable[str] = ()) -> Self:
        """What was sent in a run. `marks`: ids of statements that were sent after it."""
        ids: list[bytes] = []
        request: list[int] = []
        role: list[int] = []
        for number in range(len(agenda)):
            fate = outcome.fate(number)
            if agenda.request(number).kind in WRITING and fate is not Fate.UNSENT:
                fresh = [UUID(id_).bytes for id_ in agenda.sending(number).body.ids]
                ids += fresh
                request += [number] * len(fresh)
                role += [Role.ACKNOWLEDGED if fate is Fate.DONE else Role.IN_DOUBT] * len(fresh)
        planned = len(ids)
        for number, mark in enumerate(marks, len(agenda)):
            ids.append(UUID(mark).bytes)
            request.append(number)
            role.append(Role.MARK)
        spans = outcome.spans(len(agenda))
        begun, ended = np.zeros(len(ids), np.int64), np.zeros(len(ids), np.int64)
        begun[:planned] = spans.begun[request[:planned]] * np.int64(TICK_US)
        ended[:planned] = spans.ended[request[:planned]] * np.int64(TICK_US)
        return cls.of(ids, request, role, begun, ended)

    def __len__(self) -> int:
        return len(self.ids)

    def id(self, place: int) -> UUID:
        """The id of one."""
        return UUID(bytes=bytes(self.ids[place]).ljust(16, b"\0"))

    def digest(self, places: Places) -> Digest:
        """The digest of some of them."""
        # Digits of 32 bits in 64: nobody has so many statements that a carry is lost.
        a, b, c, d = self.numbers[places].sum(axis=0, dtype=np.uint64).tolist()
        return Digest(len(places), ((a << 96) + (b << 64) + (c << 32) + d) % (1 << 128))

    def places(self, ids: Sequence[UUID]) -> Places:
        """Where each of these ids is; NOWHERE for one that was not sent."""
        asked = np.array([id_.bytes for id_ in ids], "S16")
        if not len(self) or not len(asked):
            return np.full(len(asked), NOWHERE, np.int64)
        at = np.minimum(np.searchsorted(self.ids, asked, sorter=self.order), len(self) - 1)
        found: Places = self.order[at]
        return np.where(self.ids[found] == asked, found, NOWHERE)

    def of_role(self, role: Role) -> npt.NDArray[np.bool_]:
        """Which of them have this role."""
        return self.role == role


def _hashed(id_: bytes) -> bytes:
    return sha256(id_).digest()[:16]
