"""Statements as they are returned: exact, ids, canonical (1.0.3 Part Three 2.1.3; IEEE 9274.1.1 4.1.6.1).

``exact`` puts what the LRS assigned into the bytes that were sent, and changes no other byte. The other
two are made of the exact form; values that they do not touch keep their bytes, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from lrs.xapi import language
from lrs.xapi.kernel import reading
from lrs.xapi.kernel.layout import END, KIND, NEXT, OBJECT, SHAPE, START, STRING
from lrs.xapi.kernel.tables import CODE
from lrs.xapi.scan import Scan, scan
from lrs.xapi.schema import COMPONENTS, IDENTIFIERS
from lrs.xapi.statement import Given
from lrs.xapi.timestamp import format_timestamp
from lrs.xapi.version import Version

_Members = dict[str, msgspec.Raw]
_members = msgspec.json.Decoder(_Members).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode
_language_map = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode
_ROLES = ("parent", "grouping", "category", "other")
_QUOTE, _BACKSLASH = b'"\\'
_MENDED = int(Given.STORED | Given.AUTHORITY | Given.SINGLE_CONTEXT_ACTIVITY)


def format_uuid(value: bytes) -> str:
    """The standard string form, in small letters."""
    text = value.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def render_exact(
    raw: bytes, given: int, *, id: bytes, stored: int, authority: bytes, version: str, timestamp: int
) -> bytes:
    """The statement with what the LRS assigned.

    ``raw`` and ``given`` are the Statement's. id, timestamp (microseconds since 1970) and version stand
    where the sender gave none; ``stored`` and ``authority`` (JSON) take the place of what was sent. A
    single context activity is put into an array, as both versions demand.
    """
    added = b""
    if not given & Given.ID:
        added += b',"id":"%s"' % format_uuid(id).encode()
    if not given & Given.TIMESTAMP:
        added += b',"timestamp":"%s"' % format_timestamp(timestamp).encode()
    if not given & Given.VERSION:
        added += b',"version":"%s"' % version.encode()
    now = b'"%s"' % format_timestamp(stored).encode()
    if not given & _MENDED:
        return b'%s%s,"stored":%s,"authority":%s}' % (raw[:-1], added, now, authority)
    if not given & Given.STORED:
        added += b',"stored":' + now
    if not given & Given.AUTHORITY:
        added += b',"authority":' + authority
    done = scan(raw, reading.STATEMENT, Version.V2_0_0)
    parts, at = [], 0
    for start, end, text in sorted(_edits(done, raw, now, authority)):
        parts += [raw[at:start], text]
        at = end
    return b"".join([*parts, raw[at:-1], added, b"}"])


def _edits(done: Scan, raw: bytes, stored: bytes, authority: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(first byte, byte after, text to put there) for the members that are overwritten or mended."""
    for name, text in (("stored", stored), ("authority", authority)):
        node = _member(done, 0, name)
        if node is not None:
            yield *_span(done, raw, node), text
    for statement in (0, _member(done, 0, "object")):
        context = None if statement is None else _member(done, statement, "context")
        activities = None if context is None else _member(done, context, "contextActivities")
        for role in _ROLES if activities is not None else ():
            assert activities is not None
            node = _member(done, activities, role)
            if node is not None and done.tape[node, KIND] == OBJECT:
                start, end = _span(done, raw, node)
                yield start, start, b"["
                yield end, end, b"]"


def _span(done: Scan, raw: bytes, node: int) -> tuple[int, int]:
    """Where a value stands in the bytes that were sent."""
    if done.tape[node, KIND] != STRING:
        return int(done.tape[node, START]), int(done.tape[node, END])
    start = end = int(done.tape[node, SHAPE])
    end += 1
    while raw[end] != _QUOTE:
        end += 2 if raw[end] == _BACKSLASH else 1
    return start, end + 1


def _member(done: Scan, node: int, name: str) -> int | None:
    if done.tape[node, KIND] != OBJECT:
        return None
    at = node + 1
    while at < done.tape[node, NEXT]:
        if done.tape[at, NEXT] == CODE[name]:
            return at + 1
        at = int(done.tape[at + 1, NEXT])
    return None


def render_ids(exact: bytes) -> bytes:
    """Only what identifies agents, groups, activities and verbs; everything else as it is."""
    return _statement(exact, _agent_ids, _activity_ids, _verb_ids)


