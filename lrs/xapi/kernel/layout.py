"""What the kernels share: the columns of the tape, the places of the state.

A node is a row of the tape; nodes stand in the order of the document, a member's key right before its
value:

    KIND     NULL … OBJECT, KEY
    START    first byte: of a string its text, of a container its bracket
    END      the byte after it
    NEXT     the node after this and all within; of a KEY: the code of the name, -1 for an unknown one
    FORM     what the schema asks of a value (check.py); here 0
    PLACE    what the value is to the statement (check.py); here 0
    SHAPE    which shape an object has (check.py); here -1. Of a STRING: the byte of its opening quote
    ESCAPED  the text has characters that JSON escapes
"""

from __future__ import annotations

from lrs.xapi.kernel import inner
from lrs.xapi.rules import Rule

KIND, START, END, NEXT, FORM, PLACE, SHAPE, ESCAPED = range(8)
WIDTH = 8
NULL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT, KEY = range(8)

DEPTH = 64
"""So deep may arrays and objects be nested, the body's own array included."""

FULL = -1 - len(Rule)
"""Answered when the tape is too short; the others are rules, negative."""

NODES, FREE, LENGTH, FAULT, LEVEL, INDEX, SEEN, OPENED, FIRST_KEY = *range(7), 8, 8 + DEPTH
STATE = 8 + 2 * DEPTH
"""Places of the state array: nodes on the tape; first free byte; length of the body; where (byte or node)
something is wrong; how many containers are open; how many statements of an array are read (-1: there is no
array); the members that an object has, as bits; the open containers; where the keys of each begin in
`hashes`."""


@inner("int64(int64, int64, int64[::1])")
def fault(rule, at, state):  # type: ignore[no-untyped-def]
    """A breach at this byte; at the body's end what is wrong is that it ends."""
    state[FAULT] = at
    if rule == Rule.SYNTAX and at >= state[LENGTH]:
        return -Rule.TRUNCATED
    return -rule
