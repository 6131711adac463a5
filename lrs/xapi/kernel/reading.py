"""A body to statements: tape, verdict and canonical text of one after the other."""

from __future__ import annotations

from lrs.xapi import schema
from lrs.xapi.kernel import kernel
from lrs.xapi.kernel import tables as t
from lrs.xapi.kernel.canonical import write_canonical
from lrs.xapi.kernel.check import check
from lrs.xapi.kernel.findings import Column, member
from lrs.xapi.kernel.layout import END, FREE, INDEX, LENGTH, LEVEL, PLACE, START, fault
from lrs.xapi.kernel.tape import read_value, skip_space
from lrs.xapi.rules import Rule
from lrs.xapi.schema import Place
from lrs.xapi.statement import Given

STATEMENT = t.FORM[schema.STATEMENT_FORM]
AGENT = t.FORM[schema.AGENT_OR_GROUP]

_TIMESTAMP = t.CODE["timestamp"]
_BOTH_TIMES = int(Given.TIMESTAMP | Given.STORED)


@kernel(
    "int64(uint8[::1], int64, boolean, int64, uint8[::1], int32[:, ::1], int64[::1], int64[::1], "
    "int64[:, ::1], uint8[:, ::1], int32[:, ::1], int64[::1])"
)
def read(buf, form, v2, most, on, tape, hashes, spans, rows, ids, findings, state):  # type: ignore[no-untyped-def]
    """How many values of this form the body has; FULL or a broken rule, negative.

    A STATEMENT may stand in an array. After a breach of the schema the rest is still read as JSON, so that
    whoever explains it may take the body for JSON.
    """
    state[INDEX] = -1
    if buf[0] == 0xEF and buf[1] == 0xBB and buf[2] == 0xBF:
        return fault(Rule.BYTE_ORDER_MARK, 0, state)
    i = skip_space(buf, 0)
    many = form == STATEMENT and buf[i] == 91
    count = 0
    found = 0
    if many:
        state[INDEX] = 0
        i = skip_space(buf, i + 1)
    closed = many and buf[i] == 93
    while not closed:
        if count == most:
            return fault(Rule.TOO_MANY_STATEMENTS, i, state)
        i = read_value(buf, i, 1 if many else 0, tape, hashes, state)
        if i < 0:
            return i
        if found >= 0:
            if form == AGENT:
                tape[0, PLACE] = Place.ACTOR
            row = rows[count]
            row[:] = 0
            ids[count] = 0
            found = check(buf, tape, form, row, ids[count], findings, found, hashes, state, on, v2)
        if found >= 0:
            row[Column.START] = tape[0, START]
            row[Column.END] = tape[0, END]
            row[Column.FINDINGS_END] = found
            omitted = -1
            if row[Column.GIVEN] & _BOTH_TIMES == _BOTH_TIMES and row[Column.STORED] == row[Column.TIMESTAMP]:
                omitted = member(tape, 0, _TIMESTAMP)
            row[Column.CANON_START] = state[FREE]
            state[FREE] = write_canonical(buf, tape, 0, state[FREE], spans, 0, omitted, v2)
            row[Column.CANON_END] = state[FREE]
        count += 1
        if not many:
            break
        state[INDEX] = count
        i = skip_space(buf, i)
        closed = buf[i] == 93
        if buf[i] == 44:
            i = skip_space(buf, i + 1)
        elif not closed:
            state[LEVEL] = 0
            return fault(Rule.SYNTAX, i, state)
    state[LEVEL] = 0
    i = skip_space(buf, i + 1 if closed else i)
    if i < state[LENGTH]:
        return fault(Rule.TRAILING, i, state)
    return found if found < 0 else count
