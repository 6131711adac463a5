"""When two statements are the same, and that this never changes: digests are stored for ever."""

from __future__ import annotations

import json
import random
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.xapi.reader import read_statements
from lrs.xapi.render import render_exact
from lrs.xapi.version import Version
from tests.conformance.statement import ABSENT, AGENT, BASE, GROUP, NO_PLATFORM, SUB, changed
from tests.xapi import reference
from tests.xapi.statements import statements, write

V1, V2 = Version.V1_0_3, Version.V2_0_0


def _digest(value: dict[str, Any] | bytes, version: Version = V1) -> bytes:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_statements(body, version)[0].digest


ANA, BEN = {"mbox": "mailto:ana@example.org"}, {"openid": "http://example.org/ben"}
SAME: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("id", {}, {"id": ABSENT}),
    ("stored", {}, {"stored": ABSENT}),
    ("authority", {}, {"authority": {"mbox": "mailto:other@example.org"}}),
    ("version", {}, {"version": "1.0.3"}),
    ("attachments", {}, {"attachments": ABSENT}),
    ("definition", {}, {"object.definition": ABSENT}),
    (
        "definition of a context activity",
        {},
        {"context.contextActivities.parent": [{"id": "http://example.org/course", "definition": {}}]},
    ),
    ("verb display", {}, {"verb.display": {"fr": "fini"}}),
    (
        "array around one context activity",
        {},
        {"context.contextActivities.grouping": [{"id": "http://example.org/programme"}]},
    ),
    ("default objectType of the actor", {}, {"actor": {k: v for k, v in AGENT.items() if k != "objectType"}}),
    ("default objectType of the object", {}, {"object.objectType": "Activity"}),
    (
        "order of members",
        {"actor": {"objectType": "Group", "member": [ANA, BEN, AGENT]}},
        {"actor": {"objectType": "Group", "member": [AGENT, BEN, ANA]}},
    ),
    ("capitals in a mailbox's domain", {}, {"actor.mbox": "mailto:meera@EXAMPLE.org"}),
    ("capitals of a UUID", {}, {"context.registration": BASE["context"]["registration"].upper()}),
    ("capitals of a language tag", {}, {"context.language": "EN-in"}),
    ("capitals of a SHA-1", {"actor": {"mbox_sha1sum": "a" * 40}}, {"actor": {"mbox_sha1sum": "A" * 40}}),
    ("zone of the same instant", {}, {"timestamp": "2024-03-01T17:30:00.123000+05:30"}),
    ("a number's writing", {"result.score": {"raw": 1}}, {"result.score": {"raw": 1.0}}),
    ("a timestamp assigned by an LRS", {"timestamp": ABSENT}, {"timestamp": BASE["stored"]}),
    (
        "a SubStatement's definition and display",
        {"object": SUB, **NO_PLATFORM},
        {
            "object": SUB
            | {
                "verb": SUB["verb"] | {"display": {"en": "planned"}},
                "object": SUB["object"] | {"definition": {}},
            },
            **NO_PLATFORM,
        },
    ),
]
DIFFERENT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("the actor", {}, {"actor": ANA}),
    ("the actor's name", {}, {"actor.name": "Mira"}),
    ("capitals in a mailbox's local part", {}, {"actor.mbox": "mailto:Meera@example.org"}),
    ("the verb", {}, {"verb.id": "http://adlnet.gov/expapi/verbs/passed"}),
    ("the object", {}, {"object.id": "http://example.org/course/2"}),
    ("the result", {}, {"result": ABSENT}),
    (
        "a score by its last digit",
        {"result.score": {"raw": 1}},
        {"result.score": {"raw": 1.0000000000000002}},
    ),
    ("an extension", {}, {"context.extensions": {}}),
    ("the timestamp by a microsecond", {}, {"timestamp": "2024-03-01T12:00:00.123001Z"}),
    ("the timestamp's absence", {}, {"timestamp": ABSENT}),
    (
        "the order of context activities",
        {"context.contextActivities.other": [{"id": "a:"}, {"id": "b:"}]},
        {"context.contextActivities.other": [{"id": "b:"}, {"id": "a:"}]},
    ),
    (
        "the role of a context activity",
        {},
        {"context.contextActivities": {"grouping": BASE["context"]["contextActivities"]["parent"]}},
    ),
    ("a member", {"actor": GROUP}, {"actor": GROUP | {"member": [ANA]}}),
    (
        "an agent for a group",
        {"actor": {"mbox": "mailto:a@b.c"}},
        {"actor": {"mbox": "mailto:a@b.c", "objectType": "Group"}},
    ),
    ("the response", {}, {"result.response": "yes "}),
    ("a duration of equal length", {}, {"result.duration": "PT90M"}),
]


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize(("what", "one", "two"), SAME, ids=[row[0] for row in SAME])
def test_statements_that_differ_only_in_this_are_the_same(
    what: str, one: dict[str, Any], two: dict[str, Any], version: Version
) -> None:
    assert _digest(changed(one), version) == _digest(changed(two), version), what


