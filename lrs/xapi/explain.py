"""Why a body is refused: a plain walk over the decoded JSON that tells every rule it breaks.

It runs only after the kernels refused, and shares with them the tables (schema.py, rules.py) and the
formats of strings, but nothing of how they come to their verdict.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from lrs.xapi import schema
from lrs.xapi.kernel.findings import Column
from lrs.xapi.kernel.layout import (
    DEPTH,
    END,
    FAULT,
    INDEX,
    KEY,
    KIND,
    LEVEL,
    NEXT,
    NODES,
    OBJECT,
    OPENED,
    START,
)
from lrs.xapi.rules import TEXTS, Clause, Rule
from lrs.xapi.scan import ALL_RULES, MOST_VALUES, Scan
from lrs.xapi.schema import FORMAT_RULES, Form, Format, Kind, Shape
from lrs.xapi.score import Score, breaches
from lrs.xapi.text import fits
from lrs.xapi.version import Version
from lrs.xapi.violation import MOST, Violation, shorten

_SIMPLE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_EXCERPT = 40
_TIMES = {
    Version.V1_0_3: "an ISO 8601 timestamp with date and time, as 2024-03-01T12:00:00Z",
    Version.V2_0_0: "an RFC 3339 timestamp with date, time and zone, as 2024-03-01T12:00:00Z",
}
_VERSIONS = {Version.V1_0_3: "1.0 or 1.0.x", Version.V2_0_0: "1.0, 1.0.x, 2.0 or 2.0.x"}
_KINDS = {
    Kind.STRING: "a string",
    Kind.BOOLEAN: "true or false",
    Kind.NUMBER: "a number",
    Kind.COUNT: "an integer",
    Kind.ARRAY: "an array",
    Kind.ONE_OR_MANY: "an Activity or an array of Activities",
    Kind.LANGUAGE_MAP: "a language map, an object of strings by language tag",
    Kind.EXTENSIONS: "an object by IRI",
}


class _Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


_JSON = json.JSONDecoder(parse_int=_Number, parse_float=_Number)
_SPACE = re.compile(r"[ \t\r\n]*")
_OPENING = re.compile(r"[ \t\r\n]*\[")
_BETWEEN = re.compile(r"[ \t\r\n]*[\[,]?[ \t\r\n]*\]?[ \t\r\n]*")
"""What stands before a statement: nothing but the array's, or after the last one its end."""


def explain(
    body: bytes,
    form: Form,
    version: Version,
    done: Scan,
    most: int,
    bad: int,
    on: npt.NDArray[np.uint8] = ALL_RULES,
) -> tuple[Violation, ...]:
    """What is wrong with a body that scan refused, or whose scores break a rule: never nothing.

    ``bad`` is the place of a value that does, those before it being valid to scan; of it alone everything
    is told, so that the rest of a long body is not decoded value by value.
    """
    if -Rule.TOO_MANY_STATEMENTS <= done.verdict < 0:
        return (_not_json(body, version, done, most),)
    passed = int(done.rows[bad - 1, Column.END]) if bad else 0
    violations = walk(body, form, version, on, (bad, passed))
    if not violations:
        rule = Rule(-done.verdict) if done.verdict < 0 else Rule.UNEXPLAINED
        return (_Walk(version, on).breach("$", rule.name, Rule.UNEXPLAINED),)
    return tuple(violations)


def walk(
    body: bytes,
    form: Form,
    version: Version,
    on: npt.NDArray[np.uint8] = ALL_RULES,
    passed: tuple[int, int] = (0, 0),
) -> list[Violation]:
    """Every rule, up to MOST, that the first value breaks that breaks any; none if the body is valid.

    The body is JSON, within the limits. ``passed``: how many values of it are taken to be valid, and the
    byte at which the last one of them ends.
    """
    index, byte = passed
    text = body[byte:].decode()
    many = index > 0 or (form is schema.STATEMENT_FORM and _OPENING.match(text) is not None)
    between = _BETWEEN if many else _SPACE
    at = 0
    while (match := between.match(text, at)) is not None and match.end() < len(text):
        element, at = _JSON.raw_decode(text, match.end())
        path = f"$[{index}]" if many else "$"
        found = list(islice(_Walk(version, on).value(path, element, form, _STATEMENT_CLAUSE), MOST))
        if found:
            sent = element.get("id") if form is schema.STATEMENT_FORM and isinstance(element, dict) else None
            identifier = shorten(sent) if type(sent) is str else None
            return [msgspec.structs.replace(one, index=index, id=identifier) for one in found]
        index += 1
    return []


