"""Types, names, what is missing, and what an object says it is (1.0.3 Part Two 2.2; IEEE 9274.1.1 4.2.1)."""

from __future__ import annotations

from lrs.xapi.rules import Rule
from tests.conformance.statement import (
    ABSENT,
    AGENT,
    BASE,
    GROUP,
    INTERACTION,
    NO_PLATFORM,
    SUB,
    UUID,
    V1,
    V2,
    Refused,
)

FORMS: tuple[Refused, ...] = (
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
)
