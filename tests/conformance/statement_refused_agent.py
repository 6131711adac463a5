"""Agents and groups (1.0.3 Part Two 2.4.2; IEEE 9274.1.1 4.2.2.1)."""

from __future__ import annotations

from lrs.xapi.rules import Rule
from tests.conformance.statement import AGENT, GROUP, INTERACTION, OAUTH, Refused

AGENTS: tuple[Refused, ...] = (
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
)
