"""Metrics and health of a process: one registry each, served on a port of its own.

A module for each part that is measured (edge, log, stage, pool) defines its metrics and the hooks
that the part calls with plain numbers, once a request or batch, never once a statement. No label
carries an actor, an activity or a verb, and every label value is there from the start.
`docs/metrics.md` describes every metric.
"""
