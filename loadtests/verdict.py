"""The verdict: what was promised beside what was measured, and whether the figures are worth anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from loadtests.histogram import Histogram
from loadtests.reconciliation import Reconciliation
from loadtests.scenario import LoadError
from loadtests.tally import QUERYABLE, Fate, Outcome, Tally

SLO: Final = Path(__file__).with_name("slo.toml")
"""The promises that come with the project."""

Group = Literal["write", "queryable", "read", "document"]
Quantile = Literal["p50", "p90", "p95", "p99", "p99.9", "max"]
Limit = Annotated[float, Meta(ge=0)]

GROUPS: Final[dict[str, Group]] = {
    "send": "write",
    "again": "write",
    QUERYABLE: "queryable",
    "progress": "read",
    "competencies": "read",
    "list": "read",
    "statement": "read",
    "document": "document",
}
"""Hostile requests are promised nothing but their refusal."""

FULL: Final = 0.95
"""Beyond this share of the machine's cores whoever is on it waits for the others."""


class PathLimits(Struct, forbid_unknown_fields=True, frozen=True):
    """Of the way of a statement, in seconds."""

    queryable_p99: Limit | None = None
    scored_p99: Limit | None = None
    drained: Limit | None = None


class AnswerLimits(Struct, forbid_unknown_fields=True, frozen=True):
    """Shares of the requests."""

    given_up: Limit | None = None
    busy: Limit | None = None


class GeneratorLimits(Struct, forbid_unknown_fields=True, frozen=True):
    """Beyond which the generator is the bottleneck: seconds of lag, share of a core."""

    lag_p99: Limit = 0.02
    cpu: Limit = 0.9


class Objectives(Struct, forbid_unknown_fields=True, frozen=True):
    """An SLO file."""

    latency: dict[Group, dict[Quantile, Limit]] = {}
    path: PathLimits = PathLimits()
    answers: AnswerLimits = AnswerLimits()
    generator: GeneratorLimits = GeneratorLimits()


def read_objectives(path: Path = SLO) -> Objectives:
    """An SLO file. Raises LoadError."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Objectives)
    except OSError as error:
        raise LoadError(f"{path}: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise LoadError(f"{path}: {error}") from None


class Judgement(IntEnum):
    """How a run ended; the value is the command's exit status."""

    PASSED = 0
    FAILED = 1
    NO_FIGURE = 3
    """Nothing wrong was seen, but the figures would be the generator's, not the system's."""


@dataclass(frozen=True)
class Promise:
    """One line of the verdict. `measured` is None when there is nothing to measure it by."""

    name: str
    limit: float
    measured: float | None
    kept: bool


@dataclass(frozen=True)
class Verdict:
    """`wrong` must not be, however fast it was; `doubts` say why the figures are not the system's."""

    judgement: Judgement
    promises: list[Promise]
    wrong: list[str]
    doubts: list[str]

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "judgement": self.judgement.name.lower().replace("_", " ")}


def judge(
    objectives: Objectives,
    outcome: Outcome,
    kinds: dict[str, str],
    usage: dict[str, Any],
    path: dict[str, Any],
    reconciliation: Reconciliation,
    requests: int,
) -> Verdict:
    """The verdict on a run. `kinds`: by the name of a latency, the kind of request that it belongs to;
    `usage`, `path`: what Watch tells."""
    total = outcome.merged()
    fates = [fate for tally in outcome.tallies if tally is not None for fate in tally.fates]
    promises = list(_promises(objectives, total, kinds, path, reconciliation, fates, requests))
    wrong = list(reconciliation.problems)
    if number := fates.count(Fate.WRONG):
        wrong.append(f"{number:,} requests were answered as they should not be: {dict(total.problems)}")
    if lost := total.statements - reconciliation.acknowledged:
        wrong.append(f"{lost:,} acknowledged statements were not compared")
    doubts = list(_doubts(objectives.generator, outcome, total, usage))
    broken = [promise for promise in promises if not promise.kept]
    unmeasured = [promise for promise in broken if promise.measured is None]
    doubts += [f"there is nothing to measure by: {promise.name}" for promise in unmeasured]
    missed = [promise for promise in broken if promise.measured is not None]
    crowded = usage.get("system") and usage["machine"] > FULL * usage["cores"]
    if missed and crowded:
        doubts.append(
            f"the machine was full ({usage['machine']:.2f} of {usage['cores']} cores), and the generator took"
            f" {usage['generator']:.2f} of them from the system: what it missed may be the generator's fault"
        )
    if wrong or (missed and not doubts):
        return Verdict(Judgement.FAILED, promises, wrong, doubts)
    return Verdict(Judgement.NO_FIGURE if doubts else Judgement.PASSED, promises, wrong, doubts)


def _promises(
    objectives: Objectives,
    total: Tally,
    kinds: dict[str, str],
    path: dict[str, Any],
    reconciliation: Reconciliation,
    fates: list[int],
    requests: int,
) -> Iterator[Promise]:
    for group, limits in objectives.latency.items():
        together = Histogram()
        for name, latency in total.latency.items():
            if GROUPS.get(kinds[name]) == group:
                together.merge(latency.intended)
        if together.count:
            for quantile, limit in limits.items():
                yield _promise(f"{group}: intended {quantile}, s", limit, together.quantiles()[quantile])
    delays = path.get("delays", {})
    if total.statements and objectives.path.queryable_p99 is not None:
        measured = delays.get("queryable", {}).get("p99")
        yield _promise("queryable p99, s", objectives.path.queryable_p99, measured)
    if total.statements and objectives.path.scored_p99 is not None:
        measured = delays.get("scored", {}).get("p99")
        yield _promise("scored p99, s", objectives.path.scored_p99, measured)
    if objectives.path.drained is not None and reconciliation.drained is not None:
        yield _promise("everything scored after, s", objectives.path.drained, reconciliation.drained)
    if objectives.answers.given_up is not None:
        share = fates.count(Fate.IN_DOUBT) / max(1, requests)
        yield _promise("given up, share", objectives.answers.given_up, share)
    if objectives.answers.busy is not None:
        yield _promise("busy, share", objectives.answers.busy, total.busy / max(1, requests))


def _promise(name: str, limit: float, measured: float | None) -> Promise:
    return Promise(name, limit, measured, measured is not None and measured <= limit)


def _doubts(limits: GeneratorLimits, outcome: Outcome, total: Tally, usage: dict[str, Any]) -> Iterator[str]:
    if not outcome.complete:
        yield f"{outcome.tallies.count(None)} of {len(outcome.tallies)} generator processes never told"
    lag = total.lag.quantile(0.99)
    if lag is None:
        yield "no request was sent"
    elif lag > limits.lag_p99:
        yield f"the generator was late: p99 of its lag is {lag:.3f} s, above {limits.lag_p99:g} s"
    if not usage:
        yield "nobody saw how much processor time the generator took"
    elif usage["generator_busiest"] > limits.cpu:
        yield (
            f"a generator process took {usage['generator_busiest']:.2f} of a core, above {limits.cpu:g}: more"
            " processes (--processes), or less load"
        )
