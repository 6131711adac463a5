"""Bodies to statements: the kernels' rows, made into records.

The kernels accept or refuse. Only when they refuse, the body is decoded and walked again to tell why
(explain.py). Nothing is remembered between two bodies, so that nothing can be made to grow.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec
import numpy as np
import numpy.typing as npt

from lrs.xapi.attachment import read_attachment
from lrs.xapi.explain import explain, repeated_id
from lrs.xapi.kernel import reading
from lrs.xapi.kernel.findings import Column, Finding, Read
from lrs.xapi.kernel.layout import FREE
from lrs.xapi.rules import Rule
from lrs.xapi.scan import ALL_RULES, Scan, scan
from lrs.xapi.schema import STATEMENT_FORM
from lrs.xapi.score import Score, breaches, holds
from lrs.xapi.statement import Attachment, ObjectKind, Statement
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected, TooMany, Violation

_VERB, _ACTOR, _DIRECT_AGENT, _RELATED_AGENT, _NAME = range(Finding.VERB, Finding.NAME + 1)
_OBJECT_ACTIVITY, _RELATED_ACTIVITY = int(Finding.OBJECT_ACTIVITY), int(Finding.RELATED_ACTIVITY)
_PARENT, _GROUPING, _CATEGORY = int(Finding.PARENT), int(Finding.GROUPING), int(Finding.CATEGORY)
_DEFINITION = int(Finding.DEFINITION)
_VERSION, _SCORE, _SUB_SCORE = int(Finding.VERSION), int(Finding.SCORE), int(Finding.SUB_SCORE)
_ATTACHMENT, _EXTENSION = int(Finding.ATTACHMENT), int(Finding.EXTENSION)
_CMI5_PROGRESS, _VIDEO_PROGRESS, _MOVE_ON, _MASTERY, _LAUNCH_MODE, _SESSION = range(6)
_HAS_ID, _HAS_REGISTRATION, _HAS_REF = int(Read.ID), int(Read.REGISTRATION), int(Read.REF)
_HAS_DURATION, _HAS_VOIDS = int(Read.DURATION), int(Read.VOIDS)
_KINDS = tuple(ObjectKind)
_VERDICTS = {
    bits: None if not bits & int(Read.SUCCESS) else bool(bits & int(Read.SUCCESS_TRUE))
    for bits in (0, int(Read.SUCCESS), int(Read.SUCCESS | Read.SUCCESS_TRUE))
}
_HAS_TIMESTAMP = 2
_NO_SCORE = Score()


class _Identified(msgspec.Struct):
    id: str


_decode_id = msgspec.json.Decoder(_Identified).decode
_decode_score = msgspec.json.Decoder(Score).decode


class _BadScore(Exception):
    """A score whose numbers break a rule, which only the explaining path tells."""


def read_statements(
    body: bytes, version: Version, *, max_statements: int = 10_000, on: npt.NDArray[np.uint8] = ALL_RULES
) -> list[Statement]:
    """The statements of a request's body, in its order: one JSON object, or an array, which may be empty.

    Raises Rejected when any of them breaks any rule, with all that is wrong with one that does (up to
    violation.MOST); when one id stands twice; TooMany when there are more than max_statements. ``on``
    switches rules off, for tests.
    """
    done = scan(body, reading.STATEMENT, version, max_statements, on)
    statements: list[Statement] = []
    if done.verdict >= 0:
        try:
            statements.extend(_records(body, done, on))
        except _BadScore:
            bad = len(statements)
        else:
            ids = [statement.id for statement in statements if statement.id is not None]
            if len(set(ids)) == len(ids) or not on[Rule.REPEATED_ID]:
                return statements
            raise Rejected((_repeated(statements, version),))
    else:
        bad = int(np.argmin(done.rows[:, Column.END] > 0))
    kind = TooMany if done.verdict == -Rule.TOO_MANY_STATEMENTS else Rejected
    raise kind(explain(body, STATEMENT_FORM, version, done, max_statements, bad, on))


def _repeated(statements: list[Statement], version: Version) -> Violation:
    """What to tell of the first statement whose id another one had before."""
    first: dict[bytes | None, int] = {}
    index = next(
        place
        for place, statement in enumerate(statements)
        if first.setdefault(statement.id, place) != place and statement.id is not None
    )
    return repeated_id(index, _decode_id(statements[index].raw).id, version)


def _score(text: bytes, on: npt.NDArray[np.uint8]) -> Score:
    try:
        score = _decode_score(text)
    except msgspec.ValidationError:  # beyond the range of a double
        raise _BadScore from None
    if not holds(score) and any(on[rule] for _, rule in breaches(score)):
        raise _BadScore
    return score


def _fraction(text: bytes, whole: float) -> float | None:
    value = float(text) / whole
    return value if 0 <= value <= 1 else None


def _unique(texts: list[str]) -> tuple[str, ...]:
    return (texts[0],) if len(texts) == 1 else tuple(dict.fromkeys(texts))


def _records(body: bytes, done: Scan, on: npt.NDArray[np.uint8]) -> Iterator[Statement]:
    text = done.buffer[: done.state[FREE]].tobytes()
    ids = done.ids[: done.verdict].tobytes()
    rows = done.rows[: done.verdict].tolist()
    findings = done.findings[: rows[-1][Column.FINDINGS_END] if rows else 0].tolist()
    next_finding = 0
    uuids = 0
    for start, end, canon_start, canon_end, findings_end, given, kind, read, timestamp, _, duration in rows:
        verb = subject = ""
        actor = object_activity = version_sent = progress = video_progress = None
        move_on = mastery = launch_mode = session = None
        score = _NO_SCORE
        direct: list[str] = []
        related: list[str] = []
        activities: list[str] = []
        parents: list[str] = []
        groupings: list[str] = []
        categories: list[str] = []
        definitions: list[tuple[str, bytes]] = []
        names: list[tuple[str, str]] = []
        attachments: list[Attachment] = []
        for what, a, b in findings[next_finding:findings_end]:
            if what == _DEFINITION:
                definitions.append((subject, text[a:b]))
                continue
            if what == _NAME:
                names.append((subject, text[a:b].decode()))
                continue
            if what >= _SCORE:
                if what == _SCORE:
                    score = _score(text[a:b], on)
                elif what == _SUB_SCORE:
                    _score(text[a:b], on)
                elif what == _ATTACHMENT:
                    attachments.append(read_attachment(text[a:b]))
                elif what == _EXTENSION + _CMI5_PROGRESS:
                    progress = _fraction(text[a:b], 100)
                elif what == _EXTENSION + _VIDEO_PROGRESS:
                    video_progress = _fraction(text[a:b], 1)
                elif what == _EXTENSION + _MOVE_ON:
                    move_on = text[a:b].decode()
                elif what == _EXTENSION + _MASTERY:
                    mastery = _fraction(text[a:b], 1)
                elif what == _EXTENSION + _LAUNCH_MODE:
                    launch_mode = text[a:b].decode()
                else:
                    session = text[a:b].decode()
                continue
            subject = text[a:b].decode()
            if what == _VERB:
                verb = subject
            elif what == _ACTOR:
                actor = subject
            elif what == _OBJECT_ACTIVITY:
                object_activity = subject
            elif _RELATED_ACTIVITY <= what <= _CATEGORY:
                activities.append(subject)
                if what == _PARENT:
                    parents.append(subject)
                elif what == _GROUPING:
                    groupings.append(subject)
                elif what == _CATEGORY:
                    categories.append(subject)
            elif what == _VERSION:
                version_sent = subject
            elif what == _DIRECT_AGENT:
                direct.append(subject)
            else:
                related.append(subject)
        next_finding = findings_end
        ref = ids[uuids + 32 : uuids + 48] if read & _HAS_REF else None
        yield Statement(
            body[start:end],
            blake2b(text[canon_start:canon_end], digest_size=16).digest(),
            given,
            ids[uuids : uuids + 16] if read & _HAS_ID else None,
            timestamp if given & _HAS_TIMESTAMP else None,
            verb,
            actor,
            _KINDS[kind],
            object_activity,
            _unique(direct) if direct else (),
            _unique(related) if related else (),
            _unique(activities) if activities else (),
            _unique(parents) if parents else (),
            _unique(groupings) if groupings else (),
            _unique(categories) if categories else (),
            ids[uuids + 16 : uuids + 32] if read & _HAS_REGISTRATION else None,
            ref,
            ref if read & _HAS_VOIDS else None,
            _VERDICTS[read & 48],
            _VERDICTS[read >> 2 & 48],
            score.scaled,
            score.raw,
            score.min,
            score.max,
            duration if read & _HAS_DURATION else None,
            progress if progress is not None else video_progress,
            move_on,
            mastery,
            launch_mode,
            session,
            tuple(definitions),
            tuple(names),
            version_sent,
            tuple(attachments),
        )
        uuids += 48
