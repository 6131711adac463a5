# ruff: noqa: E501 (one rule a line)
"""Which statement is the same as another one of its id, so that it is accepted again: one row a difference.

The statement that is there is BASE (statement.py), without what the LRS assigns; a row changes a copy of
it, which is sent under the same id. What is the same is answered as before and stored once; what is not
is 409. (1.0.3 Part Two 2.3.1 and 4; IEEE 9274.1.1 4.2.4)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lrs.xapi.version import Version
from tests.conformance.statement import ABSENT, BOTH, V1, V2

AGENT = {"mbox": "mailto:meera@example.org", "name": "Meera"}
MEMBER = {"objectType": "Agent", **AGENT}
OTHER_MEMBER = {"mbox": "mailto:arun@example.org"}


@dataclass(frozen=True, slots=True)
class Row:
    """`change` of what is sent again; `before`: of what is there; by path (statement.changed)."""

    says: str
    same: bool
    change: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    versions: tuple[Version, ...] = BOTH


_TEAM, _OTHERS = "context.team", "context.contextActivities.category"
_GROUP = {"objectType": "Group", "member": [MEMBER, OTHER_MEMBER]}

RULES: tuple[Row, ...] = (
    # What does not count
    Row("nothing", True, {}),
    Row("what the LRS assigned", True, {"stored": "2020-01-01T00:00:00Z", "authority": AGENT, "version": "1.0.1"}),
    Row("a default objectType left out", True, {"actor": AGENT}),
    Row("a default objectType given", True, {"object.objectType": "Activity"}),
    Row("the case of a mailbox's domain", True, {"actor.mbox": "mailto:meera@EXAMPLE.org"}),
    Row("the definition of an activity", True, {"object.definition": {"name": {"en": "Another"}}}),
    Row("no definition of an activity", True, {"object.definition": ABSENT}),
    Row("the display of a verb", True, {"verb.display": {"de": "abgeschlossen"}}),
    Row("attachments", True, {"attachments": ABSENT}),
    Row("a context activity in an array", True, {_OTHERS: {"id": "https://w3id.org/xapi/cmi5/context/categories/cmi5"}}),
    Row("the order of a group's members", True, {_TEAM: {**_GROUP, "member": [OTHER_MEMBER, MEMBER]}}, {_TEAM: _GROUP}),
    Row("the zone of the same instant", True, {"timestamp": "2024-03-01T17:30:00.123+05:30"}),
    Row("a zero more of the same instant", True, {"timestamp": "2024-03-01T12:00:00.1230Z"}),
    Row("another way to write a number", True, {"result.score.raw": 5.0, "result.score.scaled": 5e-1}),
    Row("a duration's digits past 0.01 s", True, {"result.duration": "PT1.239S"}, {"result.duration": "PT1.231S"}, V2),
    # What does
    Row("the actor", False, {"actor": OTHER_MEMBER}),
    Row("the actor's name", False, {"actor.name": "Mira"}),
    Row("the case of a mailbox's name", False, {"actor.mbox": "mailto:Meera@example.org"}),
    Row("the verb", False, {"verb.id": "http://adlnet.gov/expapi/verbs/passed"}),
    Row("the object", False, {"object.id": "http://example.org/course/2"}),
    Row("the case of an IRI", False, {"object.id": "http://example.org/Course/1"}),
    Row("a result left out", False, {"result": ABSENT}),
    Row("a score", False, {"result.score.raw": 6}),
    Row("a score in a digit that a double has not", False, {"result.score.raw": 5.000000000000001}),
    Row("success", False, {"result.success": False}),
    Row("the response", False, {"result.response": "no"}),
    Row("an extension", False, {"result.extensions": {"http://example.org/x": None}}),
    Row("the registration", False, {"context.registration": "c2a3f4d6-17a8-4b1c-8f57-2f3a9b6c1d21"}),
    Row("a context activity more", False, {_OTHERS: []}),
    Row("the language", False, {"context.language": "en"}),
    Row("a member of a group", False, {_TEAM: {**_GROUP, "member": [MEMBER]}}, {_TEAM: _GROUP}),
    Row("the instant", False, {"timestamp": "2024-03-01T12:00:00.124Z"}),
    Row("a duration's digits past 0.01 s", False, {"result.duration": "PT1.239S"}, {"result.duration": "PT1.231S"}, V1),
    Row("a duration", False, {"result.duration": "PT2S"}, {"result.duration": "PT1S"}),
)  # fmt: skip
