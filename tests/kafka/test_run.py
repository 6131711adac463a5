"""`python -m tests.kafka`: a command with a Kafka of its own, which ends with it and keeps its data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.kafka.broker import missing

pytestmark = pytest.mark.kafka


def run(directory: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command so."""
    program = [sys.executable, "-m", "tests.kafka", "--directory", str(directory), *command]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LRS_")}
    return subprocess.run(
        program, env=kept | variables, capture_output=True, text=True, timeout=280, check=False
    )


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_the_kafka_ends_with_the_command_and_goes_on_with_its_data(tmp_path: Path) -> None:
    lrs = (sys.executable, "-m", "lrs")
    first = run(tmp_path, *lrs, "topics", "check")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "+ xapi.statements" in first.stdout
    second = run(tmp_path, *lrs, "no-such-command")
    assert second.returncode == 2, "the status is the command's"
    assert "+ xapi.statements" not in second.stdout, "the topic is there"
    left = [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(one.info["cmdline"])]
    assert not left


def test_without_a_kafka_it_says_what_to_do(tmp_path: Path) -> None:
    refused = run(tmp_path, "true", PATH=str(tmp_path))
    assert refused.returncode == 1
    assert "no Kafka without java and mvn and openssl" in refused.stderr
    assert "LRS_LOG=kafka://host:9092" in refused.stderr
