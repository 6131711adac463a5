"""Two runs side by side."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from simulator.report import document, table
from simulator.svg import Line, plot

Answers = dict[str, Any]


def figures(answers: Answers) -> dict[str, tuple[float | None, float | None, float | None]]:
    """Every figure of a run that is compared, by name: value, low and high of its band."""
    found: dict[str, dict[str, Any]] = {}
    for latency, row in answers["latency_s"].items():
        found |= {f"{latency} {q} (s)": entry for q, entry in row.items()}
    found |= {f"largest lag, {name.replace('_', ' ')}": entry for name, entry in answers["lag"].items()}
    found |= {"drain (s)": answers["drain_s"], "lost statements": answers["lost_statements"]}
    found |= {f"busiest {name.replace('_', ' ')}": e["peak"] for name, e in answers["utilisation"].items()}
    found |= {f"count of {name.replace('_', ' ')}": entry for name, entry in answers["counts"].items()}
    return {name: (e["value"], e["low"], e["high"]) for name, e in found.items()}


def compare(first: Answers, second: Answers) -> Answers:
    """What differs in the parameters, and every figure of both with its ratio (second to first).

    `apart` says that the bands of the seeds do not overlap: more than chance. Without bands (one seed) it is
    None.
    """
    a, b = figures(first), figures(second)
    old = {p["key"]: p["value"] for p in first["parameters"]}
    rows = []
    for name in a:
        if name not in b:
            continue
        (x, x_low, x_high), (y, y_low, y_high) = a[name], b[name]
        apart = None
        if min(len(first["seeds"]), len(second["seeds"])) > 1 and None not in (x_low, x_high, y_low, y_high):
            apart = bool(x_high < y_low or y_high < x_low)  # type: ignore[operator]
        ratio = y / x if x and y is not None else None
        rows.append({"name": name, "first": x, "second": y, "ratio": ratio, "apart": apart})
    return {
        "first": first["scenario"],
        "second": second["scenario"],
        "calibrations": [first["calibration"]["statement"], second["calibration"]["statement"]],
        "measured": [first["calibration"]["measured"], second["calibration"]["measured"]],
        "parameters": [
            {"key": p["key"], "first": old.get(p["key"]), "second": p["value"]}
            for p in second["parameters"]
            if old.get(p["key"]) != p["value"]
        ],
        "faults": [first["faults"], second["faults"]],
        "figures": rows,
        "lag": [
            {"seconds": r["series"]["seconds"], "score_lag_s": r["series"]["score_lag_s"]}
            for r in (first, second)
        ],
    }


def page(data: Answers) -> str:
    """The comparison as one HTML file."""
    title = f"{data['first']['name']} and {data['second']['name']}"

    def show(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:.4g}"
        return "—" if value is None else escape(json.dumps(value, ensure_ascii=False)[:120])

    notes = [
        f"<div class='note'>{name}: service times are {escape(statement)}.</div>"
        for name, statement, measured in zip(
            ("First", "Second"), data["calibrations"], data["measured"], strict=True
        )
        if not measured
    ]
    changed = [[f"<code>{p['key']}</code>", show(p["first"]), show(p["second"])] for p in data["parameters"]]
    rows = []
    for f in data["figures"]:
        apart = {True: "<b>yes</b>", False: "no", None: "—"}[f["apart"]]
        rows.append([escape(f["name"]), show(f["first"]), show(f["second"]), show(f["ratio"]), apart])
    lags = [
        plot(
            f"Lag of {name['title']}",
            "s",
            lag["seconds"],
            [Line("oldest that is not scored", lag["score_lag_s"])],
            of_day=False,
        )
        for name, lag in zip((data["first"], data["second"]), data["lag"], strict=True)
    ]
    body = [
        f"<h1>{escape(data['first']['title'])} → {escape(data['second']['title'])}</h1>",
        *notes,
        "<h2>What differs</h2>",
        table(["parameter", "first", "second"], changed) if changed else "<p>No parameter.</p>",
        "<h2>Lag, over the seconds since the window's begin</h2>",
        f"<div class='plots'>{''.join(lags)}</div>",
        "<h2>What comes of it</h2>",
        table(["figure", "first", "second", "ratio", "more than chance"], rows, 1),
    ]
    return document(title, body, data)
