"""Statements as they are returned."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings

from lrs.xapi.agent import read_agent
from lrs.xapi.language import choose, preferences
from lrs.xapi.reader import read_statements
from lrs.xapi.render import render_canonical, render_exact, render_ids
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected
from tests.conformance.statement import AGENT, BASE, GROUP, INTERACTION, NO_PLATFORM, SUB, changed
from tests.xapi.statements import statements, write

V1, V2 = Version.V1_0_3, Version.V2_0_0
ID = bytes.fromhex("0b0f8b1e5d3a4c0f9a3e1d2c3b4a5968")
AUTHORITY = b'{"account":{"homePage":"http://lrs.example.org","name":"key"}}'
STORED, TIMESTAMP = 1_709_294_400_000_001, 1_709_294_300_000_000


def _exact(raw: bytes, version: Version = V1) -> bytes:
    (statement,) = read_statements(raw, version)
    return render_exact(
        *(statement.raw, statement.given),
        id=ID,
        stored=STORED,
        authority=AUTHORITY,
        version="1.0.0",
        timestamp=TIMESTAMP,
    )


ASSIGNED: dict[str, Any] = {
    "id": "0b0f8b1e-5d3a-4c0f-9a3e-1d2c3b4a5968",
    "timestamp": "2024-03-01T11:58:20.000000Z",
    "version": "1.0.0",
}
OVERWRITTEN: dict[str, Any] = {"stored": "2024-03-01T12:00:00.000001Z", "authority": json.loads(AUTHORITY)}


def _arrays(statement: dict[str, Any]) -> dict[str, Any]:
    for one in (statement, statement["object"]):
        activities = one.get("context", {}).get("contextActivities", {}) if "context" in one else {}
        for role, value in activities.items():
            activities[role] = [value] if isinstance(value, dict) else value
    return statement


@given(statements(V1))
@settings(max_examples=100)
def test_exact_has_what_was_sent_and_what_was_assigned(value: dict[str, Any]) -> None:
    raw = write(value, random.Random(1)).encode()
    assert json.loads(_exact(raw)) == ASSIGNED | _arrays(json.loads(raw)) | OVERWRITTEN


def test_exact_keeps_every_byte_that_was_sent() -> None:
    raw = b'{ "actor" : {"mbox":"mailto:\\u0061@b"},\n"verb":{"id":"a:"}, "object":{"id":"a:"}'
    raw += b',"result":{"score":{"raw":1.0}} }'
    exact = _exact(raw)
    assert exact.startswith(raw[:-1])
    assert (
        exact[len(raw) - 1 :]
        == b",%s}" % json.dumps(ASSIGNED | OVERWRITTEN, separators=(",", ":"))[1:-1].encode()
    )


def test_exact_overwrites_only_what_the_lrs_sets() -> None:
    raw = json.dumps(changed({"context.contextActivities.grouping": {"id": "http://e.org"}})).encode()
    exact = _exact(raw)
    expected = raw.replace(b'"2024-03-01T12:00:01Z"', b'"2024-03-01T12:00:00.000001Z"')
    expected = expected.replace(b'{"mbox": "mailto:lms@example.org"}', AUTHORITY)
    expected = expected.replace(
        b'"grouping": {"id": "http://e.org"}', b'"grouping": [{"id": "http://e.org"}]'
    )
    assert exact == expected


def test_exact_finds_members_however_they_are_written() -> None:
    value = changed({"context.contextActivities.grouping": []})
    raw = json.dumps(value).replace('"2024-03-01T12:00:01Z"', '"2024-03-01T12:00:0\\u0031Z"').encode()
    raw = raw.replace(b'"authority"', b'"\\u0061uthority"')
    assert json.loads(_exact(raw)) == value | OVERWRITTEN


def test_ids_keeps_what_identifies_and_leaves_the_rest_alone() -> None:
    anonymous = {
        "objectType": "Group",
        "name": "us",
        "member": [AGENT, {"openid": "http://e.org", "name": "x"}],
    }
    statement = changed({"actor": anonymous, "object": SUB | {"actor": GROUP}, **NO_PLATFORM})
    statement["context"] |= {
        "contextAgents": [{"objectType": "contextAgent", "agent": AGENT, "relevantTypes": ["a:"]}],
        "contextGroups": [{"objectType": "contextGroup", "group": GROUP}],
    }
    raw = json.dumps(statement).encode()
    shown = json.loads(render_ids(_exact(raw, V2)))
    short = {"objectType": "Agent", "mbox": AGENT["mbox"]}
    team = {"objectType": "Group", "mbox": GROUP["mbox"]}
    assert shown["actor"] == {"objectType": "Group", "member": [short, {"openid": "http://e.org"}]}
    assert shown["verb"] == {"id": BASE["verb"]["id"]}
    assert shown["object"] == _arrays({"object": {}, **SUB}) | {"object": SUB["object"], "actor": team}
    assert shown["context"]["team"] == team
    assert shown["context"]["contextAgents"] == [
        {"objectType": "contextAgent", "agent": short, "relevantTypes": ["a:"]}
    ]
    assert shown["context"]["contextGroups"] == [{"objectType": "contextGroup", "group": team}]
    assert shown["result"] == BASE["result"]
    shown = json.loads(render_ids(_exact(json.dumps(BASE).encode())))
    assert shown["object"] == {"id": BASE["object"]["id"]}


def test_canonical_shows_the_canonical_definition_in_one_language() -> None:
    canonical = {
        "name": {"en-US": "Course", "hi": "पाठ्यक्रम"},
        "description": {"ta": "x", "hi-IN": "y"},
        **INTERACTION,
        "choices": [{"id": "a", "description": {"en": "A", "hi": "अ"}}, {"id": "b"}],
    }
    definitions = {BASE["object"]["id"]: json.dumps(canonical).encode()}
    displays = {BASE["verb"]["id"]: b'{"en":"completed","hi":"x"}'}
    exact = _exact(json.dumps(BASE).encode())
    shown = json.loads(render_canonical(exact, definitions, "fr;q=0.9, hi-IN;q=0.8, en;q=0.7", displays))
    assert shown["object"]["definition"] == {
        **canonical,
        "name": {"hi": "पाठ्यक्रम"},
        "description": {"hi-IN": "y"},
        "choices": [{"id": "a", "description": {"hi": "अ"}}, {"id": "b"}],
    }
    assert shown["verb"]["display"] == {"hi": "x"}
    assert shown["actor"] == BASE["actor"]
    unknown = json.loads(render_canonical(exact, {}, None))
    assert unknown["object"] == BASE["object"]
    assert unknown["verb"]["display"] == {"en": "completed"}
    number = json.dumps(changed({"result.extensions": {"a:": "?"}})).replace('"?"', "1" * 400)
    assert b"1" * 400 in render_canonical(_exact(number.encode()), {}, None)


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        *(
            (None, "de"),
            ("", "de"),
            ("hi", "hi"),
            ("en", "en-GB"),
            ("en-US", "en-GB"),
            ("*", "de"),
            ("xx", "de"),
        ),
        *(
            ("fr, hi;q=0.5", "hi"),
            ("hi;q=0.5, en;q=0.8", "en-GB"),
            ("hi;q=0, *", "de"),
            ("de;q=0, *", "en-GB"),
            ("de;q=0", "en-GB"),
            ("en-US, en;q=0", "de"),
            ("en-GB, en;q=0", "en-GB"),
            ("*;q=0, zh;q=0.1", "zh"),
            ("*;q=0", "de"),
            ("EN-gb", "en-GB"),
            ("(,hi", "hi"),
        ),
        ("zh-Hans-CN", "zh"),
    ],
)
def test_the_language_is_the_best_there_is(accepted: str | None, chosen: str) -> None:
    assert choose(["de", "en-GB", "hi", "zh"], preferences(accepted)) == chosen
    assert choose([], preferences(accepted)) is None


@pytest.mark.parametrize(
    ("agent", "identifier"),
    [
        ({"mbox": "mailto:A.b@Example.ORG", "name": "x"}, "mbox:mailto:A.b@example.org"),
        ({"mbox_sha1sum": "AB" * 20}, "mbox_sha1sum:" + "ab" * 20),
        ({"openid": "http://e.org/Me"}, "openid:http://e.org/Me"),
        (
            {"objectType": "Agent", "account": {"name": "a b", "homePage": "http://e.org"}},
            "account:http://e.org a b",
        ),
        (GROUP, "mbox:mailto:team@example.org"),
    ],
)
def test_an_agent_in_a_parameter_is_identified(agent: dict[str, Any], identifier: str) -> None:
    assert read_agent(json.dumps(agent).encode(), V1) == identifier
    (statement,) = read_statements(json.dumps(changed({"actor": agent})).encode(), V1)
    assert statement.actor == identifier


@pytest.mark.parametrize(
    ("agent", "says"),
    [
        (b'{"objectType":"Group","member":[{"mbox":"mailto:a@b"}]}', "exactly one of mbox"),
        (b'{"name":"x"}', "exactly one of mbox"),
        (b"[]", "must be an Agent or a Group"),
        (b'{"mbox":"a@b"}', "mailto IRI"),
        (b'{"mbox":"mailto:a@b"', "ends before"),
        (b'{"mbox":"mailto:a@b","x":1}', "no member of an Agent"),
    ],
)
def test_what_identifies_no_agent_is_refused_with_the_rule(agent: bytes, says: str) -> None:
    with pytest.raises(Rejected, match=says):
        read_agent(agent, V1)
