"""The commands, run as a user runs them."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest

from lrs.directory import DataDirectory

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("LRS_")}


def lrs(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lrs", *arguments],
        env=CLEAN | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Running:
    """`lrs up` on a data directory, from "ready" on."""

    def __init__(self, data: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lrs", "up", "--data", data, "--port", "0"],
            env=CLEAN | {"LRS_ADMIN_KEY": "root", "LRS_ADMIN_SECRET": "hunter2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(r"ready at (\S+)/xapi", line):
                self.address = found[1]
                return
        raise AssertionError("".join(self.said))

    def ask(self, path: str, body: object = None) -> Any:
        token = base64.b64encode(b"root:hunter2").decode()
        request = urllib.request.Request(
            self.address + path,
            None if body is None else json.dumps(body).encode(),
            {
                "Authorization": f"Basic {token}",
                "X-Experience-API-Version": "2.0.0",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def stored(self, one: dict[str, Any]) -> Any:
        """The statement as it is given back, once the store has it."""
        while True:
            try:
                return self.ask(f"/xapi/statements?statementId={one['id']}")
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
                time.sleep(0.05)

    def finish(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=60)
        self.said.append(rest)
        return self.process.returncode


@contextmanager
def up(directory: DataDirectory) -> Iterator[Running]:
    running = Running(str(directory.path))
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.finish(signal.SIGTERM)


def statement() -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "actor": {"mbox": "mailto:asha@example.org"},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": "https://lrs.example.org/activity/office-procedure/1"},
    }


def test_help_names_every_command() -> None:
    done = lrs("--help")
    assert done.returncode == 0
    for command in ("up", "edge", "worker", "migrate", "status", "backup", "restore", "upgrade-data", "warm"):
        assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", [["up"], ["edge"], ["worker"], ["migrate"], ["status"]])
def test_wrong_settings_stop_every_command_with_all_errors(command: list[str]) -> None:
    done = lrs(*command, LRS_HTTP_PORT="x", LRS_COLOUR="blue")
    assert done.returncode == 1
    assert "LRS_HTTP_PORT = 'x': Expected int" in done.stderr
    assert "LRS_COLOUR: no such setting" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_stage_is_told_with_those_that_there_are() -> None:
    done = lrs("worker", "--stages", "persist,polish")
    assert done.returncode == 2
    assert "polish: there are persist, score" in done.stderr


def test_a_store_that_does_not_answer_is_told_without_a_traceback() -> None:
    done = lrs("migrate", LRS_STORE="postgresql://nobody:hunter2@127.0.0.1:1/none")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "hunter2" not in done.stderr


@pytest.mark.crash
@pytest.mark.postgres
def test_up_serves_survives_being_killed_and_stops_in_order(directory: DataDirectory) -> None:
    directory.release()
    sent = statement()
    with up(directory) as first:
        assert first.ask("/xapi/statements", [sent]) == [sent["id"]]
        assert first.stored(sent)["actor"] == sent["actor"]
        [root] = first.ask("/api/v1/credentials")["credentials"]
        listed = json.loads(lrs("credential", "list", "--json", "--data", str(directory.path)).stdout)
        assert (listed, root["key"], root["admin"]) == ({"credentials": [root]}, "root", True)
        second = lrs("up", "--data", str(directory.path))
        assert second.returncode == 1
        assert f"is in use by another program (process {first.process.pid})" in second.stderr
        shown = json.loads(lrs("status", "--json", "--data", str(directory.path)).stdout)
        pids = [child["pid"] for child in shown["supervisor"]["children"]]
        assert {lag["stage"] for lag in shown["stages"]} == {"persist", "score"}
        acknowledged = statement()
        first.ask("/xapi/statements", [acknowledged])
        assert first.finish(signal.SIGKILL) == -signal.SIGKILL
    with up(directory) as again:
        assert not any(psutil.pid_exists(pid) and "lrs" in psutil.Process(pid).cmdline() for pid in pids)
        for one in (sent, acknowledged):
            assert again.stored(one)["id"] == one["id"]
        assert again.finish(signal.SIGINT) == 0
        assert "stopping" in again.said[-1]
    assert not (directory.cluster / "postmaster.pid").exists()
