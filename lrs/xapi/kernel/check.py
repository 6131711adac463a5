# ruff: noqa: SIM109 (plain loops and comparisons are what numba compiles best)
"""A tape against the schema: the verdict.

Each object gives its members their form and place; nodes come in the order of the document, so that one
loop over the tape meets every value after the object around it, and nothing is recursive. ``on`` says
for each Rule whether it is asked at all: all are, but for the tests that switch one off.
"""

from __future__ import annotations

import numpy as np

from lrs.xapi import schema
from lrs.xapi.kernel import inner
from lrs.xapi.kernel import tables as t
from lrs.xapi.kernel.findings import Column, Read, find_extensions, find_in_object, member, read_out
from lrs.xapi.kernel.formats import equals, fits, place_among
from lrs.xapi.kernel.layout import (
    ARRAY,
    END,
    FALSE,
    FAULT,
    FORM,
    KEY,
    KIND,
    NEXT,
    NODES,
    NUMBER,
    OBJECT,
    PLACE,
    SEEN,
    SHAPE,
    START,
    STRING,
    TRUE,
)
from lrs.xapi.kernel.strings import hash_text
from lrs.xapi.kernel.tape import repeats
from lrs.xapi.rules import Rule
from lrs.xapi.schema import Kind, Place
from lrs.xapi.statement import Given, ObjectKind

_TYPES = {text: number for number, text in enumerate(t.OBJECT_TYPES)}
_ACTIVITY_TYPE, _REF_TYPE = _TYPES["Activity"], _TYPES["StatementRef"]
_OBJECT_KINDS = np.zeros(len(t.OBJECT_TYPES), np.int64)
_OBJECT_KINDS[[_TYPES[name] for name in ("Activity", "Agent", "Group", "StatementRef", "SubStatement")]] = [
    *ObjectKind
]
_AGENT, _GROUP, _AUTHORITY_GROUP = (
    t.SHAPE[shape] for shape in (schema.AGENT, schema.GROUP, schema.AUTHORITY_GROUP)
)
_DEFINITION, _ATTACHMENT, _STATEMENT, _SUB_STATEMENT = (
    t.SHAPE[shape] for shape in (schema.DEFINITION, schema.ATTACHMENT, schema.STATEMENT, schema.SUB_STATEMENT)
)
_OBJECT_TYPE, _ID, _ACCOUNT, _MEMBER = (t.CODE[name] for name in ("objectType", "id", "account", "member"))
_VERB, _OBJECT, _CONTEXT = (t.CODE[name] for name in ("verb", "object", "context"))
_REVISION, _PLATFORM = (t.CODE[name] for name in ("revision", "platform"))
_INTERACTION_TYPE, _USAGE_TYPE, _CONTENT_TYPE = (
    t.CODE[name] for name in ("interactionType", "usageType", "contentType")
)
_GIVEN = np.array([t.CODE[name] for name in ("id", "timestamp", "stored", "authority", "version")], np.uint64)
"""The members of which Given has a bit, in its order."""
_SINGLE = int(Given.SINGLE_CONTEXT_ACTIVITY)
_ONE = np.uint64(1)


@inner("int64(int64, int64, int64[::1])")
def breach(rule, node, state):  # type: ignore[no-untyped-def]
    state[FAULT] = node
    return rule


@inner("int64(uint8[::1], int32[:, ::1], int64)")
def object_type(buf, tape, node):  # type: ignore[no-untyped-def]
    """The number of an object's objectType; -1: it has none, -2: it is not one of those there are."""
    value = member(tape, node, _OBJECT_TYPE)
    if value < 0:
        return -1
    if tape[value, KIND] != STRING:
        return -2
    number = place_among(
        buf, tape[value, START], tape[value, END], t.OBJECT_TYPE_TEXT, t.OBJECT_TYPE_AT, False
    )
    return number if number >= 0 else -2


@inner("int64(int64, int64)")
def place_within(parent, own):  # type: ignore[no-untyped-def]
    """The place of a member from its object's place and its own in the schema."""
    if parent == Place.RELATED or own == Place.INHERIT:
        return parent
    if own == Place.MEMBER:
        return Place.DIRECT
    if own == Place.REF and parent != Place.DIRECT:
        return Place.INHERIT
    return own


