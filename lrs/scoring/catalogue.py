"""The catalogue: roles, courses with their modules, competencies, and how evidence counts.

A catalogue is data with rules. This module has its records; lrs.scoring.catalogue_file reads and
checks the YAML form; lrs.scoring.table compiles it for the kernels. It is versioned by the digest of
its content: what was derived under one digest is not comparable with another.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import msgspec

from lrs.scoring.event import MoveOn

LEVELS = 5
"""Competency levels are 1 to LEVELS (FRAC)."""


class EvidenceClass(enum.IntEnum):
    """How a result came about. Numbers are stored for ever."""

    PROCTORED = 0
    """A proctored, independent assessment (PIAA)."""
    WORKPLACE = 1
    """A workplace or 360-degree assessment (WPCAS)."""
    ASSESSMENT = 2
    """An assessment in a course."""
    COMPLETION = 3
    """Completing something."""
    SELF_CLAIM = 4
    """What only the learner vouches for, and proctored or workplace evidence by an authority that is
    not trusted for it."""


TRUSTED = (EvidenceClass.PROCTORED, EvidenceClass.WORKPLACE)
"""Classes whose evidence counts only from authorities that the catalogue lists."""


class Aggregator(enum.IntEnum):
    """Which attempts of one activity count. A window opens with the first attempt outside the last."""

    FIRST_ATTEMPT_AND_PASS = 0
    """The first attempt of each window; if it fails, also the window's first pass, at reduced weight."""
    LATEST = 1
    """The latest attempt of each window."""
    MEAN_OF_ASSESSORS = 2
    """Per window the mean over assessors of each one's latest assessment."""
    EARLIEST = 3
    """The earliest of each window."""


class ModuleKind(enum.IntEnum):
    """What a module's statements look like."""

    CMI5 = 0
    """Only cmi5-defined statements satisfy."""
    VIDEO = 1
    SCORM = 2
    PLAIN = 3


@dataclass(frozen=True)
class Counting:
    """How attempts of a class are chosen; `pass_weight` in 256ths."""

    aggregator: Aggregator
    window_days: int
    pass_weight: int = 128


COUNTING: Mapping[EvidenceClass, Counting] = {
    EvidenceClass.PROCTORED: Counting(Aggregator.LATEST, 180),
    EvidenceClass.WORKPLACE: Counting(Aggregator.MEAN_OF_ASSESSORS, 365),
    EvidenceClass.ASSESSMENT: Counting(Aggregator.FIRST_ATTEMPT_AND_PASS, 30),
    EvidenceClass.COMPLETION: Counting(Aggregator.EARLIEST, 365),
    EvidenceClass.SELF_CLAIM: Counting(Aggregator.EARLIEST, 365),
}
"""The counting of each class where a catalogue says nothing else."""


@dataclass(frozen=True)
class Competency:
    """A competency; evidence loses half its weight in `half_life_days`."""

    id: str
    domain: str
    names: dict[str, str]
    half_life_days: int


@dataclass(frozen=True)
class Item:
    """That something is evidence of a competency at a level; `weight` in 256ths."""

    competency: str
    level: int
    evidence: EvidenceClass
    weight: int


@dataclass(frozen=True)
class Module:
    """A part of a course. `passing_score` and `expected_score` in ten-thousandths, -1: none."""

    id: str
    names: dict[str, str]
    kind: ModuleKind
    move_on: MoveOn
    passing_score: int
    expected_score: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Part:
    """A module's place in a course; `weight` is its share of the course's percentage."""

    module: str
    weight: int


@dataclass(frozen=True)
class Course:
    """A course, in the order of its parts; `items` are what completing it is evidence of."""

    id: str
    names: dict[str, str]
    parts: tuple[Part, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Requirement:
    """A role asks for a competency at a level or above."""

    competency: str
    level: int


@dataclass(frozen=True)
class Role:
    """A role and what it asks for."""

    id: str
    names: dict[str, str]
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True)
class Catalogue:
    """A whole catalogue. `authorities`: per class the trusted agents in canonical text
    (`mbox:mailto:…`, `account:<home page> <name>`)."""

    competencies: tuple[Competency, ...]
    modules: tuple[Module, ...]
    courses: tuple[Course, ...]
    roles: tuple[Role, ...]
    authorities: dict[EvidenceClass, tuple[str, ...]]
    counting: dict[EvidenceClass, Counting]

    @cached_property
    def digest(self) -> str:
        """32 hex digits, equal for two catalogues iff their content is."""
        content = (
            self.competencies,
            self.modules,
            self.courses,
            self.roles,
            sorted(self.authorities.items()),
            sorted(self.counting.items()),
        )
        return blake2b(msgspec.json.encode(content, order="deterministic"), digest_size=16).hexdigest()

    def iris(self) -> list[str]:
        """Every IRI that `compile` needs a number for, interned as activities."""
        groups: tuple[tuple[Competency | Module | Course, ...], ...] = (
            self.competencies,
            self.modules,
            self.courses,
        )
        return sorted({thing.id for group in groups for thing in group})

    def agents(self) -> list[str]:
        """Every agent that `compile` needs a number for."""
        return sorted({agent for agents in self.authorities.values() for agent in agents})

    def items(self) -> Iterator[Item]:
        """All items, of modules and of courses."""
        for module in self.modules:
            yield from module.items
        for course in self.courses:
            yield from course.items
