"""The live view, and the readings that it shows."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from rich.console import Console

from lrs.demo.client import Sent
from lrs.demo.scrape import Reading, quantile
from lrs.demo.view import Scene, line, rates, screen, standing
from lrs.metrics.edge import EdgeMetrics
from lrs.metrics.registry import exposition
from lrs.metrics.stage import StageMetrics

PROGRESS = {
    "courses": [
        {"id": "https://lrs.example.org/a", "name": {"en": "First", "hi": "पहला"}, "percent": 40.0},
        {"id": "https://lrs.example.org/b", "name": {"en": "Second"}, "percent": 12.5},
    ]
}
COMPETENCIES = {
    "competencies": [
        {"id": "x", "name": {"en": "Law", "hi": "विधि"}, "level": 1, "probabilities": [0.9, 0.31, 0, 0, 0]},
        {"id": "y", "name": {"en": "Data"}, "level": 5, "probabilities": [1, 1, 1, 1, 0.9]},
    ]
}


def reading(at: float, accepted: float, stored: float, scored: float) -> Reading:
    made = Reading(at, accepted=accepted, done={"persist": stored, "score": scored})
    made.delays["queryable"] = {0.1: accepted / 2, 0.25: accepted, math.inf: accepted}
    return made


def test_a_reading_takes_what_the_processes_really_expose() -> None:
    edge_registry, stage_registry = CollectorRegistry(), CollectorRegistry()
    edge = EdgeMetrics(edge_registry, ["statements"])
    edge.acknowledged(7, 2)
    stage = StageMetrics(stage_registry, ["persist"], 2, clock=lambda: 100.0)
    stage.batch_done("persist", 1, 1, 5, 0.01, 99_000_000)
    stage.lag("persist", 0, 3, 1.5)
    stage.lag("persist", 1, 4, 0.5)
    stage.through("persist", np.array([99_900_000, 99_800_000], np.int64))
    found = Reading(0.0)
    found.take(exposition(edge_registry).decode())
    found.take(exposition(stage_registry).decode())
    assert (found.accepted, found.repeated, found.done["persist"]) == (7, 2, 5)
    assert (found.lag_records["persist"], found.lag_seconds["persist"]) == (7, 1.5)
    assert found.delays["queryable"][math.inf] == 2
    assert found.delays["queryable"][0.05] == 0


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 0.1), (0.25, 0.05), (0.75, 0.55), (0.9, 0.82), (1.0, 1.0)]
)
def test_a_quantile_is_interpolated_within_its_bucket(share: float, expected: float) -> None:
    counts = {0.1: 50.0, 1.0: 100.0, math.inf: 100.0}
    assert quantile({}, counts, share) == pytest.approx(expected)


def test_a_quantile_counts_only_what_came_between_and_stays_within_the_last_bound() -> None:
    before = {0.1: 50.0, 1.0: 100.0, math.inf: 100.0}
    assert quantile(before, before, 0.5) is None
    assert quantile(before, {0.1: 50.0, 1.0: 100.0, math.inf: 110.0}, 0.99) == 1.0
    assert quantile(before, {0.1: 60.0, 1.0: 110.0, math.inf: 110.0}, 0.99) == pytest.approx(0.099)


def test_rates_are_per_second_and_never_negative_when_a_process_starts_again() -> None:
    assert rates(reading(10, 100, 90, 80), reading(12, 140, 130, 110)) == (20, 20, 15)
    assert rates(reading(10, 100, 90, 80), reading(12, 0, 130, 110)) == (0, 20, 15)


def scene() -> Scene:
    standings = (
        standing("Asha Verma", "Officer", "https://lrs.example.org/b", PROGRESS, COMPETENCIES, "en"),
        standing("आशा वर्मा", "Officer", "https://lrs.example.org/a", PROGRESS, COMPETENCIES, "hi"),
    )
    return Scene(
        reading(12, 1140, 1130, 1110),
        reading(10, 1100, 1090, 1080),
        ((20.0, 20.0, 15.0), (10.0, 0.0, 5.0)),
        Sent(acknowledged=1140, repeated=3, refused=2, last_refusal="400: why"),
        standings,
    )


def test_the_line_tells_rates_lags_and_learners() -> None:
    text = line(scene())
    assert text.startswith("accepted 20/s  stored 20/s  scored 15/s  persist lag 0.0 s")
    assert "Asha Verma: Second 12 %, Data 5." in text
    assert "\n" not in text


def test_the_screen_shows_the_way_the_learners_and_what_was_refused() -> None:
    console = Console(width=150, file=io.StringIO())
    console.print(screen(scene()))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for expected in ("1,140", "1,110", "Asha Verma", "आशा वर्मा", "पहला", "Law 1 (next 31%)", "Data 5"):
        assert expected in text
    assert "sent again 3" in text
    assert "refused 2: 400: why" in text


def test_a_learner_who_has_not_begun_has_no_course() -> None:
    new = standing("Asha", "Officer", "", {"courses": []}, {"competencies": []}, "en")
    assert (new.course, new.percent, new.levels) == ("", 0.0, ())
