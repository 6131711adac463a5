"""Crash tests: real processes are killed under load, and nothing may be lost or counted twice.

`python -m tests.crash --faults 200` is the long form; `test_crash.py` runs a short one.
"""