def repeated_id(index: int, sent: str, version: Version) -> Violation:
    """That the statement at a place of a batch has the id of another one."""
    breach = _Walk(version, ALL_RULES).breach(f"$[{index}].id", sent, Rule.REPEATED_ID)
    return msgspec.structs.replace(breach, index=index, id=shorten(sent))


def _not_json(body: bytes, version: Version, done: Scan, most: int) -> Violation:
    """The one thing to tell of a body that is not JSON, or too large: where, and what stands there."""
    rule, at = Rule(-done.verdict), int(done.state[FAULT])
    limit = {Rule.DEPTH: DEPTH, Rule.TOO_MANY_VALUES: MOST_VALUES, Rule.TOO_MANY_STATEMENTS: most}
    words = TEXTS[rule].words.format(limit.get(rule))
    clause = TEXTS[rule].clause or _STATEMENT_CLAUSE
    whole = rule in (Rule.BYTE_ORDER_MARK, Rule.TRAILING, Rule.TOO_MANY_STATEMENTS)
    index = -1 if whole else int(done.state[INDEX])
    path = "$" if index < 0 else f"$[{index}]"
    if not whole and rule != Rule.TOO_MANY_VALUES:
        path += _path_to(done, repeated=rule == Rule.DUPLICATE)
    excerpt = body[at : at + _EXCERPT].decode(errors="replace")
    if rule not in (Rule.TOO_MANY_STATEMENTS, Rule.TOO_MANY_VALUES):
        words = f"{words}; at byte {at}"
    return Violation(path, excerpt, words, clause.cite(version), None if index < 0 else index)


def _path_to(done: Scan, repeated: bool) -> str:
    """Through the containers that were open when the kernels stopped."""
    tape, nodes = done.tape, int(done.state[NODES])
    opened = [int(done.state[OPENED + level]) for level in range(int(done.state[LEVEL]))]
    path = ""
    for node, inner in zip(opened, [*opened[1:], -1], strict=False):
        keys: list[str] = []
        elements = 0
        at = node + 1
        while at < nodes:
            if tape[at, KIND] == KEY:
                keys.append(bytes(done.buffer[tape[at, START] : tape[at, END]]).decode())
                at += 1
            if at == inner or at >= nodes:
                break
            elements += 1
            at = int(tape[at, NEXT])
        if tape[node, KIND] == OBJECT:
            if inner >= 0 or len(keys) > elements:
                path += _step(keys[-1])
            elif repeated:
                path += _step(next(key for key, times in Counter(keys).items() if times > 1))
        elif inner >= 0:
            path += f"[{elements}]"
    return path


def _step(key: str) -> str:
    key = shorten(key)
    return f".{key}" if _SIMPLE_KEY.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"


def _json(value: Any) -> str:
    """The value as JSON text, numbers as they were written, shortened."""
    if isinstance(value, _Number):
        return shorten(str(value))
    if isinstance(value, dict):
        inner = ", ".join(
            f"{json.dumps(k, ensure_ascii=False)}: {_json(v)}" for k, v in list(value.items())[:9]
        )
        return shorten("{" + inner + "}")
    if isinstance(value, list):
        return shorten("[" + ", ".join(_json(v) for v in value[:9]) + "]")
    return shorten(json.dumps(value, ensure_ascii=False))


