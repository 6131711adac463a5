"""The supervisor: it keeps its children running, and stops them in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import psutil
import pytest

from lrs.child import Child, pause
from lrs.directory import DataDirectory
from lrs.ending import Ending
from lrs.log.port import Fenced, LogUnavailable, OffsetOutOfLog
from lrs.metrics.registry import exposition
from lrs.process import Process, framed
from lrs.settings import Settings, SettingsError, load
from lrs.supervisor import PATIENCE, State, Supervisor, SupervisorError, free_port

DUMMY = (sys.executable, "-m", "tests.ops.dummy")


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the dummies write that they ended in order."""
    monkeypatch.setenv("DUMMY_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("DUMMY_DEAF", str(tmp_path / "deaf"))
    monkeypatch.setenv("DUMMY_BROKEN", str(tmp_path / "broken"))
    return tmp_path / "journal"


@asynccontextmanager
async def supervised(
    directory: DataDirectory, settings: Settings
) -> AsyncIterator[tuple[Supervisor, Process]]:
    async with framed(settings, "supervisor", ("store", "children"), 0) as process:
        supervisor = Supervisor(process, directory, lambda _: None, directory.path / "out.log", DUMMY)
        try:
            yield supervisor, process
        finally:
            await supervisor.stop()


async def start(supervisor: Supervisor) -> None:
    """Start everything, as `lrs up` does with a store that is prepared."""
    supervisor.launch_children()
    await supervisor.start_store()
    await supervisor.start_children()


@pytest.fixture
def outside() -> Settings:
    """Settings with a store of somebody else's, which the dummies never touch."""
    return load({"LRS_STORE": "postgresql://nobody@127.0.0.1:1/none", "LRS_HTTP_PORT": "0"})


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition that comes true, or the test's own timeout."""
    while not await condition():
        await asyncio.sleep(0.02)


def state(directory: DataDirectory) -> State:
    return msgspec.json.decode(directory.state.read_bytes(), type=State)


async def test_everything_is_ready_after_the_start_and_written_down(
    directory: DataDirectory, outside: Settings
) -> None:
    async with supervised(directory, outside) as (supervisor, process):
        await start(supervisor)
        assert process.readiness.report() == (True, {"store": "ok", "children": "ok"})
        noted = state(directory)
        assert [child.name for child in noted.children] == ["edge", "persist-0", "score-0"]
        assert noted.http == supervisor.address
        assert all(child.pid and psutil.pid_exists(child.pid) and child.metrics for child in noted.children)
    assert not directory.state.exists()
    assert not any(psutil.pid_exists(child.pid) for child in noted.children if child.pid)


async def test_edges_end_before_workers(directory: DataDirectory, outside: Settings, journal: Path) -> None:
    async with supervised(directory, outside) as (supervisor, _):
        await start(supervisor)
    assert journal.read_text().split() == ["edge", "worker", "worker"]


@pytest.mark.crash
async def test_a_killed_child_is_started_again_and_counted(
    directory: DataDirectory, outside: Settings
) -> None:
    async with supervised(directory, outside) as (supervisor, process):
        await start(supervisor)
        for child in supervisor.children:
            killed = child.pid
            assert killed is not None
            os.kill(killed, signal.SIGKILL)

            async def again(child: Child = child, killed: int = killed) -> bool:
                return child.pid not in (None, killed) and await child.ready()

            await until(again)
            assert child.restarts == 1
            line = f'lrs_child_endings_total{{child="{child.name}",ending="killed"}} 1.0'
            assert line in exposition(process.registry).decode()
        assert [child.restarts for child in state(directory).children] == [1, 1, 1]


@pytest.mark.crash
async def test_a_child_that_does_not_hear_is_killed_within_the_time_for_a_stop(
    directory: DataDirectory, outside: Settings, tmp_path: Path
) -> None:
    (tmp_path / "deaf").touch()
    settings = msgspec.structs.replace(outside, stop_wait=1.0)
    async with supervised(directory, settings) as (supervisor, _):
        await start(supervisor)
        pids = [child.pid for child in supervisor.children]
    assert not any(psutil.pid_exists(pid) for pid in pids if pid)


@pytest.mark.crash
async def test_a_child_dies_with_the_supervisor_and_leaves_its_port() -> None:
    port = free_port("127.0.0.1")
    program = (
        "import asyncio, os, sys; from lrs.child import Child\n"
        "async def main():\n"
        "    child = Child('edge', sys.argv[1:], os.environ); up = asyncio.Event(); up.set()\n"
        "    keeping = asyncio.create_task(child.keep(up))\n"
        "    while not await child.ready(): await asyncio.sleep(0.02)\n"
        "    print(child.pid, flush=True); await keeping\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        *DUMMY,
        "edge",
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"LRS_HTTP_PORT": str(port)},
    )
    assert owner.stdout is not None
    child = psutil.Process(int(await owner.stdout.readline()))
    owner.kill()
    await owner.wait()

    async def gone() -> bool:
        return not child.is_running() or child.status() == psutil.STATUS_ZOMBIE

    await until(gone)
    (await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)).close()


