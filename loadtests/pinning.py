"""Cores of their own for system and generator, so that neither is measured with the other's work in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from loadtests.scenario import LoadError


@dataclass(frozen=True)
class Cores:
    """Which cores the system under test has, and which are left to whoever drives it."""

    system: tuple[int, ...]
    generator: tuple[int, ...]

    @classmethod
    def apart(cls) -> Self:
        """All cores that this process may use but one for the system, the last one for the generator. Raises
        LoadError where there is only one: then a figure would be of both together."""
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        if len(cores) < 2:
            raise LoadError(
                "system and generator need a core each, and a system that lets processes be"
                " bound to cores (Linux);"
                f" here are {len(cores)}"
            )
        return cls(tuple(cores[:-1]), tuple(cores[-1:]))


@contextmanager
def bound(cores: tuple[int, ...]) -> Iterator[None]:
    """This thread, and every process that it starts meanwhile, run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
