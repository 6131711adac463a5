"""xAPI statements from lines of a walk: templates with places of fixed width, which a kernel fills in.

cmi5: https://github.com/AICC/CMI-5_Spec_Current; video profile: https://w3id.org/xapi/video. A value that is
narrower than its place is padded with blanks where JSON allows them.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from simulator.behaviour import DAY_MS, Behaviour, choose
from simulator.compiled import I64, U8, kernel
from simulator.enrolment import LIVE, QUIZ_FAILED, QUIZ_PASSED, VIDEO
from simulator.population import LANGUAGE, STATE, person, skew
from simulator.rng import child, mix, uniform
from simulator.scenario import Scenario
from simulator.sitting import (
    ANSWERED,
    COMPLETED,
    FAILED,
    KINDS,
    LAUNCHED,
    PASSED,
    PAUSED,
    PLAYED,
    PROGRESSED,
    REGISTERED,
    SATISFIED,
    SEEKED,
    TERMINATED,
)
from simulator.walk import Lines

Bytes = U8
PLATFORM = "https://learning.example.gov.in"
INDIAN_TIME_MS = 19_800_000
"""Times of a scenario are Indian Standard Time, UTC+05:30; timestamps are UTC."""

# The places in a template; a marker is as wide as what replaces it.
_MARKS = {
    "@id-----------------------------@---": 0,
    "@registration-------------------@---": 1,
    "@session------------------------@---": 2,
    "@learner@@": 3,
    "@course@": 4,
    "@m": 5,
    "@q": 6,
    "@timestamp-------------@": 7,
    '"@seconds@"': 8,
    "@duration@": 9,
    '"@ra@"': 10,
    '"@right"': 11,
    "@s": 12,
    '"@point"': 13,
    "@a": 14,
}
ID, REGISTRATION, SESSION, LEARNER, COURSE, MODULE, QUESTION, TIMESTAMP = range(8)
SECONDS, DURATION, RATIO, RIGHT, STATE_CODE, POINTS, ANSWER = range(8, 15)
MAX_PLACES = 24

_VERBS = {
    "played": "https://w3id.org/xapi/video/verbs/played",
    "paused": "https://w3id.org/xapi/video/verbs/paused",
    "seeked": "https://w3id.org/xapi/video/verbs/seeked",
    "satisfied": "https://w3id.org/xapi/adl/verbs/satisfied",
    "launched": "http://adlnet.gov/expapi/verbs/launched",
    "registered": "http://adlnet.gov/expapi/verbs/registered",
}
_CMI5 = "https://w3id.org/xapi/cmi5/context/"
_VIDEO = "https://w3id.org/xapi/video"
_HINDI = {"Course": "पाठ्यक्रम", "Module": "पाठ", "Question": "प्रश्न"}


class Templates(NamedTuple):
    """Templates by (kind, sort of item, language), as rows."""

    text: Bytes
    length: I64
    places: I64
    """(template, place, (offset, field)); an offset of -1 ends a row."""
    languages: I64  # the language's number of each state; 0 is English
    states: Bytes  # two letters each
    start_ms: int
    """The period's first midnight, in ms since 1970-01-01T00:00Z."""


def _activity(iri: str, kind: str, name: str, number: str, **more: Any) -> dict[str, Any]:
    names = {"en": f"{name} {number}", "hi": f"{_HINDI[name]} {number}"}
    return {"id": iri, "definition": {"type": kind, "name": names, **more}}


