"""Scoring: from learning events to progress and competency. Pure: no I/O, no clock; kernels in numba.

Where to find what:

event        EVENT and PAIR records of the evidence log; encode_events, decode_events
fact         FACT records, the packed form of evidence rows
mapping      which statements become which facts (data/mapping.yaml)
catalogue    roles, courses, modules, competencies; catalogue_file reads YAML, table compiles
batch        read_batch: events to facts, effective time, homes, the keys to read
evidence     sets of facts: merging, chunks
progress     PROGRESS of a learner in an activity: cmi5 moveOn, scores, time spent
course       slots and COURSE_PROGRESS of a learner in a course
competency   which attempts count; contributions to W, A, E; explain
score        score(batch, stored rows) -> Output: the heart of the score stage
readout      levels, probabilities and next change for a day
canonical    export: the canonical form, and its digest
state        State: rows in memory
kernel       how kernels are compiled and cached; warming: warm, which compiles all
"""

from __future__ import annotations

from lrs.scoring.batch import Batch, effective_time, read_batch
from lrs.scoring.canonical import Names, digest, export
from lrs.scoring.catalogue import Catalogue, EvidenceClass
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.competency import explain, explain_course
from lrs.scoring.course import CourseError, read_course, satisfied_bits
from lrs.scoring.decay import OverflowedError
from lrs.scoring.document import DocumentError
from lrs.scoring.event import (
    CATEGORIES,
    EVENT,
    MOVE_ON,
    PAIR,
    EventFormatError,
    Flag,
    decode_events,
    encode_events,
)
from lrs.scoring.fact import EvidenceError
from lrs.scoring.mapping import Mapping, MappingTable, default_mapping, read_mapping
from lrs.scoring.progress import read_progress
from lrs.scoring.readout import POLICY, UNCALIBRATED, Calibration, Policy, day_in_kolkata, read_out
from lrs.scoring.score import Output, What
from lrs.scoring.state import State
from lrs.scoring.table import Tables, compile_catalogue
from lrs.scoring.warming import warm

__all__ = [
    "CATEGORIES",
    "EVENT",
    "MOVE_ON",
    "PAIR",
    "POLICY",
    "UNCALIBRATED",
    "Batch",
    "Calibration",
    "Catalogue",
    "CourseError",
    "DocumentError",
    "EventFormatError",
    "EvidenceClass",
    "EvidenceError",
    "Flag",
    "Mapping",
    "MappingTable",
    "Names",
    "Output",
    "OverflowedError",
    "Policy",
    "State",
    "Tables",
    "What",
    "compile_catalogue",
    "day_in_kolkata",
    "decode_events",
    "default_mapping",
    "digest",
    "effective_time",
    "encode_events",
    "explain",
    "explain_course",
    "export",
    "read_batch",
    "read_catalogue",
    "read_course",
    "read_mapping",
    "read_out",
    "read_progress",
    "satisfied_bits",
    "warm",
]
