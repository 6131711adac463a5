"""The report: one HTML file, made from the answers alone, readable offline and in print."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from simulator.parameters import seconds_of
from simulator.svg import Line, plot

Answers = dict[str, Any]
_LATENCY_NAMES = {
    "acknowledged": "request due → acknowledged",
    "queryable": "taken by an edge → queryable",
    "scored": "accepted → scored",
    "read": "progress read",
}
_STYLE = """
:root{--ink:#1b1f24;--soft:#5c6670;--line:#d9dee3;--paper:#fff;--card:#f6f8fa;--good:#1a7f37;--bad:#c62828;
--l0:#0b62d6;--l1:#d9480f;--l2:#2b8a3e;--l3:#7b2cbf;--l4:#b8860b;--l5:#0c8599}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa5b0;--line:#333b44;--paper:#14181d;--card:#1c2229;
--good:#4ac26b;--bad:#ff6b6b;--l0:#6aa9ff;--l1:#ff9255;--l2:#69db7c;--l3:#c77dff;--l4:#f0c048;--l5:#3bc9db}}
*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
margin:0 auto;max-width:1200px;padding:24px}h1{font-size:28px;margin:0}h2{font-size:19px;margin:34px 0 10px}
p.question{font-size:17px;color:var(--soft);margin:4px 0 16px}small,.soft{color:var(--soft)}
.note{border-left:4px solid var(--l1);background:var(--card);padding:10px 14px;margin:12px 0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px}
.card{background:var(--card);border-radius:8px;padding:12px 14px}.card b{display:block;font-size:22px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(430px,1fr));gap:18px}
figure{margin:0;background:var(--card);border-radius:8px;padding:10px}figcaption{font-weight:600}
svg{width:100%;height:auto;display:block}.legend{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:13px}
.key{display:inline-block;width:14px;height:3px;margin-right:5px;vertical-align:middle;background:currentColor}
.key.dashed{background:none;border-top:2px dashed var(--bad)}
.line{fill:none;stroke:currentColor;stroke-width:1.6;stroke-linejoin:round}.grid{stroke:var(--line)}
.tick{font-size:11px;fill:var(--soft)}.shade{fill:var(--bad);opacity:.12}
.limit{stroke:var(--bad);stroke-dasharray:5 4;stroke-width:1.5}
.l0{color:var(--l0)}.l1{color:var(--l1)}.l2{color:var(--l2)}.l3{color:var(--l3)}.l4{color:var(--l4)}.l5{color:var(--l5)}
table{border-collapse:collapse;width:100%;font-size:14px}th,td{text-align:left;padding:5px 10px;
border-bottom:1px solid var(--line);vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}.scroll{overflow-x:auto}
details{margin:10px 0}summary{cursor:pointer;font-weight:600}code{font-size:13px}
"""


def page(answers: Answers) -> str:
    """The report of one study."""
    scenario, c = answers["scenario"], answers["calibration"]
    body = [
        f"<h1>{escape(scenario['title'])}</h1><p class='question'>{escape(scenario['question'])}</p>",
        _calibration_note(c),
        _cards(answers),
        "<h2>Promises</h2>",
        _verdict(answers["verdict"]),
        "<h2>How long it takes</h2>",
        _latencies(answers),
        "<h2>Over the time</h2>",
        _plots(answers),
        "<h2>How busy the parts are</h2>",
        _parts(answers),
        "<h2>Size, room and cost</h2>",
        _capacity(answers),
        "<h2>What was counted</h2>",
        _counts(answers),
        "<h2>How it was computed</h2>",
        _method(answers),
        _faults(answers["faults"]),
        _parameters(answers),
    ]
    return document(scenario["title"], body, {k: v for k, v in answers.items() if k != "parameters"})


def document(title: str, body: list[str], data: Answers) -> str:
    """A whole HTML page; `data` is put into it, so that the page carries its own figures."""
    inside = json.dumps(data, sort_keys=True, separators=(",", ":")).replace("</", "<\\/")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{''.join(body)}"
        f'<script type="application/json" id="answers">{inside}</script></body></html>\n'
    )


def seconds(value: float | None) -> str:
    """A duration as a person reads it."""
    if value is None:
        return "—"
    if value == 0:
        return "0 s"
    if value < 1.0:
        return f"{value * 1000:.3g} ms"
    if value < 120:
        return f"{value:.3g} s"
    return f"{value / 60:.3g} min" if value < 7200 else f"{value / 3600:.3g} h"


def table(head: list[str], rows: list[list[str]], numbers: int = 0) -> str:
    """A table whose columns from `numbers` on are figures; cells are HTML."""
    cls = [" class='n'" if numbers and i >= numbers else "" for i in range(len(head))]
    top = "".join(f"<th{k}>{h}</th>" for k, h in zip(cls, head, strict=True))
    lines = "".join(
        "<tr>" + "".join(f"<td{k}>{cell}</td>" for k, cell in zip(cls, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<div class='scroll'><table><tr>{top}</tr>{lines}</table></div>"


def _calibration_note(c: dict[str, Any]) -> str:
    if c["measured"]:
        return (
            f"<p class='soft'>Service times measured {escape(c['date'])} on {escape(c['machine'])}: "
            f"{escape(c['statement'])}</p>"
        )
    return (
        f"<div class='note'><b>The service times are {escape(c['statement'])}.</b> The figures below follow "
        f"from them ({escape(c['file'])}, {escape(c['date'])}): they say how the parts relate, not what a "
        "machine does."
        "</div>"
    )


def _banded(entry: dict[str, Any], show: Any) -> str:
    if entry["value"] is None:
        return "—"
    text = show(entry["value"])
    low, high = show(entry["low"]), show(entry["high"])
    return text if low == high else f"{text} <small>({low} – {high})</small>"


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _cards(a: Answers) -> str:
    kept = all(row["kept"] for row in a["verdict"])
    capacity = a["capacity"] or {"headroom": None, "headroom_is_bound": False}
    if capacity["headroom"] is None:
        room = "none" if a["capacity"] else "—"
    else:
        room = f"{'> ' if capacity['headroom_is_bound'] else ''}{capacity['headroom']:.2f} ×"
    cards = [
        ("promises", f"<span class='{'good' if kept else 'bad'}'>{'kept' if kept else 'broken'}</span>"),
        ("statements in the window", _whole(a["arrivals"]["statements"])),
        ("busiest second", _whole(a["arrivals"]["statements_peak_second"])),
        ("acknowledged p99", seconds(a["latency_s"]["acknowledged"]["p99"]["value"])),
        ("scored p99", seconds(a["latency_s"]["scored"]["p99"]["value"])),
        ("drained after", seconds(a["drain_s"]["value"]) if a["drain_s"]["value"] is not None else "never"),
        ("statements lost", _whole(a["lost_statements"]["value"])),
        ("load it could carry", room),
    ]
    return (
        "<div class='cards'>" + "".join(f"<div class='card'>{n}<b>{v}</b></div>" for n, v in cards) + "</div>"
    )


def _verdict(rows: list[dict[str, Any]]) -> str:
    def show(value: Any) -> str:
        return "—" if value is None else str(value).lower() if isinstance(value, bool) else f"{value:.4g}"

    return table(
        ["promise", "limit", "simulated", ""],
        [
            [
                escape(row["name"]),
                show(row["limit"]),
                show(row["value"]),
                "<span class='good'>kept</span>" if row["kept"] else "<span class='bad'>broken</span>",
            ]
            for row in rows
        ],
    )


def _latencies(a: Answers) -> str:
    names = list(a["latency_s"]["acknowledged"])
    rows = [
        [escape(_LATENCY_NAMES[k]), *(_banded(a["latency_s"][k][n], seconds) for n in names)]
        for k in _LATENCY_NAMES
    ]
    return table(["", *names], rows, 1)


def shades(a: Answers) -> list[tuple[float, float, str]]:
    """The faults as times since the window's begin."""
    begin = seconds_of(a["window"]["begin"])
    return [
        (seconds_of(f["at"]) - begin, seconds_of(f["at"]) - begin + f["seconds"], f["kind"])
        for f in a["faults"]
    ]


