"""Prediction beside measurement: the requests of a load test, replayed at their due times through the
model.

The model is not told anything that the run measured: arrivals and the number of cores go in, nothing else.
Delays that the LRS tells by histogram are compared as such: what is predicted is put into the same
buckets, and both quantiles are interpolated in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
from rich.table import Table

from simulator.arrivals import Arrivals
from simulator.calibration import Calibration
from simulator.compiled import F64
from simulator.engine.state import WAITS
from simulator.measurement import Measured
from simulator.measures import MIDDLES, quantile
from simulator.report import document, seconds, table
from simulator.scenario import Scenario, ScenarioError, load
from simulator.system import Outcome, simulate, standing_cores
from simulator.word import EACH, MOST_STATEMENTS, TICKS_PER_S, word_of

SAMPLE_S = 0.1
CLAIMED = 0.75
"""Up to this utilisation the limits are promised; beyond it queues depend on what nobody predicts."""
FOREIGN = 0.05
"""A run in which others took more of the system's cores is no measurement of the system."""
SEEDS = 5
LIMITS = {"p95": 0.15, "p99": 0.25, "lag": 0.10, "drain": 0.10, "utilisation": 0.10}
"""Errors that are aimed at, by the last word of a figure's name."""
QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
_COSTED = 2
"""How often costs are fitted to the run's own: what queues gather together depends on what it costs."""
SHORTEST_LAG_S = 1.0
"""Lags and drains below it are within the grain of the gauges and of the looks at them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: as predicted (middle of the seeds, with their range) and as measured."""

    name: str
    unit: str
    predicted: float | None
    low: float | None
    high: float | None
    measured: float | None

    @property
    def error(self) -> float | None:
        """Relative to what was measured; None where there is nothing to compare."""
        if self.predicted is None or not self.measured:
            return None
        return self.predicted / self.measured - 1.0

    @property
    def limit(self) -> float | None:
        """The error that is aimed at; None for a figure of which none is."""
        return LIMITS.get(self.name.split()[-1])

    def record(self) -> dict[str, Any]:
        """As JSON."""
        within = None if self.error is None or self.limit is None else bool(abs(self.error) <= self.limit)
        names = ("name", "unit", "predicted", "low", "high", "measured", "error", "limit")
        return {**{name: getattr(self, name) for name in names}, "within": within}


def replayed(run: Measured, seed: int) -> Arrivals:
    """The run's requests as arrivals; who speaks is drawn. Raises ScenarioError for one that is too large."""
    if run.statements.max(initial=0) > MOST_STATEMENTS:
        largest = int(run.statements.max())
        raise ScenarioError(
            run.name, "statements", largest, f"the engine has requests of {MOST_STATEMENTS} at most"
        )
    rng, count = np.random.default_rng(seed), len(run.due)
    ticks = (run.due * TICKS_PER_S).astype(np.uint64)
    speaking = np.floor(run.learners + rng.random(count)).astype(np.uint64)
    more = np.minimum(np.maximum(speaking, np.uint64(1)) - np.uint64(1), np.uint64(EACH))
    keys = rng.integers(0, 1 << 63, count, np.uint64)
    words = word_of(ticks, run.statements.astype(np.uint64), np.zeros_like(ticks), more, keys)
    return Arrivals(np.sort(words), run.seconds, 1)


def system_of(run: Measured, settings: Sequence[str] = ()) -> Scenario:
    """The installation that was tested: `lrs up` on its cores, with the clients of the load test."""
    if run.cores == 0:
        raise ScenarioError(
            run.name,
            "meter.cores",
            [],
            "system and generator shared cores: what one took cannot be told from the other",
        )
    s = load(["one-machine"], settings)
    # A load test draws its learners without repetition.
    client = replace(
        s.client, reads=0.0, newcomers=1.0, retry="backoff", retry_s=0.5, retry_limit=100, timeout_s=30.0
    )
    system = replace(s.system, shared_cores=run.cores)
    return replace(s, client=client, system=system, run=replace(s.run, hours=run.seconds / 3600.0), faults=())


