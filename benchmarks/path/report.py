"""The report: JSON for comparison, tables for the reader."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.path.phase import DRIVER, OBJECTIVE, Result, stages_behind
from benchmarks.path.system import KAFKA, POSTGRESQL

MIB = 1 << 20


@dataclass(frozen=True)
class Report:
    """Everything that one run measured."""

    environment: Mapping[str, Any]
    yardsticks: Mapping[str, float]
    phases: Sequence[Result]

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "environment": self.environment,
            "yardsticks": self.yardsticks,
            "phases": [phase.record() for phase in self.phases],
            "ratios": ratios(self),
            "kafka_over_postgresql": logs_compared(self),
        }


def environment(store_version: str, file_system: str, set_variables: Mapping[str, str]) -> dict[str, Any]:
    """The machine and what runs on it."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": psutil.cpu_count(),
        "processor": _processor(),
        "memory_mib": psutil.virtual_memory().total // MIB,
        "load_before": round(psutil.getloadavg()[0], 2),
        "system": platform.platform(),
        "file_system": file_system,
        "python": platform.python_version(),
        "postgresql": store_version,
        "settings": dict(set_variables),
    }


def logs_compared(report: Report) -> dict[str, dict[str, float]]:
    """By load that was driven with both logs: Kafka's figure over PostgreSQL's."""
    found = {}
    for load in dict.fromkeys(phase.load.name for phase in report.phases):
        by_log = {phase.log: _figures(phase) for phase in report.phases if phase.load.name == load}
        if len(by_log) == 2:
            one, other = by_log[KAFKA], by_log[POSTGRESQL]
            found[load] = {name: round(one[name] / other[name], 3) for name in one if other.get(name)}
    return found


def _figures(phase: Result) -> dict[str, float]:
    """What is compared."""
    latencies = {
        "acknowledged p50": phase.acknowledgement_ms.get("0.5"),
        "queryable p50": phase.delays["queryable"]["p50"],
        "scored p50": phase.delays["scored"]["p50"],
    }
    return {
        "end to end": phase.end_to_end,
        **{name: value for name, value in latencies.items() if value},
        "CPU": sum(spent for name, spent in phase.cpu.items() if name != DRIVER),
        "on disk": sum(phase.bytes_per_statement.values()),
    }


def ratios(report: Report) -> dict[str, dict[str, float]]:
    """Each phase's end-to-end rate over each yardstick."""
    return {
        phase.name: {
            name: round(phase.end_to_end / rate, 4) for name, rate in report.yardsticks.items() if rate
        }
        for phase in report.phases
    }


def show(report: Report, console: Console) -> None:
    """Print all tables."""
    surroundings = report.environment
    console.print(
        f"{surroundings['cores']} cores ({surroundings['processor']}), load before"
        f" {surroundings['load_before']}, {surroundings['postgresql']}, {surroundings['file_system']}"
    )
    for table in (
        *([_logs(report)] if logs_compared(report) else []),
        _rates(report),
        _latencies(report),
        _yardsticks(report),
        _cpu(report),
        _memory(report),
        _disk(report),
    ):
        console.print()
        console.print(table)


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _logs(report: Report) -> Table:
    compared = logs_compared(report)
    table = _table("Log on Kafka over log in PostgreSQL", ("", *compared))
    for name in _names(list(compared.values())):
        table.add_row(name, *(_ratio(figures.get(name)) for figures in compared.values()))
    return table


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _rates(report: Report) -> Table:
    headings = ("statements/s", "accepted", "queryable", "scored", "end to end", "slowest", "requests/s",
                "backlog", "drained after")  # fmt: skip
    table = _table("Rates", headings)
    for phase in report.phases:
        table.add_row(
            phase.name,
            *(f"{rate:,.0f}" for rate in (phase.accepted, phase.queryable, phase.scored, phase.end_to_end)),
            stages_behind(phase),
            f"{phase.requests:,.0f}",
            f"{phase.backlog:,}",
            f"{phase.drained_after:.1f} s",
        )
    return table


def _latencies(report: Report) -> Table:
    limit = f"within {OBJECTIVE * 1000:g} ms"
    headings = ("milliseconds", "acknowledged p50", "p99", "queryable p50", "p99", limit, "scored p50", "p99",
                "probe ack p99", "probe seen p50", "p99")  # fmt: skip
    table = _table("Latencies: the driver's, the path's own metric, the probe's", headings)
    for phase in report.phases:
        until = phase.delays["queryable"]
        share = until["within_objective"]
        scored = phase.delays["scored"]
        table.add_row(
            phase.name,
            *(_number(phase.acknowledgement_ms.get(quantile)) for quantile in ("0.5", "0.99")),
            *(_number(until[quantile]) for quantile in ("p50", "p99")),
            "-" if share is None else f"{share:.2%}",
            *(_number(scored[quantile]) for quantile in ("p50", "p99")),
            _number(phase.probe.get("acknowledged", {}).get("p99")),
            *(_number(phase.probe.get("seen", {}).get(quantile)) for quantile in ("p50", "p99")),
        )
    return table


def _yardsticks(report: Report) -> Table:
    table = _table("Yardsticks of the same run", ("", "per second", *(p.name for p in report.phases)))
    found = ratios(report)
    for name, rate in report.yardsticks.items():
        shares = (found[phase.name].get(name) for phase in report.phases)
        table.add_row(
            name, f"{rate:,.0f}", *("-" if share is None else f"{share:.3f} of it" for share in shares)
        )
    return table


def _cpu(report: Report) -> Table:
    headings = ("CPU seconds per 1,000 statements", *(phase.name for phase in report.phases))
    table = _table("Processor time", headings)
    for name in _names([phase.cpu for phase in report.phases]):
        table.add_row(name, *(f"{phase.cpu.get(name, 0):.4f}" for phase in report.phases))
    table.add_row("all", *(f"{sum(phase.cpu.values()):.4f}" for phase in report.phases))
    return table


def _memory(report: Report) -> Table:
    headings = ("MiB", *(f"{p.name}: {kind}" for p in report.phases for kind in ("RSS peak", "PSS")))
    table = _table(f"Memory ({POSTGRESQL}: RSS counts shared buffers once for each backend)", headings)
    for name in _names([phase.rss_peak for phase in report.phases]):
        cells = []
        for phase in report.phases:
            cells += [f"{phase.rss_peak.get(name, 0) / MIB:,.0f}"]
            cells += ["-" if name == DRIVER else f"{phase.pss.get(name, 0) / MIB:,.0f}"]
        table.add_row(name, *cells)
    return table


def _disk(report: Report) -> Table:
    headings = ("bytes per statement", *(phase.name for phase in report.phases))
    table = _table("On disk, by what grew", headings)
    for name in _names([phase.bytes_per_statement for phase in report.phases]):
        table.add_row(name, *(f"{p.bytes_per_statement.get(name, 0):,.1f}" for p in report.phases))
    table.add_row("all", *(f"{sum(p.bytes_per_statement.values()):,.0f}" for p in report.phases))
    table.add_row("write-ahead log", *(f"{phase.wal_per_statement:,.0f}" for phase in report.phases))
    return table


def _names(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of all columns, in the order of the first that has them."""
    return list(dict.fromkeys(name for column in columns for name in column))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
