from __future__ import annotations

from pathlib import Path

import pytest

from simulator.scenario import ScenarioError, load, shipped

ISSUED = {
    "weekday",
    "monday-login",
    "learning-week",
    "deadline-day",
    "pm-address",
    "state-outage",
    "broker-loss",
    "slow-database",
    "rebalance",
    "poison",
    "retry-storm",
    "hot-course",
}


def test_all_twelve_scenarios_ship() -> None:
    assert set(shipped()) >= ISSUED


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_is_whole_and_each_value_has_a_source(name: str) -> None:
    scenario = load([name])
    assert scenario.title
    assert scenario.question
    assert all(len(source.text) >= 6 for source in scenario.sources.values())


def test_the_later_file_wins_and_faults_add_up() -> None:
    scenario = load(["broker-loss", "slow-database"])
    assert [f.kind for f in scenario.faults] == ["broker-loss", "slow-database", "slow-disk"]
    assert scenario.run.hours == 3
    assert scenario.sources["run.hours"].file == "slow-database.toml"
    assert scenario.sources["system.partitions"].file == "base.toml"


def test_a_setting_on_the_command_line_wins() -> None:
    scenario = load(["weekday"], ["system.partitions=8", 'run.begin="10:00"', "client.retry=backoff"])
    assert (scenario.system.partitions, scenario.run.begin, scenario.client.retry) == (8, "10:00", "backoff")


def test_a_user_writes_one_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "part.toml").write_text('[system]\nedges = { value = 7, source = "chosen" }\n')
    mine = tmp_path / "mine.toml"
    mine.write_text('title = "Mine"\nquestion = "What then?"\nextends = ["weekday", "part.toml"]\n')
    scenario = load([str(mine)])
    assert (scenario.name, scenario.title, scenario.system.edges) == ("mine", "Mine", 7)


BAD = [
    ("edges = {", "must be TOML", "(file)"),
    ("[systen]\nedges = { value = 1, source = 'chosen' }", "no such section", "systen"),
    ("[system]\nedgez = { value = 1, source = 'chosen' }", "no such key", "system.edgez"),
    ("[system]\nedges = 4", "must be { value", "system.edges"),
    ("[system]\nedges = { value = 0, source = 'chosen' }", "whole number from 1", "system.edges"),
    ("[system]\nedges = { value = true, source = 'chosen' }", "whole number from 1", "system.edges"),
    (
        "[system]\nedges = { value = 4, source = 'somebody said so' }",
        "must begin with",
        "system.edges.source",
    ),
    ("[system]\nlog = { value = 'paper', source = 'chosen' }", "one of postgresql, kafka", "system.log"),
    ("[calendar]\nhourly = { value = [1, 2], source = 'chosen' }", "list of 24 numbers", "calendar.hourly"),
    ("[calendar]\ndays = { value = 3, source = 'chosen' }", "one weight for each", "calendar.day_weights"),
    ("[run]\nday = { value = 9, source = 'chosen' }", "below calendar.days", "run.day"),
    ("[run]\nbegin = { value = '25:00', source = 'chosen' }", "time of day", "run.begin"),
    (
        "[population]\nkinds = { value = { central = 1 }, source = 'chosen' }",
        "name exactly",
        "population.kinds",
    ),
    ("[[fault]]\nkind = 'flood'", "must be one of", "fault[0].kind"),
    (
        "[[fault]]\nkind = 'database-down'\nat = '10:00'\nsource = 'chosen'",
        "must be a number",
        "fault[0].seconds",
    ),
    (
        "[[fault]]\nkind = 'database-down'\nat = '10:00'\nseconds = 5\nfactor = 2\nsource = 'chosen'",
        "no such key of database-down",
        "fault[0].factor",
    ),
    (
        "[[fault]]\nkind = 'worker-loss'\nstage = 'score'\nindex = 99\nat = '10:00'\n"
        "seconds = 5\nsource = 'chosen'",
        "there are 4 score workers",
        "fault.index",
    ),
]


@pytest.mark.parametrize(("text", "rule", "key"), BAD)
def test_an_error_names_file_key_and_rule(tmp_path: Path, text: str, rule: str, key: str) -> None:
    file = tmp_path / "bad.toml"
    head = "" if text.startswith("edges") else "extends = ['base']\ntitle = 'x'\nquestion = 'y'\n"
    file.write_text(head + text + "\n")
    with pytest.raises(ScenarioError) as caught:
        load([str(file)])
    assert rule in str(caught.value)
    assert key in str(caught.value)


def test_an_unknown_name_a_missing_value_and_a_circle_are_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such scenario; there are"):
        load(["weekend"])
    alone = tmp_path / "alone.toml"
    alone.write_text("title = 'x'\nquestion = 'y'\n")
    with pytest.raises(ScenarioError, match=r"population\.learners = None: is missing"):
        load([str(alone)])
    circle = tmp_path / "circle.toml"
    circle.write_text("extends = ['circle.toml']\n")
    with pytest.raises(ScenarioError, match="must not extend itself"):
        load([str(circle)])
    with pytest.raises(ScenarioError, match="no such parameter"):
        load(["weekday"], ["system.colour=3"])
