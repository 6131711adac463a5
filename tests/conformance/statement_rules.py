"""What a statement may be and may not be: one row a rule, with the path at which a breach is told.

A row changes BASE (or another statement): ``change`` maps a path to a new value, or to ABSENT. Rows hold in
both versions unless they name one. This is the place to look a rule up.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from lrs.xapi import Version
from lrs.xapi.rules import Rule

BOTH = tuple(Version)
V1, V2 = (Version.V1_0_3,), (Version.V2_0_0,)
ABSENT = object()

AGENT: dict[str, Any] = {"objectType": "Agent", "mbox": "mailto:meera@example.org", "name": "Meera"}
GROUP: dict[str, Any] = {"objectType": "Group", "mbox": "mailto:team@example.org", "member": [AGENT]}
OAUTH: dict[str, Any] = {
    "objectType": "Group",
    "member": [
        {"account": {"homePage": "http://example.org/oauth/token", "name": "consumer"}},
        {"mbox": "mailto:bob@example.org"},
    ],
}
UUID = "7f1a6b0e-3c55-4a1f-9d0a-5d1b7f0c2e11"
OTHER_UUID = "c2a3f4d6-17a8-4b1c-8f57-2f3a9b6c1d20"
BASE: dict[str, Any] = {
    "id": UUID,
    "actor": AGENT,
    "verb": {
        "id": "http://adlnet.gov/expapi/verbs/completed",
        "display": {"en": "completed", "hi": "पूरा किया"},
    },
    "object": {
        "id": "http://example.org/course/1",
        "definition": {
            "name": {"en-IN": "Course"},
            "description": {"en-IN": "A course"},
            "type": "http://adlnet.gov/expapi/activities/course",
            "moreInfo": "http://example.org/course/1/about",
            "extensions": {"http://example.org/x": {"a": None}},
        },
    },
    "result": {
        "score": {"scaled": 0.5, "raw": 5, "min": 0, "max": 10},
        "success": True,
        "completion": True,
        "response": "yes",
        "duration": "PT1H30M",
        "extensions": {"https://w3id.org/xapi/cmi5/result/extensions/progress": 80},
    },
    "context": {
        "registration": OTHER_UUID,
        "instructor": {"mbox": "mailto:guru@example.org"},
        "team": GROUP,
        "contextActivities": {
            "parent": [{"id": "http://example.org/course"}],
            "grouping": {"objectType": "Activity", "id": "http://example.org/programme"},
            "category": [{"id": "https://w3id.org/xapi/cmi5/context/categories/cmi5"}],
            "other": [],
        },
        "revision": "2",
        "platform": "web",
        "language": "en-IN",
        "statement": {"objectType": "StatementRef", "id": OTHER_UUID},
        "extensions": {"https://w3id.org/xapi/cmi5/context/extensions/sessionid": "s1"},
    },
    "timestamp": "2024-03-01T12:00:00.123Z",
    "stored": "2024-03-01T12:00:01Z",
    "authority": {"mbox": "mailto:lms@example.org"},
    "version": "1.0.0",
    "attachments": [
        {
            "usageType": "http://example.org/certificate",
            "display": {"en": "certificate"},
            "contentType": "application/pdf",
            "length": 27,
            "sha2": "495395e777cd98da653df9615d09c0fd6bb2f8d4788394cd53c56a3bfdcd848a",
            "fileUrl": "https://example.org/certificate.pdf",
        }
    ],
}
INTERACTION: dict[str, Any] = {
    "interactionType": "choice",
    "correctResponsesPattern": ["a[,]b"],
    "choices": [{"id": "a", "description": {"en": "A"}}, {"id": "b"}],
}
SUB: dict[str, Any] = {
    "objectType": "SubStatement",
    "actor": AGENT,
    "verb": {"id": "http://example.org/verbs/planned"},
    "object": {"id": "http://example.org/course/2"},
    "context": {"contextActivities": {"parent": {"id": "http://example.org/course"}}},
    "timestamp": "2124-03-01T12:00:00Z",
}
REF: dict[str, Any] = {"objectType": "StatementRef", "id": OTHER_UUID}
NO_PLATFORM: dict[str, Any] = {"context.revision": ABSENT, "context.platform": ABSENT}


@dataclass(frozen=True)
class Allowed:
    says: str
    change: dict[str, Any]
    versions: tuple[Version, ...] = BOTH


@dataclass(frozen=True)
class Refused:
    rule: Rule
    says: str
    path: str
    change: dict[str, Any]
    versions: tuple[Version, ...] = BOTH


def changed(change: dict[str, Any], base: dict[str, Any] = BASE) -> dict[str, Any]:
    """A copy of the base with the value at each path set or taken away; digits in a path are indices."""
    statement = copy.deepcopy(base)
    for path, value in change.items():
        *way, last = (int(step) if step.isdigit() else step for step in path.split("."))
        target: Any = statement
        for step in way:
            target = target[step]
        if value is ABSENT:
            del target[last]
        else:
            target[last] = copy.deepcopy(value)
    return statement


ALLOWED: tuple[Allowed, ...] = (
    Allowed("every property, as this base has them", {}),
    Allowed(
        "nothing but actor, verb and object",
        {k: ABSENT for k in BASE if k not in ("actor", "verb", "object")},
    ),
    Allowed("an id in capitals", {"id": UUID.upper()}),
    Allowed("a UUID of any version", {"id": "00000000-0000-0000-0000-000000000000"}),
    Allowed("an agent by mbox_sha1sum", {"actor": {"mbox_sha1sum": "A" * 40}}),
    Allowed("an agent by openid", {"actor": {"openid": "http://example.org/me"}}),
    Allowed("an agent by account", {"actor": {"account": {"homePage": "http://e.org", "name": "1"}}}),
    Allowed("an anonymous group with members", {"actor": {"objectType": "Group", "member": [AGENT]}}),
    Allowed(
        "an identified group without members", {"actor": {"objectType": "Group", "openid": "http://g.org"}}
    ),
    Allowed("an identified group with no members", {"actor": GROUP | {"member": []}}),
    Allowed("a group that instructs", {"context.instructor": GROUP}),
    Allowed("an authority that is an OAuth pair", {"authority": OAUTH}),
    Allowed("an agent as object", {"object": AGENT, **NO_PLATFORM}),
    Allowed("a group as object", {"object": GROUP, **NO_PLATFORM}),
    Allowed("a StatementRef as object", {"object": REF, **NO_PLATFORM}),
    Allowed("a SubStatement as object", {"object": SUB, **NO_PLATFORM}),
    Allowed(
        "platform in a SubStatement about an Activity",
        {"object": SUB | {"context": {"platform": "x"}}, **NO_PLATFORM},
    ),
    Allowed(
        "attachments of a SubStatement", {"object": SUB | {"attachments": BASE["attachments"]}, **NO_PLATFORM}
    ),
    Allowed(
        "a voiding statement",
        {"verb.id": "http://adlnet.gov/expapi/verbs/voided", "object": REF, **NO_PLATFORM},
    ),
    Allowed("objectType Activity", {"object.objectType": "Activity"}),
    Allowed("an IRI with other letters", {"verb.id": "http://example.org/क्रिया"}),
    Allowed("an IRI of any scheme", {"object.id": "act:course-1"}),
    Allowed("an IRI with percent-encoding", {"object.id": "http://example.org/%E0%A4%95?q=a+b#f"}),
    *(
        Allowed(f"language tag {tag}", {"verb.display": {tag: "x"}, "context.language": tag})
        for tag in (
            *("de", "cmn", "ase", "zh-Hant", "sr-Latn-RS", "es-MX", "es-419", "zh-cmn-Hans-CN", "EN-in"),
            *("sl-rozaj-biske", "de-CH-1901", "en-a-bbb-x-a-ccc", "x-private", "i-klingon", "en-GB-oed"),
            *("hy-Latn-IT-arevela", "zh-min-nan", "sgn-BE-FR", "ar-a-aaa-b-bbb", "und"),
        )
    ),
    *(
        Allowed(f"duration {duration}", {"result.duration": duration})
        for duration in (
            *("P3Y", "P4W", "PT16559.14S", "PT4H35M59.14S", "P3Y1M29DT4H35M59.14S", "PT0S", "P1DT1S"),
            *("PT1,5H", "P0.5Y", "PT0.123456789S", "PT00001S"),
        )
    ),
    *(
        Allowed(f"timestamp {timestamp}", {"timestamp": timestamp})
        for timestamp in (
            *("2008-09-15T15:53:00.601+00:00", "2008-09-15T15:53:00Z", "2008-02-29T15:53:00.123456789Z"),
            *("2016-12-31T23:59:60Z", "2017-01-01T05:29:60+05:30", "2008-09-15T15:53:00-23:59"),
            *("2999-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        )
    ),
    *(
        Allowed(f"ISO 8601 timestamp {timestamp}", {"timestamp": timestamp}, V1)
        for timestamp in (
            *("2008-09-15T15:53:00", "2008-09-15T15:53Z", "20080915T155300Z", "20080915T1553+0530"),
            *("2008-09-15T24:00:00Z", "2008-09-15T15:53:00,601Z", "2008-09-15T15:53:00+05"),
        )
    ),
    Allowed("an RFC 3339 timestamp in small letters", {"timestamp": "2008-09-15t15:53:00z"}, V2),
    *(Allowed(f"version {v}", {"version": v}) for v in ("1.0", "1.0.0", "1.0.3", "1.0.9")),
    *(Allowed(f"version {v}", {"version": v}, V2) for v in ("2.0", "2.0.0")),
    Allowed("an interaction with its components", {"object.definition": INTERACTION}),
    *(
        Allowed(
            f"interaction {kind} with {' and '.join(lists)}",
            {"object.definition": {"interactionType": kind, **{name: [{"id": "a"}] for name in lists}}},
        )
        for kind, lists in (
            *(("sequencing", ("choices",)), ("likert", ("scale",)), ("matching", ("source", "target"))),
            *(("performance", ("steps",)), ("true-false", ()), ("fill-in", ()), ("long-fill-in", ())),
            *(("numeric", ()), ("other", ())),
        )
    ),
    Allowed(
        "a correct responses pattern without a response",
        {"object.definition": INTERACTION | {"correctResponsesPattern": []}},
    ),
    Allowed(
        "null, empty and nested values in extensions",
        {
            "context.extensions": {
                "http://e.org/x": None,
                "http://e.org/y": "",
                "http://e.org/z": {"": [{}, []]},
            }
        },
    ),
    Allowed("no extensions in extensions", {"result.extensions": {}}),
    Allowed(
        "one context activity without an array", {"context.contextActivities.other": {"id": "http://e.org"}}
    ),
    Allowed("a score at its bounds", {"result.score": {"scaled": -1, "raw": 0, "min": 0, "max": 0.1}}),
    Allowed("a score in exponents", {"result.score": {"scaled": 1e-7, "raw": 1e300}}),
    Allowed("NUL in free text", {"result.response": "a\0b", "actor.name": "\0"}),
    Allowed("an attachment without fileUrl", {"attachments.0.fileUrl": ABSENT}),
    Allowed("a media type with a parameter", {"attachments.0.contentType": 'text/plain; charset="utf-8"'}),
    Allowed("a SHA-512 hash", {"attachments.0.sha2": "F" * 128}),
    Allowed(
        "a signature",
        {
            "attachments.0.usageType": "http://adlnet.gov/expapi/attachments/signature",
            "attachments.0.contentType": "application/octet-stream",
        },
    ),
    Allowed(
        "context agents and groups",
        {
            "context.contextAgents": [
                {"objectType": "contextAgent", "agent": AGENT, "relevantTypes": ["http://e.org/t"]}
            ],
            "context.contextGroups": [{"objectType": "contextGroup", "group": GROUP}],
        },
        V2,
    ),
)


REFUSED: tuple[Refused, ...] = (
    # 2.2 Formatting: types, names, null.
    *(
        Refused(Rule.TYPE, f"null for {path}", f"$.{path}", {path: None})
        for path in (
            *("id", "actor", "verb", "object", "result", "context", "timestamp", "stored", "authority"),
            *("version", "attachments", "actor.name", "verb.display", "object.definition", "result.score"),
            *("result.success", "context.contextActivities", "context.registration", "verb.display.en"),
            *("result.extensions", "object.definition.name"),
        )
    ),
    Refused(Rule.TYPE, "a string for a number", "$.result.score.scaled", {"result.score.scaled": "0.5"}),
    Refused(Rule.TYPE, "a string for a boolean", "$.result.success", {"result.success": "true"}),
    Refused(Rule.TYPE, "a number for a boolean", "$.result.completion", {"result.completion": 1}),
    Refused(Rule.TYPE, "a number for a string", "$.result.response", {"result.response": 1}),
    Refused(Rule.TYPE, "a string for a language map", "$.verb.display", {"verb.display": "completed"}),
    Refused(Rule.TYPE, "a string for an object", "$.object", {"object": "http://e.org"}),
    Refused(Rule.TYPE, "an object for an array", "$.attachments", {"attachments": {}}),
    Refused(
        Rule.TYPE,
        "a string for context activities",
        "$.context.contextActivities.parent",
        {"context.contextActivities.parent": "http://e.org"},
    ),
    Refused(Rule.UNKNOWN, "an unknown member", "$.extra", {"extra": 1}),
    Refused(Rule.UNKNOWN, "an unknown member of an agent", "$.actor.email", {"actor.email": "x"}),
    Refused(Rule.UNKNOWN, "an unknown member of a verb", "$.verb.name", {"verb.name": {"en": "x"}}),
    Refused(Rule.UNKNOWN, "a name in the wrong case", "$.Timestamp", {"timestamp": ABSENT, "Timestamp": "x"}),
    Refused(Rule.UNKNOWN, "a member's name in the wrong case", "$.result.Success", {"result.Success": True}),
    Refused(
        Rule.UNKNOWN,
        "a context activity of another kind",
        "$.context.contextActivities.sibling",
        {"context.contextActivities.sibling": [{"id": "http://e.org"}]},
    ),
    Refused(
        Rule.UNKNOWN, "contextAgents before 2.0", "$.context.contextAgents", {"context.contextAgents": []}, V1
    ),
    Refused(
        Rule.UNKNOWN, "contextGroups before 2.0", "$.context.contextGroups", {"context.contextGroups": []}, V1
    ),
    Refused(Rule.UNKNOWN, "a member that a plain agent has not", "$.actor.member", {"actor.member": []}),
    *(
        Refused(
            Rule.UNKNOWN,
            f"{name} in a SubStatement",
            f"$.object.{name}",
            {"object": SUB | {name: BASE[name]}, **NO_PLATFORM},
        )
        for name in ("id", "stored", "version", "authority")
    ),
    *(
        Refused(Rule.MISSING, f"no {path}", f"$.{path.replace('.0.', '[0].')}", {path: ABSENT})
        for path in (
            *("actor", "verb", "object", "verb.id", "object.id", "attachments.0.usageType"),
            *("attachments.0.display", "attachments.0.contentType", "attachments.0.length"),
            "attachments.0.sha2",
        )
    ),
    Refused(Rule.MISSING, "no home page", "$.actor.account.homePage", {"actor": {"account": {"name": "x"}}}),
    Refused(
        Rule.MISSING,
        "no account name",
        "$.actor.account.name",
        {"actor": {"account": {"homePage": "http://e.org"}}},
    ),
    Refused(
        Rule.MISSING,
        "no id of a component",
        "$.object.definition.choices[0].id",
        {"object.definition": INTERACTION | {"choices": [{}]}},
    ),
    Refused(
        Rule.MISSING,
        "no objectType of a team",
        "$.context.team.objectType",
        {"context.team": {"mbox": "mailto:a@b.c"}},
    ),
    Refused(
        Rule.MISSING,
        "no objectType of a context statement",
        "$.context.statement.objectType",
        {"context.statement": {"id": UUID}},
    ),
    Refused(
        Rule.MISSING,
        "no id of an agent without objectType as object",
        "$.object.id",
        {"object": {"mbox": "mailto:a@b.c"}},
    ),
    # Object types.
    Refused(
        Rule.OBJECT_TYPE, "an unknown objectType", "$.object.objectType", {"object.objectType": "Course"}
    ),
    Refused(
        Rule.OBJECT_TYPE,
        "an objectType in the wrong case",
        "$.actor.objectType",
        {"actor.objectType": "agent"},
    ),
    Refused(
        Rule.OBJECT_TYPE, "an objectType that is no string", "$.actor.objectType", {"actor.objectType": 1}
    ),
    Refused(
        Rule.OBJECT_TYPE,
        "an activity as actor",
        "$.actor.objectType",
        {"actor": {"objectType": "Activity", "id": "http://e.org"}},
    ),
    Refused(
        Rule.OBJECT_TYPE,
        "a group in a group",
        "$.actor.member[0].objectType",
        {"actor": {"objectType": "Group", "member": [GROUP]}},
    ),
    Refused(Rule.OBJECT_TYPE, "an agent as team", "$.context.team.objectType", {"context.team": AGENT}),
    Refused(
        Rule.OBJECT_TYPE,
        "a SubStatement in a SubStatement",
        "$.object.object.objectType",
        {"object": SUB | {"object": SUB}, **NO_PLATFORM},
    ),
    Refused(
        Rule.OBJECT_TYPE,
        "an agent as context activity",
        "$.context.contextActivities.parent[0].objectType",
        {"context.contextActivities.parent": [AGENT]},
    ),
    Refused(
        Rule.OBJECT_TYPE,
        "a context agent of another type",
        "$.context.contextAgents[0].objectType",
        {"context.contextAgents": [{"objectType": "Agent", "agent": AGENT}]},
        V2,
    ),
    Refused(
        Rule.EMPTY,
        "a context agent of no relevant type",
        "$.context.contextAgents[0].relevantTypes",
        {"context.contextAgents": [{"objectType": "contextAgent", "agent": AGENT, "relevantTypes": []}]},
        V2,
    ),
    Refused(
        Rule.IRI,
        "a relevant type that is no IRI",
        "$.context.contextGroups[0].relevantTypes[0]",
        {"context.contextGroups": [{"objectType": "contextGroup", "group": GROUP, "relevantTypes": ["abc"]}]},
        V2,
    ),
    # IRIs.
    *(
        Refused(Rule.IRI, f"{path} without a scheme", f"$.{shown}", {path: "example.org/x"})
        for path, shown in (
            *(("verb.id", "verb.id"), ("object.id", "object.id"), ("object.definition.type",) * 2),
            *((("object.definition.moreInfo",) * 2), ("attachments.0.usageType", "attachments[0].usageType")),
            ("attachments.0.fileUrl", "attachments[0].fileUrl"),
        )
    ),
    *(
        Refused(Rule.IRI, f"the IRI {iri!r}", "$.verb.id", {"verb.id": iri})
        for iri in (
            *("", "http", "ab=c://should.fail.com", "1a:b", ":a", "http://e.org/a b", "http://e.org/<a>"),
            *(
                "http://e.org/%4",
                "http://e.org/%GG",
                "http://e.org/\0",
                "http://e.org/\x85",
                "a|b:c",
                "http://e.org/{x}",
            ),
        )
    ),
    Refused(
        Rule.IRI,
        "a home page without a scheme",
        "$.actor.account.homePage",
        {"actor": {"account": {"homePage": "e.org", "name": "x"}}},
    ),
    *(
        Refused(Rule.IRI, f"a key of {path} that is no IRI", f'$.{path}["no iri"]', {path: {"no iri": 1}})
        for path in ("object.definition.extensions", "result.extensions", "context.extensions")
    ),
    # Agents.
    *(
        Refused(Rule.MAILTO, f"the mailbox {mbox!r}", "$.actor.mbox", {"actor": {"mbox": mbox}})
        for mbox in (
            *(
                "",
                "a@b.c",
                "mailto:",
                "mailto:a",
                "mailto:@b.c",
                "mailto:a@",
                "mailto:a b@c.d",
                "http://a@b.c",
            ),
            *(
                "MAILTO:a@b.c",
                "mailto:a@b.c?subject=x",
                "mailto:null",
                "mailto:a@b.c,d@e.f",
                "mailto:a@b\0.c",
            ),
        )
    ),
    *(
        Refused(Rule.SHA1, f"the SHA-1 {text!r}", "$.actor.mbox_sha1sum", {"actor": {"mbox_sha1sum": text}})
        for text in ("", "a" * 39, "a" * 41, "g" * 40)
    ),
    Refused(Rule.URI, "an openid without a scheme", "$.actor.openid", {"actor": {"openid": "example.org"}}),
    Refused(
        Rule.URI, "an openid that is an IRI only", "$.actor.openid", {"actor": {"openid": "http://e.org/क"}}
    ),
    Refused(
        Rule.NUL,
        "NUL in an account name",
        "$.actor.account.name",
        {"actor": {"account": {"homePage": "http://e.org", "name": "a\0"}}},
    ),
    Refused(
        Rule.NUL,
        "NUL in the id of a component",
        "$.object.definition.choices[0].id",
        {"object.definition": INTERACTION | {"choices": [{"id": "\0"}]}},
    ),
    Refused(Rule.ONE_IDENTIFIER, "an agent without identifier", "$.actor", {"actor": {"name": "x"}}),
    Refused(
        Rule.ONE_IDENTIFIER, "an agent with two", "$.actor", {"actor": AGENT | {"openid": "http://e.org"}}
    ),
    Refused(
        Rule.ONE_IDENTIFIER, "a group with two", "$.actor", {"actor": GROUP | {"openid": "http://e.org"}}
    ),
    Refused(
        Rule.ONE_IDENTIFIER,
        "a member without identifier",
        "$.actor.member[0]",
        {"actor": GROUP | {"member": [{}]}},
    ),
    Refused(
        Rule.ANONYMOUS_MEMBERS,
        "an anonymous group without members",
        "$.actor",
        {"actor": {"objectType": "Group"}},
    ),
    Refused(
        Rule.ANONYMOUS_MEMBERS,
        "an anonymous group of nobody",
        "$.actor",
        {"actor": {"objectType": "Group", "member": []}},
    ),
    Refused(
        Rule.AUTHORITY_GROUP,
        "an identified group as authority",
        "$.authority",
        {"authority": OAUTH | {"mbox": "mailto:a@b.c"}},
    ),
    Refused(
        Rule.AUTHORITY_GROUP,
        "one as authority group",
        "$.authority",
        {"authority": OAUTH | {"member": OAUTH["member"][:1]}},
    ),
    Refused(
        Rule.AUTHORITY_GROUP,
        "three as authority group",
        "$.authority",
        {"authority": OAUTH | {"member": [*OAUTH["member"], AGENT]}},
    ),
    Refused(
        Rule.AUTHORITY_GROUP,
        "no account in an authority group",
        "$.authority",
        {"authority": OAUTH | {"member": [AGENT, {"mbox": "mailto:a@b.c"}]}},
    ),
    # UUIDs.
    *(
        Refused(Rule.UUID, f"the UUID {text!r}", "$.id", {"id": text})
        for text in (
            *(
                "",
                UUID + "8",
                UUID[:-1],
                "M" + UUID[1:],
                UUID.replace("-", ""),
                "{" + UUID + "}",
                UUID[:35] + "\0",
            ),
            UUID[:8] + "_" + UUID[9:],
        )
    ),
    Refused(
        Rule.UUID, "a registration that is no UUID", "$.context.registration", {"context.registration": "1"}
    ),
    Refused(Rule.UUID, "a reference to no UUID", "$.object.id", {"object": REF | {"id": "1"}, **NO_PLATFORM}),
    # Languages, times.
    *(
        Refused(
            Rule.LANGUAGE,
            f"language tag {tag!r}",
            "$.context.language",
            {"context.language": tag},
        )
        for tag in (
            *("zh-z-aaa-z-bbb", "en-", "-en", "en_US", "de-419-DE", "en-x", "a-DE", "de-1901-1901"),
            *(
                "ar-a-aaa-b-bbb-a-ccc",
                "abcdefghi",
                "en-a",
                "x",
                "de-DE-DE",
                "en US",
                "en-x" + "-abcdefgh" * 40,
                "zh-aaa-bbb-ccc-ddd",
            ),
        )
    ),
    Refused(
        Rule.LANGUAGE, "the language tag a12345", "$.verb.display.a12345", {"verb.display": {"a12345": "x"}}
    ),
    Refused(Rule.LANGUAGE, "an empty language tag", '$.verb.display[""]', {"verb.display": {"": "x"}}),
    Refused(Rule.LANGUAGE, "a context in no language", "$.context.language", {"context.language": "a12345"}),
    Refused(
        Rule.LANGUAGE,
        "a component described in no language",
        "$.object.definition.choices[0].description.a12345",
        {"object.definition": INTERACTION | {"choices": [{"id": "a", "description": {"a12345": "x"}}]}},
    ),
    *(
        Refused(Rule.DURATION, f"duration {text!r}", "$.result.duration", {"result.duration": text})
        for text in (
            *(
                "P4W1D",
                "P1Y4W",
                "",
                "P",
                "PT",
                "P1DT",
                "1H",
                "PT1",
                "PA1H0M0S",
                "-PT1S",
                "PT1.5H1M",
                "PT1S1M",
            ),
            *("P1H", "PT1D", "PT1.S", "PT.5S", "PT1H1H", "pt1s", "P1D ", "P0003-06-04T12:30:05", "PT1,S"),
        )
    ),
    *(
        Refused(Rule.TIMESTAMP, f"timestamp {text!r}", "$.timestamp", {"timestamp": text})
        for text in (
            *("", "should fail", "01/011/2015", "2008-09-15T15:53:00.601-00", "2008-09-15T15:53:00.601-0000"),
            *("2008-09-15T15:53:00.601-00:00", "2008-09-15", "2008-02-30T15:53:00Z", "2007-02-29T00:00:00Z"),
            *("2008-13-01T00:00:00Z", "2008-09-15T25:00:00Z", "2008-09-15T24:00:01Z", "2008-09-15T15:60:00Z"),
            *(
                "2008-09-15T15:53:60Z",
                "2008-09-15T15:53:61Z",
                "2008-09-15T15:53:00.Z",
                "2008-09-15T15:53:00+24:00",
            ),
            *(
                "0000-01-01T00:00:00Z",
                "0001-01-01T00:00:00+00:01",
                "9999-12-31T23:59:59-00:01",
                "2008-9-15T15:53:00Z",
            ),
            *(
                "2008-09-15T15:53:00Zx",
                "2008-W38-1T15:53:00Z",
                "2008-09-15T15:53:00.601-05:",
                "٢٠٠٨-09-15T15:53:00Z",
            ),
        )
    ),
    *(
        Refused(Rule.TIMESTAMP, f"not RFC 3339: {text}", "$.timestamp", {"timestamp": text}, V2)
        for text in (
            *("2008-09-15T15:53:00", "2008-09-15T15:53Z", "20080915T155300Z", "2008-09-15T24:00:00Z"),
            *("2008-09-15T15:53:00,601Z", "2008-09-15T15:53:00+05", "2008-09-15T15:53:00+0530"),
        )
    ),
    Refused(Rule.TIMESTAMP, "a wrong stored", "$.stored", {"stored": "yesterday"}),
    *(
        Refused(Rule.VERSION, f"version {v!r}", "$.version", {"version": v})
        for v in ("0.9.9", "1.1.0", "", "1", "1.0.", "1.0.x", "3.0.0")
    ),
    *(Refused(Rule.VERSION, f"version {v!r}", "$.version", {"version": v}, V1) for v in ("2.0.0", "2.0")),
    # Scores.
    Refused(Rule.SCALED_RANGE, "scaled above 1", "$.result.score.scaled", {"result.score.scaled": 1.01}),
    Refused(Rule.SCALED_RANGE, "scaled below -1", "$.result.score.scaled", {"result.score.scaled": -1.01}),
    Refused(Rule.MIN_MAX, "min above max", "$.result.score.min", {"result.score": {"min": 2, "max": 1}}),
    Refused(Rule.MIN_MAX, "min equal to max", "$.result.score.min", {"result.score": {"min": 1, "max": 1.0}}),
    Refused(Rule.RAW_RANGE, "raw above max", "$.result.score.raw", {"result.score": {"raw": 2, "max": 1}}),
    Refused(Rule.RAW_RANGE, "raw below min", "$.result.score.raw", {"result.score": {"raw": 0, "min": 1}}),
    Refused(
        Rule.NUMBER_RANGE, "a score beyond a double", "$.result.score.raw", {"result.score": {"raw": 10**400}}
    ),
    Refused(
        Rule.RAW_RANGE,
        "a score of a SubStatement out of range",
        "$.object.result.score.raw",
        {"object": SUB | {"result": {"score": {"raw": 2, "max": 1}}}, **NO_PLATFORM},
    ),
    # What belongs together.
    Refused(
        Rule.VOIDED_OBJECT,
        "voiding an activity",
        "$.object",
        {"verb.id": "http://adlnet.gov/expapi/verbs/voided"},
    ),
    Refused(
        Rule.ONLY_ABOUT_ACTIVITY,
        "revision about an agent",
        "$.context.revision",
        {"object": AGENT, "context.platform": ABSENT},
    ),
    Refused(
        Rule.ONLY_ABOUT_ACTIVITY,
        "platform about a group",
        "$.context.platform",
        {"object": GROUP, "context.revision": ABSENT},
    ),
    Refused(
        Rule.ONLY_ABOUT_ACTIVITY,
        "platform in a SubStatement about an agent",
        "$.object.context.platform",
        {"object": SUB | {"object": AGENT, "context": {"platform": "x"}}, **NO_PLATFORM},
    ),
    Refused(
        Rule.INTERACTION_TYPE,
        "an interactionType in the wrong case",
        "$.object.definition.interactionType",
        {"object.definition": {"interactionType": "choiCe"}},
    ),
    Refused(
        Rule.NEEDS_INTERACTION_TYPE,
        "choices without interactionType",
        "$.object.definition.choices",
        {"object.definition": {"choices": []}},
    ),
    Refused(
        Rule.NEEDS_INTERACTION_TYPE,
        "a pattern without interactionType",
        "$.object.definition.correctResponsesPattern",
        {"object.definition": {"correctResponsesPattern": []}},
    ),
    *(
        Refused(
            Rule.COMPONENT_LIST,
            f"{name} in {kind}",
            f"$.object.definition.{name}",
            {"object.definition": {"interactionType": kind, name: []}},
        )
        for kind, name in (
            *(("choice", "scale"), ("likert", "choices"), ("matching", "steps"), ("performance", "source")),
            *(("true-false", "choices"), ("numeric", "scale"), ("other", "target")),
        )
    ),
    Refused(
        Rule.DISTINCT_COMPONENTS,
        "two components of one id",
        "$.object.definition.choices[1].id",
        {"object.definition": INTERACTION | {"choices": [{"id": "a"}, {"id": "a"}]}},
    ),
    # Attachments.
    *(
        Refused(
            Rule.MEDIA_TYPE,
            f"the media type {text!r}",
            "$.attachments[0].contentType",
            {"attachments.0.contentType": text},
        )
        for text in ("", "text", "text/", "/plain", "te xt/plain", "text/plain; charset", "text/plain x")
    ),
    *(
        Refused(Rule.SHA2, f"the SHA-2 {text!r}", "$.attachments[0].sha2", {"attachments.0.sha2": text})
        for text in ("", "x" * 64, "a" * 63)
    ),
    *(
        Refused(Rule.COUNT, f"the length {n}", "$.attachments[0].length", {"attachments.0.length": n})
        for n in (-1, 1.5, 10**18, 27.0)
    ),
    Refused(
        Rule.SIGNATURE_TYPE,
        "a signature of another type",
        "$.attachments[0].contentType",
        {"attachments.0.usageType": "http://adlnet.gov/expapi/attachments/signature"},
    ),
)
