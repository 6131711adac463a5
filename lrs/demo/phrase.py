"""Phrases: single statements in the grammars of cmi5, the video and SCORM profiles, and plain xAPI.

Clauses: cmi5 (Quartz) 8 to 10; xAPI Video Profile 1.0.3; xAPI SCORM Profile 1.0. Names are in English
and Hindi. A phrase has no timestamp: the sitting knows when it is said.
"""

from __future__ import annotations

from random import Random
from typing import Any, Final
from uuid import UUID

Phrase = dict[str, Any]

_ADL: Final = "http://adlnet.gov/expapi/verbs/"
_CMI5: Final = "https://w3id.org/xapi/cmi5/context/extensions/"
_CATEGORY: Final = "https://w3id.org/xapi/cmi5/context/categories/"
_VIDEO: Final = "https://w3id.org/xapi/video/extensions/"

VERBS: Final = {
    "registered": (_ADL, "registered for", "पंजीकृत हुए"),
    "launched": (_ADL, "launched", "आरंभ कराया"),
    "initialized": (_ADL, "initialized", "प्रारंभ किया"),
    "experienced": (_ADL, "experienced", "अनुभव किया"),
    "answered": (_ADL, "answered", "उत्तर दिया"),
    "progressed": (_ADL, "progressed", "आगे बढ़े"),
    "interacted": (_ADL, "interacted with", "इंटरैक्ट किया"),
    "completed": (_ADL, "completed", "पूर्ण किया"),
    "passed": (_ADL, "passed", "उत्तीर्ण हुए"),
    "failed": (_ADL, "failed", "अनुत्तीर्ण हुए"),
    "terminated": (_ADL, "terminated", "समाप्त किया"),
    "abandoned": ("https://w3id.org/xapi/adl/verbs/", "abandoned", "छोड़ दिया"),
    "satisfied": ("https://w3id.org/xapi/adl/verbs/", "satisfied", "संतुष्ट किया"),
    "played": ("https://w3id.org/xapi/video/verbs/", "played", "चलाया"),
    "paused": ("https://w3id.org/xapi/video/verbs/", "paused", "रोका"),
    "seeked": ("https://w3id.org/xapi/video/verbs/", "seeked", "आगे-पीछे किया"),
    "earned": ("http://id.tincanapi.com/verb/", "earned", "अर्जित किया"),
}
"""Verbs by their last word: where their IRI begins, how they read in English and in Hindi."""

TYPES: Final = {
    "course": "https://w3id.org/xapi/cmi5/activitytype/course",
    "lesson": "http://adlnet.gov/expapi/activities/lesson",
    "assessment": "http://adlnet.gov/expapi/activities/assessment",
    "question": "http://adlnet.gov/expapi/activities/cmi.interaction",
    "page": "http://activitystrea.ms/schema/1.0/page",
    "video": "https://w3id.org/xapi/video/activity-type/video",
    "performance": "http://adlnet.gov/expapi/activities/performance",
    "profile": "http://adlnet.gov/expapi/activities/profile",
    "attempt": "http://adlnet.gov/expapi/activities/attempt",
}
"""Activity types."""


def new_uuid(rng: Random) -> str:
    """A UUID of version 4 from a seeded source (RFC 9562 5.4)."""
    return str(UUID(int=rng.getrandbits(128), version=4))


def span(milliseconds: int) -> str:
    """An ISO 8601 duration, as players write it: ``PT12M30.5S``."""
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.2f}".rstrip("0").rstrip(".")
    return f"PT{f'{minutes}M' if minutes else ''}{seconds}S"


def verb(word: str) -> dict[str, Any]:
    """A verb with its display."""
    home, english, hindi = VERBS[word]
    return {"id": home + word, "display": {"en": english, "hi": hindi}}


def activity(iri: str, names: dict[str, str], kind: str, **definition: Any) -> dict[str, Any]:
    """An activity with its definition; `kind` is one of TYPES."""
    return {
        "objectType": "Activity",
        "id": iri,
        "definition": {"type": TYPES[kind], "name": names, **definition},
    }


def mention(*iris: str) -> list[dict[str, Any]]:
    """Activities by their id alone, for the context."""
    return [{"objectType": "Activity", "id": iri} for iri in iris]


