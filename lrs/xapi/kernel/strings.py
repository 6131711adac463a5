"""Strings of JSON: well-formed UTF-8, escapes, pairs of surrogates; and the hash of a text."""

from __future__ import annotations

import numpy as np

from lrs.xapi.kernel import inner
from lrs.xapi.kernel.layout import END, ESCAPED, FREE, LENGTH, START, fault
from lrs.xapi.kernel.tables import FNV_PRIME, FNV_START
from lrs.xapi.rules import Rule

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


@inner("int64(uint8[::1], int64)")
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


@inner("int64(uint8[::1], int64)")
def hex4(buf, i):  # type: ignore[no-untyped-def]
    """The number that four hexadecimal digits write; -1: they are not all digits."""
    value = 0
    for k in range(4):
        digit = _HEX[buf[i + k]]
        if digit < 0:
            return -1
        value = value * 16 + digit
    return value


@inner("int64(uint8[::1], int64, int64)")
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


@inner("int64(uint8[::1], int64, int64, int64[::1])")
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


@inner("int64(uint8[::1], int64, int32[:, ::1], int64, int64[::1])")
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


@inner("uint64(uint8[::1], int64, int64)")
def hash_text(buf, a, b):  # type: ignore[no-untyped-def]
    """FNV-1a, as tables.fnv."""
    digest = FNV_START
    at, end = np.uint64(a), np.uint64(b)
    while at < end:
        digest = (digest ^ np.uint64(buf[at])) * FNV_PRIME
        at += _ONE
    return digest
