"""Scenarios of load: files that say which requests come, in which proportion, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

SCENARIOS: Final = Path(__file__).with_name("scenarios")
"""Where the scenarios that come with the project stand."""

Kind = Literal["send", "again", "progress", "competencies", "list", "statement", "document", "hostile"]
Positive = Annotated[float, Meta(gt=0)]

WRITING: Final = ("send", "again")
"""Kinds of request that store statements."""


class LoadError(Exception):
    """A load test cannot be planned or judged; the text names file, place, value and rule."""


class RequestKind(Struct, forbid_unknown_fields=True, frozen=True):
    """One kind of request of a scenario.

    `send` stores statements; `again` stores them by two requests at once and by a third one afterwards;
    `progress`, `competencies`, `list` read about a learner; `statement` reads one that was acknowledged;
    `document` writes, reads and guards a state; `hostile` is what must be refused.
    """

    kind: Kind
    weight: Positive
    """Its share of all requests, relative to the others."""
    statements: Annotated[int, Meta(ge=1, le=10_000)] = 1
    """Statements in a request; one goes without an array."""
    learners: Annotated[int, Meta(ge=1, le=1_000)] = 1
    """Learners whose statements alternate in it."""
    gzip: bool = False
    """Whether the body is compressed."""

    @property
    def name(self) -> str:
        """What it is called in reports."""
        if self.kind not in WRITING:
            return self.kind
        return f"{self.kind} {self.statements}{' gzip' if self.gzip else ''}"


class Curve(Struct, forbid_unknown_fields=True, frozen=True):
    """How the rate goes over the run: `points`, or the arrivals of the simulator's scenarios `simulator`,
    laid one over another as on its command line, with its settings `set`."""

    points: list[tuple[Annotated[float, Meta(ge=0, le=1)], Annotated[float, Meta(ge=0)]]] | None = None
    """Share of the run's time, and rate relative to the peak; linear in between."""
    simulator: list[str] | None = None
    set: list[str] = []
    learners: Annotated[int, Meta(ge=1)] = 400_000
    """Learners of the simulator: only the form of the curve is taken."""


class Scenario(Struct, forbid_unknown_fields=True, frozen=True):
    """A load test."""

    title: str
    question: str
    peak: Positive
    """Requests a second where the curve is highest."""
    seconds: Positive
    """How long the run takes; the curve is compressed, or stretched, to it."""
    curve: Curve
    request: Annotated[list[RequestKind], Meta(min_length=1)]
    give_up: Positive = 60.0
    """Seconds after which a client stops sending a request again."""
    connections: Annotated[int, Meta(ge=1)] = 400
    """Connections of each generator process at most."""


def read_scenario(name: str) -> Scenario:
    """A scenario by its name, or by its file's path. Raises LoadError."""
    path = Path(name) if name.endswith(".toml") else SCENARIOS / f"{name}.toml"
    try:
        scenario = msgspec.toml.decode(path.read_bytes(), type=Scenario)
    except FileNotFoundError:
        raise LoadError(f"no scenario {name!r}; there are {', '.join(shipped())}, or a .toml file") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LoadError(f"{path}: {error}") from None
    names = [request.name for request in scenario.request]
    for request in scenario.request:
        if names.count(request.name) > 1:
            raise LoadError(f"{path}: $.request: {request.name!r} stands there more than once")
        if request.learners > request.statements:
            raise LoadError(
                f"{path}: $.request: {request.name!r} has learners = {request.learners}; a request has at"
                f" most as many as statements, {request.statements}"
            )
    if (scenario.curve.points is None) == (scenario.curve.simulator is None):
        raise LoadError(f"{path}: $.curve: must have either points or simulator")
    return scenario


def shipped() -> list[str]:
    """The names of the scenarios that come with the project."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))