@inner("int64(int32[:, ::1], int64, int64, uint64, uint8[::1], int64[::1])")
def check_agent(tape, node, shape, seen, on, state):  # type: ignore[no-untyped-def]
    """One identifier; a group without one lists members; what a group may be as an authority."""
    identifiers = seen & t.IDENTIFIER_BITS
    several = identifiers & (identifiers - _ONE) != 0
    if identifiers != 0 and not several and shape != _AUTHORITY_GROUP:
        return 0
    members = member(tape, node, _MEMBER)
    if shape == _AUTHORITY_GROUP:
        if not on[Rule.AUTHORITY_GROUP]:
            return 0
        if identifiers != 0 or members < 0 or tape[members, KIND] != ARRAY:
            return breach(Rule.AUTHORITY_GROUP, node, state)
        count = 0
        accounts = 0
        i = members + 1
        while i < tape[members, NEXT]:
            count += 1
            accounts += tape[i, KIND] == OBJECT and member(tape, i, _ACCOUNT) >= 0
            i = tape[i, NEXT]
        return 0 if count == 2 and accounts > 0 else breach(Rule.AUTHORITY_GROUP, node, state)
    if (several or (identifiers == 0 and shape == _AGENT)) and on[Rule.ONE_IDENTIFIER]:
        return breach(Rule.ONE_IDENTIFIER, node, state)
    if shape == _GROUP and identifiers == 0 and on[Rule.ANONYMOUS_MEMBERS]:
        empty = members < 0 or (tape[members, KIND] == ARRAY and tape[members, NEXT] == members + 1)
        return breach(Rule.ANONYMOUS_MEMBERS, node, state) if empty else 0
    return 0


@inner("int64(uint8[::1], int32[:, ::1], int64, uint64, uint8[::1], int64[::1])")
def check_definition(buf, tape, node, seen, on, state):  # type: ignore[no-untyped-def]
    """What an interaction has beside its interactionType is of that type."""
    if seen & t.INTERACTION_BITS == 0:
        return 0
    kind = member(tape, node, _INTERACTION_TYPE)
    if kind < 0:
        return breach(Rule.NEEDS_INTERACTION_TYPE, node, state) if on[Rule.NEEDS_INTERACTION_TYPE] else 0
    if tape[kind, KIND] != STRING:
        return 0
    number = place_among(buf, tape[kind, START], tape[kind, END], t.INTERACTION_TEXT, t.INTERACTION_AT, False)
    if number >= 0 and seen & t.COMPONENT_BITS & ~t.COMPONENTS_OF[number] != 0 and on[Rule.COMPONENT_LIST]:
        return breach(Rule.COMPONENT_LIST, node, state)
    return 0


@inner("int64(uint8[::1], int32[:, ::1], int64, int64, int64[::1], uint8[::1], int64[::1])")
def check_statement(buf, tape, node, shape, row, on, state):  # type: ignore[no-untyped-def]
    """What the verb and the context ask of the object."""
    thing = member(tape, node, _OBJECT)
    if thing < 0 or tape[thing, KIND] != OBJECT:
        return 0
    kind = object_type(buf, tape, thing)
    if kind == -1:
        kind = _ACTIVITY_TYPE
    verb = member(tape, node, _VERB)
    verb_id = member(tape, verb, _ID) if verb >= 0 and tape[verb, KIND] == OBJECT else -1
    voids = verb_id >= 0 and equals(buf, tape[verb_id, START], tape[verb_id, END], t.VOIDED_TEXT)
    if voids and kind != _REF_TYPE and on[Rule.VOIDED_OBJECT]:
        return breach(Rule.VOIDED_OBJECT, thing, state)
    context = member(tape, node, _CONTEXT)
    if kind != _ACTIVITY_TYPE and context >= 0 and tape[context, KIND] == OBJECT:
        wrong = max(member(tape, context, _REVISION), member(tape, context, _PLATFORM))
        if wrong >= 0 and on[Rule.ONLY_ABOUT_ACTIVITY]:
            return breach(Rule.ONLY_ABOUT_ACTIVITY, wrong, state)
    if shape == _STATEMENT:
        row[Column.OBJECT_KIND] = _OBJECT_KINDS[kind] if kind >= 0 else 0
        if voids:
            row[Column.READ] |= Read.VOIDS
    return 0


@inner("int64(uint8[::1], int32[:, ::1], int64, uint8[::1], int64[::1])")
def check_attachment(buf, tape, node, on, state):  # type: ignore[no-untyped-def]
    usage = member(tape, node, _USAGE_TYPE)
    media = member(tape, node, _CONTENT_TYPE)
    if usage < 0 or media < 0 or not on[Rule.SIGNATURE_TYPE]:
        return 0
    signs = equals(buf, tape[usage, START], tape[usage, END], t.SIGNATURE_TEXT)
    if signs and not equals(buf, tape[media, START], tape[media, END], t.SIGNATURE_TYPE_TEXT):
        return breach(Rule.SIGNATURE_TYPE, media, state)
    return 0


