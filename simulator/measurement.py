"""A load test's report (JSON), as far as calibration and validation read it: requests, counts, processor
time.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator.compiled import F64
from simulator.scenario import ScenarioError

SENDS, READS = ("send",), ("progress", "competencies", "list", "statement")
"""Kinds of request that the model knows: as requests with statements, and as reads."""
UNIT_S = 1e-4
"""The unit of due times in the report."""
PROCESSES = {"edge": "edge", "persist": "persist", "score": "score", "PostgreSQL": "postgresql"}
"""Names of processes begin with these."""
CONNECTED_AS = "lrs "
"""How the names begin under which they are connected to PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One load test. `due` are seconds since its begin, `statements` those of each request (0: a read)."""

    name: str
    seconds: float
    due: F64
    statements: np.ndarray[tuple[int], np.dtype[np.int64]]
    learners: F64
    """Who speak in each request, in the mean of its kind."""
    left_out: dict[str, int]
    """Requests of kinds that the model does not know, by kind."""
    report: dict[str, Any]

    @property
    def meter(self) -> dict[str, Any]:
        """The raw figures: seconds, cores, cpu_s, foreign_s, counts."""
        meter: dict[str, Any] = self.report["meter"]
        return meter

    def count(self, name: str) -> float:
        """One of the LRS's own counts, by name and labels; 0 when it did not change."""
        return float(self.meter["counts"].get(name, 0.0))

    def buckets(self, name: str, labels: str = "") -> tuple[F64, F64]:
        """A histogram: upper bounds (the last infinite), and how many were in each bucket, not cumulative."""
        head, tail = f"{name}_bucket le=", f" {labels}" if labels else ""
        found = sorted(
            (float(key[len(head) : len(key) - len(tail)]), value)
            for key, value in self.meter["counts"].items()
            if key.startswith(head) and key.endswith(tail)
        )
        if not found:
            return np.empty(0), np.empty(0)
        bounds, cumulative = np.array(found).T
        return bounds, np.diff(cumulative, prepend=0.0)

    def cpu(self, part: str) -> float:
        """CPU seconds of all processes of a part: a value of PROCESSES, or `supervisor`."""
        return float(sum(s for name, s in self.meter["cpu_s"].items() if part_of(name) == part))

    def served(self, part: str) -> float:
        """CPU seconds of PostgreSQL for all processes of a part; of its own processes for `postgresql`."""
        served: dict[str, float] = self.meter["served_s"]
        if part == "postgresql":
            return self.cpu(part) - sum(served.values())
        return sum(s for name, s in served.items() if part_of(name.removeprefix(CONNECTED_AS)) == part)

    @property
    def whole(self) -> bool:
        """Whether of every process of PostgreSQL is known what it used."""
        return not any(name.startswith(CONNECTED_AS) for name in self.meter.get("served_replaced", ()))

    @property
    def reads(self) -> int:
        return int((self.statements == 0).sum())

    @property
    def writes(self) -> int:
        return int((self.statements > 0).sum())

    @property
    def cores(self) -> int:
        """Cores that the system had for itself; 0: it shared them with whoever drove it."""
        return len(self.meter["cores"])

    @property
    def utilisation(self) -> float:
        """Share of its cores that the system used."""
        return float(sum(self.meter["cpu_s"].values()) / self.meter["seconds"] / max(1, self.cores))

    @property
    def foreign(self) -> float:
        """Share of the system's cores that others used meanwhile."""
        others: float = self.meter["foreign_s"] or 0.0
        return others / float(self.meter["seconds"]) / max(1, self.cores)


def part_of(process: str) -> str:
    """Which part a process belongs to."""
    return next((part for begin, part in PROCESSES.items() if process.startswith(begin)), "supervisor")


def read_measured(path: Path) -> Measured:
    """A load test's JSON. Raises ScenarioError when it is none, or has no raw figures."""
    try:
        return measured(json.loads(path.read_text(encoding="utf-8")), path.name)
    except OSError as error:
        raise ScenarioError(path.name, "(file)", str(path), error.strerror or "cannot be read") from None
    except ValueError as error:
        raise ScenarioError(path.name, "(file)", str(error), "must be the JSON of a load test") from None


def measured(report: dict[str, Any], file: str) -> Measured:
    """The findings of a load test. Raises ScenarioError."""
    for key in ("arrivals", "meter", "scenario", "run"):
        if not isinstance(report, dict) or key not in report:
            raise ScenarioError(file, key, None, "must be there: is this the JSON of a load test?")
    if not report["meter"]["counts"] or not report["meter"]["cpu_s"]:
        raise ScenarioError(
            file, "meter", "(empty)", "the load test saw neither metrics nor processes of the system"
        )
    arrivals = report["arrivals"]
    due = np.cumsum(np.frombuffer(_unpacked(arrivals["due"]), "<u4").astype(np.int64)) * UNIT_S
    kind = np.frombuffer(_unpacked(arrivals["kind"]), np.uint8)
    known = np.array([one["kind"] in (*SENDS, *READS) for one in arrivals["kinds"]])[kind]
    sizes = np.array([one["statements"] if one["kind"] in SENDS else 0 for one in arrivals["kinds"]])[kind]
    learners = np.array([one["learners"] for one in arrivals["kinds"]])[kind]
    names = np.array([one["kind"] for one in arrivals["kinds"]])[kind[~known]]
    left_out = {str(name): int((names == name).sum()) for name in np.unique(names)}
    title, seconds = str(report["scenario"]["title"]), float(report["scenario"]["seconds"])
    return Measured(
        title,
        seconds,
        due[known],
        sizes[known].astype(np.int64),
        learners[known].astype(np.float64),
        left_out,
        report,
    )


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))
