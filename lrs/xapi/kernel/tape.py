# ruff: noqa: SIM110 (plain loops and comparisons are what numba compiles best)
"""One pass over the bytes: JSON to a tape of nodes, and everything that JSON libraries let through.

The buffer holds the body, a NUL, and free space. NUL is in no place valid in JSON, so that nothing here
asks for the end. A string with escapes is written out, unescaped, into the free space, and its node points
there: nobody later knows that there was an escape.

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

import numpy as np

from lrs.xapi.kernel import kernel
from lrs.xapi.kernel.tables import FNV_PRIME, FNV_START, KEY_AT, KEY_CODE, KEY_SLOTS, KEY_TEXT, SLOTS
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

PLAIN, QUOTE, BACKSLASH, CONTROL, MULTIBYTE = range(5)
STRING_CLASS = np.zeros(256, np.uint8)
STRING_CLASS[:32] = CONTROL
STRING_CLASS[ord('"')] = QUOTE
STRING_CLASS[ord("\\")] = BACKSLASH
STRING_CLASS[128:] = MULTIBYTE

_HEX = np.full(256, -1, np.int64)
for _digit, _byte in enumerate(b"0123456789abcdef"):
    _HEX[_byte] = _HEX[ord(chr(_byte).upper())] = _digit

_SIMPLE_ESCAPES = np.zeros(256, np.uint8)
for _escape, _meaning in zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True):
    _SIMPLE_ESCAPES[_escape] = _meaning

_ONE = np.uint64(1)
_FEW = 12
"""Up to so many keys are compared pair by pair, more are sorted."""


@kernel("int64(int64, int64, int64[::1])", inline=True)
def fault(rule, at, state):  # type: ignore[no-untyped-def]
    """A breach at this byte; at the body's end what is wrong is that it ends."""
    state[FAULT] = at
    if rule == Rule.SYNTAX and at >= state[LENGTH]:
        return -Rule.TRUNCATED
    return -rule


@kernel("int64(uint8[::1], int64)", inline=True)
def skip_space(buf, i):  # type: ignore[no-untyped-def]
    while buf[i] == 32 or buf[i] == 10 or buf[i] == 13 or buf[i] == 9:
        i += 1
    return i


@kernel("int64(uint8[::1], int64)")
def utf8_length(buf, i):  # type: ignore[no-untyped-def]
    """Octets of the well-formed sequence that begins at a byte >= 0x80; 0: it is none (RFC 3629)."""
    lead = buf[i]
    if lead < 0xC2 or lead > 0xF4:
        return 0
    second = buf[i + 1]
    if second & 0xC0 != 0x80:
        return 0
    if lead < 0xE0:
        return 2
    if (lead == 0xE0 and second < 0xA0) or (lead == 0xED and second > 0x9F):
        return 0
    if buf[i + 2] & 0xC0 != 0x80:
        return 0
    if lead < 0xF0:
        return 3
    if (lead == 0xF0 and second < 0x90) or (lead == 0xF4 and second > 0x8F):
        return 0
    return 4 if buf[i + 3] & 0xC0 == 0x80 else 0


@kernel("int64(uint8[::1], int64)")
def hex4(buf, i):  # type: ignore[no-untyped-def]
    """The number that four hexadecimal digits write; -1: they are not all digits."""
    value = 0
    for k in range(4):
        digit = _HEX[buf[i + k]]
        if digit < 0:
            return -1
        value = value * 16 + digit
    return value


@kernel("int64(uint8[::1], int64, int64)")
def put_utf8(buf, at, character):  # type: ignore[no-untyped-def]
    if character < 0x80:
        buf[at] = character
        return at + 1
    if character < 0x800:
        buf[at] = 0xC0 | character >> 6
        buf[at + 1] = 0x80 | character & 0x3F
        return at + 2
    if character < 0x10000:
        buf[at] = 0xE0 | character >> 12
        buf[at + 1] = 0x80 | character >> 6 & 0x3F
        buf[at + 2] = 0x80 | character & 0x3F
        return at + 3
    buf[at] = 0xF0 | character >> 18
    buf[at + 1] = 0x80 | character >> 12 & 0x3F
    buf[at + 2] = 0x80 | character >> 6 & 0x3F
    buf[at + 3] = 0x80 | character & 0x3F
    return at + 4


