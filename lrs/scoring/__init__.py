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
readout      levels, probabilities and next change for a day; level: as they are kept beside the sums
outcome      what became true of a learner, and what is true no more
canonical    export: the canonical form, and its digest
state        State: rows in memory
kernel       how kernels are compiled and cached; warming: warm, which compiles all
"""
