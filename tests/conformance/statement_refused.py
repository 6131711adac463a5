"""What a statement may not be: one row a rule, with the path at which the breach is told.

A row changes BASE: ``change`` maps a path to a new value, or to ABSENT. Rows hold in both versions unless
they name one. This is the place to look a rule up; its words and clause are in lrs/xapi/rules.py.
"""

from __future__ import annotations

from lrs.xapi.rules import Rule
from tests.conformance.statement import (
    ABSENT,
    AGENT,
    BASE,
    GROUP,
    INTERACTION,
    NO_PLATFORM,
    OAUTH,
    REF,
    SUB,
    UUID,
    V1,
    V2,
    Refused,
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