def _statement(kind: int, sort: int, language: str) -> dict[str, Any]:
    """A statement with markers. `sort` is the kind of item that it speaks of."""
    verb = KINDS[kind]
    course_id, module_id = f"{PLATFORM}/course/do_@course@", f"{PLATFORM}/course/do_@course@/module/@m"
    course = _activity(course_id, "https://w3id.org/xapi/cmi5/activitytype/course", "Course", "@course@")
    video, quiz = sort in (VIDEO, LIVE), sort in (QUIZ_PASSED, QUIZ_FAILED)
    types = "http://adlnet.gov/expapi/activities/"
    type_ = f"{_VIDEO}/activity-type/video" if video else types + ("assessment" if quiz else "module")
    thing = _activity(module_id, type_, "Module", "@m")
    if kind in (REGISTERED, SATISFIED):
        thing = course
    elif kind == ANSWERED:
        choices = [
            {"id": c, "description": {"en": f"Answer {c}", "hi": f"उत्तर {c}"}}
            for c in ("a1", "a2", "a3", "a4")
        ]
        thing = _activity(
            module_id + "/question/@q",
            types + "cmi.interaction",
            "Question",
            "@q",
            interactionType="choice",
            choices=choices,
            correctResponsesPattern=["a1"],
        )
    category = [{"id": _CMI5 + "categories/cmi5"}]
    if kind in (COMPLETED, PASSED, FAILED, SATISFIED):
        category.append({"id": _CMI5 + "categories/moveon"})
    if kind in (PLAYED, PAUSED, SEEKED, PROGRESSED, ANSWERED, REGISTERED):
        category = [{"id": _VIDEO}] if video and kind != REGISTERED else []
    grouping = [{"id": course_id}]
    activities: dict[str, Any] = {"grouping": grouping} | ({"category": category} if category else {})
    if kind == ANSWERED:
        activities["parent"] = [{"id": module_id}]
    extensions: dict[str, Any] = {
        _CMI5 + "extensions/sessionid": "@session------------------------@---",
        f"{PLATFORM}/extensions/state": "IN-@s",
    }
    if kind == LAUNCHED:
        extensions[_CMI5 + "extensions/launchmode"] = "Normal"
        extensions[_CMI5 + "extensions/moveon"] = "CompletedAndPassed" if quiz else "Completed"
        extensions[_CMI5 + "extensions/launchurl"] = f"{PLATFORM}/launch/do_@course@/@m"
    if kind in (PASSED, FAILED):
        extensions[_CMI5 + "extensions/masteryscore"] = 0.6
    statement: dict[str, Any] = {
        "id": "@id-----------------------------@---",
        "actor": {"objectType": "Agent", "account": {"homePage": PLATFORM, "name": "@learner@@"}},
        "verb": {"id": _VERBS.get(verb, f"http://adlnet.gov/expapi/verbs/{verb}"), "display": {"en": verb}},
        "object": {"objectType": "Activity", **thing},
    }
    result = _result(kind)
    if result:
        statement["result"] = result
    statement["context"] = {
        "registration": "@registration-------------------@---",
        "language": language,
        "platform": "learning portal",
        "contextActivities": activities,
        "extensions": extensions,
    }
    statement["timestamp"] = "@timestamp-------------@"
    return statement


def _result(kind: int) -> dict[str, Any]:
    extension = _VIDEO + "/extensions/"
    if kind in (PLAYED, PAUSED):
        return {"extensions": {extension + "time": "@seconds@"}}
    if kind == SEEKED:
        return {"extensions": {extension + "time-from": "@seconds@", extension + "time-to": 0.0}}
    if kind == PROGRESSED:
        return {"extensions": {extension + "progress": "@ra@"}}
    if kind == ANSWERED:
        return {"response": "@a", "success": "@right"}
    duration = "PT@duration@S"
    if kind == COMPLETED:
        return {"completion": True, "duration": duration}
    if kind in (PASSED, FAILED):
        score = {"scaled": "@ra@", "raw": "@point", "min": 0, "max": 100}
        return {"success": kind == PASSED, "score": score, "duration": duration}
    return {"duration": duration} if kind == TERMINATED else {}


SORTS = LIVE + 1


def templates(scenario: Scenario) -> Templates:
    """The templates for a scenario's languages and states."""
    states = list(scenario.population.states)
    languages = ["en", *sorted({v for v in scenario.population.state_language.values() if v != "en"})]
    texts, places = [], []
    for kind in range(len(KINDS)):
        for sort in range(SORTS):
            for language in languages:
                text = json.dumps(_statement(kind, sort, language), ensure_ascii=False, separators=(",", ":"))
                raw = text.encode() + b"\n"
                texts.append(raw)
                places.append(_places(raw))
    matrix = np.zeros((len(texts), max(map(len, texts))), np.uint8)
    table = np.full((len(texts), MAX_PLACES, 2), -1, np.int64)
    for i, (raw, found) in enumerate(zip(texts, places, strict=True)):
        matrix[i, : len(raw)] = np.frombuffer(raw, np.uint8)
        table[i, : len(found)] = found
    start = np.datetime64(scenario.calendar.start, "ms").astype(np.int64)
    return Templates(
        matrix,
        np.array([len(raw) for raw in texts], np.int64),
        table,
        np.array([languages.index(scenario.population.state_language[s]) for s in states], np.int64),
        np.frombuffer("".join(states).encode(), np.uint8).reshape(-1, 2).copy(),
        int(start) - INDIAN_TIME_MS,
    )


def _places(raw: bytes) -> list[tuple[int, int]]:
    found, taken = [], bytearray(raw)
    for mark, field in sorted(_MARKS.items(), key=lambda item: -len(item[0])):
        needle = mark.encode()
        at = taken.find(needle)
        while at >= 0:
            found.append((at, field))
            taken[at : at + len(needle)] = b"#" * len(needle)
            at = taken.find(needle, at + len(needle))
    return sorted(found)


@kernel
def _digits(out: Bytes, at: int, value: int, width: int) -> None:
    for i in range(width):
        out[at + width - 1 - i] = 48 + value % 10
        value //= 10