@inner("int64(uint8[::1], int32[:, ::1], int64, boolean, uint8[::1], int64[::1])")
def open_object(buf, tape, node, v2, on, state):  # type: ignore[no-untyped-def]
    """Choose the shape, give the members their forms and places; the rule broken, or 0."""
    form = tape[node, FORM]
    shape = t.FORM_DEFAULT[form]
    if t.FORM_TYPED[form]:
        kind = object_type(buf, tape, node)
        if kind >= 0:
            if t.FORM_SHAPE[form, kind] >= 0:
                shape = t.FORM_SHAPE[form, kind]
            elif on[Rule.OBJECT_TYPE]:
                return breach(Rule.OBJECT_TYPE, node, state)
        elif kind == -2 and on[Rule.OBJECT_TYPE]:
            return breach(Rule.OBJECT_TYPE, node, state)
    tape[node, SHAPE] = shape
    if shape < 0:
        return breach(Rule.MISSING, node, state)
    if shape == _SUB_STATEMENT:
        tape[node, PLACE] = Place.RELATED
    place = tape[node, PLACE]
    version = 1 if v2 else 0
    seen = np.uint64(0)
    i = node + 1
    end = tape[node, NEXT]
    while i < end:
        code = tape[i, NEXT]
        form = t.MEMBER_FORM[version, shape, code] if 0 <= code < t.KEYS else -1
        if form >= 0:
            seen |= _ONE << np.uint64(code)
            tape[i + 1, FORM] = form
            tape[i + 1, PLACE] = place_within(place, t.MEMBER_PLACE[shape, code])
        elif on[Rule.UNKNOWN]:
            return breach(Rule.UNKNOWN, i, state)
        i = tape[i + 1, NEXT]
    state[SEEN] = np.int64(seen)
    if seen & t.REQUIRED[shape] != t.REQUIRED[shape] and on[Rule.MISSING]:
        return breach(Rule.MISSING, node, state)
    return 0


@inner("int64(uint8[::1], int32[:, ::1], int64, boolean, int64[::1], uint8[::1], int64[::1])")
def check_object(buf, tape, node, v2, row, on, state):  # type: ignore[no-untyped-def]
    """All rules on one object and its members together; the rule broken, or 0."""
    rule = open_object(buf, tape, node, v2, on, state)
    if rule:
        return rule
    shape = tape[node, SHAPE]
    seen = np.uint64(state[SEEN])
    if shape == _AGENT or shape == _GROUP or shape == _AUTHORITY_GROUP:
        return check_agent(tape, node, shape, seen, on, state)
    if shape == _DEFINITION:
        return check_definition(buf, tape, node, seen, on, state)
    if shape == _STATEMENT or shape == _SUB_STATEMENT:
        if shape == _STATEMENT:
            for bit in range(_GIVEN.size):
                if seen >> _GIVEN[bit] & _ONE:
                    row[Column.GIVEN] |= 1 << bit
        return check_statement(buf, tape, node, shape, row, on, state)
    if shape == _ATTACHMENT:
        return check_attachment(buf, tape, node, on, state)
    return 0


@inner("int64(uint8[::1], int32[:, ::1], int64, int64[::1], uint8[::1], int64[::1])")
def check_array(buf, tape, node, hashes, on, state):  # type: ignore[no-untyped-def]
    """Give the elements their form; enough of them; components with ids of their own."""
    form = tape[node, FORM]
    count = 0
    i = node + 1
    while i < tape[node, NEXT]:
        tape[i, FORM] = t.FORM_OF[form]
        tape[i, PLACE] = tape[node, PLACE]
        if t.FORM_DISTINCT[form] and tape[i, KIND] == OBJECT:
            value = member(tape, i, _ID)
            if value >= 0 and tape[value, KIND] == STRING:
                hashes[count] = np.int64(hash_text(buf, tape[value, START], tape[value, END]))
                count += 1
        elif not t.FORM_DISTINCT[form]:
            count += 1
        i = tape[i, NEXT]
    if count < t.FORM_LEAST[form] and on[Rule.EMPTY]:
        return breach(Rule.EMPTY, node, state)
    if t.FORM_DISTINCT[form] and on[Rule.DISTINCT_COMPONENTS] and repeats(hashes, 0, count):
        return breach(Rule.DISTINCT_COMPONENTS, node, state)
    return 0


