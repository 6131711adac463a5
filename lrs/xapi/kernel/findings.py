# ruff: noqa: SIM109 (plain loops and comparisons are what numba compiles best)
"""What later stages ask of a statement, read off the tape: a row, UUIDs and a list of findings."""

from __future__ import annotations

import enum

import numpy as np

from lrs.xapi import schema
from lrs.xapi.kernel import inner
from lrs.xapi.kernel import tables as t
from lrs.xapi.kernel.layout import END, FREE, KIND, NEXT, NUMBER, OBJECT, PLACE, START, STRING
from lrs.xapi.kernel.time import read_duration, read_timestamp
from lrs.xapi.schema import Place


class Finding(enum.IntEnum):
    """What a row of findings is: (this, first byte, byte after). DEFINITION and NAME belong to the activity
    or agent right before. EXTENSION and the five after it are in the order of schema.EXTENSION_KEYS."""

    VERB = 0
    ACTOR = enum.auto()
    DIRECT_AGENT = enum.auto()
    RELATED_AGENT = enum.auto()
    NAME = enum.auto()
    OBJECT_ACTIVITY = enum.auto()
    RELATED_ACTIVITY = enum.auto()
    PARENT = enum.auto()
    GROUPING = enum.auto()
    CATEGORY = enum.auto()
    DEFINITION = enum.auto()
    VERSION = enum.auto()
    SCORE = enum.auto()
    SUB_SCORE = enum.auto()
    ATTACHMENT = enum.auto()
    EXTENSION = enum.auto()


class Column(enum.IntEnum):
    """A statement's row: where it stands in the body, its canonical text in the buffer, where its findings
    end, and what fits into an integer."""

    START = 0
    END = enum.auto()
    CANON_START = enum.auto()
    CANON_END = enum.auto()
    FINDINGS_END = enum.auto()
    GIVEN = enum.auto()
    OBJECT_KIND = enum.auto()
    READ = enum.auto()
    TIMESTAMP = enum.auto()
    STORED = enum.auto()
    DURATION = enum.auto()


COLUMNS = len(Column)


class Read(enum.IntEnum):
    """Bits of the column READ: which values there are."""

    ID = 1
    REGISTRATION = 2
    REF = 4
    VOIDS = 8
    SUCCESS = 16
    SUCCESS_TRUE = 32
    COMPLETION = 64
    COMPLETION_TRUE = 128
    DURATION = 256


ONE = np.uint64(1)

ID_BYTES = 48
"""Of each statement's row of UUIDs: id, registration, the StatementRef's id."""

_AGENT_FINDING = np.zeros(len(Place), np.int32)
_AGENT_FINDING[[Place.ACTOR, Place.DIRECT, Place.RELATED]] = [
    *(Finding.ACTOR, Finding.DIRECT_AGENT, Finding.RELATED_AGENT)
]
_ACTIVITY_FINDING = np.zeros(len(Place), np.int32)
_ACTIVITY_FINDING[[Place.DIRECT, Place.RELATED, Place.PARENT, Place.GROUPING, Place.CATEGORY]] = [
    *(Finding.OBJECT_ACTIVITY, Finding.RELATED_ACTIVITY, Finding.PARENT, Finding.GROUPING, Finding.CATEGORY)
]

_AGENT, _GROUP, _ACTIVITY, _SCORE, _ATTACHMENT = (
    t.SHAPE[shape] for shape in (schema.AGENT, schema.GROUP, schema.ACTIVITY, schema.SCORE, schema.ATTACHMENT)
)
_NAME, _HOME_PAGE, _ID, _DEFINED = (t.CODE[name] for name in ("name", "homePage", "id", "definition"))
_MBOX, _SHA1SUM, _OPENID, _ACCOUNT = (t.CODE[name] for name in schema.IDENTIFIERS)
_PREFIXES, _PREFIX_AT = t._texts([name + ":" for name in schema.IDENTIFIERS])


@inner("int64(int32[:, ::1], int64, int64)")
def member(tape, node, code):  # type: ignore[no-untyped-def]
    """The value of an object's member; -1: it has none of that name."""
    i = node + 1
    end = tape[node, NEXT]
    while i < end:
        if tape[i, NEXT] == code:
            return i + 1
        i = tape[i + 1, NEXT]
    return -1


@inner("int64(int64, int64, int64, int32[:, ::1], int64)")
def find(what, a, b, findings, found):  # type: ignore[no-untyped-def]
    findings[found, 0] = what
    findings[found, 1] = a
    findings[found, 2] = b
    return found + 1


@inner("int64(uint8[::1], int64, int64, int64)")
def copy(buf, out, a, b):  # type: ignore[no-untyped-def]
    source, end, to = np.uint64(a), np.uint64(b), np.uint64(out)
    while source < end:
        buf[to] = buf[source]
        source += ONE
        to += ONE
    return np.int64(to)


@inner("int64(uint8[::1], int64, int64)")
def fold_domain(buf, a, b):  # type: ignore[no-untyped-def]
    """The domain of a mailbox to small letters (ASCII), in place."""
    i = b - 1
    while i >= a and buf[i] != 64:
        if 65 <= buf[i] <= 90:
            buf[i] += 32
        i -= 1
    return b


@inner("int64(uint8[::1], int64, int64)")
def fold_case(buf, a, b):  # type: ignore[no-untyped-def]
    """ASCII capitals to small letters, in place."""
    for i in range(a, b):
        if 65 <= buf[i] <= 90:
            buf[i] += 32
    return b


