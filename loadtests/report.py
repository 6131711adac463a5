"""The report: one HTML file, made from the findings alone, with nothing beside it."""

from __future__ import annotations

from html import escape

from loadtests.trial import Findings
from simulator.report import document, seconds, table
from simulator.svg import Line, plot

_CLASS = {"passed": "good", "failed": "bad", "no figure": "bad"}
MEANS = {
    "passed": "every promise was kept, and the store has what it acknowledged",
    "failed": "a promise was broken, or an answer or the store was wrong",
    "no figure": "nothing wrong was seen, but the figures cannot be claimed for the system",
}
_QUANTILES = ("p50", "p90", "p95", "p99", "p99.9", "max")


def page(findings: Findings) -> str:
    """The report of one run."""
    scenario, verdict = findings["scenario"], findings["verdict"]
    title = f"Load test: {scenario['title']}"
    body = [
        f"<h1>{escape(title)}</h1><p class='question'>{escape(scenario['question'])}</p>",
        _cards(findings),
        f"<p>{MEANS[verdict['judgement']].capitalize()}.</p>",
        *sections(findings),
    ]
    return document(title, body, {name: part for name, part in findings.items() if name != "arrivals"})


def sections(findings: Findings) -> list[str]:
    """What was found, one part after another."""
    verdict = findings["verdict"]
    return [
        *(f"<div class='note'>{escape(text)}</div>" for text in (*verdict["wrong"], *verdict["doubts"])),
        "<h2>Promises</h2>",
        _promises(findings),
        "<h2>How long it took</h2>",
        "<p class='soft'>Intended: from when a request was due until its final answer, repetitions included."
        " Service: from the sending of each attempt. Where they differ, requests waited for others."
        " Queryable, of a sample of records to an intake: until their statements can be read; service counts"
        " from the acknowledgement.</p>",
        _latencies(findings),
        "<h2>Over the time</h2>",
        _plots(findings),
        "<h2>What the LRS says of itself</h2>",
        _lrs(findings),
        "<h2>Who used the processors</h2>",
        _cores(findings),
        "<h2>Whether everything is there</h2>",
        _reconciliation(findings),
        "<h2>Requests and answers</h2>",
        _requests(findings),
    ]


def _cards(f: Findings) -> str:
    name = f["verdict"]["judgement"]
    checked = f["reconciliation"]
    cards = [
        ("verdict", f"<span class='{_CLASS[name]}'>{name}</span>"),
        ("requests due", f"{f['requests']['due']:,}"),
        ("peak", f"{f['scenario']['peak']:g}/s"),
        ("statements acknowledged", f"{f['requests']['statements_acknowledged']:,}"),
        ("of them missing", f"{checked['missing_count']:,}"),
        ("scored after the end", seconds(checked["drained"])),
        ("seconds", f"{f['scenario']['seconds']:g}"),
    ]
    return (
        "<div class='cards'>" + "".join(f"<div class='card'>{n}<b>{v}</b></div>" for n, v in cards) + "</div>"
    )


def _promises(f: Findings) -> str:
    rows = [
        [
            escape(promise["name"]),
            f"{promise['limit']:g}",
            "not measured" if promise["measured"] is None else f"{promise['measured']:.4g}",
            "<span class='good'>kept</span>" if promise["kept"] else "<span class='bad'>broken</span>",
        ]
        for promise in f["verdict"]["promises"]
    ]
    return table(["promise", "limit", "measured", ""], rows)


def _latencies(f: Findings) -> str:
    rows = [
        [
            escape(name),
            clock,
            f"{clocks[clock]['count']:,}",
            seconds(clocks[clock]["mean"]),
            *(seconds(clocks[clock][quantile]) for quantile in _QUANTILES),
        ]
        for name, clocks in f["latency"].items()
        for clock in ("intended", "service")
    ]
    return table(["request", "clock", "count", "mean", *_QUANTILES], rows, 2)


