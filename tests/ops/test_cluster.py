"""The embedded PostgreSQL: its life on a data directory, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from lrs import durability
from lrs.cluster import MAJOR, Cluster, ClusterError, major_of, url
from lrs.directory import DataDirectory, DirectoryInUse
from lrs.upgrade import upgrade

pytestmark = pytest.mark.postgres


async def query(cluster: Cluster, sql: str) -> object:
    connection = await asyncpg.connect(cluster.url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_data_stays_over_a_stop_and_a_start(directory: DataDirectory) -> None:
    async with Cluster(directory) as cluster:
        await query(cluster, "create table kept as select 7 as n")
    assert not (directory.cluster / "postmaster.pid").exists()
    async with Cluster(directory) as cluster:
        assert await query(cluster, "select n from kept") == 7


async def test_what_was_committed_is_there_after_the_server_was_killed(directory: DataDirectory) -> None:
    async with Cluster(directory) as cluster:
        await query(cluster, "create table kept as select 8 as n")
        assert cluster.process is not None
        cluster.process.kill()
        assert await cluster.wait() == -signal.SIGKILL
        await cluster.start()
        assert await query(cluster, "select n from kept") == 8


async def test_the_pid_file_of_a_dead_server_does_not_keep_it_from_starting(directory: DataDirectory) -> None:
    async with Cluster(directory):
        lines = (directory.cluster / "postmaster.pid").read_text()
    # Its number belongs to another living process by now: to this one.
    (directory.cluster / "postmaster.pid").write_text(
        lines.replace(lines.split("\n")[0], str(os.getppid()), 1)
    )
    async with Cluster(directory) as cluster:
        assert await query(cluster, "select 1") == 1


async def test_a_server_ends_with_the_process_that_started_it(directory: DataDirectory) -> None:
    directory.release()
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from lrs.cluster import Cluster; from lrs.directory import DataDirectory\n"
        "async def main():\n"
        "    directory = DataDirectory(Path(sys.argv[1])); directory.acquire()\n"
        "    cluster = Cluster(directory); await cluster.start()\n"
        "    print(cluster.process.pid, flush=True); await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", program, directory.path], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    try:
        assert owner.stdout is not None
        server = psutil.Process(int(owner.stdout.readline()))
        with pytest.raises(
            DirectoryInUse, match=f"is in use by another program .process {owner.pid}.: stop it"
        ):
            DataDirectory(directory.path).acquire()
    finally:
        owner.kill()
        owner.communicate()
    # The next start does not wait for the server's end by luck: it sees to it.
    directory.acquire()
    async with Cluster(directory) as cluster:
        assert await query(cluster, "select 1") == 1
        assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE


async def test_a_server_that_was_left_running_is_ended_before_the_next_start(
    directory: DataDirectory,
) -> None:
    said: list[str] = []
    cluster = Cluster(directory, said.append)
    await cluster.start()
    left, cluster.process = cluster.process, None
    assert left is not None
    # As where no signal reaches the server when its starter is killed.
    async with Cluster(directory, said.append) as cluster:
        assert await query(cluster, "select 1") == 1
        assert await asyncio.wait_for(left.wait(), 5) == 0
    assert f"stopping PostgreSQL (process {left.pid}) that was left running" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_of_the_machine_does_not_even_see_the_socket(directory: DataDirectory) -> None:
    def seen(user: int) -> bool:
        test = ["/usr/bin/test", "-S", str(directory.sockets / ".s.PGSQL.5432")]
        return subprocess.run(test, user=user, group=user, extra_groups=[], check=False).returncode == 0

    async with Cluster(directory):
        assert seen(0)
        assert not seen(65534)


async def test_no_other_directory_is_opened_wider_than_the_servers_account_needs(
    directory: DataDirectory,
) -> None:
    before = {parent: parent.stat().st_mode & 0o007 for parent in directory.path.parents}
    async with Cluster(directory):
        assert {parent: parent.stat().st_mode & 0o007 for parent in directory.path.parents} == before
        assert directory.cluster.stat().st_mode & 0o077 == 0
        assert directory.sockets.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
async def test_a_server_that_may_lose_what_it_commits_is_refused(
    directory: DataDirectory, setting: str
) -> None:
    async with Cluster(directory) as cluster:
        connection = await asyncpg.connect(cluster.url)
        try:
            await durability.require(connection)
            await connection.execute(f"alter system set {setting} = off")
            await connection.execute("select pg_reload_conf()")
            while await connection.fetchval(f"show {setting}") == "on":
                await asyncio.sleep(0.01)
            with pytest.raises(durability.NotDurable, match=f"{setting} = off: must be on"):
                await durability.require(connection)
        finally:
            await connection.close()


async def test_each_commit_reaches_the_disk(directory: DataDirectory) -> None:
    async with Cluster(directory) as cluster:
        connection = await asyncpg.connect(cluster.url)
        try:
            await connection.execute("create table t (n int)")
            synced = "select sum(fsyncs)::int from pg_stat_io where object = 'wal' and context = 'normal'"
            await connection.execute("select pg_stat_force_next_flush()")
            before = await connection.fetchval(synced)
            for number in range(20):
                await connection.execute(f"insert into t values ({number})")
            await connection.execute("select pg_stat_force_next_flush()")
            assert await connection.fetchval(synced) - before >= 20
        finally:
            await connection.close()


async def test_no_process_of_the_server_takes_more_than_its_share_of_memory(directory: DataDirectory) -> None:
    async with Cluster(directory) as cluster:
        await query(cluster, "create table t as select g, repeat('x', 100) from generate_series(1, 300000) g")
        await query(cluster, "select count(*) from t")
        assert cluster.process is not None
        server = psutil.Process(cluster.process.pid)
        for process in (server, *server.children(recursive=True)):
            assert process.memory_info().rss < 400 << 20, process.cmdline()


async def test_files_of_another_major_are_refused_and_the_upgrade_keeps_what_is_in_them(
    directory: DataDirectory,
) -> None:
    await _made_by(16, directory)
    with pytest.raises(
        ClusterError, match=f"written by PostgreSQL 16, .* run: lrs upgrade-data --data {directory.path}"
    ):
        await Cluster(directory).start()
    kept = await upgrade(directory, lambda _: None)
    assert major_of(kept) == 16
    async with Cluster(directory) as cluster:
        assert await query(cluster, "select n from old") == 16
        assert str(await query(cluster, "show server_version")).startswith(str(MAJOR))
    with pytest.raises(ClusterError, match="nothing to do"):
        await upgrade(directory, lambda _: None)


async def _made_by(major: int, directory: DataDirectory) -> None:
    """A cluster of another major, with a row in it."""
    cluster = Cluster(directory)
    await cluster.settle()
    await cluster.initdb(directory.cluster, major=major)
    cluster.configure()
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(directory.sockets),
        "hba_file": str(directory.configuration / "pg_hba.conf"),
        "ident_file": str(directory.configuration / "pg_ident.conf"),
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    line = cluster.command("postgres", "-D", str(directory.cluster), *options, major=major)
    server = subprocess.Popen(line, cwd="/", env={"LC_ALL": "C"}, stderr=subprocess.DEVNULL)
    try:
        pid_file = directory.cluster / "postmaster.pid"
        while not (pid_file.exists() and "ready" in pid_file.read_text()):
            assert server.poll() is None
            await asyncio.sleep(0.02)
        for database, command in (
            ("postgres", "create database karmayogi"),
            ("karmayogi", "create table old as select 16 as n"),
        ):
            connection = await asyncpg.connect(url(directory, database))
            await connection.execute(command)
            await connection.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


async def test_files_of_a_major_that_is_not_carried_are_refused_with_the_way_out(
    directory: DataDirectory,
) -> None:
    directory.cluster.mkdir()
    (directory.cluster / "PG_VERSION").write_text("12\n")
    with pytest.raises(ClusterError, match="written by PostgreSQL 12"):
        await Cluster(directory).start()
    with pytest.raises(ClusterError, match="dump it with PostgreSQL 12 and load it"):
        await upgrade(directory, lambda _: None)


async def test_a_directory_that_is_no_database_is_left_alone(directory: DataDirectory) -> None:
    directory.cluster.mkdir()
    (directory.cluster / "thesis.txt").write_text("years of work")
    with pytest.raises(ClusterError, match="holds no PostgreSQL database: move it away"):
        await Cluster(directory).start()
    assert (directory.cluster / "thesis.txt").read_text() == "years of work"


async def test_a_making_that_was_interrupted_is_begun_anew(directory: DataDirectory) -> None:
    (directory.path / "postgresql.new").mkdir()
    (directory.path / "postgresql.new" / "PG_VERSION").write_text("18\n")
    async with Cluster(directory) as cluster:
        assert await query(cluster, "select 1") == 1


async def test_a_server_that_does_not_start_says_why(directory: DataDirectory) -> None:
    async with Cluster(directory):
        pass
    shutil.rmtree(directory.cluster / "pg_wal")
    with pytest.raises(ClusterError, match=r"PostgreSQL did not start:\n(.|\n)*pg_wal"):
        await Cluster(directory).start()
