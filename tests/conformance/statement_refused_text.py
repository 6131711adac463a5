"""Strings of a format: IRIs, UUIDs, languages, times, versions (1.0.3 Part Two 4; IEEE 9274.1.1 4.2.7)."""

from __future__ import annotations

from lrs.xapi.rules import Rule
from tests.conformance.statement import INTERACTION, NO_PLATFORM, REF, UUID, V1, V2, Refused

TEXTS: tuple[Refused, ...] = (
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
)
