"""The canonical text of a statement, format 1: two statements are the same iff their texts are.

It is JSON (UTF-8, no white space) of what counts in a comparison (1.0.3 Part Two 2.3.1; IEEE 9274.1.1
4.2.3), and is stored, as a digest, for ever. Any change of it is a new format.

Left out
    id, stored, authority, version, attachments; activity definitions; verb display; an objectType that is
    the default of its place; a timestamp that equals the ``stored`` sent beside it: such a one was
    assigned by an LRS, so that a statement which is read back and sent again is still the same.
Written alike
    members sorted by their key's UTF-8; members of a group sorted by their canonical text; one context
    activity as if it were an array of one, both without the array; numbers as decimals without needless
    zeros (1, 1.0, 10e-1 are ``1``; 1200 is ``12e2``), of an exponent beyond 17 digits as sent;
    timestamps as microseconds since 1970; strings with ``"`` and ``\\`` escaped, and nothing else; UUIDs,
    SHA-1 hashes, language tags and the domain of a mailbox in small letters (ASCII).
By version
    a duration is a string in 1.0.3; in 2.0 its seconds lose what is beyond 0.01 and zeros at the end.
"""

from __future__ import annotations

from lrs.xapi.kernel import inner
from lrs.xapi.kernel import tables as t
from lrs.xapi.kernel.findings import copy, fold_case, fold_domain
from lrs.xapi.kernel.layout import ARRAY, END, ESCAPED, FORM, KIND, NEXT, NUMBER, OBJECT, SHAPE, START, STRING
from lrs.xapi.kernel.time import read_timestamp
from lrs.xapi.schema import Format, Kind

_OBJECT_TYPE = t.CODE["objectType"]
_MOST_EXPONENT_DIGITS = 17
_RUN = 12
"""Spans are put in order in runs of this length, then merged."""


@inner("boolean(uint8[::1], int64[::1], int64, int64)")
def before(buf, spans, x, y):  # type: ignore[no-untyped-def]
    """Whether span x comes before span y in the order of bytes, a prefix first."""
    a, b = spans[x], spans[y]
    while a < spans[x + 1] and b < spans[y + 1]:
        if buf[a] != buf[b]:
            return buf[a] < buf[b]
        a += 1
        b += 1
    return b < spans[y + 1]


@inner("void(int64[::1], int64, int64)")
def move(spans, to, source):  # type: ignore[no-untyped-def]
    for k in range(3):
        spans[to + k] = spans[source + k]


@inner("void(uint8[::1], int64[::1], int64, int64)")
def sort_spans(buf, spans, top, count):  # type: ignore[no-untyped-def]
    """Put in order the spans (first byte, byte after, node) at spans[top:]; as much again is scratch."""
    scratch = top + 3 * count
    for run in range(0, count, _RUN):
        for i in range(run + 1, min(run + _RUN, count)):
            move(spans, scratch, top + 3 * i)
            j = i
            while j > run and before(buf, spans, scratch, top + 3 * (j - 1)):
                move(spans, top + 3 * j, top + 3 * (j - 1))
                j -= 1
            move(spans, top + 3 * j, scratch)
    width = _RUN
    while width < count:
        for left in range(0, count, 2 * width):
            middle = min(left + width, count)
            right = min(left + 2 * width, count)
            i, j = left, middle
            for k in range(left, right):
                if j == right or (i < middle and not before(buf, spans, top + 3 * j, top + 3 * i)):
                    move(spans, scratch + 3 * k, top + 3 * i)
                    i += 1
                else:
                    move(spans, scratch + 3 * k, top + 3 * j)
                    j += 1
        for k in range(3 * count):
            spans[top + k] = spans[scratch + k]
        width *= 2


@inner("int64(uint8[::1], int64, int64)")
def write_integer(buf, out, value):  # type: ignore[no-untyped-def]
    if value < 0:
        buf[out] = 45
        out += 1
        value = -value
    size = 1
    power = 10
    while size < 18 and power <= value:
        power *= 10
        size += 1
    for k in range(size):
        buf[out + size - 1 - k] = 48 + value % 10
        value //= 10
    return out + size


@inner("int64(uint8[::1], int64, int64, int64)")
def write_number(buf, out, a, b):  # type: ignore[no-untyped-def]
    """A JSON number as its significant digits and, if not 0, the exponent of ten of the last one."""
    begin = out
    i = a
    if buf[i] == 45:
        buf[out] = 45
        out += 1
        i += 1
    first = out
    exponent = 0
    in_fraction = False
    while i < b and buf[i] | 32 != 101:
        if buf[i] == 46:
            in_fraction = True
        else:
            exponent -= in_fraction
            if out > first or buf[i] != 48:
                buf[out] = buf[i]
                out += 1
        i += 1
    if out == first:
        buf[begin] = 48
        return begin + 1
    if i < b:
        i += 1
        sign = -1 if buf[i] == 45 else 1
        i += buf[i] == 45 or buf[i] == 43
        while i < b and buf[i] == 48:
            i += 1
        if b - i > _MOST_EXPONENT_DIGITS:
            return copy(buf, begin, a, b)
        power = 0
        while i < b:
            power = power * 10 + (buf[i] - 48)
            i += 1
        exponent += sign * power
    while buf[out - 1] == 48:
        out -= 1
        exponent += 1
    if exponent != 0:
        buf[out] = 101
        out = write_integer(buf, out + 1, exponent)
    return out


