"""Warming: run every kernel once, so that numba's cache holds it before the first real batch."""

from __future__ import annotations

from typing import Final

import numpy as np

from lrs.scoring.batch import effective_time
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.competency import explain, explain_course
from lrs.scoring.course import read_course
from lrs.scoring.event import ABSENT, EVENT, LANDMARK_US, NONE, Flag, no_pairs
from lrs.scoring.level import read_levels
from lrs.scoring.mapping import default_mapping
from lrs.scoring.outcome import milestones
from lrs.scoring.progress import read_progress
from lrs.scoring.readout import read_out
from lrs.scoring.state import State
from lrs.scoring.table import compile_catalogue

_CATALOGUE: Final = """
format: 1
competencies:
  - {id: "example:competency", domain: domain, name: {en: Competency}, half_life_days: 1096}
courses:
  - id: example:course
    name: {en: Course}
    modules:
      - id: example:module
        name: {en: Module}
        kind: plain
        move_on: Passed
        evidence: assessment
        develops: [{competency: "example:competency", level: 1}]
    develops: [{competency: "example:competency", level: 1}]
"""


def warm() -> None:
    """Compile every kernel, or load it from numba's cache. Takes a minute the first time."""
    catalogue = read_catalogue(_CATALOGUE)
    numbers = {iri: number for number, iri in enumerate(catalogue.iris(), start=1)}
    tables = compile_catalogue(catalogue, numbers, {})
    mapping = default_mapping()
    verbs = {verb: number for number, verb in enumerate(mapping.verbs(), start=1)}
    event = np.zeros(1, EVENT)
    event["agent"], event["activity"], event["id_lo"] = 1, numbers["example:module"], 1
    event["verb"] = verbs["http://adlnet.gov/expapi/verbs/passed"]
    event["timestamp"], event["flags"], event["scaled"] = ABSENT, Flag.HAS_SCALED, 8_000
    event["progress"] = event["mastery"] = event["duration_ms"] = NONE
    state = State()
    milestones(state.take(event, no_pairs(), tables, mapping.compile(verbs)), tables)
    ((agent, activity, _, facts),) = state.evidence_rows()
    ((_, _, slots),) = state.course_rows()
    read_progress(facts, activity, tables)
    read_course(slots, 0, tables)
    explain(facts, agent, activity, tables)
    explain_course(LANDMARK_US, agent, 0, tables)
    read_out(state.accumulator_rows(), 1, tables)
    read_levels(state.accumulator_rows(), 1, tables, search=True)
    effective_time(ABSENT, LANDMARK_US)
