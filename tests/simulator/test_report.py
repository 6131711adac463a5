from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simulator.answers import answers
from simulator.calibration import Calibration, load_calibration
from simulator.cli import main
from simulator.comparison import compare
from simulator.parameters import FAULTS, SECTIONS
from simulator.report import page
from simulator.scenario import ScenarioError, load, shipped
from simulator.study import study
from simulator.svg import Line, plot
from simulator.sweeps import axes, knee, retry_map, sweep
from tests.simulator.browser import needs_chromium, opened

DOCS = Path(__file__).parents[2] / "docs" / "simulator.md"
TINY = ("population.learners=4000",)


class _Reader(HTMLParser):
    """Fails on a page whose elements do not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br", "i"):
            self.open.append(tag)
        assert not any(name in ("src", "href") for name, _ in attrs), "a report must need nothing beside it"

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "i":
            assert self.open.pop() == tag


def read(html: str) -> list[str]:
    reader = _Reader()
    reader.feed(html)
    assert not reader.open
    return reader.tags


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The reports that were made, by name of the scenario."""
    return {}


@pytest.mark.parametrize("name", shipped())
def test_every_scenario_runs_at_a_small_scale_and_reports(
    name: str, assumed: Calibration, pages: dict[str, str]
) -> None:
    scenario = load([name], TINY)
    short = scenario.but(run__hours=min(scenario.run.hours, 2.0))
    done = study(short, assumed, seeds=1, thin=1, sizing=False)
    data = json.loads(json.dumps(answers(done), sort_keys=True))
    pages[name] = page(data)
    tags = read(pages[name])
    assert tags.count("svg") == 10
    assert data["arrivals"]["statements"] > 0
    assert data["lost_statements"]["value"] == 0
    assert data["counts"]["scored_statements"] == data["counts"]["accepted_statements"]


@pytest.mark.browser
@needs_chromium
def test_the_report_of_every_scenario_opens_in_a_browser(pages: dict[str, str], tmp_path: Path) -> None:
    if not pages:
        pytest.skip("no report was made")
    seen = opened(pages, tmp_path)
    for name in pages:
        assert load([name]).title in seen[name]["heading"]
        assert seen[name]["drawn"] > 10
        assert seen[name]["hangs_out"] == 0


def test_a_report_says_when_its_service_times_are_assumed(assumed: Calibration) -> None:
    data = answers(study(load(["weekday"], [*TINY, "run.hours=0.5"]), assumed, seeds=1, sizing=False, thin=1))
    assert "assumed, not measured" in page(data)
    data["calibration"]["measured"] = True
    assert "The figures below follow" not in page(data)


def test_the_same_seeds_give_the_same_answers_for_any_shards(assumed: Calibration) -> None:
    scenario = load(["rebalance"], ["population.learners=40000", "run.hours=0.6"])
    texts = [
        json.dumps(answers(study(scenario, assumed, seeds=2, thin=4, shards=shards)), sort_keys=True)
        for shards in (1, 2)
    ]
    assert texts[0] == texts[1]
    data = json.loads(texts[0])
    assert data["bias"]["thin"] == 1
    assert data["capacity"]["headroom"] > 1
    assert data["capacity"]["smallest"]["partitions"] <= 16


def test_a_sweep_keeps_the_arrivals_and_finds_the_knee(assumed: Calibration) -> None:
    scenario = load(["learning-week", "one-machine"], ["population.learners=20000", "run.hours=0.05"])
    over = axes(scenario, ["run.load=10,200,2000,5000"])
    data = sweep(scenario, assumed, over, thin=1)
    kept = [row["kept"] for row in data["rows"]]
    assert kept[0]
    assert not kept[-1]
    assert data["knee"]["largest_kept"] in (10.0, 200.0, 2000.0)
    assert data["rows"][-1]["bottleneck_share"] > 0.9
    with pytest.raises(ScenarioError, match="changes the arrivals"):
        axes(scenario, ["learning.zipf=1,2"])
    with pytest.raises(ScenarioError, match="must be section"):
        axes(scenario, ["system.edges"])


def test_the_knee_of_a_bent_line() -> None:
    rows = [{"kept": k} for k in (True, True, True, False, True)]
    found = knee([1, 2, 3, 4, 5], [0.01, 0.01, 0.01, 10.0, 100.0], rows)
    assert found == {"bend": 3.0, "largest_kept": 3.0}


