"""A fingerprint of what is derived, in which keys of names stand in place of a store's own numbers.

Every fact, course row and sum has a hash, and a derivation the sum of them. So the fingerprints of two
stores are equal iff both derived the same, whatever their numbers, chunks and ranges of learners are.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lrs.scoring.competency import DELTA
from lrs.scoring.fact import FACT, ORIGINS
from lrs.store.sql import queries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lrs.store.connection import Asked
    from lrs.store.derivation import Derivation

_KEY: Final = "V16"
_FACT: Final = np.dtype(
    [("agent", _KEY), ("activity", _KEY), ("authority", _KEY), ("origin", _KEY, (ORIGINS,)), ("fact", FACT)]
)
_SUM: Final = np.dtype([("agent", _KEY), ("competency", _KEY), ("sums", DELTA)])
_BITS: Final = 128


class _Keys:
    """The keys of some names by number; zeros for none, and for numbers that nobody has."""

    def __init__(self, numbers: NDArray[np.int64], keys: NDArray[np.void]) -> None:
        self._numbers, self._keys = numbers, keys

    @classmethod
    async def load(cls, asked: Asked, query: str, tenant: int, numbers: Iterable[Any]) -> _Keys:
        """The keys of these numbers (arrays of any shape)."""
        wanted = np.unique(np.concatenate([np.ravel(some) for some in numbers])).astype(np.int64)
        keys = np.zeros(len(wanted), _KEY)
        rows = await asked.fetch(queries("verification")[query], tenant, wanted.tolist())
        places = np.searchsorted(wanted, np.array([row["number"] for row in rows], np.int64))
        keys[places] = np.frombuffer(b"".join([row["key"].bytes for row in rows]), _KEY)
        return cls(wanted, keys)

    def __call__(self, numbers: Any) -> NDArray[np.void]:
        return self._keys[np.searchsorted(self._numbers, numbers)]


async def fingerprint(asked: Asked, tenant: int, derivation: Derivation) -> int:
    """The fingerprint of what is derived for some learners: at most 128 bits. Fingerprints of different
    learners add up, modulo 2^128."""
    keys, facts, sums = derivation.keys, derivation.facts, derivation.accumulators
    learners = np.array([agent for agent, _, _ in derivation.courses], np.int64)
    courses = np.array([course for _, course, _ in derivation.courses], np.int64)
    agent = await _Keys.load(
        asked, "agent_keys", tenant, (keys["agent"], facts["authority"], sums["agent"], learners)
    )
    activity = await _Keys.load(
        asked, "activity_keys", tenant, (keys["activity"], facts["origin"], sums["competency"], courses)
    )
    said = np.empty(len(facts), _FACT)
    said["agent"], said["activity"] = agent(keys["agent"]), activity(keys["activity"])
    said["authority"], said["origin"] = agent(facts["authority"]), activity(facts["origin"])
    said["fact"] = facts
    said["fact"]["authority"] = said["fact"]["origin"] = 0
    summed = np.empty(len(sums), _SUM)
    summed["agent"], summed["competency"] = agent(sums["agent"]), activity(sums["competency"])
    summed["sums"] = sums
    summed["sums"]["agent"] = summed["sums"]["competency"] = 0
    of_courses = [
        learner.tobytes() + course.tobytes() + state
        for learner, course, (_, _, state) in zip(
            agent(learners), activity(courses), derivation.courses, strict=True
        )
    ]
    return sum(_hash(row) for row in (*_rows(said), *_rows(summed), *of_courses)) % (1 << _BITS)


def _rows(array: NDArray[np.void]) -> list[bytes]:
    buffer, size = array.tobytes(), array.dtype.itemsize
    return [buffer[at : at + size] for at in range(0, len(buffer), size)]


def _hash(row: bytes) -> int:
    return int.from_bytes(blake2b(row, digest_size=_BITS // 8).digest(), "big")