def _plots(a: Answers) -> str:
    series, by_time, slo = a["series"], a["by_time"], {p["key"]: p["value"] for p in a["parameters"]}
    x, begin, shade = series["seconds"], seconds_of(a["window"]["begin"]), shades(a)

    def lines(*names: str) -> list[Line]:
        return [Line(name.replace("_", " "), series[name]) for name in names]

    def over_time(latency: str) -> list[Line]:
        return [Line(q, by_time[f"{latency} {q}"]) for q in ("p50", "p99")]

    cores = ["edge_cores", "worker_cores", "postgresql_cores", "broker_cores"]
    ms, log = by_time["seconds"], ", logarithmic"
    limit = {name: slo[f"slo.{name}_p99_s"] for name in ("ack", "queryable", "scored")}
    stages = lines("edges", "persist_workers", "score_workers", "flush")
    figures: list[tuple[str, str, list[float], list[Line], float | None]] = [
        (
            "The way of the statements",
            "statements/s",
            x,
            lines("sent", "accepted", "persisted", "scored"),
            None,
        ),
        ("What waits", "statements", x, lines("persist_backlog", "score_backlog"), None),
        ("How old the oldest is that waits", "s", x, lines("persist_lag_s", "score_lag_s"), limit["scored"]),
        ("Acknowledged", "s, from when it was due" + log, ms, over_time("acknowledged"), limit["ack"]),
        ("Queryable", "s after an edge took it" + log, ms, over_time("queryable"), limit["queryable"]),
        ("Scored", "s after acceptance" + log, ms, over_time("scored"), limit["scored"]),
        ("Processes in use", "share of their number", x, stages, None),
        ("Cores in use", "share of their number", x, lines(*cores), None),
        ("Refused, timed out, sent again", "requests/s", x, lines("rejected", "timed_out", "retried"), None),
        ("Requests inside the edges and the log", "requests", x, lines("in_system"), None),
    ]
    drawn = [
        plot(title, unit, at, of, begin_s=begin, shades=shade, limit=promise, log=unit.endswith(log))
        for title, unit, at, of, promise in figures
    ]
    return f"<div class='plots'>{''.join(drawn)}</div>"