def render_canonical(
    exact: bytes,
    definitions: Mapping[str, bytes],
    accept_language: str | None,
    displays: Mapping[str, bytes] | None = None,
) -> bytes:
    """With canonical definitions (JSON, by activity) and displays (by verb), one language in each map.

    Where there is none, the statement's own is taken. The language is the best for the Accept-Language
    header among those there are, without one the first.
    """
    preferred = language.preferences(accept_language)

    def activity(text: bytes) -> bytes:
        members = _members(text)
        known = definitions.get(_text(members["id"]))
        definition = known if known is not None else members.get("definition")
        if definition is not None:
            members["definition"] = msgspec.Raw(_one_language_each(bytes(definition), preferred))
        return _encode(members)

    def verb(text: bytes) -> bytes:
        members = _members(text)
        known = (displays or {}).get(_text(members["id"]))
        display = known if known is not None else members.get("display")
        if display is not None:
            members["display"] = msgspec.Raw(_one_language(bytes(display), preferred))
        return _encode(members)

    return _statement(exact, None, activity, verb)


def with_one_language(definition: bytes, accept_language: str | None) -> bytes:
    """A definition (JSON) with one language in each of its maps, the best for the header."""
    return _one_language_each(definition, language.preferences(accept_language))


def activities_in(exact: Iterable[bytes]) -> set[str]:
    """The ids of all activities that stand anywhere in statements."""
    found: set[str] = set()

    def note(text: bytes) -> bytes:
        found.add(_text(_members(text)["id"]))
        return text

    for statement in exact:
        _statement(statement, None, note, lambda verb: verb)
    return found


_Change = Callable[[bytes], bytes]


def _statement(text: bytes, agent: _Change | None, activity: _Change, verb: _Change) -> bytes:
    """A statement or SubStatement with each agent, activity and verb changed."""
    members = _members(text)

    def change(within: _Members, name: str, how: _Change | None) -> None:
        if how is not None and name in within:
            within[name] = msgspec.Raw(how(bytes(within[name])))

    def each(how: _Change) -> _Change:
        def change_all(text: bytes) -> bytes:
            return _encode([msgspec.Raw(how(bytes(element))) for element in _elements(text)])

        return change_all

    def thing(text: bytes) -> bytes:
        kind = _object_type(_members(text))
        if kind in ("Agent", "Group"):
            return text if agent is None else agent(text)
        if kind == "SubStatement":
            return _statement(text, agent, activity, verb)
        return text if kind == "StatementRef" else activity(text)

    def activities(text: bytes) -> bytes:
        return each(activity)(text) if text[:1] == b"[" else activity(text)

    def context_activities(text: bytes) -> bytes:
        roles = _members(text)
        for role in _ROLES:
            change(roles, role, activities)
        return _encode(roles)

    def wrapped(name: str) -> _Change:
        def change_inner(text: bytes) -> bytes:
            entry = _members(text)
            change(entry, name, agent)
            return _encode(entry)

        return each(change_inner)

    def context(text: bytes) -> bytes:
        within = _members(text)
        change(within, "instructor", agent)
        change(within, "team", agent)
        change(within, "contextActivities", context_activities)
        change(within, "contextAgents", wrapped("agent"))
        change(within, "contextGroups", wrapped("group"))
        return _encode(within)

    for name, how in {
        "actor": agent,
        "verb": verb,
        "object": thing,
        "context": context,
        "authority": agent,
    }.items():
        change(members, name, how)
    return _encode(members)


def _object_type(members: _Members) -> str | None:
    return _text(members["objectType"]) if "objectType" in members else None


def _agent_ids(text: bytes) -> bytes:
    members = _members(text)
    kept = {name: members[name] for name in ("objectType", *IDENTIFIERS) if name in members}
    if not any(name in kept for name in IDENTIFIERS):
        kept["member"] = msgspec.Raw(
            _encode([msgspec.Raw(_agent_ids(bytes(member))) for member in _elements(members["member"])])
        )
    return _encode(kept)


def _activity_ids(text: bytes) -> bytes:
    return _encode({"id": _members(text)["id"]})


def _verb_ids(text: bytes) -> bytes:
    return _encode({"id": _members(text)["id"]})


def _one_language(text: bytes, preferred: language.Preferences) -> bytes:
    texts = _language_map(text)
    tag = language.choose(texts, preferred)
    return text if tag is None else _encode({tag: texts[tag]})


def _one_language_each(definition: bytes, preferred: language.Preferences) -> bytes:
    members = _members(definition)
    for name in ("name", "description"):
        if name in members:
            members[name] = msgspec.Raw(_one_language(bytes(members[name]), preferred))
    for name in COMPONENTS:
        if name in members:
            components = [_members(component) for component in _elements(members[name])]
            for component in components:
                if "description" in component:
                    component["description"] = msgspec.Raw(
                        _one_language(bytes(component["description"]), preferred)
                    )
            members[name] = msgspec.Raw(_encode(components))
    return _encode(members)