@pytest.mark.parametrize("version", [V1, V2])
@pytest.mark.parametrize(("what", "one", "two"), DIFFERENT, ids=[row[0] for row in DIFFERENT])
def test_statements_that_differ_in_this_are_different(
    what: str, one: dict[str, Any], two: dict[str, Any], version: Version
) -> None:
    assert _digest(changed(one), version) != _digest(changed(two), version), what


@pytest.mark.parametrize(
    ("one", "two", "same_in_2_0"),
    [
        ("PT1.239S", "PT1.23S", True),
        ("PT1.10S", "PT1.1S", True),
        ("PT1.001S", "PT1S", True),
        ("PT1,5S", "PT1.5S", True),
        ("PT1.24S", "PT1.23S", False),
        ("PT0.239H", "PT0.23H", False),
    ],
)
def test_durations_are_strings_in_1_0_3_and_exact_to_a_hundredth_second_in_2_0(
    one: str, two: str, same_in_2_0: bool
) -> None:
    first, second = changed({"result.duration": one}), changed({"result.duration": two})
    assert _digest(first, V1) != _digest(second, V1)
    assert (_digest(first, V2) == _digest(second, V2)) == same_in_2_0


@pytest.mark.parametrize(
    "ways",
    [
        ["0", "-0", "0.0", "0e5", "-0.00E-7"],
        ["1", "1.0", "1e0", "10E-1", "0.1e+1", "1.000"],
        ["1200", "1.2e3", "12e2", "120.0e1"],
        ["-0.5", "-5e-1", "-0.50"],
        ["9" * 400, "9" * 400 + ".0", "0." + "9" * 400 + "e400"],
        ["1" + "0" * 400, "1e400"],
    ],
)
def test_numbers_are_compared_as_decimals(ways: list[str]) -> None:
    body = json.dumps(changed({"context.extensions": {"a:": "?"}}))
    assert len({_digest(body.replace('"?"', way).encode()) for way in ways}) == 1


def test_numbers_are_not_rounded() -> None:
    body = json.dumps(changed({"context.extensions": {"a:": "?"}}))
    numbers = ["1", "-1", "10", "0.1", "9" * 400, "9" * 399 + "8", "1e400", "1e401", "1e-400"]
    numbers += ["1e123456789012345678", "10e123456789012345678"]
    assert len({_digest(body.replace('"?"', number).encode()) for number in numbers}) == len(numbers)


@given(
    st.sampled_from(Version).flatmap(lambda v: st.tuples(st.just(v), statements(v))),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100)
def test_the_digest_is_that_of_the_reference_however_it_is_written(
    given: tuple[Version, dict[str, Any]], rng: random.Random
) -> None:
    version, value = given
    raws = [write(value, rng).encode() for _ in range(2)]
    digests = {_digest(raw, version) for raw in raws}
    assert digests == {reference.read(raws[0], version).digest}