@inner("int64(uint8[::1], int64, int64)")
def trim_seconds(buf, a, b):  # type: ignore[no-untyped-def]
    """A duration without what its seconds have beyond 0.01, in place; the byte after it."""
    point = a
    while point < b and buf[point] != 46 and buf[point] != 44:
        point += 1
    if buf[b - 1] != 83 or point == b:  # "S"
        return b
    end = min(b - 1, point + 3)
    while buf[end - 1] == 48:
        end -= 1
    buf[point] = 46
    if end == point + 1:
        end = point
    buf[end] = 83
    return end + 1


@inner("int64(uint8[::1], int32[:, ::1], int64, int64, boolean)")
def write_string(buf, tape, node, out, v2):  # type: ignore[no-untyped-def]
    """A string or a key."""
    a, b = tape[node, START], tape[node, END]
    wanted = t.FORM_FORMAT[tape[node, FORM]] if tape[node, KIND] == STRING else t.FORM_FORMAT[0]
    if wanted == Format.TIMESTAMP:
        return write_integer(buf, out, read_timestamp(buf, a, b, v2))
    buf[out] = 34
    out += 1
    begin = out
    if tape[node, ESCAPED]:
        for i in range(a, b):
            if buf[i] == 34 or buf[i] == 92:
                buf[out] = 92
                out += 1
            buf[out] = buf[i]
            out += 1
    else:
        out = copy(buf, out, a, b)
    if wanted == Format.UUID or wanted == Format.SHA1 or wanted == Format.LANGUAGE:
        fold_case(buf, begin, out)
    elif wanted == Format.MAILTO:
        fold_domain(buf, begin, out)
    elif wanted == Format.DURATION and v2:
        out = trim_seconds(buf, begin, out)
    buf[out] = 34
    return out + 1


@inner("boolean(int32[:, ::1], int64, int64)")
def counts(tape, node, code):  # type: ignore[no-untyped-def]
    """Whether a member of this object is a part of what is compared."""
    form = tape[node, FORM]
    if form == 0 or t.FORM_KIND[form] != Kind.OBJECT:
        return True
    shape = tape[node, SHAPE]
    if code == _OBJECT_TYPE:
        return t.FORM_DEFAULT[form] != shape
    return not t.IGNORED[shape, code]


@inner("int64(uint8[::1], int32[:, ::1], int64, int64, int64[::1], int64, int64, boolean)")
def write_canonical(buf, tape, node, out, spans, top, omitted, v2):  # type: ignore[no-untyped-def]
    """The value at this node, to ``out``; the byte after it. The value at ``omitted`` is left out."""
    kind = tape[node, KIND]
    count = 0
    if kind == STRING:
        return write_string(buf, tape, node, out, v2)
    if kind == NUMBER:
        return write_number(buf, out, tape[node, START], tape[node, END])
    if kind == OBJECT:
        i = node + 1
        while i < tape[node, NEXT]:
            if i + 1 != omitted and counts(tape, node, tape[i, NEXT]):
                spans[top + 3 * count] = tape[i, START]
                spans[top + 3 * count + 1] = tape[i, END]
                spans[top + 3 * count + 2] = i
                count += 1
            i = tape[i + 1, NEXT]
        sort_spans(buf, spans, top, count)
        buf[out] = 123
        out += 1
        for k in range(count):
            key = spans[top + 3 * k + 2]
            out = write_string(buf, tape, key, out, v2)
            buf[out] = 58
            out = write_canonical(buf, tape, key + 1, out + 1, spans, top + 3 * count, omitted, v2)
            buf[out] = 44
            out += 1
        out -= count > 0
        buf[out] = 125
        return out + 1
    if kind != ARRAY:
        return copy(buf, out, tape[node, START], tape[node, END])
    form = tape[node, FORM]
    i = node + 1
    if t.FORM_KIND[form] == Kind.ONE_OR_MANY and i < tape[node, NEXT] and tape[i, NEXT] == tape[node, NEXT]:
        return write_canonical(buf, tape, i, out, spans, top, omitted, v2)
    begin = out + 1
    buf[out] = 91
    while i < tape[node, NEXT]:
        count += 1
        i = tape[i, NEXT]
    room = 6 * count if t.FORM_UNORDERED[form] else 0
    i = node + 1
    for k in range(count):
        out = write_canonical(buf, tape, i, out + 1, spans, top + room, omitted, v2)
        buf[out] = 44
        if room:
            spans[top + 3 * k + 2] = i
            spans[top + 3 * k] = begin if k == 0 else spans[top + 3 * k - 2] + 1
            spans[top + 3 * k + 1] = out
        i = tape[i, NEXT]
    if count == 0:
        out += 1
    elif room:
        sort_spans(buf, spans, top, count)
        scratch = out + 1
        for k in range(count):
            scratch = copy(buf, scratch, spans[top + 3 * k], spans[top + 3 * k + 1])
            buf[scratch] = 44
            scratch += 1
        copy(buf, begin, out + 1, scratch - 1)
    buf[out] = 93
    return out + 1
