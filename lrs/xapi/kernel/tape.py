# ruff: noqa: SIM110 (plain loops and comparisons are what numba compiles best)
"""One pass over the bytes: JSON to a tape of nodes, and everything that JSON libraries let through.

The buffer holds the body, a NUL, and free space. NUL is in no place valid in JSON, so that nothing here
asks for the end. A string with escapes is written out, unescaped, into the free space, and its node points
there: nobody later knows that there was an escape.
"""

from __future__ import annotations

import numpy as np

from lrs.xapi.kernel import inner
from lrs.xapi.kernel.layout import (
    ARRAY,
    DEPTH,
    END,
    FALSE,
    FIRST_KEY,
    FORM,
    FULL,
    KEY,
    KIND,
    LEVEL,
    NEXT,
    NODES,
    NULL,
    NUMBER,
    OBJECT,
    OPENED,
    PLACE,
    SHAPE,
    START,
    STRING,
    TRUE,
    fault,
)
from lrs.xapi.kernel.strings import hash_text, read_string
from lrs.xapi.kernel.tables import KEY_AT, KEY_CODE, KEY_SLOTS, KEY_TEXT, SLOTS
from lrs.xapi.rules import Rule

_FEW = 12
"""Up to so many keys are compared pair by pair, more are sorted."""


@inner("int64(uint8[::1], int64)")
def skip_space(buf, i):  # type: ignore[no-untyped-def]
    while buf[i] == 32 or buf[i] == 10 or buf[i] == 13 or buf[i] == 9:
        i += 1
    return i


@inner("int64(uint8[::1], int64, int64, uint64)")
def code_of(buf, a, b, digest):  # type: ignore[no-untyped-def]
    """The code of a member name or of an extension of interest; -1: neither."""
    slot = np.int64(digest >> np.uint64(56))
    while KEY_SLOTS[slot] >= 0:
        key = KEY_SLOTS[slot]
        first = KEY_AT[key]
        if KEY_AT[key + 1] - first == b - a:
            i = 0
            while i < b - a and buf[a + i] == KEY_TEXT[first + i]:
                i += 1
            if i == b - a:
                return KEY_CODE[key]
        slot = (slot + 1) % SLOTS
    return -1


@inner("int64(uint8[::1], int64, int32[:, ::1], int64, int64[::1], int64, int64[::1])")
def read_key(buf, i, tape, node, hashes, top, state):  # type: ignore[no-untyped-def]
    """A key and its colon, from the quote at i; the byte after the colon. The hash goes to hashes[top]."""
    if buf[i] != 34:
        return fault(Rule.SYNTAX, i, state)
    i = read_string(buf, i, tape, node, state)
    if i < 0:
        return i
    digest = hash_text(buf, tape[node, START], tape[node, END])
    hashes[top] = np.int64(digest)
    tape[node, KIND] = KEY
    tape[node, NEXT] = code_of(buf, tape[node, START], tape[node, END], digest)
    state[NODES] = node + 1
    i = skip_space(buf, i)
    return i + 1 if buf[i] == 58 else fault(Rule.SYNTAX, i, state)


@inner("void(int64[::1], int64, int64)")
def sort(values, first, end):  # type: ignore[no-untyped-def]
    """Heapsort of values[first:end]: no order that a sender can choose makes it slow."""
    count = end - first
    start = count // 2
    while count > 1:
        if start > 0:
            start -= 1
        else:
            count -= 1
            values[first], values[first + count] = values[first + count], values[first]
        root = start
        moving = values[first + root]
        while 2 * root + 1 < count:
            child = 2 * root + 1
            if child + 1 < count and values[first + child + 1] > values[first + child]:
                child += 1
            if values[first + child] <= moving:
                break
            values[first + root] = values[first + child]
            root = child
        values[first + root] = moving


@inner("boolean(int64[::1], int64, int64)")
def repeats(hashes, first, end):  # type: ignore[no-untyped-def]
    """Whether two of the hashes [first, end) are equal; they may be put in order.

    Equal hashes stand for equal texts: for texts that were not made to collide the odds against it are
    2^64 to the pairs of one object.
    """
    if end - first > _FEW:
        sort(hashes, first, end)
        for i in range(first + 1, end):
            if hashes[i] == hashes[i - 1]:
                return True
        return False
    for i in range(first + 1, end):
        for j in range(first, i):
            if hashes[i] == hashes[j]:
                return True
    return False


