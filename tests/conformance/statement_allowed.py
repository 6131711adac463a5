"""What a statement may be: one row a freedom.

A row changes BASE: ``change`` maps a path to a new value, or to ABSENT. Rows hold in both versions unless
they name one.
"""

from __future__ import annotations

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
    Allowed,
)

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