def _parts(a: Answers) -> str:
    def percent(value: float) -> str:
        return f"{100 * value:.1f} %"

    rows = [
        [escape(name.replace("_", " ")), _banded(e["mean"], percent), _banded(e["peak"], percent)]
        for name, e in a["utilisation"].items()
    ]
    return table(["part", "mean", "busiest sample"], rows, 1)


def _capacity(a: Answers) -> str:
    capacity, cost = a["capacity"], a["cost"]
    rows = []
    if capacity is not None:
        rows.append(["busiest two minutes", f"{capacity['statements_per_s']:,.0f} statements/s"])
        if capacity["headroom"] is None:
            rows.append(["load it carries within the promises", "not even this one, without any fault"])
        else:
            more = " at least; the search ended there" if capacity["headroom_is_bound"] else ""
            rows.append(
                ["load it carries within the promises", f"{capacity['headroom']:.2f} times this{more}"]
            )
        if capacity["smallest"]:
            names = ", ".join(f"{v} {k.replace('_', ' ')}" for k, v in capacity["smallest"].items())
            rows.append(["smallest that keeps the promises without fault, by halving", names])
    rows += [
        ["cores", f"{cost['cores']:.0f}"],
        ["cores for a crore of statements, at this window's load", f"₹ {cost['cores_inr_per_crore']:.2f}"],
        [
            "storage for a crore of statements",
            f"{cost['storage_gb_per_crore']:.1f} GB, ₹ {cost['storage_inr_per_crore_month']:.2f} a month",
        ],
    ]
    return table(["", ""], rows)


def _counts(a: Answers) -> str:
    rows = [[escape(k.replace("_", " ")), _banded(v, _whole)] for k, v in a["counts"].items()]
    rows.append(["statements lost (given up and not stored)", _banded(a["lost_statements"], _whole)])
    rows += [
        [
            f"CPU of {escape(k.replace('_', ' '))} for 1,000 statements",
            _banded(v, lambda s: f"{1000 * s:.2f} ms"),
        ]
        for k, v in a["cpu_s_per_1000"].items()
    ]
    return table(["", ""], rows, 1)


def _method(a: Answers) -> str:
    n = len(a["seeds"])
    text = f"<p>{n} seed{'s' if n > 1 else ''} ({', '.join(map(str, a['seeds']))}); "
    text += "the middle value, with the middle 90 % of the seeds in brackets. " if n > 1 else "no band. "
    if n < 20:
        text += "Of fewer than 20 seeds the band is hardly more than their range. "
    text += "Plots and promises are those of the first seed.</p>"
    if a["thin"] == 1:
        return text + "<p>All learners were simulated.</p>"
    bias = a["bias"]
    text += (
        f"<p>One learner in {a['thin']} was simulated; each request stands for {a['thin']}, spread over "
        "40 s. "
        f"What that does to the figures was measured on the busiest {bias['seconds']:.0f} s, "
        f"against one learner in {bias['thin']}:</p>"
    )
    rows = [
        [
            escape(k),
            seconds(bias["full_s"][k]),
            seconds(bias["thinned_s"][k]),
            f"{bias['ratio'].get(k, 1):.3f}",
        ]
        for k in bias["full_s"]
    ]
    return text + table(["", f"one in {bias['thin']}", f"one in {a['thin']}", "ratio"], rows, 1)


def _faults(faults: list[dict[str, Any]]) -> str:
    if not faults:
        return "<p>No fault.</p>"
    rows = [
        [
            escape(f["kind"]),
            escape(f["at"]),
            seconds(f["seconds"]),
            escape(
                ", ".join(f"{k} {v}" for k, v in f.items() if k not in ("kind", "at", "seconds", "source"))
            ),
            escape(f["source"]),
        ]
        for f in faults
    ]
    return "<h2>What goes wrong</h2>" + table(["fault", "at", "for", "", "source"], rows)


def _parameters(a: Answers) -> str:
    def show(value: Any) -> str:
        text = json.dumps(value, ensure_ascii=False)
        return escape(text if len(text) <= 120 else text[:117] + "...")

    rows = [
        [
            f"<code>{p['key']}</code>",
            show(p["value"]),
            p["unit"],
            escape(p["meaning"]),
            escape(p["source"]),
            p["file"],
        ]
        for p in a["parameters"]
    ]
    services = [[f"<code>{k}</code>", escape(v)] for k, v in a["calibration"]["sources"].items()]
    return (
        "<details><summary>All parameters and their sources</summary>"
        + table(["key", "value", "unit", "meaning", "source", "set in"], rows)
        + "<h2>Service times</h2>"
        + table(["part", "source"], services)
        + "</details>"
    )
