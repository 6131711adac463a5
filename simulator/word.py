"""Words: a request as one 64-bit number, so that sorting numbers sorts requests by time.

From the highest bit on: 32 of time, in ticks since the window's begin (almost five days), 8 of statements
(0: a read), 3 of marks (`simulator.client`), 3 of how many speak in it, 18 that stand for the learner.
Everything here takes one word or an array of them.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from simulator.compiled import U64, kernel

W = TypeVar("W", np.uint64, U64)

TICKS_PER_S = 10_000
MOST_STATEMENTS = 255
KEY_BITS = 18
EACH = 7
"""In place of how many more than one learner speak: every statement is another one's."""

_TICK, _STATEMENTS, _MARKS, _MORE = np.uint64(32), np.uint64(24), np.uint64(21), np.uint64(KEY_BITS)
_THREE_BITS, _EIGHT_BITS, _KEY = np.uint64(7), np.uint64(255), np.uint64((1 << KEY_BITS) - 1)
_ALL_BUT_TIME_AND_KEY = np.uint64(((1 << 32) - 1) ^ ((1 << KEY_BITS) - 1))


@kernel
def word_of(tick: W, statements: W, marks: W, more: W, key: W) -> W:
    """A request; `more` learners than one speak in it, or EACH; of `key` the last KEY_BITS bits count."""
    about: W = (statements << _STATEMENTS) | (marks << _MARKS) | (more << _MORE)
    word: W = (tick << _TICK) | about | (key & _KEY)
    return word


@kernel
def moved(word: W, tick: W, key: W) -> W:
    """The same request at another time, of another learner."""
    other: W = (tick << _TICK) | (word & _ALL_BUT_TIME_AND_KEY) | (key & _KEY)
    return other


@kernel
def tick_of(word: W) -> W:
    """When it is due."""
    return word >> _TICK


@kernel
def statements_of(word: W) -> W:
    """How many statements it has."""
    return (word >> _STATEMENTS) & _EIGHT_BITS


@kernel
def marks_of(word: W) -> W:
    """Its marks."""
    return (word >> _MARKS) & _THREE_BITS


@kernel
def learners_of(word: np.uint64) -> np.int64:
    """How many learners speak in it."""
    # Signed: numba makes a float of what has a sign and what has none.
    more = np.int64((word >> _MORE) & _THREE_BITS)
    return np.int64(statements_of(word)) if more == EACH else more + 1


@kernel
def key_of(word: W) -> W:
    """What stands for the learner."""
    return word & _KEY