@inner("int64(uint8[::1], int64, int64[::1])")
def read_number(buf, i, state):  # type: ignore[no-untyped-def]
    """The byte after the number that begins at i (RFC 8259 6)."""
    if buf[i] == 45:
        i += 1
    if buf[i] == 48:
        i += 1
    elif 49 <= buf[i] <= 57:
        while 48 <= buf[i] <= 57:
            i += 1
    else:
        return fault(Rule.NOT_A_NUMBER if buf[i] == 73 else Rule.SYNTAX, i, state)
    if buf[i] == 46:
        i += 1
        if not 48 <= buf[i] <= 57:
            return fault(Rule.SYNTAX, i, state)
        while 48 <= buf[i] <= 57:
            i += 1
    if buf[i] | 32 == 101:  # "e"
        i += 1
        if buf[i] == 43 or buf[i] == 45:
            i += 1
        if not 48 <= buf[i] <= 57:
            return fault(Rule.SYNTAX, i, state)
        while 48 <= buf[i] <= 57:
            i += 1
    return i


@inner("int64(uint8[::1], int64, int32[:, ::1], int64, int64[::1])")
def read_scalar(buf, i, tape, node, state):  # type: ignore[no-untyped-def]
    """A string, number, true, false or null that begins at i, to a node; the byte after it."""
    tape[node, NEXT] = node + 1
    tape[node, FORM] = 0
    tape[node, PLACE] = 0
    c = buf[i]
    if c == 34:
        tape[node, KIND] = STRING
        tape[node, SHAPE] = i
        return read_string(buf, i, tape, node, state)
    tape[node, START] = i
    if c == 45 or 48 <= c <= 57:
        tape[node, KIND] = NUMBER
        i = read_number(buf, i, state)
    elif c == 116 and buf[i + 1] == 114 and buf[i + 2] == 117 and buf[i + 3] == 101:
        tape[node, KIND] = TRUE
        i += 4
    elif c == 102 and buf[i + 1] == 97 and buf[i + 2] == 108 and buf[i + 3] == 115 and buf[i + 4] == 101:
        tape[node, KIND] = FALSE
        i += 5
    elif c == 110 and buf[i + 1] == 117 and buf[i + 2] == 108 and buf[i + 3] == 108:
        tape[node, KIND] = NULL
        i += 4
    else:
        return fault(Rule.NOT_A_NUMBER if c == 78 or c == 73 else Rule.SYNTAX, i, state)
    tape[node, END] = i
    return i


@inner("int64(uint8[::1], int64, int64, int32[:, ::1], int64[::1], int64[::1])")
def read_value(buf, i, depth, tape, hashes, state):  # type: ignore[no-untyped-def]
    """The value that begins at i, to the tape from its first row on; the byte after it.

    ``depth`` is how many levels stand around it. Negative: FULL, or a broken rule, with its byte in
    state[FAULT] and the containers then open in state[OPENED:].
    """
    n = 0
    top = 0
    level = 0
    last = tape.shape[0] - 3
    state[NODES] = 0
    state[LEVEL] = 0
    while True:
        if n > last:
            return FULL
        c = buf[i]
        if c == 123 or c == 91:  # "{", "["
            if depth + level == DEPTH:
                return fault(Rule.DEPTH, i, state)
            tape[n, KIND] = OBJECT if c == 123 else ARRAY
            tape[n, START] = i
            tape[n, FORM] = 0
            tape[n, PLACE] = 0
            tape[n, SHAPE] = -1
            state[OPENED + level] = n
            state[FIRST_KEY + level] = top
            level += 1
            state[LEVEL] = level
            n += 1
            state[NODES] = n
            i = skip_space(buf, i + 1)
            if buf[i] != c + 2:  # not closed at once
                if c == 123:
                    i = read_key(buf, i, tape, n, hashes, top, state)
                    if i < 0:
                        return i
                    n += 1
                    top += 1
                    i = skip_space(buf, i)
                continue
        else:
            i = read_scalar(buf, i, tape, n, state)
            if i < 0:
                return i
            n += 1
        while True:  # a value has ended, or an empty container has begun
            state[NODES] = n
            if level == 0:
                return i
            i = skip_space(buf, i)
            node = state[OPENED + level - 1]
            is_object = tape[node, KIND] == OBJECT
            if buf[i] == 44:  # ","
                i = skip_space(buf, i + 1)
                if is_object:
                    i = read_key(buf, i, tape, n, hashes, top, state)
                    if i < 0:
                        return i
                    n += 1
                    top += 1
                    i = skip_space(buf, i)
                break
            if buf[i] != (125 if is_object else 93):
                return fault(Rule.SYNTAX, i, state)
            i += 1
            level -= 1
            state[LEVEL] = level
            tape[node, END] = i
            tape[node, NEXT] = n
            if is_object and repeats(hashes, state[FIRST_KEY + level], top):
                state[LEVEL] = level + 1
                return fault(Rule.DUPLICATE, tape[node, START], state)
            top = state[FIRST_KEY + level]