def _either(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


_STATEMENT_CLAUSE = schema.STATEMENT.clause


class _Walk:
    """Over one value; each method yields the violations of what it is given, and of all within."""

    def __init__(self, version: Version, on: npt.NDArray[np.uint8]) -> None:
        self.version = version
        self.on = on

    def breach(
        self, path: str, value: Any, rule: Rule, clause: Clause = _STATEMENT_CLAUSE, expected: str = ""
    ) -> Violation:
        text = TEXTS[rule]
        return Violation(
            path, _json(value), text.words.format(expected), (text.clause or clause).cite(self.version)
        )

    def value(self, path: str, value: Any, form: Form, clause: Clause) -> Iterator[Violation]:
        kind = form.kind
        if kind is Kind.ONE_OR_MANY and isinstance(value, dict):
            assert form.of is not None
            yield from self.value(path, value, form.of, clause)
        elif kind is Kind.ANYTHING:
            return
        elif not self._has_kind(value, kind):
            if self.on[Rule.TYPE]:
                yield self.breach(path, value, Rule.TYPE, clause, self._expected(form))
        elif kind is Kind.STRING:
            yield from self._string(path, value, form.format, clause)
        elif kind is Kind.COUNT:
            if self.on[Rule.COUNT] and not re.fullmatch("[0-9]{1,18}", value):
                yield self.breach(path, value, Rule.COUNT, clause)
        elif kind in (Kind.LANGUAGE_MAP, Kind.EXTENSIONS):
            yield from self._map(path, value, kind, clause)
        elif kind in (Kind.ARRAY, Kind.ONE_OR_MANY):
            yield from self._array(path, value, form, clause)
        elif kind is Kind.OBJECT:
            yield from self._object(path, value, form, clause)

    @staticmethod
    def _has_kind(value: Any, kind: Kind) -> bool:
        if kind is Kind.STRING:
            return type(value) is str
        if kind is Kind.BOOLEAN:
            return isinstance(value, bool)
        if kind in (Kind.NUMBER, Kind.COUNT):
            return isinstance(value, _Number)
        if kind in (Kind.ARRAY, Kind.ONE_OR_MANY):
            return isinstance(value, list)
        return isinstance(value, dict)

    @staticmethod
    def _expected(form: Form) -> str:
        if form.kind is Kind.OBJECT:
            return f"{_either([shape.name for shape in form.shapes])}, a JSON object"
        return _KINDS[form.kind]

    def _string(self, path: str, value: str, format: Format, clause: Clause) -> Iterator[Violation]:
        rule = FORMAT_RULES[format]
        if self.on[rule] and not fits(value, format, self.version):
            expected = {Format.TIMESTAMP: _TIMES, Format.VERSION: _VERSIONS}.get(format, {})
            yield self.breach(path, value, rule, clause, expected.get(self.version, ""))

    def _map(self, path: str, value: dict[str, Any], kind: Kind, clause: Clause) -> Iterator[Violation]:
        format, rule = (
            (Format.LANGUAGE, Rule.LANGUAGE) if kind is Kind.LANGUAGE_MAP else (Format.IRI, Rule.IRI)
        )
        for key, inner in value.items():
            if self.on[rule] and not fits(key, format, self.version):
                yield self.breach(path + _step(key), key, rule, clause)
            if kind is Kind.LANGUAGE_MAP:
                yield from self.value(path + _step(key), inner, schema.TEXT, clause)

    def _array(self, path: str, value: list[Any], form: Form, clause: Clause) -> Iterator[Violation]:
        assert form.of is not None
        if len(value) < form.least and self.on[Rule.EMPTY]:
            yield self.breach(path, value, Rule.EMPTY, clause)
        seen: set[str] = set()
        for index, element in enumerate(value):
            yield from self.value(f"{path}[{index}]", element, form.of, clause)
            key = element.get("id") if form.distinct and isinstance(element, dict) else None
            if type(key) is str:
                if key in seen and self.on[Rule.DISTINCT_COMPONENTS]:
                    yield self.breach(f"{path}[{index}].id", key, Rule.DISTINCT_COMPONENTS, clause)
                seen.add(key)

    def _object(self, path: str, value: dict[str, Any], form: Form, clause: Clause) -> Iterator[Violation]:
        types = {shape.object_type: shape for shape in form.shapes}
        shape = types.get(None, form.default)
        if None not in types and "objectType" in value:
            sent = value["objectType"]
            if type(sent) is str and sent in types:
                shape = types[sent]
            elif self.on[Rule.OBJECT_TYPE]:
                names = _either([f'"{name}"' for name in types])
                yield self.breach(f"{path}.objectType", sent, Rule.OBJECT_TYPE, clause, names)
                return
        if shape is None:
            name = _either([shape.name for shape in form.shapes])
            yield self.breach(f"{path}.objectType", value, Rule.MISSING, clause, name)
            return
        for name, member in shape.members.items():
            if member.required and name not in value and self.on[Rule.MISSING]:
                yield self.breach(f"{path}.{name}", value, Rule.MISSING, shape.clause, shape.name)
        for key, inner in value.items():
            known = shape.members.get(key)
            if known is not None and (self.version is Version.V2_0_0 or not known.since_2_0):
                yield from self.value(path + _step(key), inner, known.form, shape.clause)
            elif self.on[Rule.UNKNOWN]:
                yield self.breach(path + _step(key), inner, Rule.UNKNOWN, shape.clause, shape.name)
        for where, inner, rule, expected in self._together(value, shape):
            if self.on[rule]:
                yield self.breach(path + where, inner, rule, shape.clause, expected)

    def _together(self, value: dict[str, Any], shape: Shape) -> Iterator[tuple[str, Any, Rule, str]]:
        """What the members of one object ask of each other: (path within, value, rule, expected)."""
        if shape in (schema.AGENT, schema.GROUP):
            identifiers = sum(name in value for name in schema.IDENTIFIERS)
            if identifiers > 1 or (identifiers == 0 and shape is schema.AGENT):
                yield "", value, Rule.ONE_IDENTIFIER, ""
            elif identifiers == 0 and value.get("member", []) == []:
                yield "", value, Rule.ANONYMOUS_MEMBERS, ""
        elif shape is schema.AUTHORITY_GROUP:
            members = value.get("member")
            accounts = (
                [m for m in members if isinstance(m, dict) and "account" in m]
                if isinstance(members, list)
                else []
            )
            if any(name in value for name in schema.IDENTIFIERS) or not accounts or len(members or []) != 2:
                yield "", value, Rule.AUTHORITY_GROUP, ""
        elif shape is schema.DEFINITION:
            yield from self._interaction(value)
        elif shape in (schema.STATEMENT, schema.SUB_STATEMENT):
            yield from self._statement(value)
        elif shape is schema.SCORE:
            numbers = {
                name: float(v)
                for name, v in value.items()
                if isinstance(v, _Number) and name in shape.members
            }
            for name, rule in breaches(Score(**numbers)):
                yield f".{name}", value[name], rule, ""
        elif shape is schema.ATTACHMENT:
            wrong = "contentType" in value and value["contentType"] != schema.SIGNATURE_TYPE
            if wrong and value.get("usageType") == schema.SIGNATURE:
                yield ".contentType", value["contentType"], Rule.SIGNATURE_TYPE, ""

    @staticmethod
    def _interaction(value: dict[str, Any]) -> Iterator[tuple[str, Any, Rule, str]]:
        kind = value.get("interactionType")
        for name in ("correctResponsesPattern", *schema.COMPONENTS):
            if name not in value:
                continue
            if "interactionType" not in value:
                yield f".{name}", value[name], Rule.NEEDS_INTERACTION_TYPE, ""
            elif kind in schema.INTERACTION_TYPES and kind not in schema.COMPONENTS.get(name, (kind,)):
                yield f".{name}", value[name], Rule.COMPONENT_LIST, str(kind)

    @staticmethod
    def _statement(value: dict[str, Any]) -> Iterator[tuple[str, Any, Rule, str]]:
        thing, verb, context = value.get("object"), value.get("verb"), value.get("context")
        if not isinstance(thing, dict):
            return
        kind = thing.get("objectType", "Activity")
        if isinstance(verb, dict) and verb.get("id") == schema.VOIDED and kind != "StatementRef":
            yield ".object", thing, Rule.VOIDED_OBJECT, ""
        if isinstance(context, dict) and kind != "Activity":
            for name in ("revision", "platform"):
                if name in context:
                    yield f".context.{name}", context[name], Rule.ONLY_ABOUT_ACTIVITY, ""