@inner("int64(uint8[::1], int32[:, ::1], int64, int64[::1])")
def write_identifier(buf, tape, node, state):  # type: ignore[no-untyped-def]
    """An agent's identifier in canonical text (statement.py) to the free space; where it begins, or -1."""
    begin = state[FREE]
    for number in range(4):
        code = (_MBOX, _SHA1SUM, _OPENID, _ACCOUNT)[number]
        value = member(tape, node, code)
        if value < 0:
            continue
        out = begin
        for i in range(_PREFIX_AT[number], _PREFIX_AT[number + 1]):
            buf[out] = _PREFIXES[i]
            out += 1
        if tape[value, KIND] == STRING:
            text = out
            out = copy(buf, out, tape[value, START], tape[value, END])
            if code == _MBOX:
                fold_domain(buf, text, out)
            elif code == _SHA1SUM:
                fold_case(buf, text, out)
        elif tape[value, KIND] == OBJECT:
            page = member(tape, value, _HOME_PAGE)
            name = member(tape, value, _NAME)
            if page < 0 or name < 0:
                return -1
            out = copy(buf, out, tape[page, START], tape[page, END])
            buf[out] = 32
            out = copy(buf, out + 1, tape[name, START], tape[name, END])
        else:
            return -1
        state[FREE] = out
        return begin
    return -1


@inner("int64(uint8[::1], int32[:, ::1], int64, int64, int32[:, ::1], int64, int64[::1])")
def find_in_object(buf, tape, node, shape, findings, found, state):  # type: ignore[no-untyped-def]
    """Agents with their names, activities with their definitions, scores and attachments."""
    place = tape[node, PLACE]
    if shape == _ACTIVITY:
        value = member(tape, node, _ID)
        if value >= 0 and _ACTIVITY_FINDING[place] > 0:
            found = find(_ACTIVITY_FINDING[place], tape[value, START], tape[value, END], findings, found)
            value = member(tape, node, _DEFINED)
            if value >= 0:
                found = find(Finding.DEFINITION, tape[value, START], tape[value, END], findings, found)
    elif shape == _AGENT or shape == _GROUP:
        begin = write_identifier(buf, tape, node, state) if _AGENT_FINDING[place] > 0 else -1
        if begin >= 0:
            found = find(_AGENT_FINDING[place], begin, state[FREE], findings, found)
            value = member(tape, node, _NAME)
            if value >= 0:
                found = find(Finding.NAME, tape[value, START], tape[value, END], findings, found)
    elif shape == _SCORE:
        what = Finding.SCORE if place == Place.RESULT else Finding.SUB_SCORE
        found = find(what, tape[node, START], tape[node, END], findings, found)
    elif shape == _ATTACHMENT and place == Place.INHERIT:
        found = find(Finding.ATTACHMENT, tape[node, START], tape[node, END], findings, found)
    return found


@inner("int64(int32[:, ::1], int64, int32[:, ::1], int64)")
def find_extensions(tape, node, findings, found):  # type: ignore[no-untyped-def]
    """The extensions that later stages ask for, in the statement's own result and context."""
    place = tape[node, PLACE]
    if place != Place.RESULT and place != Place.CONTEXT:
        return found
    i = node + 1
    while i < tape[node, NEXT]:
        number = tape[i, NEXT] - t.KEYS
        if number >= 0 and (number < 2) == (place == Place.RESULT):
            kind = NUMBER if number < 2 or number == 3 else STRING
            if tape[i + 1, KIND] == kind:
                a, b = tape[i + 1, START], tape[i + 1, END]
                found = find(Finding.EXTENSION + number, a, b, findings, found)
        i = tape[i + 1, NEXT]
    return found


@inner("void(uint8[::1], int64, int64, uint8[::1], int64)")
def put_uuid(buf, a, b, ids, at):  # type: ignore[no-untyped-def]
    half = 0
    for i in range(a, b):
        c = buf[i]
        if c != 45:
            digit = c - 48 if c < 58 else (c & 0xDF) - 55
            if half & 1:
                ids[at + half // 2] |= digit
            else:
                ids[at + half // 2] = digit << 4
            half += 1


@inner("int64(uint8[::1], int32[:, ::1], int64, boolean, int64[::1], uint8[::1], int32[:, ::1], int64)")
def read_out(buf, tape, node, v2, row, ids, findings, found):  # type: ignore[no-untyped-def]
    """A valid string of a place that is read out, to the row, the ids or the findings."""
    place = tape[node, PLACE]
    a, b = tape[node, START], tape[node, END]
    if place == Place.VERB:
        return find(Finding.VERB, a, b, findings, found)
    if place == Place.ID:
        put_uuid(buf, a, b, ids, 0)
        row[Column.READ] |= Read.ID
    elif place == Place.REGISTRATION:
        put_uuid(buf, a, b, ids, 16)
        row[Column.READ] |= Read.REGISTRATION
    elif place == Place.REF:
        put_uuid(buf, a, b, ids, 32)
        row[Column.READ] |= Read.REF
    elif place == Place.TIMESTAMP:
        row[Column.TIMESTAMP] = read_timestamp(buf, a, b, v2)
    elif place == Place.STORED:
        row[Column.STORED] = read_timestamp(buf, a, b, v2)
    elif place == Place.VERSION:
        return find(Finding.VERSION, a, b, findings, found)
    elif place == Place.DURATION:
        length = read_duration(buf, a, b)
        if length >= 0:
            row[Column.DURATION] = length
            row[Column.READ] |= Read.DURATION
    return found
