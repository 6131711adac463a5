"""Statements with a mistake: valid ones that are changed somewhere, as values and as bytes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests.http.sample import ROOT, activity, agent, fresh, reference, statement, void

SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 10**400, 2**63),
    *("", " ", "a", "true", "1", "null", "\x00", "a\x00b", "\ud800", "\udc00\ud800", "\U0010ffff", "\ufeff"),
    *("é", "e\u0301", "आशा", "a" * 3000, "'; --", "$(id)"),
    *("mailto:a@b", "mailto:", "http://", "http://example.org/%zz", "urn:x", "::"),
    *("en", "en-US", "x-a", "zh-z-aaa-z-bbb", "PT1H", "P4W1D", "P", "PT0.0000001S"),
    *("2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00-00:00"),
    *("9999-12-31T23:59:60Z", "0001-01-01T00:00:00+23:59", "2026-01-01"),
    *("text/plain", "application/octet-stream", "a" * 40, "0" * 64, "1.0.0", "2.0.0", "1.0.x"),
    *("Agent", "Group", "Activity", "StatementRef", "SubStatement", "agent", "Person", "choice", "likert"),
    *("00000000-0000-0000-0000-000000000000", "A0000000-0000-4000-8000-00000000000F"),
    *("http://adlnet.gov/expapi/verbs/voided", [], {}, [[]], [{}], {"": ""}, {"en": "x"}, {"http://x": None}),
    *({"id": "http://example.org/a"}, {"mbox": "mailto:a@example.org"}),
)

_ODD = (
    *(b"\xff", b"\x00", b'"', b"{", b"}", b"[", b"]", b",", b"\\"),
    *(b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"\xed\xa0\x80"),
)


def original(draw: random.Random) -> dict[str, Any]:
    """A valid statement with nearly every member there is, or one that voids."""
    if draw.random() < 0.03:
        return void(fresh(), id=fresh())
    definition = {
        "name": {"en": "Page", "hi": "पृष्ठ"},
        "description": {"en": "A page"},
        "type": ROOT + "type",
        "moreInfo": ROOT + "more",
        "interactionType": "choice",
        "choices": [{"id": "a", "description": {"en": "A"}}, {"id": "b"}],
        "correctResponsesPattern": ["a[,]b"],
        "extensions": {ROOT + "e": [1, {"a": None}]},
    }
    group = {"objectType": "Group", "name": "team", "member": [agent("mate"), {"openid": ROOT + "me"}]}
    around = {"parent": [activity("course")], "other": activity("else")}
    thing: dict[str, Any] = draw.choice(
        (
            {"id": ROOT + "page", "definition": definition},
            {"objectType": "Agent", "mbox_sha1sum": "0" * 40},
            group,
            reference(fresh()),
            statement("inner", objectType="SubStatement", context={"contextActivities": around}),
        )
    )
    score = {"scaled": 0.5, "raw": 5, "min": 0, "max": 10}
    attachment = {
        "usageType": ROOT + "use",
        "display": {"en": "x"},
        "contentType": "text/plain",
        "length": 3,
        "sha2": "a" * 64,
        "fileUrl": ROOT + "file",
    }
    return statement(
        {"account": {"homePage": ROOT, "name": f"learner {draw.randrange(50)}"}, "name": "Asha"},
        {"id": f"{ROOT}verb/{draw.randrange(9)}", "display": {"en-US": "did", "hi": "किया"}},
        object=thing,
        id=fresh(),
        result={
            "score": score,
            "success": True,
            "completion": False,
            "response": "a",
            "duration": "PT1M2.5S",
        },
        context={
            "registration": fresh(),
            "instructor": agent("teacher"),
            "team": group,
            "language": "hi-IN",
            "contextActivities": around,
            "statement": reference(fresh()),
            "extensions": {"https://w3id.org/xapi/cmi5/context/extensions/masteryscore": 0.8},
        },
        timestamp="2026-01-01T12:00:00.123456+05:30",
        attachments=[attachment],
    )


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _names(inner)


NAMES = (
    *sorted({name for seed in range(20) for name in _names(original(random.Random(seed)))}),
    *("authority", "stored", "version", "revision", "platform", "contextAgents", "contextGroups"),
    *("completion", "Actor", "ID"),
)


def mutate(draw: random.Random, value: Any) -> Any:
    """The value with something else somewhere within."""
    if not isinstance(value, dict | list) or not value or draw.random() < 0.1:
        return draw.choice(SCALARS)
    kind = draw.randrange(8)
    if isinstance(value, list):
        place = draw.randrange(len(value))
        if kind == 0:
            return [*value, draw.choice((*SCALARS, *value))]
        if kind == 1:
            return value[:place] + value[place + 1 :]
        return [*value[:place], mutate(draw, value[place]), *value[place + 1 :]]
    name = draw.choice(list(value))
    if kind == 0:
        return {other: inner for other, inner in value.items() if other != name}
    if kind == 1:
        return value | {draw.choice(NAMES): draw.choice(SCALARS)}
    if kind == 2:
        return {draw.choice(NAMES) if other == name else other: inner for other, inner in value.items()}
    return value | {name: mutate(draw, value[name])}


def scramble(draw: random.Random, body: bytes) -> bytes:
    """The bytes changed, cut, doubled, or with something put in."""
    at = draw.randrange(len(body) + 1)
    end = min(len(body), at + draw.randrange(40))
    return draw.choice(
        (
            body[:at],
            body[:at] + draw.choice(_ODD) + body[at:],
            body[:at] + draw.choice(_ODD) + body[at + 1 :],
            body[:end] + body[at:],
            body[:at] + bytes([draw.randrange(256)]) + body[at + 1 :],
        )
    )
