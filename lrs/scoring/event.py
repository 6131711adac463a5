"""Events: what persist tells score about one statement, as one fixed-width record.

The evidence log carries batches of events (`encode_events`, `decode_events`), already interned to
integers. An event says what the statement said; what it means is decided later, by the mapping
(lrs.scoring.mapping). A retraction is the target's own event with `Flag.RETRACT`: the same pos, id,
agent, activity, category flags and the same related activities, so that it finds the target's home.

Numbers: times in microseconds since 1970 UTC; scores, progress and mastery as ten-thousandths
(cmi5 10.2.4 gives masteryScore four decimals, so that is exact).
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

VERSION: Final = 1
"""Version of the encoded form. Readers accept it and the one before it, once there is one."""

LANDMARK_US: Final = 1_577_836_800_000_000
"""2020-01-01T00:00Z: where `pos`, the days of decay and plausible timestamps begin."""
PARTITION_BITS: Final = 12
"""`pos` = (stored - LANDMARK_US) << PARTITION_BITS | log partition."""

ABSENT: Final = int(np.iinfo(np.int64).min)
"""A time that is not given."""
NONE: Final = -1
"""A duration, score, progress or mastery that is not given."""
ONE: Final = 10_000
"""A scaled score, progress or mastery of 1."""


class Flag(enum.IntEnum):
    """Bits of `flags`: what the statement says besides its numbers. (IntEnum: kernels read it.)"""

    HAS_SUCCESS = 1
    SUCCESS = 2
    HAS_COMPLETION = 4
    COMPLETION = 8
    HAS_SCALED = 16
    CMI5 = 32
    """Category of cmi5-defined statements (cmi5 9.6.2.1)."""
    MOVE_ON = 64
    """Category of statements that can satisfy moveOn (cmi5 9.6.2.2)."""
    VIDEO = 128
    """Category of the xAPI video profile."""
    RETRACT = 256
    """The statement is voided."""
    NOT_NORMAL = 512
    """cmi5 launch mode Browse or Review (10.2.2): its session satisfies and proves nothing."""


CATEGORIES: Final[Mapping[str, Flag]] = {
    "https://w3id.org/xapi/cmi5/context/categories/cmi5": Flag.CMI5,
    "https://w3id.org/xapi/cmi5/context/categories/moveon": Flag.MOVE_ON,
    "https://w3id.org/xapi/video": Flag.VIDEO,
}
"""The category activities that are told on, by IRI."""


class MoveOn(enum.IntEnum):
    """cmi5 moveOn (13.1.4): what satisfies an assignable unit."""

    NONE = 0
    PASSED = 1
    COMPLETED = 2
    COMPLETED_AND_PASSED = 3
    COMPLETED_OR_PASSED = 4
    NOT_APPLICABLE = 5


MOVE_ON: Final[Mapping[str, MoveOn]] = {
    "Passed": MoveOn.PASSED,
    "Completed": MoveOn.COMPLETED,
    "CompletedAndPassed": MoveOn.COMPLETED_AND_PASSED,
    "CompletedOrPassed": MoveOn.COMPLETED_OR_PASSED,
    "NotApplicable": MoveOn.NOT_APPLICABLE,
}
"""moveOn by its cmi5 name."""

EVENT: Final = np.dtype(
    [
        ("pos", "<i8"),
        ("id_hi", "<u8"),  # big-endian halves: comparing (hi, lo) compares UUIDs
        ("id_lo", "<u8"),
        ("registration_hi", "<u8"),  # both halves 0: none
        ("registration_lo", "<u8"),
        ("agent", "<i8"),
        ("activity", "<i8"),  # 0: the object is no activity
        ("authority", "<i8"),  # the agent number of the authority
        ("timestamp", "<i8"),  # ABSENT: none
        ("duration_ms", "<i8"),  # NONE: none
        ("tenant", "<i4"),
        ("verb", "<i4"),
        ("session", "<u4"),  # a number for the session id, never 0; 0: none
        ("scaled", "<i4"),  # meaningful with Flag.HAS_SCALED
        ("progress", "<i4"),  # NONE: none
        ("mastery", "<i4"),  # NONE: none
        ("flags", "<u2"),  # Flag
        ("move_on", "u1"),  # MoveOn
        ("reserved", "u1"),
    ]
)
"""One event; little-endian, packed, 108 bytes."""

PAIR: Final = np.dtype([("row", "<u4"), ("activity", "<i8")])
"""An activity related to events[row]: its grouping activities first, then its parents, in the
statement's order. Pairs are sorted by row."""

Events = npt.NDArray[np.void]
Pairs = npt.NDArray[np.void]

_HEAD = struct.Struct("<BxxxII")


class EventFormatError(Exception):
    """The bytes are no batch of events of a version that this program reads."""


def no_pairs() -> Pairs:
    """No related activities."""
    return np.zeros(0, PAIR)


def encode_events(events: Events, pairs: Pairs) -> bytes:
    """A batch of events and their pairs as a record of the evidence log: columns, uncompressed."""
    columns = [np.ascontiguousarray(events[name]).tobytes() for name in EVENT.names or ()]
    columns += [np.ascontiguousarray(pairs[name]).tobytes() for name in PAIR.names or ()]
    return b"".join([_HEAD.pack(VERSION, len(events), len(pairs)), *columns])


def decode_events(record: bytes) -> tuple[Events, Pairs]:
    """What `encode_events` wrote. Raises EventFormatError (not poison: a newer program wrote it)."""
    if len(record) < _HEAD.size:
        raise EventFormatError(f"a batch of events has a head of {_HEAD.size} bytes, this has {len(record)}")
    version, count, related = _HEAD.unpack_from(record)
    if version != VERSION:
        raise EventFormatError(f"event format {version}; this program reads {VERSION}")
    size = _HEAD.size + count * EVENT.itemsize + related * PAIR.itemsize
    if len(record) != size:
        raise EventFormatError(f"{count} events with {related} pairs take {size} bytes, not {len(record)}")
    events, at = _columns(record, _HEAD.size, EVENT, count)
    pairs, _ = _columns(record, at, PAIR, related)
    if related and int(pairs["row"].max()) >= count:
        raise EventFormatError(f"a pair names event {int(pairs['row'].max())} of {count}")
    return events, pairs


def _columns(record: bytes, at: int, dtype: np.dtype[Any], count: int) -> tuple[npt.NDArray[np.void], int]:
    rows = np.empty(count, dtype)
    for name in dtype.names or ():
        column = np.frombuffer(record, dtype[name], count, at)
        rows[name] = column
        at += column.nbytes
    return rows, at


def halves(uuid: bytes) -> tuple[int, int]:
    """The two big-endian halves of 16 bytes."""
    return int.from_bytes(uuid[:8], "big"), int.from_bytes(uuid[8:], "big")


def ten_thousandths(value: float) -> int:
    """A scaled score, progress or mastery as an integer, rounded half to even."""
    return round(value * ONE)


def stored_us(pos: int) -> int:
    """`stored` of the statement at a pos."""
    return (pos >> PARTITION_BITS) + LANDMARK_US