@inner("int64(uint8[::1], int32[:, ::1], int64, uint8[::1], int64[::1], boolean)")
def check_map(buf, tape, node, on, state, v2):  # type: ignore[no-untyped-def]
    """The keys of a language map or of extensions; the values of a language map get their form."""
    languages = t.FORM_KIND[tape[node, FORM]] == Kind.LANGUAGE_MAP
    rule = Rule.LANGUAGE if languages else Rule.IRI
    wanted = schema.Format.LANGUAGE if languages else schema.Format.IRI
    i = node + 1
    while i < tape[node, NEXT]:
        if not fits(buf, tape[i, START], tape[i, END], wanted, v2) and on[rule]:
            return breach(rule, i, state)
        if languages:
            tape[i + 1, FORM] = 1  # schema.TEXT
            tape[i + 1, PLACE] = Place.INHERIT
        i = tape[i + 1, NEXT]
    return 0


@inner(
    "int64(uint8[::1], int32[:, ::1], int64, int64[::1], uint8[::1], int32[:, ::1], int64, int64[::1], "
    "int64[::1], uint8[::1], boolean)"
)
def check(buf, tape, form, row, ids, findings, found, hashes, state, on, v2):  # type: ignore[no-untyped-def]
    """The value on the tape against the form; how many findings there are then, or -rule."""
    tape[0, FORM] = form
    i = 0
    nodes = state[NODES]
    while i < nodes:
        if tape[i, KIND] == KEY:
            i += 1
        form = tape[i, FORM]
        wanted = t.FORM_KIND[form]
        kind = tape[i, KIND]
        if wanted == Kind.ONE_OR_MANY and kind == OBJECT:
            row[Column.GIVEN] |= _SINGLE
            form = tape[i, FORM] = t.FORM_OF[form]
            tape[i, SHAPE] = 0
            wanted = t.FORM_KIND[form]
        right = (
            wanted == Kind.ANYTHING
            or (wanted == Kind.STRING and kind == STRING)
            or (wanted == Kind.BOOLEAN and (kind == TRUE or kind == FALSE))
            or ((wanted == Kind.NUMBER or wanted == Kind.COUNT) and kind == NUMBER)
            or ((wanted == Kind.ARRAY or wanted == Kind.ONE_OR_MANY) and kind == ARRAY)
            or (
                (wanted == Kind.OBJECT or wanted == Kind.LANGUAGE_MAP or wanted == Kind.EXTENSIONS)
                and kind == OBJECT
            )
        )
        if not right:
            if on[Rule.TYPE]:
                return -breach(Rule.TYPE, i, state)
            wanted = t.FORM_KIND[0]
        rule = 0
        after = i + 1
        if wanted == Kind.STRING:
            if not fits(buf, tape[i, START], tape[i, END], t.FORM_FORMAT[form], v2):
                if on[t.FORMAT_RULE[t.FORM_FORMAT[form]]]:
                    rule = breach(t.FORMAT_RULE[t.FORM_FORMAT[form]], i, state)
            elif tape[i, PLACE] >= Place.VERB:
                found = read_out(buf, tape, i, v2, row, ids, findings, found)
        elif wanted == Kind.OBJECT:
            rule = check_object(buf, tape, i, v2, row, on, state)
            if rule == 0:
                found = find_in_object(buf, tape, i, tape[i, SHAPE], findings, found, state)
        elif wanted == Kind.LANGUAGE_MAP:
            rule = check_map(buf, tape, i, on, state, v2)
        elif wanted == Kind.EXTENSIONS:
            rule = check_map(buf, tape, i, on, state, v2)
            found = find_extensions(tape, i, findings, found)
            after = tape[i, NEXT]
        elif wanted == Kind.ARRAY or wanted == Kind.ONE_OR_MANY:
            rule = check_array(buf, tape, i, hashes, on, state)
        elif wanted == Kind.BOOLEAN:
            if tape[i, PLACE] == Place.SUCCESS:
                row[Column.READ] |= Read.SUCCESS | (Read.SUCCESS_TRUE * (kind == TRUE))
            elif tape[i, PLACE] == Place.COMPLETION:
                row[Column.READ] |= Read.COMPLETION | (Read.COMPLETION_TRUE * (kind == TRUE))
        elif wanted == Kind.COUNT:
            digits = tape[i, END] - tape[i, START] <= 18
            for k in range(tape[i, START], tape[i, END]):
                digits = digits and 48 <= buf[k] <= 57
            if not digits and on[Rule.COUNT]:
                rule = breach(Rule.COUNT, i, state)
        else:
            after = tape[i, NEXT]
        if rule:
            return -rule
        i = after
    return found
