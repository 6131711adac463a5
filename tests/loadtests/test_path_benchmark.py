"""The benchmark of the path, in a very short version: it measures, reports, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
OPTIONS = ("--seconds", "3", "--warm-up", "1", "--yardstick-seconds", "0.2")

PROCESSES = {"supervisor", "edge", "persist-0", "score-0", "PostgreSQL", "driver"}


@pytest.mark.postgres
def test_a_short_run_measures_every_load_and_leaves_nothing_behind() -> None:
    with tempfile.TemporaryDirectory(prefix="lrs-bench-") as base:
        file, within = Path(base) / "figures.json", Path(base) / "within"
        variables = {name: value for name, value in os.environ.items() if not name.startswith("LRS_")}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.path", *OPTIONS, "--within", str(within), "--json", str(file)],
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not list(within.iterdir())
        assert not [
            one for one in psutil.process_iter(["cmdline"]) if str(within) in str(one.info["cmdline"])
        ]
        figures = json.loads(file.read_bytes())
    batches, half, singles = figures["phases"]
    for phase in figures["phases"]:
        assert min(phase["accepted"], phase["queryable"], phase["scored"]) == phase["end_to_end"] > 0
        assert phase["busy"] >= 0
        assert phase["cpu"].keys() == PROCESSES
        assert phase["rss_peak"].keys() == PROCESSES
        assert phase["bytes_per_statement"]["statement"] > 0
        assert phase["delays"]["queryable"]["p99"] > 0
    assert batches["requests"] == pytest.approx(batches["accepted"] / 50)
    assert singles["requests"] == pytest.approx(singles["accepted"])
    assert half["load"]["rate"] == pytest.approx(batches["end_to_end"] / 100)
    assert half["probe"]["seen"]["p99"] > 0
    assert all(rate > 0 for rate in figures["yardsticks"].values())
    for table in ("Rates", "Latencies", "Yardsticks", "Processor time", "Memory", "On disk"):
        assert table in done.stdout
