"""Sittings: what one learner and the learning system say while the learner sits at one module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Final

import msgspec

from lrs.demo import phrase as say
from lrs.demo.learner import Learner
from lrs.demo.phrase import Phrase
from lrs.scoring.catalogue import Course, Module, ModuleKind
from lrs.scoring.event import MOVE_ON, ONE, MoveOn
from lrs.xapi.timestamp import format_timestamp

SECOND: Final = 1_000
"""Times within a sitting are in milliseconds."""

_NAME_OF: Final = {move_on: name for name, move_on in MOVE_ON.items()}
_USUAL_PASS: Final = 0.6
_GIVES_UP: Final = 0.2
_PAGES: Final = ({"en": "Introduction", "hi": "परिचय"}, {"en": "A Case", "hi": "एक प्रकरण"},
                 {"en": "Practice", "hi": "अभ्यास"}, {"en": "Summary", "hi": "सारांश"})  # fmt: skip
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Standing:
    """What a registration has come to in one module."""

    attempts: int = 0
    completed: bool = False
    passed: bool = False

    def satisfies(self, move_on: MoveOn) -> bool:
        """cmi5 13.1.4."""
        if move_on is MoveOn.NOT_APPLICABLE:
            return self.attempts > 0
        if move_on is MoveOn.PASSED:
            return self.passed
        if move_on is MoveOn.COMPLETED:
            return self.completed
        if move_on is MoveOn.COMPLETED_AND_PASSED:
            return self.completed and self.passed
        return self.completed or self.passed


@dataclass(frozen=True)
class Sitting:
    """A sitting: phrases with the milliseconds since its beginning, in order; and what it came to."""

    learner: Learner
    course: Course
    module: Module
    phrases: tuple[tuple[int, Phrase], ...]
    standing: Standing

    @property
    def length(self) -> int:
        """Milliseconds from the beginning to the last phrase."""
        return self.phrases[-1][0]

    def statements(self, begin: int) -> Iterator[tuple[int, bytes]]:
        """Each statement's milliseconds since the beginning, and its JSON, when the sitting begins at
        `begin`, in microseconds since 1970."""
        for after, words in self.phrases:
            yield after, _encode({**words, "timestamp": format_timestamp(begin + after * 1000)})


def sit(
    rng: Random,
    learner: Learner,
    course: Course,
    module: Module,
    registration: str,
    before: Standing,
) -> Sitting:
    """The learner sits at a module once more, within a registration, where it has come to `before`."""
    desk = _Desk(rng, learner, course, module, registration, before)
    desk.speak()
    standing = Standing(before.attempts + 1, before.completed or desk.completed, before.passed or desk.passed)
    return Sitting(learner, course, module, tuple(desk.phrases), standing)


class _Desk:
    """The sitting while it happens."""

    def __init__(
        self,
        rng: Random,
        learner: Learner,
        course: Course,
        module: Module,
        registration: str,
        before: Standing,
    ) -> None:
        self._rng, self._learner, self._course, self._module = rng, learner, course, module
        self._registration, self._before = registration, before
        self._session = say.new_uuid(rng)
        self._mastery = module.passing_score / ONE if module.passing_score >= 0 else None
        self._now = 0
        self.phrases: list[tuple[int, Phrase]] = []
        self.completed = self.passed = False

    def speak(self) -> None:
        {
            ModuleKind.CMI5: self._cmi5,
            ModuleKind.VIDEO: self._video,
            ModuleKind.SCORM: self._scorm,
            ModuleKind.PLAIN: self._assessed,
        }[self._module.kind]()

    def _say(self, word: str, thing: Phrase, context: Phrase, result: Phrase | None = None) -> None:
        actor = self._learner.actor
        context = {**context, "platform": self._learner.platform}
        context.setdefault("language", f"{self._learner.language}-IN")
        self.phrases.append((self._now, say.phrase(self._rng, actor, word, thing, context, result)))

    def _pause(self, low: float, high: float) -> None:
        """Time passes: so many seconds."""
        self._now += round(self._rng.uniform(low, high) * SECOND)

    def _gives_up(self) -> bool:
        return self._rng.random() < _GIVES_UP * (1 - self._learner.patience)

    def _score(self) -> float:
        expected = self._module.expected_score
        ease = expected / ONE - _USUAL_PASS if expected >= 0 else 0.0
        practice = 0.08 * self._before.attempts
        mean = 0.35 + 0.5 * self._learner.ability + ease + practice
        return round(min(max(self._rng.gauss(mean, 0.12), 0.05), 1.0), 4)

    # -- cmi5 ------------------------------------------------------------------------------------

    def _cmi5(self) -> None:
        publisher, course = self._module.id, self._course.id
        # The learning system gives the unit an id of its own (cmi5 8.1.5).
        unit = say.activity(
            publisher.replace("/module/", "/unit/"),
            self._module.names,
            "lesson" if self._mastery is None else "assessment",
        )
        registration, session = self._registration, self._session

        def context(
            *, defined: bool = True, moves_on: bool = False, mastery: float | None = None
        ) -> dict[str, object]:
            return say.cmi5_context(
                registration, session, publisher, course, defined=defined, moves_on=moves_on, mastery=mastery
            )

        move_on = _NAME_OF.get(self._module.move_on, "NotApplicable")
        self._say("launched", unit, say.cmi5_launched(context(), publisher, move_on, self._mastery))
        self._pause(1, 4)
        self._say("initialized", unit, context())
        if self._gives_up():
            self._pause(60, 300)
            self._say("abandoned", unit, context(), {"duration": say.span(self._now)})
            return
        if self._mastery is None:
            self._read(context(defined=False))
        else:
            self._answer(context(defined=False))
        spent = say.span(self._now)
        if not self._before.completed:
            self.completed = True
            result = {"completion": True, "duration": spent, "extensions": {say.CMI5_PROGRESS: 100}}
            self._say("completed", unit, context(moves_on=True), result)
        if self._mastery is not None and not self._before.passed:
            scaled = self._score()
            self.passed = scaled >= self._mastery
            word = "passed" if self.passed else "failed"
            result = {"success": self.passed, "score": say.marks(scaled), "duration": spent}
            self._pause(0.2, 1)
            self._say(word, unit, context(moves_on=True, mastery=self._mastery), result)
        self._pause(0.5, 20)
        self._say("terminated", unit, context(), {"duration": say.span(self._now)})

    def _read(self, context: Phrase) -> None:
        """Pages read, and the progress that the unit tells."""
        for number, names in enumerate(_PAGES, 1):
            self._pause(40, 240)
            page = say.activity(f"{self._module.id}/page/{number}", names, "page")
            progress = {say.CMI5_PROGRESS: 100 * number // len(_PAGES)}
            self._say("experienced", page, context, {"extensions": progress})

    def _answer(self, context: Phrase) -> None:
        """Questions answered."""
        for number in range(1, self._rng.randint(4, 8) + 1):
            self._pause(15, 90)
            right = self._rng.random() < 0.2 + 0.75 * self._learner.ability
            result = {"response": "b" if right else self._rng.choice("ac"), "success": right}
            result["duration"] = say.span(self._rng.randint(8_000, 60_000))
            self._say("answered", say.question(self._module.id, self._module.names, number), context, result)

    # -- other profiles --------------------------------------------------------------------------

    def _video(self) -> None:
        length = 60 * (3 + len(self._module.id) % 10)
        video = say.activity(self._module.id, self._module.names, "video")
        context = say.video_context(
            self._registration, self._session, self._course.id, length, self._learner.language
        )
        self._say("initialized", video, context)
        at, start, segments = 0.0, 0.0, ""
        stop = float(length) if not self._gives_up() else round(length * self._rng.uniform(0.2, 0.8), 3)
        self._pause(1, 5)
        self._say("played", video, context, say.video_result(time=0))
        while at < stop:
            watched = min(self._rng.uniform(0.15, 0.6) * length, stop - at)
            self._now += round(watched * SECOND)
            at = round(at + watched, 3)
            if at >= stop:
                break
            if self._rng.random() < 0.3:
                back = round(max(0.0, at - 20), 3)
                self._say("seeked", video, context, say.video_result(time_from=at, time_to=back))
                at = back
                continue
            segments = f"{segments}{'[,]' if segments else ''}{start:g}[.]{at:g}"
            told = say.video_result(time=at, progress=round(at / length, 3), played_segments=segments)
            self._say("paused", video, context, told)
            self._pause(4, 60)
            self._say("played", video, context, say.video_result(time=at))
            start = at
        segments = f"{segments}{'[,]' if segments else ''}{start:g}[.]{at:g}"
        told = say.video_result(time=at, progress=round(min(at / length, 1), 3), played_segments=segments)
        if stop == length:
            self.completed = True
            result = {**told, "completion": True, "duration": say.span(self._now)}
            self._say("completed", video, context, result)
        self._pause(1, 5)
        self._say("terminated", video, context, {**told, "duration": say.span(self._now)})

    def _scorm(self) -> None:
        lesson = say.activity(self._module.id, self._module.names, "lesson")
        context = say.scorm_context(
            self._registration, self._module.id, self._course.id, self._before.attempts + 1
        )
        self._say("initialized", lesson, context)
        self._pause(200, 900)
        if not self._gives_up():
            scaled = self._score()
            self.completed = True
            self.passed = scaled >= (self._mastery or _USUAL_PASS)
            spent = say.span(self._now)
            self._say("completed", lesson, context, {"completion": True, "duration": spent})
            self._pause(0.1, 0.5)
            result = {"success": self.passed, "score": say.marks(scaled), "duration": spent}
            self._say("passed" if self.passed else "failed", lesson, context, result)
        self._pause(1, 5)
        self._say("terminated", lesson, context, {"duration": say.span(self._now)})

    def _assessed(self) -> None:
        """An assessor has watched the learner at work."""
        performance = say.activity(self._module.id, self._module.names, "performance")
        scaled = self._score()
        self.passed = scaled >= (self._mastery or _USUAL_PASS)
        context = {
            "registration": self._registration,
            "contextActivities": {"parent": say.mention(self._course.id)},
            "instructor": {"objectType": "Agent", "name": "Assessor", "mbox": "mailto:assessor@example.org"},
        }
        self._pause(600, 3600)
        result = {"success": self.passed, "score": say.marks(scaled), "duration": say.span(self._now)}
        self._say("passed" if self.passed else "failed", performance, context, result)


def microseconds(instant: datetime) -> int:
    """An instant as `Sitting.statements` takes it."""
    return round((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
