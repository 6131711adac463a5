"""Statements for tests: valid ones by hypothesis, ways to write them, and mutations."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from lrs.xapi.version import Version

_IRI_REST = st.text("abcxyz019-._~/क", min_size=1, max_size=12)
IRIS = st.one_of(
    st.sampled_from(["http://example.org/a", "https://w3id.org/xapi/video", "act:1", "urn:uuid:x"]),
    _IRI_REST.map(lambda rest: "http://example.org/" + rest),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
UUIDS = st.uuids().map(str)
LANGUAGES = st.sampled_from(["en", "en-IN", "hi", "zh-Hant", "sr-Latn-RS", "und", "x-a"])
DURATIONS = st.sampled_from(
    ["PT1H30M", "P4W", "P3Y", "PT16559.14S", "PT1.239S", "PT0.5S", "P1DT1.5H", "PT1.10S"]
)
TIMES = st.datetimes().map(lambda t: t.replace(year=max(t.year, 2)).isoformat(timespec="microseconds") + "Z")
NUMBERS = st.one_of(st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


def _of(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


def _either(*choices: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of([_of(choice, {}) for choice in choices])


MAPS = st.dictionaries(LANGUAGES, TEXTS, max_size=3)
EXTENSIONS = st.dictionaries(
    st.one_of(
        IRIS,
        st.sampled_from(
            [
                "https://w3id.org/xapi/cmi5/result/extensions/progress",
                "https://w3id.org/xapi/video/extensions/progress",
                "https://w3id.org/xapi/cmi5/context/extensions/moveon",
                "https://w3id.org/xapi/cmi5/context/extensions/masteryscore",
                "https://w3id.org/xapi/cmi5/context/extensions/launchmode",
                "https://w3id.org/xapi/cmi5/context/extensions/sessionid",
            ]
        ),
    ),
    JSON,
    max_size=3,
)
MAILBOXES = st.sampled_from(["mailto:a@example.org", "mailto:B.c@Example.ORG", "mailto:ü@xn--e.in"])
IDENTIFIERS = _either(
    {"mbox": MAILBOXES},
    {"mbox_sha1sum": st.text("0123456789abcdefABCDEF", min_size=40, max_size=40)},
    {"openid": st.just("https://example.org/me")},
    {"account": st.fixed_dictionaries({"homePage": IRIS, "name": NAMES})},
)


def _merge(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda dicts: {k: v for d in dicts for k, v in d.items()})


def _typed(name: str, optional: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    return _of({}, {"objectType": st.just(name)}) if optional else st.just({"objectType": name})


_NAME = _of({}, {"name": TEXTS})
AGENTS = _merge(IDENTIFIERS, _typed("Agent", optional=True), _NAME)
_MEMBERS = st.lists(AGENTS, min_size=1, max_size=3)
GROUPS = st.one_of(
    _merge(IDENTIFIERS, _typed("Group"), _NAME, _of({}, {"member": _MEMBERS})),
    _merge(_typed("Group"), _NAME, _of({"member": _MEMBERS}, {})),
)
_COMPONENTS = st.lists(
    _of({"id": NAMES}, {"description": MAPS}), max_size=3, unique_by=lambda component: str(component["id"])
)
_INTERACTIONS = _either(
    {"interactionType": st.sampled_from(["choice", "sequencing"]), "choices": _COMPONENTS},
    {
        "interactionType": st.just("likert"),
        "scale": _COMPONENTS,
        "correctResponsesPattern": st.lists(TEXTS, max_size=2),
    },
    {"interactionType": st.just("matching"), "source": _COMPONENTS, "target": _COMPONENTS},
    {"interactionType": st.sampled_from(["performance", "other", "true-false"])},
    {},
)
DEFINITIONS = _merge(
    _of({}, {"name": MAPS, "description": MAPS, "type": IRIS, "moreInfo": IRIS, "extensions": EXTENSIONS}),
    _INTERACTIONS,
)
ACTIVITIES = _merge(_of({"id": IRIS}, {"definition": DEFINITIONS}), _typed("Activity", optional=True))
REFS = st.fixed_dictionaries({"objectType": st.just("StatementRef"), "id": UUIDS})
SCORES = st.one_of(
    _of({}, {"scaled": st.floats(-1, 1), "raw": NUMBERS}),
    st.lists(NUMBERS, min_size=3, max_size=3, unique=True).map(
        lambda n: dict(zip(("min", "raw", "max"), sorted(n), strict=True))
    ),
)
RESULTS = _of(
    {},
    {
        "score": SCORES,
        "success": st.booleans(),
        "completion": st.booleans(),
        "response": TEXTS,
        "duration": DURATIONS,
        "extensions": EXTENSIONS,
    },
)
_ONE_OR_MANY = st.one_of(ACTIVITIES, st.lists(ACTIVITIES, max_size=2))
_RELEVANT = _of({}, {"relevantTypes": st.lists(IRIS, min_size=1, max_size=2)})


@functools.cache
def contexts(version: Version, about_activity: bool) -> st.SearchStrategy[dict[str, Any]]:
    members: dict[str, Any] = {
        "registration": UUIDS,
        "instructor": st.one_of(AGENTS, GROUPS),
        "team": GROUPS,
        "contextActivities": _of(
            {}, dict.fromkeys(("parent", "grouping", "category", "other"), _ONE_OR_MANY)
        ),
        "language": LANGUAGES,
        "statement": REFS,
        "extensions": EXTENSIONS,
    }
    if about_activity:
        members |= {"revision": TEXTS, "platform": TEXTS}
    if version is Version.V2_0_0:
        for name, inner, values in (("contextAgents", "agent", AGENTS), ("contextGroups", "group", GROUPS)):
            entry = _merge(_typed(name[:-1]), _of({inner: values}, {}), _RELEVANT)
            members[name] = st.lists(entry, max_size=2)
    return _of({}, members)


ATTACHMENTS = st.lists(
    _of(
        {
            "usageType": IRIS,
            "display": MAPS,
            "contentType": st.sampled_from(["text/plain", "application/pdf"]),
            "length": st.integers(0, 10**6),
            "sha2": st.text("0123456789abcdef", min_size=64, max_size=64),
        },
        {"description": MAPS, "fileUrl": IRIS},
    ),
    max_size=2,
)


@functools.cache
def _things(version: Version, sub: bool) -> st.SearchStrategy[dict[str, Any]]:
    choices = [ACTIVITIES, ACTIVITIES, REFS, _merge(AGENTS, _typed("Agent")), GROUPS]
    return st.one_of(choices if sub else [*choices, _statements(version, True)])


@functools.cache
def _others(version: Version, sub: bool, about_activity: bool) -> st.SearchStrategy[dict[str, Any]]:
    """All of a statement but its object."""
    optional: dict[str, Any] = {
        "result": RESULTS,
        "context": contexts(version, about_activity),
        "timestamp": TIMES,
        "attachments": ATTACHMENTS,
    }
    if not sub:
        optional |= {
            "id": UUIDS,
            "stored": TIMES,
            "authority": AGENTS,
            "version": st.sampled_from(["1.0", "1.0.0", "1.0.3"]),
        }
    return _of({"actor": st.one_of(AGENTS, GROUPS), "verb": _of({"id": IRIS}, {"display": MAPS})}, optional)


@st.composite
def _statements(draw: st.DrawFn, version: Version, sub: bool) -> dict[str, Any]:
    thing = draw(_things(version, sub))
    about_activity = thing.get("objectType", "Activity") == "Activity"
    statement = draw(_others(version, sub, about_activity))
    return statement | {"object": thing} | ({"objectType": "SubStatement"} if sub else {})


@functools.cache
def statements(version: Version) -> st.SearchStrategy[dict[str, Any]]:
    """Valid statements, as decoded JSON."""
    return _statements(version, False)


def write(value: Any, rng: random.Random) -> str:
    """JSON text of a value in one of the many ways there are: spaces, escapes, order, exponents."""
    space = rng.choice(["", "", " ", "\n\t", "\r "])
    if isinstance(value, dict):
        pairs = list(value.items())
        rng.shuffle(pairs)
        members = [
            # An integer is asked for there, so that 1.0 is not another way to write it.
            f"{write(key, rng)}{space}:{space}{json.dumps(member) if key == 'length' else write(member, rng)}"
            for key, member in pairs
        ]
        return "{" + space + f"{space},{space}".join(members) + space + "}"
    if isinstance(value, list):
        return "[" + f"{space},{space}".join(write(element, rng) for element in value) + space + "]"
    if isinstance(value, str):
        escaped = "".join(
            f"\\u{ord(c):04x}"
            if ord(c) < 0x10000 and rng.random() < 0.05
            else json.dumps(c, ensure_ascii=rng.random() < 0.3)[1:-1]
            for c in value
        )
        return f'"{escaped}"'
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.3:
        return rng.choice([f"{value}.0", f"{value}e0", f"{value * 10}E-1", f"{value}.00e+00"])
    return json.dumps(value)


_TOKENS = [
    *(
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"\xc2",
        b"\0",
        b"null",
    ),
    *(
        b"NaN",
        b"-",
        b"1e999",
        b"0",
        b"true",
        b'"id"',
        b'"objectType":"Group",',
        b" ",
        b"\\u0061",
        b"\xed\xa0\x80",
    ),
]
_VALUES: list[Any] = [
    None,
    True,
    0,
    -1.5,
    "",
    "x",
    "Agent",
    "Group",
    "StatementRef",
    [],
    {},
    [{}],
    {"id": "a:b"},
    "1.0",
    "en",
]


def mutate_bytes(body: bytes, rng: random.Random) -> bytes:
    """One to three small wounds anywhere."""
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(body) + 1)
        end = min(len(body), at + rng.choice([0, 1, 1, 2, 8, 40]))
        piece = rng.choice([b"", rng.choice(_TOKENS), bytes([rng.randrange(256)]), body[at:end] * 2])
        body = body[:at] + piece + body[end:]
    return body


def mutate_value(value: Any, rng: random.Random) -> Any:
    """One value somewhere inside replaced, removed, renamed or moved."""
    places: list[tuple[Any, Any]] = []

    def collect(inner: Any) -> None:
        if isinstance(inner, dict | list):
            for key, child in inner.items() if isinstance(inner, dict) else enumerate(inner):
                places.append((inner, key))
                collect(child)

    collect(value)
    holder, key = rng.choice(places)
    donor, donor_key = rng.choice(places)
    copied = json.loads(json.dumps(donor[donor_key]))
    change: Callable[[], Any] = rng.choice(
        [
            lambda: holder.__setitem__(key, rng.choice(_VALUES)),
            lambda: holder.__delitem__(key),
            lambda: holder.__setitem__(key, copied),
            lambda: holder.__setitem__(donor_key if isinstance(holder, dict) else key, copied),
            lambda: holder.__setitem__(str(key).title() if isinstance(holder, dict) else key, copied),
        ]
    )
    change()
    return value