def validate(
    run: Measured,
    calibration: Calibration,
    *,
    seeds: int = SEEDS,
    settings: Sequence[str] = (),
    own_cost: bool = False,
) -> dict[str, Any]:
    """Replay a load test and compare. Raises ScenarioError when the run cannot be replayed.

    With `own_cost` everything is made as much dearer, or cheaper, as the run's own processor time wants: what
    is then left of the errors is the model's, and not how the machine felt that minute.
    """
    scenario = system_of(run, settings)

    def outcome(seed: int) -> Outcome:
        return simulate(scenario, calibration, replayed(run, seed), seed, sample_s=SAMPLE_S)

    cost = 1.0
    for _ in range(_COSTED if own_cost else 0):
        dearer = run.utilisation / _utilisation(run, scenario, calibration, outcome(1))
        calibration, cost = calibration.dearer(dearer), cost * dearer
    outcomes = [outcome(seed) for seed in range(1, seeds + 1)]
    rows = list(_rows(run, scenario, calibration, outcomes))
    return {
        "kind": "validation",
        "run": {
            "name": run.name,
            "at": run.report["run"]["at"],
            "machine": run.report["run"]["machine"],
            "seconds": run.seconds,
            "requests": len(run.due),
            "statements": int(run.statements.sum()),
            "left_out": run.left_out,
            "cores": run.cores,
        },
        "calibration": {
            name: getattr(calibration, name) for name in ("file", "measured", "statement", "date", "machine")
        },
        "seeds": seeds,
        "cost": cost,
        "utilisation": run.utilisation,
        "foreign": run.foreign,
        "doubts": list(_doubts(run)),
        "rows": [row.record() for row in rows],
    }


def _doubts(run: Measured) -> list[str]:
    found = []
    if run.foreign > FOREIGN:
        found.append(
            f"others used {100 * run.foreign:.0f} % of the system's cores meanwhile: what was"
            f" measured is not the"
            " system's alone"
        )
    if run.utilisation > CLAIMED:
        found.append(
            f"the system used {100 * run.utilisation:.0f} % of its cores: limits are aimed at up to 75 %"
        )
    if run.left_out:
        found.append(f"not in the model, and left out of the prediction: {run.left_out}")
    doubts = run.report.get("verdict", {}).get("doubts", [])
    return found + [f"the load test itself: {text}" for text in doubts]


def _rows(run: Measured, scenario: Scenario, calibration: Calibration, outcomes: list[Outcome]) -> list[Row]:
    def row(name: str, unit: str, values: list[float | None], told: float | None) -> Row:
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            return Row(name, unit, None, None, None, told)
        return Row(name, unit, float(np.median(known)), min(known), max(known), told)

    used: list[float | None] = [_utilisation(run, scenario, calibration, o) for o in outcomes]
    rows = [row("utilisation", "share of the cores", used, run.utilisation)]
    told = run.report["arrivals"]["acknowledged"]
    for name, share in QUANTILES:
        values = [quantile(o.latency("acknowledged"), share) for o in outcomes]
        rows.append(row(f"acknowledged {name}", "s", values, told[name]))
    for until in ("queryable", "scored"):
        bounds, counts = run.buckets("lrs_statement_delay_seconds", f"until={until}")
        for name, share in QUANTILES:
            values = [interpolated(bounds, regrouped(o.latency(until), bounds), share) for o in outcomes]
            rows.append(row(f"{until} {name}", "s", values, interpolated(bounds, counts, share)))
    for stage, done in (("persist", "queryable"), ("score", "scored")):
        values = [_lag(run, o, stage) for o in outcomes]
        rows.append(row(f"{stage} lag", "statements", values, _measured_lag(run, done)))
    rows.append(row("drain", "s", [_drain(o) for o in outcomes], _measured_drain(run)))
    return rows


