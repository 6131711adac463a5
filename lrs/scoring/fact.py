"""Facts: what a statement became, and the packed form in which evidence keeps it.

Evidence is, per (agent, home activity), a set of facts keyed by statement id. The home is the
catalogue's module or course when the statement belongs to one (by its object or, for cmi5, by the
publisher id among its related activities), else the statement's own object. A fact carries all that
later stages need, so that progress, competency, explanations, identity joins, another catalogue and
another calibration are computed from evidence alone, never from statements.

A retracted fact stays in the set with `FactFlag.RETRACTED`: so a set only grows, and duplicates,
late arrivals and voids in any order end in the same state. Everything derived ignores it.

The format is frozen: 96 bytes, little-endian, packed; every fact carries FORMAT in its first field,
so that a chunk is nothing but facts.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

FORMAT: Final = 1
"""Version of the packed form. A reader that meets another one stops."""

CHUNK: Final = 64
"""Facts of a full chunk. An evidence row is one chunk; only the last one grows."""

REFERENCE_SCORE: Final = 6_000
"""The expected score to which difficulty corrects all scores, and that of an item without calibration."""

ORIGINS: Final = 2
"""How many of a statement's other activities a fact keeps."""


class Kind(enum.IntEnum):
    """What happened. Numbers are stored for ever; new kinds are added at the end."""

    NONE = 0
    LAUNCHED = 1
    INITIALIZED = 2
    COMPLETED = 3
    PASSED = 4
    FAILED = 5
    WAIVED = 6
    ABANDONED = 7
    TERMINATED = 8
    SATISFIED = 9
    ATTEMPTED = 10
    EXPERIENCED = 11
    PROGRESSED = 12
    SCORED = 13
    ANSWERED = 14
    MASTERED = 15
    PLAYED = 16
    PAUSED = 17
    SEEKED = 18
    INTERACTED = 19
    SUSPENDED = 20
    RESUMED = 21
    EARNED = 22
    ENROLLED = 23
    ATTENDED = 24


class FactFlag(enum.IntEnum):
    """Bits of `flags`: what else is known about a fact. The first ten are those of the event."""

    HAS_SUCCESS = 1
    SUCCESS = 2
    HAS_COMPLETION = 4
    COMPLETION = 8
    HAS_SCALED = 16
    CMI5 = 32
    MOVE_ON = 64
    VIDEO = 128
    RETRACTED = 256
    """The statement is voided; the fact counts for nothing."""
    NOT_NORMAL = 512
    TIME_REFUSED = 1024
    """The timestamp was implausible; the effective time is the stored time."""
    REHOMED = 2048
    """The home is not the statement's object, which is origin[0]."""
    ORIGINS_CUT = 4096
    """The statement has more related activities than origin keeps."""


FACT: Final = np.dtype(
    [
        ("format", "u1"),
        ("kind", "u1"),  # Kind
        ("flags", "<u2"),  # FactFlag
        ("session", "<u4"),
        ("id_hi", "<u8"),
        ("id_lo", "<u8"),
        ("pos", "<i8"),
        ("effective", "<i8"),  # microseconds since 1970
        ("registration_hi", "<u8"),
        ("registration_lo", "<u8"),
        ("authority", "<i8"),
        ("origin", "<i8", (ORIGINS,)),  # object if REHOMED, then related activities; 0: none
        ("duration_ms", "<i4"),  # -1: none
        ("score", "<i2"),  # ten-thousandths, 0..10000; -1: none
        ("progress", "<i2"),  # ten-thousandths; -1: none
        ("mastery", "<i2"),  # ten-thousandths; -1: none
        ("expected", "<i2"),  # expected score by the item calibration, ten-thousandths
        ("calibration", "u1"),  # version of that calibration
        ("mapping", "u1"),  # version of the mapping that made the fact
        ("move_on", "u1"),  # MoveOn, of a launched statement
        ("reserved", "u1"),
    ]
)
"""One fact, 96 bytes."""

Facts = npt.NDArray[np.void]


class EvidenceError(Exception):
    """Evidence bytes or rows that no version of this program can have written."""


def read_facts(packed: bytes | bytearray) -> Facts:
    """The facts of one or more joined chunks, on the same memory. Raises EvidenceError."""
    if len(packed) % FACT.itemsize:
        raise EvidenceError(f"{len(packed)} bytes of evidence are not a multiple of {FACT.itemsize}")
    facts = np.frombuffer(packed, FACT)
    if len(facts) and (strange := facts["format"] != FORMAT).any():
        at = int(strange.argmax())
        raise EvidenceError(f"fact {at} has format {int(facts['format'][at])}; this program reads {FORMAT}")
    return facts


def no_facts() -> Facts:
    """The empty set of facts."""
    return np.zeros(0, FACT)


def statement_id(fact: np.void) -> UUID:
    """The id of the statement that a fact came from."""
    return uuid_of(int(fact["id_hi"]), int(fact["id_lo"]))


def uuid_of(hi: int, lo: int) -> UUID:
    """The UUID of two big-endian halves."""
    return UUID(int=hi << 64 | lo)


def mask(kinds: Iterable[Kind]) -> int:
    """A set of kinds as a bit mask, for kernels."""
    return sum(1 << kind for kind in kinds)