def _plots(f: Findings) -> str:
    ours, theirs = f["over_time"], f["lrs_over_time"]

    def drawn(title: str, unit: str, source: Findings, names: tuple[str, ...], *, log: bool = False) -> str:
        lines = [Line(name.replace("_", " "), source[name]) for name in names]
        return plot(title, unit, source["seconds"], lines, log=log, of_day=False)

    latency = ("intended_p50", "intended_p99", "service_p50", "service_p99")
    figures = [
        drawn("Latency, by when requests were due", "s, logarithmic", ours, latency, log=True),
        drawn("Requests due", "1/s", ours, ("requests_due",)),
        drawn("Statements acknowledged", "1/s, by when they were due", ours, ("statements_acknowledged",)),
    ]
    way = ("accepted", "queryable", "scored")[f["run"]["statements_by"] != "HTTP" :]
    if len(theirs["seconds"]) > 1:
        figures += [
            drawn("The way of the statements", "1/s", theirs, way),
            drawn("How far the stages are behind", "s", theirs, ("persist_lag", "score_lag")),
        ]
    return f"<div class='plots'>{''.join(figures)}</div>"


def _lrs(f: Findings) -> str:
    told = f["lrs"]
    if not told:
        return "<p>Its metrics ports were not given.</p>"
    by_edge = ("accepted", "repeated") if f["run"]["statements_by"] == "HTTP" else ()
    counts = [
        [escape(name.replace("_", " ")), f"{told[name]:,.0f}"]
        # What an intake takes, it counts by records.
        for name in (*by_edge, "persist_done", "score_done", "dead_letters")
    ]
    delays = [
        [until, *(seconds(told["delays"][until][quantile]) for quantile in ("p50", "p95", "p99", "p99.9"))]
        for until in ("queryable", "scored")
    ]
    return table(["counted during the run", ""], counts, 1) + table(
        ["until a statement is", "p50", "p95", "p99", "p99.9"], delays, 1
    )


def _cores(f: Findings) -> str:
    lag, cores = f["generator"]["lag"], f["generator"]["cores"]
    rows = [["generator's lag, p99", seconds(lag["p99"])], ["generator's lag, most", seconds(lag["max"])]]
    if cores:
        rows += [[escape(name), f"{used:.2f} cores"] for name, used in cores["system"].items()]
        rows += [
            ["generator, all processes", f"{cores['generator']:.2f} cores"],
            ["generator, its busiest process within two seconds", f"{cores['generator_busiest']:.2f} cores"],
            ["whole machine, others included", f"{cores['machine']:.2f} of {cores['cores']} cores"],
        ]
    return table(["", ""], rows, 1)


def _reconciliation(f: Findings) -> str:
    checked = f["reconciliation"]
    lists = ("missing", "twice", "refused_stored", "statement_problems", "progress_problems")
    rows = [["compared", escape(checked["compared"])]]
    rows += [
        [escape(name.replace("_", " ")), _figure(name, value)]
        for name, value in checked.items()
        if isinstance(value, int | float)
    ]
    shown = [[name.replace("_", " "), escape(text)] for name in lists for text in checked[name]]
    return table(["", ""], rows, 1) + (table(["difference", ""], shown) if shown else "")


def _requests(f: Findings) -> str:
    run = f["run"]
    rows = [[escape(name.replace("_", " ")), f"{value:,}"] for name, value in f["requests"].items()]
    texts = [[escape(text), f"{count:,}"] for text, count in f["problems"].items()]
    about = (
        f"{run['at']}, statements by {run['statements_by']}, seed {run['seed']},"
        f" {run['processes']} generator processes; {run['machine']}"
    )
    return (
        table(["", ""], rows, 1)
        + (table(["answers that were busy, broken or wrong", ""], texts, 1) if texts else "")
        + f"<p class='soft'>{escape(about)}</p>"
    )


def _figure(name: str, value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return seconds(value) if name == "drained" else f"{value:,}"