def phrase(
    rng: Random,
    actor: dict[str, Any],
    word: str,
    thing: dict[str, Any],
    context: dict[str, Any],
    result: dict[str, Any] | None = None,
) -> Phrase:
    """A statement with an id of its own and no timestamp."""
    said = {"id": new_uuid(rng), "actor": actor, "verb": verb(word), "object": thing}
    if result:
        said["result"] = result
    return {**said, "context": context}


# -- cmi5 ----------------------------------------------------------------------------------------


def cmi5_context(
    registration: str,
    session: str,
    publisher: str,
    course: str,
    *,
    defined: bool = True,
    moves_on: bool = False,
    mastery: float | None = None,
) -> dict[str, Any]:
    """The context of a cmi5 statement (9.6): `defined` by cmi5 or only allowed, and whether it can
    satisfy moveOn. `publisher` is the activity's id in the course structure (9.6.2.3)."""
    categories = [_CATEGORY + "cmi5"] if defined else []
    if moves_on:
        categories.append(_CATEGORY + "moveon")
    extensions: dict[str, Any] = {_CMI5 + "sessionid": session}
    if mastery is not None:
        extensions[_CMI5 + "masteryscore"] = mastery
    related = {"grouping": mention(publisher), "parent": mention(course)}
    if categories:
        related["category"] = mention(*categories)
    return {"registration": registration, "contextActivities": related, "extensions": extensions}


def cmi5_launched(
    context: dict[str, Any], publisher: str, move_on: str, mastery: float | None
) -> dict[str, Any]:
    """The context of `launched`, with the launch data (9.6.3)."""
    extensions = {
        **context["extensions"],
        _CMI5 + "launchmode": "Normal",
        _CMI5 + "launchurl": publisher.replace("/module/", "/content/") + "/index.html",
        _CMI5 + "moveon": move_on,
        _CMI5 + "launchparameters": "",
    }
    if mastery is not None:
        extensions[_CMI5 + "masteryscore"] = mastery
    return {**context, "extensions": extensions}


CMI5_PROGRESS: Final = "https://w3id.org/xapi/cmi5/result/extensions/progress"
"""Result extension: progress in percent, an integer (9.5.5.1)."""


# -- video ---------------------------------------------------------------------------------------


def video_context(registration: str, session: str, course: str, length: int, language: str) -> dict[str, Any]:
    """The context of a statement about a video of `length` seconds (Video Profile 7)."""
    return {
        "registration": registration,
        "contextActivities": {
            "category": [{"id": "https://w3id.org/xapi/video", "definition": {"type": TYPES["profile"]}}],
            "parent": mention(course),
        },
        "language": f"{language}-IN",
        "extensions": {
            _VIDEO + "session-id": session,
            _VIDEO + "length": length,
            _VIDEO + "completion-threshold": 0.9,
            _VIDEO + "cc-subtitle-enabled": language == "hi",
            _VIDEO + "quality": "720x480",
            _VIDEO + "speed": "1x",
            _VIDEO + "volume": 0.8,
        },
    }


def video_result(**extensions: Any) -> dict[str, Any]:
    """The result of a video statement; `played_segments` stands for the extension `played-segments`."""
    return {
        "extensions": {_VIDEO + name.replace("_", "-"): value for name, value in extensions.items()},
    }


# -- SCORM and assessments -----------------------------------------------------------------------


def scorm_context(registration: str, module: str, course: str, attempt: int) -> dict[str, Any]:
    """The context of a statement about a SCORM lesson: the attempt and the course group it."""
    return {
        "registration": registration,
        "contextActivities": {
            "category": [{"id": "https://w3id.org/xapi/scorm", "definition": {"type": TYPES["profile"]}}],
            "grouping": [
                {"id": f"{module}?attempt-id={attempt}", "definition": {"type": TYPES["attempt"]}},
                {"id": course},
            ],
        },
    }


def question(module: str, names: dict[str, str], number: int) -> dict[str, Any]:
    """A question with one right choice, as an interaction (1.0.3 Part Two 2.4.4.1)."""
    return activity(
        f"{module}/question/{number}",
        {"en": f"{names['en']}: question {number}", "hi": f"{names.get('hi', names['en'])}: प्रश्न {number}"},
        "question",
        interactionType="choice",
        correctResponsesPattern=["b"],
    )


def marks(scaled: float) -> dict[str, Any]:
    """A score of a hundred points."""
    return {"scaled": scaled, "raw": round(100 * scaled), "min": 0, "max": 100}
