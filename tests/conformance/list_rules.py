# ruff: noqa: E501 (one rule a line)
"""What a list of statements has in it: one row a filter.

The statements that are there are named in WORLD, in the order in which they are stored; a row tells which
of them a query finds. In a query, `@name` stands for the id of a statement and `<name` for the instant at
which it was stored. (1.0.3 Part Three 2.1.3; IEEE 9274.1.1 4.1.6.1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lrs.xapi.version import Version
from tests.conformance.statement import BOTH, V2

ROOT = "http://example.org/"
REGISTRATION = "c2a3f4d6-17a8-4b1c-8f57-2f3a9b6c1d20"


def _agent(name: str) -> dict[str, Any]:
    return {"mbox": f"mailto:{name}@example.org"}


def _of(actor: dict[str, Any], verb: str, thing: dict[str, Any] | str, **members: Any) -> dict[str, Any]:
    about = {"id": ROOT + thing} if isinstance(thing, str) else thing
    return {"actor": actor, "verb": {"id": f"{ROOT}verb/{verb}"}, "object": about, **members}


def _ref(name: str) -> dict[str, Any]:
    return {"objectType": "StatementRef", "id": f"@{name}"}


_CONTEXT = {
    "instructor": _agent("guru"),
    "team": {"objectType": "Group", "member": [_agent("mate")]},
    "registration": REGISTRATION,
    "contextActivities": {"parent": [{"id": f"{ROOT}course"}], "other": [{"id": f"{ROOT}page"}]},
}
_GROUP = {"objectType": "Group", **_agent("team"), "member": [_agent("asha")]}

WORLD: dict[str, dict[str, Any]] = {
    "plain": _of(_agent("asha"), "read", "page"),
    "named": _of({**_agent("asha"), "name": "Asha", "objectType": "Agent"}, "passed", "quiz"),
    "hashed": _of({"mbox_sha1sum": "a" * 40}, "read", "page"),
    "account": _of({"account": {"homePage": ROOT, "name": "asha"}}, "read", "quiz"),
    "within": _of(_agent("ravi"), "passed", "quiz", context=_CONTEXT),
    "group": _of(_GROUP, "met", "room"),
    "about": _of(_agent("ravi"), "praised", {"objectType": "Agent", **_agent("asha")}),
    "planned": _of(
        _agent("ravi"),
        "planned",
        {"objectType": "SubStatement", **_of(_agent("asha"), "visit", "museum", context=_CONTEXT)},
    ),
    "gone": _of(_agent("lost"), "vanished", "page"),
    "voiding": _of(_agent("keeper"), "", _ref("gone"))
    | {"verb": {"id": "http://adlnet.gov/expapi/verbs/voided"}},
    "pointing": _of(_agent("guru"), "liked", _ref("named")),
    "twice": _of(_agent("guru"), "shared", _ref("pointing")),
    "to the void": _of(_agent("guru"), "missed", _ref("gone")),
}

NEWER: dict[str, dict[str, Any]] = {
    "contextual": _of(_agent("ravi"), "met", "room", context={"contextAgents": [{"objectType": "contextAgent", "agent": _agent("mate")}]}),
    "grouped": _of(_agent("ravi"), "met", "room", context={"contextGroups": [{"objectType": "contextGroup", "group": {"objectType": "Group", "member": [_agent("asha")]}}]}),
}  # fmt: skip
"""Sent in 2.0, after the others."""


@dataclass(frozen=True, slots=True)
class Row:
    """`finds`: the names of what comes, the newest first unless the query says otherwise."""

    says: str
    query: dict[str, Any]
    finds: str
    versions: tuple[Version, ...] = BOTH


ASHA = {"agent": _agent("asha")}
RELATED = {"related_agents": "true"}
ACTIVITIES = {"related_activities": "true"}

RULES: tuple[Row, ...] = (
    # agent: actor and object, groups that have it as a member; what refers to these
    Row("an agent is found as actor, as object and as a member", ASHA, "twice, pointing, about, group, named, plain"),
    Row("whatever its name, or with objectType", {"agent": {**_agent("asha"), "name": "x", "objectType": "Agent"}}, "twice, pointing, about, group, named, plain"),
    Row("a mailbox is another agent than an account", {"agent": {"account": {"homePage": ROOT, "name": "asha"}}}, "account"),
    Row("an account of another home page is another agent", {"agent": {"account": {"homePage": "http://example.com/", "name": "asha"}}}, ""),
    Row("a mailbox is another agent than a hash of one", {"agent": {"mbox_sha1sum": "a" * 40}}, "hashed"),
    Row("a hash is the same in either case", {"agent": {"mbox_sha1sum": "A" * 40}}, "hashed"),
    Row("a group is found by its identifier", {"agent": {"objectType": "Group", **_agent("team")}}, "group"),
    Row("an instructor is not the agent of a statement", {"agent": _agent("guru")}, "to the void, twice, pointing"),
    Row("but related to it, inside a SubStatement, too", {"agent": _agent("guru")} | RELATED, "to the void, twice, pointing, planned, within"),
    Row("a member of the team is related", {"agent": _agent("mate")} | RELATED, "contextual, planned, within"),
    Row("the actor of a SubStatement and a context group's member are related", ASHA | RELATED, "grouped, twice, pointing, planned, about, group, named, plain"),
    Row("context agents are not the agent of a statement", {"agent": _agent("mate")}, ""),
    # activity
    Row("an activity is found as object", {"activity": f"{ROOT}page"}, "to the void, voiding, hashed, plain"),
    Row("in the context it is related, inside a SubStatement, too", {"activity": f"{ROOT}page"} | ACTIVITIES, "to the void, voiding, planned, within, hashed, plain"),
    Row("the object of a SubStatement is related only", {"activity": f"{ROOT}museum"}, ""),
    Row("and found as such", {"activity": f"{ROOT}museum"} | ACTIVITIES, "planned"),
    Row("an IRI in another case is another activity", {"activity": f"{ROOT}Page"}, ""),
    # verb, registration
    Row("a verb", {"verb": f"{ROOT}verb/passed"}, "twice, pointing, within, named"),
    Row("the verb of a SubStatement is not the statement's", {"verb": f"{ROOT}verb/visit"}, ""),
    Row("a registration", {"registration": REGISTRATION}, "within"),
    Row("a registration in capitals", {"registration": REGISTRATION.upper()}, "within"),
    # references and voids
    Row("a reference matches what its target matches, and so on", {"verb": f"{ROOT}verb/passed", **ASHA}, "twice, pointing, named"),
    Row("a reference to a voided statement, too, and what voided it", {"verb": f"{ROOT}verb/vanished"}, "to the void, voiding"),
    Row("a voided statement is in no list", {"agent": _agent("lost")}, "to the void, voiding"),
    Row("what voids is", {"verb": "http://adlnet.gov/expapi/verbs/voided"}, "voiding"),
    # since, until, ascending, limit
    Row("since excludes its instant", {"since": "<about", "until": "<planned"}, "planned"),
    Row("until includes its instant", {"until": "<named"}, "named, plain"),
    Row("the same instant in both leaves nothing", {"since": "<named", "until": "<named"}, ""),
    Row("a since after until leaves nothing", {"since": "<about", "until": "<named"}, ""),
    Row("since and until are the reference's own", {"verb": f"{ROOT}verb/passed", "since": "<named", "until": "<pointing"}, "pointing, within"),
    Row("ascending is the oldest first", {"verb": f"{ROOT}verb/passed", "ascending": "true"}, "named, within, pointing, twice"),
    Row("all filters hold together", {"verb": f"{ROOT}verb/passed", "activity": f"{ROOT}quiz", "registration": REGISTRATION, "agent": _agent("ravi")}, "within"),
    Row("each of the statement itself or of its target", {"verb": f"{ROOT}verb/liked", **ASHA}, "twice, pointing"),
    Row("a SubStatement's context agents are asked for, too", {"agent": _agent("guru"), "verb": f"{ROOT}verb/planned"} | RELATED, "planned", V2),
)  # fmt: skip