@kernel
def _padded(out: Bytes, at: int, value: int, width: int, decimals: int) -> None:
    """A JSON number, value / 10^decimals, right in its place, blanks before it."""
    i = at + width - 1
    for _ in range(decimals):
        out[i] = 48 + value % 10
        value //= 10
        i -= 1
    if decimals > 0:
        out[i] = 46
        i -= 1
    out[i] = 48 + value % 10
    value //= 10
    i -= 1
    while i >= at:
        out[i] = 48 + value % 10 if value > 0 else 32
        value //= 10
        i -= 1


@kernel
def _hex(nibble: np.uint64) -> int:
    n = int(nibble & np.uint64(15))
    return 48 + n if n < 10 else 87 + n


@kernel
def _uuid(out: Bytes, at: int, key: np.uint64) -> None:
    """A UUID of version 4, its bits from a key."""
    low, high = mix(key), mix(key ^ np.uint64(0x5851F42D4C957F2D))
    place = 0
    for i in range(36):
        if i in (8, 13, 18, 23):
            out[at + i] = 45
            continue
        source = low if place < 16 else high
        out[at + i] = _hex(source >> np.uint64(4 * (place & 15)))
        place += 1
    out[at + 14] = 52
    out[at + 19] = _hex(np.uint64(8) | ((high >> np.uint64(60)) & np.uint64(3)))


@kernel
def _timestamp(out: Bytes, at: int, ms: int) -> None:
    """YYYY-MM-DDThh:mm:ss.fffZ of ms since 1970; civil date after Hinnant, "chrono-compatible algorithms"."""
    days = ms // DAY_MS
    rest = ms - days * DAY_MS
    z = days + 719468
    era = z // 146097
    doe = z - era * 146097
    yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    _digits(out, at, yoe + era * 400 + (1 if month <= 2 else 0), 4)
    out[at + 4] = out[at + 7] = 45
    _digits(out, at + 5, month, 2)
    _digits(out, at + 8, doy - (153 * mp + 2) // 5 + 1, 2)
    out[at + 10] = 84
    _digits(out, at + 11, rest // 3_600_000, 2)
    out[at + 13] = out[at + 16] = 58
    _digits(out, at + 14, rest // 60_000 % 60, 2)
    _digits(out, at + 17, rest // 1000 % 60, 2)
    out[at + 19] = 46
    _digits(out, at + 20, rest % 1000, 3)
    out[at + 23] = 90


@kernel
def render(b: Behaviour, t: Templates, seed: int, lines: Lines, order: I64, ends: I64, out: Bytes) -> int:
    """Write the lines in the given order, each with a newline; gives how many fitted, and their ends in
    `ends`.
    """
    sorts = SORTS
    languages = len(t.length) // (len(KINDS) * sorts)
    p = 0
    for k in range(len(order)):
        i = order[k]
        key = person(seed, lines.learner[i])
        state = choose(b.states, uniform(key, STATE))
        language = t.languages[state] if uniform(key, LANGUAGE) < b.home_language else 0
        row = (lines.kind[i] * sorts + lines.item_kind[i]) * languages + language
        size = t.length[row]
        if p + size > len(out):
            return k
        out[p : p + size] = t.text[row, :size]
        enrolment = child(key, 7_000_000 + lines.enrolment[i])
        for j in range(MAX_PLACES):
            at = t.places[row, j, 0]
            if at < 0:
                break
            field = t.places[row, j, 1]
            at += p
            if field == ID:
                _uuid(out, at, child(enrolment, lines.place[i]))
            elif field == REGISTRATION:
                _uuid(out, at, enrolment)
            elif field == SESSION:
                _uuid(out, at, child(enrolment ^ np.uint64(1), lines.place[i] >> 20))
            elif field == LEARNER:
                _digits(out, at, lines.learner[i], 10)
            elif field == COURSE:
                _digits(out, at, lines.course[i] + 1, 8)
            elif field == MODULE:
                _digits(out, at, max(0, lines.module[i]) + 1, 2)
            elif field == QUESTION:
                _digits(out, at, abs(lines.value[i]) // 1000, 2)
            elif field == TIMESTAMP:
                _timestamp(out, at, t.start_ms + lines.at[i] + skew(b, key))
            elif field == SECONDS:
                _padded(out, at, max(0, lines.value[i]), 11, 3)
            elif field == DURATION:
                _digits(out, at, lines.elapsed[i] // 1000, 7)
                out[at + 7] = 46
                _digits(out, at + 8, lines.elapsed[i] // 10 % 100, 2)
            elif field == RATIO:
                _padded(out, at, min(1000, lines.value[i]), 6, 3)
            elif field == POINTS:
                _padded(out, at, min(1000, lines.value[i]), 8, 1)
            elif field == RIGHT:
                word = b"true    " if lines.value[i] > 0 else b"false   "
                for c in range(8):
                    out[at + c] = word[c]
            elif field == ANSWER:
                out[at] = 97
                out[at + 1] = 49 if lines.value[i] > 0 else 50 + (lines.learner[i] + lines.place[i]) % 3
            else:
                out[at : at + 2] = t.states[state]
        p += size
        ends[k] = p
    return len(order)
