"""Tables: a catalogue compiled for one tenant's interned numbers, as arrays that kernels read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from lrs.scoring.catalogue import Catalogue, EvidenceClass, Item, ModuleKind
from lrs.scoring.decay import DAY_US
from lrs.scoring.event import NONE, MoveOn
from lrs.scoring.fact import REFERENCE_SCORE
from lrs.scoring.kernel import kernel

HOME: Final = np.dtype(
    [
        ("activity", "<i8"),
        ("course", "<i4"),  # index of the course that this is; -1: a module
        ("kind", "<i4"),  # ModuleKind
        ("move_on", "<i4"),  # MoveOn
        ("passing", "<i4"),  # ten-thousandths; NONE
        ("expected", "<i4"),  # ten-thousandths
        ("items", "<i4"),  # items[first:last]
        ("items_end", "<i4"),
        ("places", "<i4"),  # places[first:last]
        ("places_end", "<i4"),
    ]
)
"""An activity that the catalogue knows."""

ITEM: Final = np.dtype(
    [("competency", "<i8"), ("half_life", "<i8"), ("weight", "<i8"), ("level", "<i4"), ("evidence", "<i4")]
)
PLACE: Final = np.dtype([("course", "<i4"), ("slot", "<i4")])
"""A module's place in a course."""

COMPETENCY: Final = np.dtype([("competency", "<i8"), ("half_life", "<i8")])

COURSE: Final = np.dtype(
    [
        ("activity", "<i8"),
        ("slots", "<i4"),  # slots[first:last]
        ("slots_end", "<i4"),
        ("weight", "<i8"),  # of all slots
        ("items", "<i4"),
        ("items_end", "<i4"),
    ]
)
SLOT_RULE: Final = np.dtype([("activity", "<i8"), ("weight", "<i8"), ("always", "<i8")])
"""A module in a course; always: satisfied without doing anything (moveOn NotApplicable)."""


class Tables(NamedTuple):
    """A catalogue for kernels. `homes` and `courses` are sorted by activity, `competencies` too."""

    homes: npt.NDArray[np.void]
    activities: npt.NDArray[np.int64]
    """homes["activity"], contiguous."""
    places: npt.NDArray[np.void]
    items: npt.NDArray[np.void]
    competencies: npt.NDArray[np.void]
    courses: npt.NDArray[np.void]
    slots: npt.NDArray[np.void]
    trusted: npt.NDArray[np.int64]
    """(class, authority) rows, sorted."""
    counting: npt.NDArray[np.int64]
    """Per class: Aggregator, window in microseconds, pass weight."""


def compile_catalogue(
    catalogue: Catalogue, activities: Mapping[str, int], agents: Mapping[str, int]
) -> Tables:
    """Tables for one tenant. `activities`: number of each of `catalogue.iris()`, `agents`: of each of
    `catalogue.agents()`."""
    half_lives = {competency.id: competency.half_life_days for competency in catalogue.competencies}
    items: list[tuple[int, int, int, int, int]] = []

    def add_items(group: Iterable[Item]) -> tuple[int, int]:
        start = len(items)
        for item in group:
            number, half_life = activities[item.competency], half_lives[item.competency]
            items.append((number, half_life, item.weight, item.level, item.evidence))
        return start, len(items)

    modules = {module.id: module for module in catalogue.modules}
    courses: list[tuple[int, ...]] = []
    slots: list[tuple[int, int, bool]] = []
    homes: list[tuple[int, ...]] = []
    in_courses: dict[str, list[tuple[int, int]]] = {}
    ordered = sorted(catalogue.courses, key=lambda course: activities[course.id])
    for index, course in enumerate(ordered):
        first_slot = len(slots)
        for slot, part in enumerate(course.parts):
            always = modules[part.module].move_on is MoveOn.NOT_APPLICABLE
            slots.append((activities[part.module], part.weight, always))
            in_courses.setdefault(part.module, []).append((index, slot))
        span = add_items(course.items)
        weight = sum(part.weight for part in course.parts)
        courses.append((activities[course.id], first_slot, len(slots), weight, *span))
        plain = (ModuleKind.PLAIN, MoveOn.COMPLETED_OR_PASSED, NONE, REFERENCE_SCORE)
        homes.append((activities[course.id], index, *plain, 0, 0, 0, 0))
    places: list[tuple[int, int]] = []
    for module in catalogue.modules:
        first_place = len(places)
        places += in_courses.get(module.id, [])
        expected = REFERENCE_SCORE if module.expected_score == NONE else module.expected_score
        rule = (module.kind, module.move_on, module.passing_score, expected)
        span = add_items(module.items)
        homes.append((activities[module.id], -1, *rule, *span, first_place, len(places)))
    homes.sort()
    trusted = sorted(
        (evidence, agents[agent]) for evidence, listed in catalogue.authorities.items() for agent in listed
    )
    counting = np.zeros((len(EvidenceClass), 3), np.int64)
    for evidence, rule_of in catalogue.counting.items():
        counting[evidence] = (rule_of.aggregator, rule_of.window_days * DAY_US, rule_of.pass_weight)
    table = np.array(homes, HOME)
    return Tables(
        table,
        np.ascontiguousarray(table["activity"]),
        np.array(places, PLACE),
        np.array(items, ITEM),
        np.array(sorted((activities[iri], days) for iri, days in half_lives.items()), COMPETENCY),
        np.array(courses, COURSE),
        np.array(slots, SLOT_RULE),
        np.array(trusted, np.int64).reshape(-1, 2),
        counting,
    )


@kernel
def find_home(activities: npt.NDArray[np.int64], activity: int) -> int:
    """The row of `homes` for an activity, given `Tables.activities`; -1: not in the catalogue."""
    at = np.searchsorted(activities, activity)
    return int(at) if at < len(activities) and activities[at] == activity else -1


@kernel
def rule_of(homes: npt.NDArray[np.void], home: int) -> tuple[int, int, int]:
    """ModuleKind, MoveOn and passing score by which a home (-1: none) is judged."""
    if home < 0:
        return ModuleKind.PLAIN.value, MoveOn.NONE.value, NONE
    rule = homes[home]
    return int(rule["kind"]), int(rule["move_on"]), int(rule["passing"])
