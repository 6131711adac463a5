"""Terms: by which names a statement is found, as integers and keys of the store.

A posting's term is `number << 3 | kind`. What stands in the statement's own columns (actor, object,
verb, registration, authority) needs no posting; what it inherits from the statement it refers to
(1.0.3 Part Three 2.1.3, IEEE 9274.1.1 4.2.4.1 "StatementRef") does.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

AGENT: Final = 0
"""An agent that the plain `agent` filter matches: group member, object agent, inherited."""
RELATED_AGENT: Final = 1
RELATED_ACTIVITY: Final = 2
ACTIVITY: Final = 3
VERB: Final = 4
REGISTRATION: Final = 5

EPOCH: Final = 1_577_836_800_000_000
"""2020-01-01T00:00Z in microseconds since 1970: where `pos` begins."""

LAST: Final = EPOCH + (1 << 50)
"""An instant after which nothing is ever stored (in the year 2055)."""

PARTITION_BITS: Final = 12
PARTITIONS: Final = 1 << PARTITION_BITS
"""As many partitions as a log can have."""

NO_REGISTRATION: Final = bytes(16)
# A sender may give the nil UUID as a registration; the column has that for "none".
_NIL_REGISTRATION: Final = blake2b(b"the nil registration", digest_size=16).digest()


def key(text: str) -> bytes:
    """The 16-byte key under which a name of any length is interned."""
    return blake2b(text.encode(), digest_size=16).digest()


def registration(given: bytes | None) -> bytes:
    """The registration column: zeros for none."""
    if given is None:
        return NO_REGISTRATION
    return _NIL_REGISTRATION if given == NO_REGISTRATION else given


def registration_number(column: bytes) -> int:
    """60 bits of a registration column, for the term of an inherited registration."""
    return int.from_bytes(blake2b(column, digest_size=8).digest(), "big") >> 4


def term(kind: int, number: int) -> int:
    """The posting's term."""
    return number << 3 | kind


def pos(instant: int, partition: int) -> int:
    """The key of the statement stored at `instant` (µs since 1970) from a log partition."""
    return (instant - EPOCH) << PARTITION_BITS | partition


def instant(at: int) -> int:
    """`stored` of the statement at a pos, in µs since 1970."""
    return (at >> PARTITION_BITS) + EPOCH
