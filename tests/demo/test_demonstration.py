"""`lrs up --demo`, whole: what it prints works when pasted, learners move, Ctrl-C ends it, data stays."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from lrs.demo.career import demonstration_catalogue

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]

TITLES = ("send a statement", "read it back", "read the learner's progress")
WITHIN = 120.0
README = Path(__file__).parents[2] / "README.md"


class Demonstration:
    """`lrs up --demo` with its output in a pipe."""

    def __init__(self, data: Path) -> None:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("LRS_")}
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lrs", "up", "--demo", "--port", "0", "--data", str(data)],
            env=variables | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def until(self, found: Callable[[list[str]], bool]) -> None:
        """Wait until the lines printed so far have what is looked for."""
        deadline = time.monotonic() + WITHIN
        while not found(self.lines):
            assert self.process.poll() is None, "\n".join(self.lines)
            assert time.monotonic() < deadline, "\n".join(self.lines)
            time.sleep(0.1)

    def commands(self) -> list[str]:
        """The command lines, exactly as they are printed."""
        self.until(lambda lines: any(line.startswith("accepted ") for line in lines))
        places = [self.lines.index(f"# {title}") for title in TITLES]
        return [self.lines[place + 1] for place in places]

    def stop(self) -> int:
        """Ctrl-C, as the terminal sends it to `lrs up`."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()
        return status


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lrs-demo-", ignore_cleanup_errors=True) as base:
        yield Path(base) / "data"


def pasted(command: str) -> Any:
    """What a shell prints when the command is pasted."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def of_the_readme(printed: str) -> list[str]:
    """The README's curl commands, with the address and the login of one that was printed."""
    address, login = re.search(r"http://[^/]+", printed), re.search(r"-u (\S+)", printed)
    assert address is not None
    assert login is not None
    commands = re.findall(r"^    (curl .*(?:\n     .*)*)", README.read_text("utf-8"), re.MULTILINE)
    return [
        command.replace("KEY:SECRET", login[1]).replace("http://127.0.0.1:8080", address[0])
        for command in commands
    ]


def total(line: str) -> int:
    found = re.search(r" total (\d+)", line)
    return int(found[1]) if found else 0


def scored(line: str) -> int:
    found = re.search(r" scored (\d+)/s", line)
    return int(found[1]) if found else 0


def satisfied(progress: str) -> str:
    """The first activity that a pasted reading of progress shows as satisfied, as soon as it does."""
    deadline = time.monotonic() + WITHIN
    while True:
        told = pasted(progress)
        assert "activities" in told, told
        for activity in told["activities"]:
            if activity["satisfied"]:
                return str(activity["id"])
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_printed_commands_work_learners_move_and_a_second_run_resumes(data: Path) -> None:
    demonstration = Demonstration(data)
    try:
        send, read_back, progress = demonstration.commands()
        (statement,) = pasted(send)
        stored = pasted(read_back)
        assert stored["id"] == statement
        assert stored["actor"]["mbox"] == "mailto:newcomer@example.org"
        assert stored["result"] == {"completion": True}
        assert pasted(send) == [statement]

        module = satisfied(progress)
        assert module == stored["object"]["id"]
        assert module in {one.id for one in demonstration_catalogue().modules}
        (course,) = pasted(progress)["courses"]
        assert course["percent"] > 0

        send, newest, progress = of_the_readme(read_back)
        assert len(pasted(send)) == 1
        assert len(pasted(newest)["statements"]) == 1
        assert satisfied(progress) in send

        demonstration.until(lambda lines: total(lines[-1]) > 100)
        demonstration.until(lambda lines: scored(lines[-1]) > 0)
        demonstration.until(lambda lines: " %" in lines[-1])
    finally:
        status = demonstration.stop()
    assert status == 0
    last = demonstration.lines[demonstration.lines.index("stopping") + 1 :]
    # A busy machine may be too slow for the time that there is for stopping: then it is said.
    assert all("did not finish in time" in line for line in last), last

    again = Demonstration(data)
    try:
        _, newer, progress = again.commands()
        read_old = re.sub(r"statementId=[0-9a-f-]+", f"statementId={statement}", newer)
        assert pasted(read_old)["id"] == statement
        assert satisfied(progress) == module
        again.until(lambda lines: total(lines[-1]) > 20)
    finally:
        assert again.stop() == 0
