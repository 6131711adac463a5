"""A copy of everything: `lrs backup` and `lrs restore`, for the embedded PostgreSQL.

A backup is one file: a base backup of the whole cluster, its WAL included, as a zstd-compressed tar.
It is taken while the LRS runs, holds no lock that a writer waits for, and contains every transaction
that was committed when it began, hence every statement acknowledged until then, in the store or in
the log. It is restored on any machine of the same architecture by any minor version of the same
PostgreSQL major; the server verifies page checksums as it copies, the restore those of the manifest.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO

import asyncpg
import crc32c
import msgspec
import zstandard

from lrs.cluster import PORT, USER, Cluster, binaries, url
from lrs.directory import DataDirectory

CHUNK = 1 << 20
LEVEL = 3

Progress = Callable[[int, int], None]
"""Is told how many bytes are done, and how many there are (as far as that is known before)."""


class BackupError(Exception):
    """The backup cannot be made or restored; the text says why."""


async def backup(directory: DataDirectory, target: Path, progress: Progress) -> Path:
    """Write a backup of the running cluster of a data directory; the file's path.

    `target`: a file that does not exist, or a directory, in which the file is named by the time. The
    file appears under its name only when it is whole and on disk.
    """
    connection = await asyncpg.connect(url(directory))
    try:
        path = _free_path(target, await connection.fetchval("select now() at time zone 'UTC'"))
        # The slot keeps the WAL that the backup needs until this connection ends.
        slot = f"backup_{os.getpid()}"
        await connection.fetch("select pg_create_physical_replication_slot($1, true, true)", slot)
        total = await connection.fetchval("select sum(pg_database_size(oid))::bigint from pg_database")
        partial = path.with_name(path.name + ".partial")
        try:
            await _copy(directory, partial, total, progress)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        partial.rename(path)
        _sync(path.parent)
        return path
    finally:
        await connection.close()


def _free_path(target: Path, now: datetime) -> Path:
    if target.is_dir():
        target /= f"karmayogi-{now:%Y%m%dT%H%M%SZ}.tar.zst"
    if target.exists():
        raise BackupError(f"{target} exists: a backup never overwrites a file")
    return target


async def _copy(directory: DataDirectory, path: Path, total: int, progress: Progress) -> None:
    """Run pg_basebackup into a compressed file; raises BackupError with its messages when it fails."""
    process = await asyncio.create_subprocess_exec(
        str(binaries() / "pg_basebackup"),
        f"--host={directory.sockets}",
        f"--port={PORT}",
        f"--username={USER}",
        "--pgdata=-",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        "--manifest-checksums=CRC32C",
        "--no-password",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
    )
    assert process.stdout is not None
    assert process.stderr is not None
    messages = asyncio.create_task(process.stderr.read())
    done = 0
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        with compressor.stream_writer(file, closefd=False) as stream:
            while chunk := await process.stdout.read(CHUNK):
                stream.write(chunk)
                done += len(chunk)
                progress(done, max(done, total))
        file.flush()
        os.fsync(file.fileno())
    if await process.wait() != 0:
        raise BackupError(f"pg_basebackup: {(await messages).decode(errors='replace').strip()}")


async def restore(directory: DataDirectory, source: Path, progress: Progress) -> None:
    """Make a backup the cluster of a held data directory that has none yet, verified.

    Raises BackupError when there is one, or the file is not a whole backup; nothing stays then.
    """
    if directory.cluster.exists():
        raise BackupError(f"{directory.cluster} exists: restore into an empty data directory")
    fresh = directory.path / "postgresql.restored"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    try:
        await asyncio.to_thread(_unpack, source, fresh, progress)
        await asyncio.to_thread(_verify, fresh)
        Cluster(directory).own(fresh)
    except BackupError as error:
        shutil.rmtree(fresh)
        raise BackupError(f"{source}: not a whole backup: {error}") from None
    except BaseException:
        shutil.rmtree(fresh)
        raise
    fresh.rename(directory.cluster)
    _sync(directory.path)


def _unpack(source: Path, target: Path, progress: Progress) -> None:
    size = source.stat().st_size
    try:
        with source.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            _extract(stream, target, lambda: progress(file.tell(), size))
    except (zstandard.ZstdError, tarfile.TarError, EOFError) as error:
        raise BackupError(str(error)) from None


def _extract(stream: IO[bytes], target: Path, tell: Callable[[], None]) -> None:
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            archive.extract(member, target, filter="data")
            tell()


def _verify(cluster: Path) -> None:
    """Compare every file with PostgreSQL's manifest: size and CRC-32C. (The WAL has its own checksums.)"""
    manifest = cluster / "backup_manifest"
    try:
        files = msgspec.json.decode(manifest.read_bytes(), type=_Manifest).files
    except (FileNotFoundError, msgspec.MsgspecError) as error:
        raise BackupError(f"its manifest cannot be read: {error}") from None
    for entry in files:
        path = cluster / entry.path
        if not path.is_file() or path.stat().st_size != entry.size:
            raise BackupError(f"{entry.path}: is missing, or not {entry.size} bytes long")
        if _checksum(path) != entry.checksum:
            raise BackupError(f"{entry.path}: its checksum is not {entry.checksum}")
    manifest.unlink()


class _File(msgspec.Struct, rename={"path": "Path", "size": "Size", "checksum": "Checksum"}):
    path: str
    size: int
    checksum: str


class _Manifest(msgspec.Struct, rename={"files": "Files"}):
    files: list[_File]


def _checksum(path: Path) -> str:
    """CRC-32C as the manifest writes it: the bytes of a little-endian number."""
    value = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            value = crc32c.crc32c(chunk, value)
    return value.to_bytes(4, "little").hex()


def _sync(directory: Path) -> None:
    """Make a rename in the directory durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