async def test_a_child_that_never_gets_ready_ends_the_start(
    directory: DataDirectory, outside: Settings, tmp_path: Path
) -> None:
    (tmp_path / "broken").write_text("1")
    async with supervised(directory, outside) as (supervisor, _):
        with pytest.raises(
            SupervisorError, match=f"(persist|score)-0 ended {PATIENCE} times before it was ready"
        ):
            await start(supervisor)


async def test_a_child_that_its_settings_keep_from_starting_ends_the_start_at_once(
    directory: DataDirectory, outside: Settings, tmp_path: Path
) -> None:
    (tmp_path / "broken").write_text(str(Ending.SETTINGS.value))
    async with supervised(directory, outside) as (supervisor, _):
        with pytest.raises(SupervisorError, match="-0 cannot start with these settings"):
            await start(supervisor)
        assert max(child.restarts for child in supervisor.children) < PATIENCE


async def test_a_port_that_is_taken_is_told_before_anything_starts(
    directory: DataDirectory, outside: Settings
) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        supervised(directory, msgspec.structs.replace(outside, http_port=port)) as (supervisor, _),
    ):
        with pytest.raises(SupervisorError, match=rf"127.0.0.1:{port} \(Address already in use\): .* --port"):
            await start(supervisor)


@pytest.mark.crash
@pytest.mark.postgres
async def test_a_killed_postgresql_is_started_again_with_what_was_committed(directory: DataDirectory) -> None:
    async with supervised(directory, load({"LRS_HTTP_PORT": "0"})) as (supervisor, process):
        await start(supervisor)
        connection = await asyncpg.connect(supervisor.settings.store)
        await connection.execute("create table kept as select 9 as n")
        pid = int((directory.cluster / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

        async def fallen() -> bool:
            return connection.is_closed()

        await until(fallen)

        async def back() -> bool:
            return process.readiness.report()[1]["store"] == "ok"

        await until(back)
        connection = await asyncpg.connect(supervisor.settings.store)
        assert await connection.fetchval("select n from kept") == 9
        await connection.close()


def test_the_first_new_start_is_at_once_and_the_later_ones_wait_longer_and_longer() -> None:
    pauses = [pause(failures) for failures in range(12)]
    assert pauses[:5] == [0.0, 0.0, 0.1, 0.2, 0.4]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5.0


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (SettingsError(["LRS_CATALOGUE: no"]), Ending.SETTINGS),
        (Fenced("stage persist"), Ending.FENCED),
        (OffsetOutOfLog("stage persist", 0, 7, 8, 9, "why"), Ending.OFFSET),
        (LogUnavailable("gone"), Ending.UNAVAILABLE),
        (ConnectionResetError(), Ending.UNAVAILABLE),
        (asyncpg.InterfaceError("closed"), Ending.UNAVAILABLE),
        (asyncpg.DiskFullError("full"), Ending.UNAVAILABLE),
        (KeyError("defect"), Ending.DEFECT),
    ],
)
def test_an_exit_status_tells_why_a_process_ended(error: Exception, ending: Ending) -> None:
    assert Ending.of_error(error) is ending
    assert Ending.of_status(ending.value) is ending
    assert Ending.of_status(-signal.SIGSEGV) is Ending.KILLED
    assert Ending.of_status(99) is Ending.DEFECT