@kernel("int64(uint8[::1], int64, int64, int64[::1])")
def unescape(buf, first, i, state):  # type: ignore[no-untyped-def]
    """A string from its first escape on, at i: its text to the free space; the byte after its quote."""
    out = state[FREE]
    for k in range(first, i):
        buf[out + k - first] = buf[k]
    out += i - first
    while True:
        c = buf[i]
        kind = STRING_CLASS[c]
        if kind == PLAIN:
            buf[out] = c
            out += 1
            i += 1
        elif kind == QUOTE:
            state[FREE] = out
            return i + 1
        elif kind == MULTIBYTE:
            n = utf8_length(buf, i)
            if n == 0:
                return fault(Rule.ENCODING, i, state)
            for k in range(n):
                buf[out + k] = buf[i + k]
            out += n
            i += n
        elif kind == CONTROL:
            return fault(Rule.SYNTAX if i >= state[LENGTH] else Rule.CONTROL_CHARACTER, i, state)
        elif buf[i + 1] == 117:  # "u"
            character = hex4(buf, i + 2)
            if character < 0:
                return fault(Rule.SYNTAX, i, state)
            at = i
            i += 6
            if 0xDC00 <= character <= 0xDFFF:
                return fault(Rule.SURROGATE, at, state)
            if 0xD800 <= character <= 0xDBFF:
                low = hex4(buf, i + 2) if buf[i] == 92 and buf[i + 1] == 117 else -1
                if low < 0xDC00 or low > 0xDFFF:
                    return fault(Rule.SURROGATE, at, state)
                character = 0x10000 + ((character - 0xD800) << 10) + (low - 0xDC00)
                i += 6
            out = put_utf8(buf, out, character)
        else:
            meaning = _SIMPLE_ESCAPES[buf[i + 1]]
            if meaning == 0:
                return fault(Rule.SYNTAX, i + 1, state)
            buf[out] = meaning
            out += 1
            i += 2


@kernel("int64(uint8[::1], int64, int32[:, ::1], int64, int64[::1])", inline=True)
def read_string(buf, i, tape, node, state):  # type: ignore[no-untyped-def]
    """The string whose opening quote is at i, to a node; the byte after its closing quote."""
    first = i + 1
    at = np.uint64(first)
    while True:
        # An unsigned index is not asked whether it counts from the end: this loop sees most of the bytes.
        while STRING_CLASS[buf[at]] == PLAIN:
            at += _ONE
        i = np.int64(at)
        kind = STRING_CLASS[buf[at]]
        if kind == QUOTE:
            tape[node, START] = first
            tape[node, END] = i
            tape[node, ESCAPED] = 0
            return i + 1
        if kind == MULTIBYTE:
            n = utf8_length(buf, i)
            if n == 0:
                return fault(Rule.ENCODING, i, state)
            at += np.uint64(n)
        elif kind == BACKSLASH:
            tape[node, START] = state[FREE]
            i = unescape(buf, first, i, state)
            tape[node, END] = state[FREE]
            tape[node, ESCAPED] = 1
            return i
        else:
            return fault(Rule.SYNTAX if i >= state[LENGTH] else Rule.CONTROL_CHARACTER, i, state)


@kernel("uint64(uint8[::1], int64, int64)", inline=True)
def hash_text(buf, a, b):  # type: ignore[no-untyped-def]
    """FNV-1a, as tables.fnv."""
    digest = FNV_START
    at, end = np.uint64(a), np.uint64(b)
    while at < end:
        digest = (digest ^ np.uint64(buf[at])) * FNV_PRIME
        at += _ONE
    return digest


@kernel("int64(uint8[::1], int64, int64, uint64)", inline=True)
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


@kernel("int64(uint8[::1], int64, int32[:, ::1], int64, int64[::1], int64, int64[::1])", inline=True)
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


@kernel("void(int64[::1], int64, int64)")
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


@kernel("boolean(int64[::1], int64, int64)", inline=True)
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


@kernel("int64(uint8[::1], int64, int64[::1])", inline=True)
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


@kernel("int64(uint8[::1], int64, int32[:, ::1], int64, int64[::1])", inline=True)
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


@kernel("int64(uint8[::1], int64, int64, int32[:, ::1], int64[::1], int64[::1])")
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
