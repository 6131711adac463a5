"""The live view: the way of the statements, and a few learners, in the terminal.

On a terminal a screen that changes in place; anywhere else a line each second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lrs.demo.client import Sent
from lrs.demo.scrape import STAGES, UNTIL, Reading, quantile

BUCKETS: Final = " ▁▂▃▄▅▆▇█"
_BAR: Final = 18
_LEVELS: Final = 2
"""Competencies of a learner in the view: the highest."""
_BRIEFLY: Final = 2
"""Learners in a line."""


@dataclass(frozen=True)
class Level:
    """A competency of a learner: its level, and how probable the next one is (None above the highest)."""

    competency: str
    level: int
    next_one: float | None

    def __str__(self) -> str:
        if self.next_one is None:
            return f"{self.competency} {self.level}"
        return f"{self.competency} {self.level} (next {self.next_one:.0%})"


@dataclass(frozen=True)
class Standing:
    """What the view shows of a learner; as the platform API told it. `course`: empty before the first."""

    name: str
    role: str
    course: str
    percent: float
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Scene:
    """One moment: the latest reading, one some seconds before it, the rates of the last minute."""

    now: Reading
    before: Reading
    history: tuple[tuple[float, float, float], ...]
    sent: Sent
    standings: tuple[Standing, ...]

    @property
    def rates(self) -> tuple[float, float, float]:
        """Statements accepted, stored and scored per second."""
        return rates(self.before, self.now)


def rates(before: Reading, now: Reading) -> tuple[float, float, float]:
    """Statements accepted, stored and scored per second between two readings."""
    seconds = max(now.at - before.at, 1e-3)
    # A process that was started again counts from zero.
    accepted = max(0.0, now.accepted - before.accepted)
    stored, scored = (max(0.0, now.done[stage] - before.done[stage]) for stage in STAGES)
    return accepted / seconds, stored / seconds, scored / seconds


def screen(scene: Scene) -> RenderableType:
    """The whole view for a terminal."""
    return Group(_way(scene), _learners(scene), _foot(scene.sent))


def line(scene: Scene) -> str:
    """The view in one line of plain text."""
    accepted, stored, scored = scene.rates
    lags = "  ".join(f"{stage} lag {scene.now.lag_seconds[stage]:.1f} s" for stage in STAGES)
    learners = "".join(f"  {_brief(one)}" for one in scene.standings[:_BRIEFLY] if one.course)
    return (
        f"accepted {accepted:.0f}/s  stored {stored:.0f}/s  scored {scored:.0f}/s  {lags}"
        f"  total {scene.now.accepted:.0f}{learners}"
    )


def _way(scene: Scene) -> Table:
    table = Table(title="Statements", title_justify="left", expand=False)
    for heading in ("", "per second", "total", "lag", "delay p50", "p99"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_column("the last minute")
    totals = (scene.now.accepted, *(scene.now.done[stage] for stage in STAGES))
    for row, name in enumerate(("accepted", "stored", "scored")):
        lag = delays = ""
        p99 = ""
        if row:
            stage, until = STAGES[row - 1], UNTIL[row - 1]
            lag = f"{scene.now.lag_records[stage]:.0f} records, {scene.now.lag_seconds[stage]:.1f} s"
            delays, p99 = (
                _milliseconds(quantile(scene.before.delays[until], scene.now.delays[until], share))
                for share in (0.5, 0.99)
            )
        table.add_row(
            name,
            f"{scene.rates[row]:,.0f}",
            f"{totals[row]:,.0f}",
            lag,
            delays,
            p99,
            _spark([rate[row] for rate in scene.history]),
        )
    return table


def _learners(scene: Scene) -> Table:
    table = Table(title="Some learners", title_justify="left")
    for heading in ("learner", "role", "course", "progress", "", "competency levels"):
        table.add_column(heading, no_wrap=heading in ("learner", ""))
    for one in scene.standings:
        table.add_row(
            one.name,
            one.role,
            one.course,
            ProgressBar(total=100, completed=one.percent, width=_BAR),
            f"{one.percent:3.0f} %",
            _levels(one) or "-",
        )
    return table


def _foot(sent: Sent) -> Text:
    text = f"acknowledged {sent.acknowledged:,}, sent again {sent.repeated:,}, waits {sent.waits:,}"
    if sent.refused:
        text += f", refused {sent.refused:,}: {sent.last_refusal}"
    return Text(f"{text}. Ctrl-C ends; the data stays.", style="dim")


def _levels(one: Standing) -> str:
    return ", ".join(map(str, one.levels[:_LEVELS]))


def _brief(one: Standing) -> str:
    levels = f", {one.levels[0]}" if one.levels else ""
    return f"{one.name}: {one.course} {one.percent:.0f} %{levels}."


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:,.0f} ms"


def _spark(values: list[float]) -> str:
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    return "".join(BUCKETS[round(value / top * (len(BUCKETS) - 1))] for value in values)


def standing(
    name: str, role: str, course: str, progress: dict[str, Any], competencies: dict[str, Any], language: str
) -> Standing:
    """What the platform API says of a learner, for the view; `course` is the one in hand (IRI)."""
    found = {entry["id"]: entry for entry in progress["courses"]}
    shown = found.get(course) or (progress["courses"][-1] if progress["courses"] else None)
    levels = (
        Level(_named(entry["name"], language), entry["level"], _next(entry))
        for entry in competencies["competencies"]
    )
    highest_first = tuple(sorted(levels, key=lambda one: (one.level, one.next_one or 0.0), reverse=True))
    if shown is None:
        return Standing(name, role, "", 0.0, highest_first)
    return Standing(name, role, _named(shown["name"], language), shown["percent"], highest_first)


def _next(entry: dict[str, Any]) -> float | None:
    above: list[float] = entry["probabilities"][entry["level"] :]
    return above[0] if above else None


def _named(names: dict[str, str], language: str) -> str:
    return names.get(language, names["en"])
