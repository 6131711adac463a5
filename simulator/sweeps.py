"""What-if: many runs on the same arrivals, the knee of a load curve, and which retry policies do not
recover.
"""

from __future__ import annotations

import itertools
import operator
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np

from simulator.arrivals import Arrivals, arrivals
from simulator.calibration import Calibration
from simulator.measures import drained_after, quantile
from simulator.parameters import Fault
from simulator.report import document, seconds, table
from simulator.scenario import Scenario, ScenarioError
from simulator.study import Progress, keeps_slo, quiet, thinning
from simulator.svg import Line, plot
from simulator.system import RETRIES, SERIES, Outcome, simulate

GENERATES = ("population.", "calendar.", "learning.", "live.", "run.day", "run.begin", "run.hours")
"""Parameters that change the arrivals, which a sweep keeps; of the clients' only those after a batch is
due.
"""
AFTER = ("client.timeout_s", "client.retry", "client.retry_s", "client.retry_limit", "client.reads")
MAP_LOADS = (0.25, 0.5, 0.75, 1.0, 1.25)
MAP_TRIGGERS_S = (0.0, 10.0, 60.0)
MAP_AFTER_S = 60.0
MAP_SECONDS = 600.0


def axes(scenario: Scenario, over: Sequence[str]) -> dict[str, list[Any]]:
    """`section.key=v1,v2` as axes; raises ScenarioError for what is no parameter or would change the
    arrivals.
    """
    found: dict[str, list[Any]] = {}
    for entry in over or ("run.load=0.5,1,1.5,2,3,4,6",):
        key, equals, values = entry.partition("=")
        if not equals:
            raise ScenarioError("command line", "--over", entry, "must be section.key=value,value")
        if key.startswith(GENERATES) or (key.startswith("client.") and key not in AFTER):
            raise ScenarioError(
                "command line", "--over", key, "changes the arrivals: run it on its own and compare"
            )
        found[key] = [_value(v.strip()) for v in values.split(",")]
        for value in found[key]:
            scenario.but(**{key.replace(".", "__"): value})
    return found


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def sweep(
    scenario: Scenario,
    calibration: Calibration,
    over: dict[str, list[Any]],
    *,
    seed: int = 1,
    thin: int | None = None,
    shards: int = 1,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Every combination of the axes' values, one run each on the same arrivals."""
    base = scenario.run.load
    came = arrivals(
        scenario.but(run__load=1.0),
        seed,
        thin=thinning(scenario) if thin is None else thin,
        shards=shards,
        progress=lambda share: progress("arrivals", share),
    )
    points = [dict(zip(over, values, strict=True)) for values in itertools.product(*over.values())]

    def one(point: dict[str, Any]) -> dict[str, Any]:
        changed = scenario.but(**{key.replace(".", "__"): value for key, value in point.items()})
        load = point.get("run.load", base)
        outcome = simulate(changed, calibration, came.times_load(float(load), seed), seed)
        return {"point": point, **_figures(changed, outcome)}

    rows = _all(one, points, shards, lambda share: progress("runs", share))
    data: dict[str, Any] = {
        "kind": "sweep",
        "scenario": {"name": scenario.name, "title": scenario.title},
        "calibration": {"statement": calibration.statement, "measured": calibration.measured},
        "axes": over,
        "rows": rows,
        "knee": None,
    }
    if list(over) == ["run.load"]:
        data["knee"] = knee(
            [float(v) for v in over["run.load"]], [row["scored_p99_s"] or 0.0 for row in rows], rows
        )
    return data


def _all(
    one: Callable[[dict[str, Any]], dict[str, Any]],
    points: list[dict[str, Any]],
    shards: int,
    progress: Callable[[float], None],
) -> list[dict[str, Any]]:
    done = itertools.count(1)

    def told(point: dict[str, Any]) -> dict[str, Any]:
        row = one(point)
        progress(next(done) / len(points))
        return row

    if shards == 1:
        return [told(point) for point in points]
    with ThreadPoolExecutor(shards) as pool:
        return list(pool.map(told, points))


def _figures(scenario: Scenario, outcome: Outcome) -> dict[str, Any]:
    busiest = {name: float(outcome.column(name).max(initial=0.0)) for name in SERIES[SERIES.index("edges") :]}
    return {
        "kept": keeps_slo(scenario, outcome),
        "accepted_per_s": outcome.counts["accepted_statements"] / outcome.seconds,
        "acknowledged_p99_s": quantile(outcome.latency("acknowledged"), 0.99),
        "queryable_p99_s": quantile(outcome.latency("queryable"), 0.99),
        "scored_p99_s": quantile(outcome.latency("scored"), 0.99),
        "lag_s": float(outcome.column("score_lag_s").max(initial=0.0)),
        "drain_s": drained_after(
            outcome.column("seconds"), outcome.column("score_lag_s"), scenario.slo.scored_p99_s
        ),
        "lost_statements": outcome.lost_statements,
        "bottleneck": max(busiest, key=lambda name: busiest[name]),
        "bottleneck_share": max(busiest.values()),
    }


def knee(loads: list[float], latencies: list[float], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Where a load curve bends: the load farthest below the chord of log latency (Satopaa et al., "Kneedle",
    2011).

    And the largest load that keeps the promises, with all smaller ones.
    """
    order = np.argsort(loads)
    x = np.asarray(loads, dtype=np.float64)[order]
    y = np.log(np.maximum(np.asarray(latencies, dtype=np.float64)[order], 1e-6))
    kept = [bool(rows[i]["kept"]) for i in order]
    good: list[float] = [
        float(v) for v, ok in zip(x, itertools.accumulate(kept, operator.and_), strict=True) if ok
    ]
    bend = None
    if len(x) >= 3 and y[-1] > y[0] and x[-1] > x[0]:
        below = (x - x[0]) / (x[-1] - x[0]) - (y - y[0]) / (y[-1] - y[0])
        bend = float(x[int(below.argmax())])
    return {"bend": bend, "largest_kept": good[-1] if good else None}


def retry_map(
    scenario: Scenario,
    calibration: Calibration,
    *,
    seed: int = 1,
    thin: int | None = None,
    shards: int = 1,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Load x trigger x retry policy: does the store come back when the trigger is over?

    The trigger is a database that is away; the load is a multiple of the scenario's first ten minutes. A
    state that stays bad after its trigger has gone is metastable (Bronson et al., HotOS 2021; Huang et al.,
    OSDI 2022).
    """
    short = replace(scenario, run=replace(scenario.run, hours=MAP_SECONDS / 3600.0), faults=())
    came = arrivals(
        short.but(run__load=1.0),
        seed,
        thin=thinning(scenario) if thin is None else thin,
        shards=shards,
        progress=lambda share: progress("arrivals", share),
    )
    loaded: dict[float, Arrivals] = {load: came.times_load(load, seed) for load in MAP_LOADS}
    hour, minute = divmod(int(_begin_s(short) + MAP_AFTER_S) // 60, 60)
    points = [
        {"load": load, "trigger_s": trigger, "retry": retry}
        for retry in RETRIES
        for trigger in MAP_TRIGGERS_S
        for load in MAP_LOADS
    ]

    def one(point: dict[str, Any]) -> dict[str, Any]:
        fault = Fault("database-down", f"{hour % 24:02d}:{minute:02d}", point["trigger_s"], "chosen: trigger")
        changed = replace(
            short.but(client__retry=point["retry"]), faults=(fault,) if point["trigger_s"] else ()
        )
        outcome = simulate(changed, calibration, loaded[point["load"]], seed)
        tail = outcome.column("seconds")
        end = (tail > MAP_SECONDS * 0.8) & (tail <= MAP_SECONDS)
        sent, accepted = outcome.column("sent")[end].sum(), outcome.column("accepted")[end].sum()
        lag = float(outcome.column("score_lag_s")[end].min(initial=1e9))
        well = accepted >= 0.95 * sent and lag <= scenario.slo.scored_p99_s
        return {
            **point,
            "recovered": bool(well),
            "goodput": float(accepted / max(sent, 1e-9)),
            "retries_per_s": float(outcome.column("retried")[end].mean()),
            "given_up": outcome.counts["given_up_statements"],
        }

    return {
        "kind": "map",
        "scenario": {"name": scenario.name, "title": scenario.title},
        "calibration": {"statement": calibration.statement, "measured": calibration.measured},
        "rows": _all(one, points, shards, lambda share: progress("runs", share)),
    }


def _begin_s(scenario: Scenario) -> float:
    return int(scenario.run.begin[:2]) * 3600.0 + int(scenario.run.begin[3:]) * 60.0


def page(data: dict[str, Any]) -> str:
    """A sweep or a map as one HTML file."""
    title = data["scenario"]["title"]
    body = [f"<h1>{escape(title)}: {'what if' if data['kind'] == 'sweep' else 'what recovers'}</h1>"]
    if not data["calibration"]["measured"]:
        body.append(
            "<div class='note'><b>The service times are "
            f"{escape(data['calibration']['statement'])}.</b></div>"
        )
    body += _sweep_body(data) if data["kind"] == "sweep" else _map_body(data)
    return document(title, body, data)


def _sweep_body(data: dict[str, Any]) -> list[str]:
    body = []
    rows = data["rows"]
    if data["knee"]:
        bend, kept = data["knee"]["bend"], data["knee"]["largest_kept"]
        body.append(
            f"<p>The curve bends at load <b>{bend}</b>; the largest load that keeps the promises is "
            f"<b>{kept if kept is not None else 'none'}</b>.</p>"
        )
        x = [float(row["point"]["run.load"]) for row in rows]
        lines = [
            Line(name, [row[f"{name}_p99_s"] for row in rows])
            for name in ("acknowledged", "queryable", "scored")
        ]
        curve = plot("Latency over load", "p99 in s, logarithmic", x, lines, log=True, of_day=False)
        body.append(f"<div class='plots'>{curve}</div>")
    head = [*data["axes"], "promises", "accepted/s", "ack p99", "queryable p99", "scored p99"]
    head += ["lag", "drain", "lost", "busiest part"]
    cells = [
        [
            *(escape(str(v)) for v in row["point"].values()),
            "<span class='good'>kept</span>" if row["kept"] else "<span class='bad'>broken</span>",
            f"{row['accepted_per_s']:,.0f}",
            seconds(row["acknowledged_p99_s"]),
            seconds(row["queryable_p99_s"]),
            seconds(row["scored_p99_s"]),
            seconds(row["lag_s"]),
            seconds(row["drain_s"]) if row["drain_s"] is not None else "never",
            f"{row['lost_statements']:,}",
            f"{row['bottleneck'].replace('_', ' ')} {100 * row['bottleneck_share']:.0f} %",
        ]
        for row in rows
    ]
    body.append(table(head, cells, len(data["axes"]) + 1))
    return body


def _map_body(data: dict[str, Any]) -> list[str]:
    body = [
        "<p>A cell says whether, in the last two minutes of ten, what is sent is accepted and scored in "
        "time; "
        "the trigger, a database that is away, begins after one minute.</p>"
    ]
    for retry in RETRIES:
        rows = [row for row in data["rows"] if row["retry"] == retry]
        loads = sorted({row["load"] for row in rows})
        cells = []
        for trigger in sorted({row["trigger_s"] for row in rows}):
            line = [f"{trigger:.0f} s"]
            for load in loads:
                row = next(r for r in rows if r["load"] == load and r["trigger_s"] == trigger)
                mark = "good'>well" if row["recovered"] else "bad'>not"
                line.append(f"<span class='{mark}</span> <small>{100 * row['goodput']:.0f} %</small>")
            cells.append(line)
        body.append(f"<h2>Retry: {retry}</h2>")
        body.append(table(["trigger", *(f"load {load:g}" for load in loads)], cells))
    return body
