"""What the documentation says of scenarios is enough to write one; clocks of mobile devices may be wrong."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import numpy as np

from simulator.answers import answers
from simulator.arrivals import arrivals
from simulator.calibration import Calibration
from simulator.emission import Emission
from simulator.scenario import Scenario, load
from simulator.study import study

DOCS = Path(__file__).parents[2] / "docs" / "simulator.md"


def test_the_documented_scenario_runs_as_it_stands(assumed: Calibration, tmp_path: Path) -> None:
    found = re.search(r"```toml\n(title = .*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert found is not None
    file = tmp_path / "half.toml"
    file.write_text(found[1], "utf-8")
    scenario = load([str(file)], ["population.learners=4000", "run.begin=19:30", "run.hours=1"])
    assert scenario.system.persist_workers == 2
    assert [fault.kind for fault in scenario.faults] == ["worker-loss"]
    data = answers(study(scenario, assumed, seeds=1, thin=1, sizing=False))
    assert data["scenario"]["title"] == "Deadline day with half the workers"
    assert data["arrivals"]["statements"] > 0


def test_wrong_clocks_of_mobile_devices_stand_in_the_timestamps(small: Scenario) -> None:
    def timestamps(scenario: Scenario) -> dict[str, datetime]:
        found = {}
        for text, ends, _, _ in Emission(scenario, 4, limit=4_000).chunks():
            for line in np.split(text[: ends[-1]], ends[:-1]):
                statement = json.loads(line.tobytes())
                found[statement["id"]] = datetime.fromisoformat(statement["timestamp"])
        return found

    right, wrong = timestamps(small.but(client__skewed=0.0)), timestamps(small.but(client__skewed=0.5))
    both = right.keys() & wrong.keys()
    off = [abs((right[id_] - wrong[id_]).total_seconds()) for id_ in both]
    assert len(both) > 3_000
    share = np.mean([seconds > 1 for seconds in off])
    assert 0.5 * small.population.mobile * 0.7 < share < 0.5 * small.population.mobile * 1.3
    assert max(off) <= small.client.skew_hours * 3600 + 1
    # When requests come is the network's business, whatever a device believes.
    assert (
        arrivals(small.but(client__skewed=0.0), 4, seconds=300.0).words.tobytes()
        == arrivals(small.but(client__skewed=0.5), 4, seconds=300.0).words.tobytes()
    )