def _utilisation(run: Measured, scenario: Scenario, calibration: Calibration, outcome: Outcome) -> float:
    """Share of the cores, with what is used without load."""
    work = sum(used for name, used in outcome.cpu_s.items() if name not in WAITS)
    standing = sum(standing_cores(scenario, calibration))
    return (work / float(run.meter["seconds"]) + standing) / max(1, run.cores)


def _lag(run: Measured, outcome: Outcome, stage: str) -> float:
    """The most statements that were accepted, and not done by a stage or one before it, at the moments at
    which the run was looked at: what comes and goes between two looks neither side tells.
    """
    waiting = outcome.column("persist_backlog")
    if stage == "score":
        waiting = waiting + outcome.column("score_backlog")
    looks = np.array(run.report["lrs_over_time"]["seconds"], np.float64)
    seen = np.interp(looks, outcome.column("seconds"), waiting, left=0.0, right=0.0)
    return float(seen.max(initial=0.0))


def _measured_lag(run: Measured, done: str) -> float | None:
    """The same from the LRS's counts; None when it was less than comes within SHORTEST_LAG_S."""
    series = run.report["lrs_over_time"]
    if not series["seconds"]:
        return None
    widths = np.diff(np.array(series["seconds"]), prepend=series["seconds"][0])
    gained = (np.array(series["accepted"]) - np.array(series[done])) * widths
    lag = float(np.cumsum(gained).max(initial=0.0))
    return lag if lag >= SHORTEST_LAG_S * float(run.statements.sum()) / run.seconds else None


def _drain(outcome: Outcome) -> float | None:
    if not outcome.drained:
        return None
    return max(0.0, float(outcome.column("seconds")[-1]) - outcome.seconds)


def _measured_drain(run: Measured) -> float | None:
    """From the last due time until everything was scored; None when it was over before anybody looked."""
    waited = run.report["reconciliation"]["drained"]
    if waited is None or waited < SHORTEST_LAG_S:
        return None
    return float(run.meter["after_end_s"]) + float(waited)


def regrouped(histogram: Any, bounds: F64) -> F64:
    """A histogram of the engine in the buckets of another one: how many are in each; nothing of none."""
    if not len(bounds):
        return np.empty(0)
    places = np.searchsorted(bounds, MIDDLES[: len(histogram)])
    places = np.minimum(places, len(bounds) - 1)
    grouped: F64 = np.bincount(places, weights=histogram, minlength=len(bounds)).astype(np.float64)
    return grouped


def interpolated(bounds: F64, counts: F64, share: float) -> float | None:
    """A quantile, as Prometheus tells it: linear within its bucket; beyond the last bound it is that
    bound.
    """
    total = float(counts.sum())
    if total <= 0:
        return None
    reached = np.cumsum(counts)
    place = int(np.searchsorted(reached, share * total))
    low = float(bounds[place - 1]) if place else 0.0
    if not np.isfinite(bounds[place]):
        return low
    below = float(reached[place - 1]) if place else 0.0
    return low + (float(bounds[place]) - low) * (share * total - below) / float(counts[place])


def together(validations: list[dict[str, Any]]) -> dict[str, Any]:
    """Several validations, and for each figure the middle and the ends of its errors over the runs that
    count: those without others on the system's cores, and within CLAIMED.
    """
    counting = [v for v in validations if v["foreign"] <= FOREIGN and v["utilisation"] <= CLAIMED]
    summary = []
    for row in validations[0]["rows"]:
        errors = [
            other["error"]
            for v in counting
            for other in v["rows"]
            if other["name"] == row["name"] and other["error"]
        ]
        if errors:
            spread = {"median": float(np.median(errors)), "least": min(errors), "most": max(errors)}
            summary.append({"name": row["name"], "limit": row["limit"], "runs": len(errors), **spread})
    return {"kind": "validation", "runs": validations, "counting": len(counting), "summary": summary}


