"""Scores, attachments, and what members say together (1.0.3 Part Two 2.3 to 2.6; IEEE 9274.1.1 4.2.2)."""

from __future__ import annotations

from lrs.xapi.rules import Rule
from tests.conformance.statement import ABSENT, AGENT, GROUP, INTERACTION, NO_PLATFORM, SUB, Refused

VALUES: tuple[Refused, ...] = (
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
