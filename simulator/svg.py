"""Line plots as inline SVG: no script, no file beside the page, colours from the page's style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 560, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 10, 10, 34


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot; None leaves a gap."""

    name: str
    y: Sequence[float | None]


def plot(
    title: str,
    unit: str,
    x: Sequence[float],
    lines: Sequence[Line],
    *,
    begin_s: float = 0.0,
    shades: Sequence[tuple[float, float, str]] = (),
    limit: float | None = None,
    log: bool = False,
    of_day: bool = True,
) -> str:
    """A figure over time: x in seconds since the window's begin, `begin_s` the time of day at which it
    begins.

    Not `of_day`: x is a plain number. `shades` are (from, to, name) in the same seconds; `limit` is a
    promise, drawn as a dashed line.
    """
    values = [v for line in lines for v in line.y if v is not None and (v > 0 or not log)]
    if limit is not None:
        values.append(limit)
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if log:
        low, high = 10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(max(high, low * 1.01)))
    else:
        low, high = 0.0, high or 1.0
    x0, x1 = (x[0], x[-1]) if len(x) > 1 else (0.0, 1.0)

    def px(v: float) -> float:
        return _LEFT + (v - x0) / (x1 - x0) * (WIDTH - _LEFT - _RIGHT)

    def py(v: float) -> float:
        share = math.log(v / low) / math.log(high / low) if log else (v - low) / (high - low)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    parts = []
    for begin, end, name in shades:
        a, b = max(px(begin), _LEFT), min(px(end), WIDTH - _RIGHT)
        if b > a:
            parts.append(
                f'<rect class="shade" x="{a:.1f}" y="{_TOP}" width="{b - a:.1f}" '
                f'height="{HEIGHT - _TOP - _BOTTOM}"><title>{escape(name)}</title></rect>'
            )
    for tick in _ticks(low, high, log):
        y = py(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{short(tick)}</text>'
        )
    for tick in _clock_ticks(x0, x1, begin_s) if of_day else _ticks(0.0, x1, False):
        if not _LEFT <= px(tick) <= WIDTH - 16:
            continue
        parts.append(
            f'<text class="tick" x="{px(tick):.1f}" y="{HEIGHT - _BOTTOM + 16}" text-anchor="middle">'
            f"{clock(begin_s + tick) if of_day else short(tick)}</text>"
        )
    for number, line in enumerate(lines):
        for points in _runs(x, line.y, log):
            path = " ".join(f"{px(a):.1f},{py(b):.1f}" for a, b in points)
            parts.append(f'<polyline class="line l{number % 6}" points="{path}"/>')
    if limit is not None:
        parts.append(
            f'<line class="limit" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" '
            f'y1="{py(limit):.1f}" y2="{py(limit):.1f}"/>'
        )
    legend = "".join(
        f'<span><i class="key l{number % 6}"></i>{escape(line.name)}</span>'
        for number, line in enumerate(lines)
    )
    if limit is not None:
        legend += '<span><i class="key dashed"></i>promise</span>'
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(unit)}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        f'<div class="legend">{legend}</div></figure>'
    )


def _runs(x: Sequence[float], y: Sequence[float | None], log: bool) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for a, b in zip(x, y, strict=True):
        if b is None or (log and b <= 0):
            runs.append([])
        else:
            runs[-1].append((a, b))
    return [[*run, run[0]] if len(run) == 1 else run for run in runs if run]


def _ticks(low: float, high: float, log: bool) -> list[float]:
    if log:
        decades = round(math.log10(high / low))
        return [low * 10.0**i for i in range(0, decades + 1, max(1, decades // 5))]
    raw = high / 4
    unit = 10 ** math.floor(math.log10(raw))
    step = next(unit * m for m in (1, 2, 2.5, 5, 10) if unit * m >= raw * 0.999)
    return [step * i for i in range(int(high / step * 1.0001) + 1)]


def _clock_ticks(x0: float, x1: float, begin_s: float) -> list[float]:
    step = next(
        s for s in (10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 86400) if (x1 - x0) / s <= 7
    )
    first = math.ceil((begin_s + x0) / step) * step - begin_s
    return [first + i * step for i in range(int((x1 - first) / step) + 1)]


def clock(seconds: float) -> str:
    """A time of day; with seconds only where there are some."""
    whole = round(seconds)
    text = f"{whole // 3600 % 24:02d}:{whole // 60 % 60:02d}"
    return f"{text}:{whole % 60:02d}" if whole % 60 else text


def short(value: float) -> str:
    """A number for an axis: 1.2k, 3M, 0.05."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