def test_a_map_tells_what_recovers(assumed: Calibration) -> None:
    scenario = load(["retry-storm"], ["population.learners=4000"])
    data = retry_map(scenario, assumed, thin=1)
    assert len(data["rows"]) == 60
    calm = [row for row in data["rows"] if row["trigger_s"] == 0]
    assert all(row["recovered"] for row in calm)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, [*arguments])


def test_the_command_line_from_run_to_compare(tmp_path: Path) -> None:
    common = ("--set", "population.learners=4000", "--set", "run.hours=0.2", "--set", "run.begin=11:00")
    for name, edges in (("a", "4"), ("b", "8")):
        done = run(
            "run",
            "weekday",
            *common,
            "--set",
            f"system.edges={edges}",
            "--seeds",
            "2",
            "--out",
            str(tmp_path / name),
        )
        assert done.exit_code == 0, done.output
    done = run("compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--out", str(tmp_path / "c"))
    assert done.exit_code == 0, done.output
    data = json.loads((tmp_path / "c.json").read_text())
    assert data["parameters"] == [{"key": "system.edges", "first": 4, "second": 8}]
    read((tmp_path / "c.html").read_text())
    done = run("sweep", "weekday", *common, "--over", "system.edges=1,2", "--out", str(tmp_path / "s"))
    assert done.exit_code == 0, done.output
    read((tmp_path / "s.html").read_text())
    done = run("emit", "weekday", *common, "--out", str(tmp_path / "e.ndjson"))
    assert done.exit_code == 0, done.output
    assert run("scenarios").exit_code == 0


def test_a_broken_promise_is_exit_code_1_and_a_bad_setting_an_error(tmp_path: Path) -> None:
    common = ("--set", "population.learners=4000", "--set", "run.hours=0.1", "--seeds", "1")
    out = ("--out", str(tmp_path / "x"))
    assert run("run", "weekday", *common, "--set", "slo.ack_p99_s=0.0001", *out).exit_code == 1
    done = run("run", "weekday", "--set", "system.edges=none", *out)
    assert done.exit_code == 1
    assert "system.edges = 'none': must be a whole number from 1 to 256" in done.output
    assert run("compare", str(tmp_path / "x.html"), str(tmp_path / "x.json")).exit_code == 1


def test_two_runs_of_one_seed_have_no_bands(assumed: Calibration) -> None:
    data = answers(study(load(["weekday"], [*TINY, "run.hours=0.2"]), assumed, seeds=1, thin=1, sizing=False))
    assert all(row["apart"] is None for row in compare(data, data)["figures"])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "about = None: must be a table"),
        (
            "[about]\nmeasured = 1\nstatement = 'x'\ndate = 'x'\nmachine = 'x'",
            "about.measured = 1: must be true",
        ),
        ("[about", "must be TOML"),
    ],
)
def test_a_bad_calibration_is_told(tmp_path: Path, text: str, rule: str) -> None:
    file = tmp_path / "times.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=rule):
        load_calibration(file)
    with pytest.raises(ScenarioError, match=r"cannot be read|No such file"):
        load_calibration(tmp_path / "none.toml")


def test_plots_leave_gaps_and_stand_a_flat_or_empty_line() -> None:
    drawn = plot("t", "u", [0, 1, 2, 3], [Line("a", [1.0, None, 2.0, 3.0])], log=True)
    assert drawn.count("<polyline") == 2
    assert "<polyline" not in plot("t", "u", [0, 1], [Line("a", [None, None])])
    assert "<svg" in plot("t", "u", [0, 1], [Line("a", [0.0, 0.0])])


def test_the_documentation_names_every_parameter_fault_and_scenario() -> None:
    text = DOCS.read_text(encoding="utf-8")
    keys = [f"{section}.{f.name}" for section, cls in SECTIONS.items() for f in dataclasses.fields(cls)]
    missing = [name for name in [*keys, *FAULTS, *shipped()] if f"`{name}`" not in text]
    assert not missing


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_a_report_opens_in_a_browser(assumed: Calibration, tmp_path: Path) -> None:
    data = answers(
        study(load(["broker-loss"], [*TINY, "run.hours=1"]), assumed, seeds=1, thin=1, sizing=False)
    )
    file = tmp_path / "report.html"
    file.write_text(page(data), encoding="utf-8")
    picture = tmp_path / "report.png"
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1250,2600"]
    subprocess.run(
        [*command, f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", file.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert picture.stat().st_size > 50_000
    text = subprocess.run(
        [*command, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri()],
        check=True,
        capture_output=True,
        timeout=120,
    ).stdout.decode()
    assert "Loss of a broker" in text
    assert text.count("<polyline") > 10