def _show(value: float | None, unit: str) -> str:
    if value is None:
        return "—"
    if unit == "statements":
        return f"{value:,.0f}"
    return seconds(value) if unit == "s" else f"{100 * value:.1f} %"


def _percent(value: float | None, sign: str = "+") -> str:
    return "—" if value is None else f"{100 * value:{sign}.1f} %"


def console_table(data: dict[str, Any]) -> Table:
    """All runs for a terminal."""
    found = Table(title="Prediction beside measurement")
    for head in ("run", "figure", "predicted", "measured", "error", "aim", ""):
        found.add_column(head, justify="left" if head in ("run", "figure", "") else "right")
    for one in data["runs"]:
        about = (
            f"{one['run']['name']}: {_percent(one['utilisation'], '')} used,"
            f" {_percent(one['foreign'], '')} by others"
        )
        if one["cost"] != 1.0:
            about += f", costs x {one['cost']:.2f}"
        for number, row in enumerate(one["rows"]):
            unit = row["unit"]
            mark = {None: "", True: "[green]within[/green]", False: "[red]off[/red]"}[row["within"]]
            cells = (_show(row["predicted"], unit), _show(row["measured"], unit), _percent(row["error"]))
            found.add_row("" if number else about, row["name"], *cells, _percent(row["limit"], ""), mark)
        found.add_section()
    return found


def comparison_table(data: dict[str, Any]) -> str:
    """The rows of one validation as an HTML table."""
    rows = []
    mark = {None: "—", True: "<span class='good'>within</span>", False: "<span class='bad'>off</span>"}
    for row in data["rows"]:
        unit = row["unit"]
        band = f" <small>({_show(row['low'], unit)} – {_show(row['high'], unit)})</small>"
        rows.append(
            [
                escape(row["name"]),
                _show(row["predicted"], unit) + (band if row["predicted"] is not None else ""),
                _show(row["measured"], unit),
                _percent(row["error"]),
                "—" if row["limit"] is None else f"± {100 * row['limit']:.0f} %",
                mark[row["within"]],
            ]
        )
    return table(["figure", "predicted", "measured", "error", "aim", ""], rows, 1)


def section(data: dict[str, Any]) -> list[str]:
    """One validation as HTML."""
    run, c = data["run"], data["calibration"]
    cost = (
        f" Their processor time is taken {data['cost']:.2f} times: as the run's own."
        if data["cost"] != 1.0
        else ""
    )
    return [
        f"<h2>{escape(run['name'])}</h2>",
        f"<p class='soft'>Measured {escape(run['at'])} on {escape(run['machine'])}, {run['cores']} of its"
        f" cores for the system: {run['requests']:,} requests, {run['statements']:,} statements in"
        f" {run['seconds']:g} s. Service times: {escape(c['file'])}, {escape(c['date'])},"
        f" {escape(c['machine'])}: {escape(c['statement'])}.{cost}</p>",
        *(f"<div class='note'>{escape(text)}</div>" for text in data["doubts"]),
        comparison_table(data),
        f"<p class='soft'>Predicted: the middle of {data['seeds']} seeds, with their range. A lag of less"
        f" than comes within {SHORTEST_LAG_S:g} s, and a shorter drain, are not compared.</p>",
    ]


def page(data: dict[str, Any]) -> str:
    """Validations as one HTML file."""
    title = "Prediction beside measurement"
    rows = [
        [
            escape(row["name"]),
            str(row["runs"]),
            *(_percent(row[name]) for name in ("median", "least", "most")),
            "—" if row["limit"] is None else f"± {100 * row['limit']:.0f} %",
        ]
        for row in data["summary"]
    ]
    count = (
        f"{data['counting']} of {len(data['runs'])} runs count: others left them alone, and they were"
        f" not too busy"
    )
    body = [
        f"<h1>{title}</h1><p class='question'>{count}.</p>",
        table(["error of", "runs", "middle", "least", "most", "aim"], rows, 1) if rows else "",
        *(part for one in data["runs"] for part in section(one)),
    ]
    return document(title, body, data)
