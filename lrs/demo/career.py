"""Careers: which courses a learner takes for a role, in which order, until each module is satisfied."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from importlib import resources
from random import Random
from typing import Final

from lrs.demo import phrase as say
from lrs.demo.learner import Learner
from lrs.demo.sitting import Sitting, Standing, sit
from lrs.scoring.catalogue import Catalogue, Course, Module, Role
from lrs.scoring.catalogue_file import read_catalogue

_MOST_ATTEMPTS: Final = 6
"""After so many sittings a learner leaves a module for good."""


def demonstration_catalogue() -> Catalogue:
    """The catalogue that comes with the program."""
    source = resources.files("lrs.demo").joinpath("catalogue.yaml")
    return read_catalogue(source.read_text("utf-8"), source.name)


def role_of(number: int, catalogue: Catalogue) -> Role:
    """The role of a learner: the roles in turn. Raises IndexError when the catalogue has none."""
    return catalogue.roles[number % len(catalogue.roles)]


def courses_for(number: int, catalogue: Catalogue) -> list[Course]:
    """The courses that develop what a learner's role asks for, in the catalogue's order; all courses
    when the catalogue has no roles, or none that its courses lead to."""
    if not catalogue.roles:
        return list(catalogue.courses)
    role = role_of(number, catalogue)
    wanted = {requirement.competency for requirement in role.requirements}
    modules = {module.id: module for module in catalogue.modules}

    def develops(course: Course) -> bool:
        items = [item for part in course.parts for item in modules[part.module].items]
        return any(item.competency in wanted for item in (*course.items, *items))

    return [course for course in catalogue.courses if develops(course)] or list(catalogue.courses)


def career(
    learner: Learner, catalogue: Catalogue, seed: int, satisfied: Collection[str] = ()
) -> Iterator[Sitting]:
    """All sittings of a learner, in order; `satisfied` modules (IRIs) are passed over.

    The same arguments give the same sittings; another seed gives other registrations and ids.
    """
    rng = Random(f"career {seed} {learner.number}")
    modules = {module.id: module for module in catalogue.modules}
    done = set(satisfied)
    for course in courses_for(learner.number, catalogue):
        open_modules = [modules[part.module] for part in course.parts if part.module not in done]
        if open_modules:
            yield from _course(rng, learner, course, open_modules, done)


def _course(
    rng: Random, learner: Learner, course: Course, modules: list[Module], done: set[str]
) -> Iterator[Sitting]:
    registration = say.new_uuid(rng)
    enrolled = False
    for module in modules:
        standing = Standing()
        while not standing.satisfies(module.move_on) and standing.attempts < _MOST_ATTEMPTS:
            sitting = sit(rng, learner, course, module, registration, standing)
            standing = sitting.standing
            if standing.satisfies(module.move_on):
                done.add(module.id)
            if not enrolled:
                sitting = _enrolled(rng, sitting, registration)
                enrolled = True
            if all(part.module in done for part in course.parts):
                sitting = _finished(rng, sitting, registration)
            yield sitting


def _enrolled(rng: Random, sitting: Sitting, registration: str) -> Sitting:
    """The sitting, with the enrolment before it."""
    course = say.activity(sitting.course.id, sitting.course.names, "course")
    context = {"registration": registration, "platform": sitting.learner.platform}
    words = say.phrase(rng, sitting.learner.actor, "registered", course, context)
    return replace(sitting, phrases=((0, words), *sitting.phrases))


def _finished(rng: Random, sitting: Sitting, registration: str) -> Sitting:
    """The sitting, with the learning system's word that the course is satisfied, and a certificate."""
    course = say.activity(sitting.course.id, sitting.course.names, "course")
    context = say.cmi5_context(registration, say.new_uuid(rng), sitting.course.id, sitting.course.id)
    certificate = {"registration": registration, "platform": sitting.learner.platform}
    actor, end = sitting.learner.actor, sitting.length
    satisfied = say.phrase(rng, actor, "satisfied", course, context)
    earned = say.phrase(rng, actor, "earned", course, certificate)
    return replace(sitting, phrases=(*sitting.phrases, (end + 200, satisfied), (end + 2_000, earned)))
