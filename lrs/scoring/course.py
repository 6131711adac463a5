"""Course progress: which modules of a course one learner has started and satisfied, and since when.

What is stored is a slot per module, in the catalogue's order; the bit set of satisfied modules, the
percentage and the times of the course follow from it. A row is of one catalogue version.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from lrs.scoring.event import ABSENT, ONE
from lrs.scoring.kernel import kernel
from lrs.scoring.progress import earliest
from lrs.scoring.table import Tables

SLOT: Final = np.dtype([("started", "<i8"), ("satisfied", "<i8")])
"""One module; ABSENT: not yet. A course row's state is its slots, packed."""
_SLOT_SIZE: Final = SLOT.itemsize
_UNTOUCHED: Final = np.array((ABSENT, ABSENT), SLOT)

COURSE_PROGRESS: Final = np.dtype(
    [
        ("started", "<i8"),
        ("completed", "<i8"),  # when the last module was satisfied; ABSENT while one is not
        ("satisfied", "<i4"),  # how many modules are
        ("percent", "<i4"),  # of the weights, in ten-thousandths
    ]
)
"""What a course row says."""

CourseRow = tuple[int, int, bytes]
"""A stored row: agent, course, state."""


class CourseError(Exception):
    """A stored course row that is not of this catalogue."""


def stored_slots(
    courses: npt.NDArray[np.void],
    course_index: npt.NDArray[np.int64],
    rows: Iterable[CourseRow],
    tables: Tables,
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int64]]:
    """The slots of these courses as stored (nothing stored: nothing started) and where those of each
    start. Raises CourseError for a row that was not asked for, or of another size than the course."""
    shapes = tables.courses[course_index]
    starts = np.zeros(len(courses) + 1, np.int64)
    np.cumsum(shapes["slots_end"] - shapes["slots"], out=starts[1:])
    slots = np.full(starts[-1], _UNTOUCHED)
    agents, numbers, states = zip(*rows, strict=True) if (rows := list(rows)) else ((), (), ())
    order = np.lexsort((numbers, agents))
    packed = bytearray().join([states[row] for row in order.tolist()])
    sizes = np.array([len(state) for state in states], np.int64)[order]
    places = np.array([agents, numbers], np.int64).T[order]
    if len(packed) % SLOT.itemsize == 0:
        stored = np.frombuffer(packed, SLOT)
        wrong = _locate(
            np.ascontiguousarray(courses), starts, np.ascontiguousarray(places), sizes, stored, slots
        )
    else:
        wrong = int((sizes % SLOT.itemsize != 0).argmax())
    if wrong >= 0:
        agent, course = places[wrong].tolist()
        raise CourseError(
            f"course row ({agent}, {course}) (agent, course) of {sizes[wrong]} bytes is not asked for,"
            " comes twice, or is of another version of the catalogue, whose course has other modules"
        )
    return slots, starts


def read_course(state: bytes | None, course: int, tables: Tables) -> np.void:
    """What a stored state (None: no row) says of the course with this index: one COURSE_PROGRESS.

    Raises CourseError when the state is of another catalogue's course."""
    shape = tables.courses[course]
    size = int(shape["slots_end"] - shape["slots"])
    slots = np.full(size, _UNTOUCHED) if state is None else np.frombuffer(bytearray(state), SLOT)
    if len(slots) != size:
        raise CourseError(f"a state of {len(slots)} modules is not of a course of {size}")
    out = np.zeros(1, COURSE_PROGRESS)
    _summary(slots, 0, course, tables, out, 0)
    return out[0]


def satisfied_bits(state: bytes) -> int:
    """The bit set of satisfied modules of a stored state: bit i is the module in slot i."""
    satisfied = np.frombuffer(state, SLOT)["satisfied"] != ABSENT
    return sum(1 << slot for slot in np.flatnonzero(satisfied).tolist())


@kernel
def _locate(
    courses: npt.NDArray[np.void],
    starts: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    sizes: npt.NDArray[np.int64],
    stored: npt.NDArray[np.void],
    slots: npt.NDArray[np.void],
) -> int:
    """Copy stored rows, sorted, to where their courses have them; the first row that fits none, or -1."""
    at, row = 0, 0
    for place in range(len(places)):
        while row < len(courses) and (
            courses[row]["agent"] < places[place, 0]
            or (courses[row]["agent"] == places[place, 0] and courses[row]["activity"] < places[place, 1])
        ):
            row += 1
        fits = row < len(courses) and (starts[row + 1] - starts[row]) * _SLOT_SIZE == sizes[place]
        if not (
            fits
            and courses[row]["agent"] == places[place, 0]
            and courses[row]["activity"] == places[place, 1]
        ):
            return place
        for slot in range(starts[row], starts[row + 1]):
            slots[slot] = stored[at]
            at += 1
        row += 1
    return -1


@kernel
def _summary(
    slots: npt.NDArray[np.void], start: int, course: int, tables: Tables, out: npt.NDArray[np.void], at: int
) -> None:
    shape = tables.courses[course]
    started = completed = ABSENT
    count, weight = 0, 0
    size = shape["slots_end"] - shape["slots"]
    for slot in range(size):
        rule, state = tables.slots[shape["slots"] + slot], slots[start + slot]
        started = earliest(started, state["started"])
        if state["satisfied"] != ABSENT or rule["always"]:
            count += 1
            weight += rule["weight"]
            completed = max(completed, state["satisfied"])
    row = out[at]
    row["started"], row["satisfied"], row["percent"] = started, count, ONE * weight // shape["weight"]
    if completed == ABSENT:
        completed = started
    row["completed"] = completed if count == size else ABSENT


@kernel
def advance(
    slots: npt.NDArray[np.void],
    starts: npt.NDArray[np.int64],
    course_index: npt.NDArray[np.int64],
    part_keys: npt.NDArray[np.int64],
    part_rows: npt.NDArray[np.int64],
    part_slots: npt.NDArray[np.int64],
    touched: npt.NDArray[np.bool_],
    progress: npt.NDArray[np.void],
    tables: Tables,
    before: npt.NDArray[np.void],
    after: npt.NDArray[np.void],
    changed: npt.NDArray[np.bool_],
) -> None:
    """Put the progress of the touched keys into their slots, in place; fill `before`, `after` and
    `changed` for every course row."""
    for row in range(len(course_index)):
        _summary(slots, starts[row], course_index[row], tables, before, row)
    for part in range(len(part_keys)):
        if part_slots[part] >= 0 and touched[part_keys[part]]:
            row = part_rows[part]
            state, now = slots[starts[row] + part_slots[part]], progress[part_keys[part]]
            if state["started"] != now["first"] or state["satisfied"] != now["satisfied"]:
                state["started"], state["satisfied"] = now["first"], now["satisfied"]
                changed[row] = True
    for row in range(len(course_index)):
        _summary(slots, starts[row], course_index[row], tables, after, row)
