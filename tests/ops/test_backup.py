"""Backup and restore: everything comes back, and nothing that is not whole is taken."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from lrs.backup import BackupError, backup, restore
from lrs.cluster import Cluster
from lrs.directory import DataDirectory
from lrs.log.port import STATEMENTS, Claims
from lrs.log.postgres import PostgresLog
from lrs.store.migration import migrate

pytestmark = pytest.mark.postgres


def unseen(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


async def filled(cluster: Cluster) -> asyncpg.Connection:
    """A connection to a migrated store with an acknowledged frame that no stage has seen."""
    connection = await asyncpg.connect(cluster.url)
    await migrate(connection)
    async with asyncpg.create_pool(cluster.url, min_size=1, max_size=2) as pool:
        log = await PostgresLog.open(pool, STATEMENTS, 2)
        await log.append(1, b"an acknowledged frame", 1, Claims([1], [b"i" * 16], [b"d" * 16], [0]))
    return connection


async def content(cluster: Cluster) -> dict[str, list[asyncpg.Record]]:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(cluster.url)
    try:
        tables = await connection.fetch(
            "select oid::regclass::text as name from pg_class"
            " where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
        )
        return {
            name: await connection.fetch(f"select t::text from {name} t order by 1") for (name,) in tables
        }
    finally:
        await connection.close()


async def test_a_restored_backup_holds_what_was_acknowledged(
    directory: DataDirectory, other: DataDirectory, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    async with Cluster(directory) as cluster:
        connection = await filled(cluster)
        path = await backup(directory, tmp_path, lambda done, total: told.append((done, total)))
        expected = await content(cluster)
        await connection.execute("create table later (n int)")
        await connection.close()
    assert path.parent == tmp_path
    assert path.stat().st_mode & 0o077 == 0
    assert told[-1][0] == told[-1][1] > 0
    await restore(other, path, unseen)
    async with Cluster(other) as cluster:
        found = await content(cluster)
        assert found == expected
        assert any(rows for name, rows in found.items() if name.startswith("log_record"))
        assert found["known_id_0"] or any(found[f"known_id_{number}"] for number in range(1, 8))


async def test_a_backup_neither_overwrites_a_file_nor_a_database(
    directory: DataDirectory, tmp_path: Path
) -> None:
    path = tmp_path / "all.tar.zst"
    async with Cluster(directory):
        await backup(directory, path, unseen)
        with pytest.raises(BackupError, match="never overwrites a file"):
            await backup(directory, path, unseen)
    with pytest.raises(BackupError, match="restore into an empty data directory"):
        await restore(directory, path, unseen)


async def test_a_backup_that_was_cut_or_changed_is_refused_and_leaves_nothing(
    directory: DataDirectory, other: DataDirectory, tmp_path: Path
) -> None:
    async with Cluster(directory):
        whole = (await backup(directory, tmp_path / "all.tar.zst", unseen)).read_bytes()
    middle = len(whole) // 2
    for damaged in (
        whole[:middle],
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        b"no backup",
    ):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(BackupError, match="not a whole backup"):
            await restore(other, tmp_path / "damaged", unseen)
        assert [entry.name for entry in other.path.iterdir()] == ["lock"]


async def test_a_backup_that_fails_leaves_no_file(
    directory: DataDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Cluster(directory):
        # Where nobody listens: pg_basebackup fails, while our own connection goes well.
        monkeypatch.setattr("lrs.backup.PORT", 1)
        with pytest.raises(BackupError, match=r"pg_basebackup: .*connection to server"):
            await backup(directory, tmp_path, unseen)
    assert list(tmp_path.iterdir()) == []
