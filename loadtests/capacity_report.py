"""The report of a capacity run: plan, scale, measurement and prediction on one page."""

from __future__ import annotations

from html import escape
from typing import Any

from loadtests.report import MEANS, sections
from simulator import validation
from simulator.report import document, seconds, table
from simulator.svg import Line, plot


def page(record: dict[str, Any]) -> str:
    """One HTML file."""
    simulated, test = record["simulated"], record["load_test"]
    title = f"Capacity: {test['scenario']['title']}"
    body = [
        f"<h1>{escape(title)}</h1><p class='question'>{escape(simulated['scenario']['question'])}</p>",
        _cards(record),
        f"<p>{MEANS[test['verdict']['judgement']].capitalize()}.</p>",
        *_simulated(simulated),
        "<h2>What this machine was given of it</h2>",
        _scaling(record),
        "<h2>Prediction beside measurement</h2>",
        *validation.section(record["validation"])[1:],
        *sections(test),
    ]
    kept = {name: part for name, part in record.items() if name not in ("load_test", "simulated")}
    return document(title, body, kept)


def _cards(record: dict[str, Any]) -> str:
    scaling, test = record["scaling"], record["load_test"]
    name = test["verdict"]["judgement"]
    cards = [
        ("verdict", f"<span class='{'good' if name == 'passed' else 'bad'}'>{name}</span>"),
        ("this machine carries", f"{record['capacity']['statements_per_s']:,.0f}/s"),
        ("peak of the test", f"{scaling['tested_peak_per_s']:,.0f}/s"),
        ("peak of the plan", f"{scaling['simulated_peak_per_s']:,.0f}/s"),
        ("statements missing", f"{test['reconciliation']['missing_count']:,}"),
    ]
    return (
        "<div class='cards'>" + "".join(f"<div class='card'>{n}<b>{v}</b></div>" for n, v in cards) + "</div>"
    )


def _simulated(answers: dict[str, Any]) -> list[str]:
    rows = [
        [escape(row["name"]), f"{row['limit']}", f"{row['value']}", "kept" if row["kept"] else "broken"]
        for row in answers["verdict"]
    ]
    series = answers["series"]
    return [
        "<h2>The plan, simulated at its own size</h2>",
        f"<p class='soft'>Service times: {escape(answers['calibration']['statement'])}. The"
        f" installation is the"
        " scenario's, not this machine.</p>",
        table(["promise", "limit", "simulated", ""], rows),
        plot("Statements sent", "1/s", series["seconds"], [Line("sent", series["sent"])], of_day=False),
    ]


def _scaling(record: dict[str, Any]) -> str:
    s, c = record["scaling"], record["capacity"]
    rows = [
        [
            "what it carries",
            f"{c['statements_per_s']:,.0f} statements/s: {c['statements']:,} statements, due at"
            f" {c['offered_per_s']:,.0f}/s, were scored after {c['seconds']:.1f} s by a system on"
            f" {c['cores']} of the"
            f" cores; others used {100 * c['foreign']:.0f} % of them meanwhile",
        ],
        [
            "peak",
            f"{s['tested_peak_per_s']:,.0f} statements/s, {record['peak']:g} of that; the plan's is"
            f" {s['simulated_peak_per_s']:,.0f}, so it is scaled by {s['peak_factor']:.3g}",
        ],
        [
            "time",
            f"{seconds(s['simulated_s'])} compressed to {seconds(s['tested_s'])}:"
            f" {s['compression']:.4g} times faster",
        ],
        [
            "kept",
            f"the curve's form; sizes of requests ({s['sizes']:.0f} kinds,"
            f" {s['statements_a_request']:.2f} statements a"
            f" request, reads included); {s['reads_a_request']:g} reads for each request;"
            f" compression of large"
            " requests; nobody waits for anybody (open loop)",
        ],
        [
            "not kept",
            "backlogs and repetitions come at random, not after an outage; each learner speaks"
            " once; faults are not"
            " injected; pauses of minutes are compressed with the time",
        ],
    ]
    return table(["", ""], [[a, escape(b)] for a, b in rows])