@given(statements(V1))
@settings(max_examples=60)
def test_a_statement_read_back_is_the_same_as_the_one_that_was_sent(value: dict[str, Any]) -> None:
    value = {key: member for key, member in value.items() if key != "stored"}
    (sent,) = read_statements(json.dumps(value).encode(), V1)
    back = render_exact(
        *(sent.raw, sent.given),
        id=b"\x01" * 16,
        stored=1_709_294_400_000_001,
        authority=b'{"mbox":"mailto:lrs@example.org"}',
        version="1.0.0",
        timestamp=1_709_294_400_000_001,
    )
    assert read_statements(back, V1)[0].digest == sent.digest
    assert read_statements(sent.raw, V1)[0].digest == sent.digest


def test_the_canonical_text_of_format_1_stays_what_it_was() -> None:
    body = rb"""{"id": "7F1A6B0E-3C55-4A1F-9D0A-5D1B7F0C2E11", "stored": "2024-03-01T12:00:01Z",
        "actor": {"objectType": "Group", "member": [{"openid": "http://e.org/b"},
            {"objectType": "Agent", "mbox": "mailto:A@E.Org", "name": "a\u0022\n"}]},
        "verb": {"id": "http:\/\/e.org\/did", "display": {"en": "did"}},
        "object": {"objectType": "Activity", "id": "http://e.org/1", "definition": {}},
        "context": {"registration": "7F1A6B0E-3C55-4A1F-9D0A-5D1B7F0C2E11", "language": "en-IN",
            "contextActivities": {"parent": {"id": "a:"}, "other": [{"id": "b:"}, {"id": "c:"}]}},
        "result": {"duration": "PT1.239S", "extensions": {"b:": [1.50, null], "a:": 1e400}},
        "timestamp": "2024-03-01T17:30:00.000001+05:30"}"""
    text = (
        '{"actor":{"member":[{"mbox":"mailto:A@e.org","name":"a\\"\n"},{"openid":"http://e.org/b"}],'
        '"objectType":"Group"},'
        '"context":{"contextActivities":{"other":[{"id":"b:"},{"id":"c:"}],"parent":{"id":"a:"}},'
        '"language":"en-in","registration":"7f1a6b0e-3c55-4a1f-9d0a-5d1b7f0c2e11"},'
        '"object":{"id":"http://e.org/1"},'
        '"result":{"duration":"PT1.239S","extensions":{"a:":1e400,"b:":[15e-1,null]}},'
        '"timestamp":1709294400000001,"verb":{"id":"http://e.org/did"}}'
    )
    assert _digest(body, V1) == blake2b(text.encode(), digest_size=16).digest()
    assert _digest(body, V2) == blake2b(text.replace("1.239", "1.23").encode(), digest_size=16).digest()


GOLDEN = {
    "the base": ({}, "35023ebaa64f50e892a5f3c44a000543", "35023ebaa64f50e892a5f3c44a000543"),
    "the least": (
        {key: ABSENT for key in BASE if key not in ("actor", "verb", "object")},
        "6e95b838af9d9e15983e8c4f68d7e5cf",
        "6e95b838af9d9e15983e8c4f68d7e5cf",
    ),
    "a SubStatement": (
        {"object": SUB, **NO_PLATFORM},
        "753ce973609d4de641949784f47ab227",
        "753ce973609d4de641949784f47ab227",
    ),
    "odd texts": (
        {"result.response": 'क"\\\n\x7f😀', "context.extensions": {"a:u": [1e-7, None, {"": True}]}},
        "4e1e3cb0ae499f7e72fe27e8900b0b39",
        "4e1e3cb0ae499f7e72fe27e8900b0b39",
    ),
    "a fine duration": (
        {"result.duration": "PT1.239S"},
        "d701d0f6344defac34f9c7b5df86fd6c",
        "0518d225b111c50d5c49a65e4fea9105",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_digests_stay_what_they_were(name: str) -> None:
    change, *golden = GOLDEN[name]
    assert [_digest(changed(change), version).hex() for version in (V1, V2)] == golden
