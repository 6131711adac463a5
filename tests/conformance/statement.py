"""The statement that the rows of the tables change, and what a row says."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from lrs.xapi.rules import Rule
from lrs.xapi.version import Version

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
