"""From an older PostgreSQL major to this program's: `lrs upgrade-data`."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

from lrs.cluster import MAJOR, USER, WHEEL, Cluster, ClusterError, binaries, major_of
from lrs.directory import DataDirectory


async def upgrade(directory: DataDirectory, progress: Callable[[str], None]) -> Path:
    """Copy the cluster of a held data directory into one of major MAJOR; where the old files are now.

    The old files are not changed; until the copy is whole the directory is as it was, so that the
    command can be repeated. Raises ClusterError when there is nothing to upgrade, or the wheel does
    not carry the old major.
    """
    old = major_of(directory.cluster)
    if old is None:
        raise ClusterError(f"{directory.cluster} holds no PostgreSQL database")
    if old == MAJOR:
        raise ClusterError(f"{directory.cluster} was written by PostgreSQL {MAJOR} already: nothing to do")
    if old not in WHEEL:
        raise ClusterError(
            f"{directory.cluster} was written by PostgreSQL {old}, whose programs are not among those"
            f" carried here ({', '.join(map(str, WHEEL))}): dump it with PostgreSQL {old} and load it"
        )
    cluster = Cluster(directory, progress)
    await cluster.settle()
    fresh = directory.path / "postgresql.upgraded"
    work = directory.path / "upgrade"
    for left in (fresh, work):
        shutil.rmtree(left, ignore_errors=True)
    progress(f"making an empty cluster of PostgreSQL {MAJOR}")
    await cluster.initdb(fresh, *await _checksums(cluster, old))
    work.mkdir(mode=0o700)
    cluster.own(work)
    cluster.configure()
    access = " ".join(
        f"-c {name}={shlex.quote(str(directory.configuration / file))}"
        for name, file in (("hba_file", "pg_hba.conf"), ("ident_file", "pg_ident.conf"))
    )
    progress(f"copying from PostgreSQL {old}")
    await cluster.run(
        "pg_upgrade",
        f"--old-bindir={binaries(old)}",
        f"--new-bindir={binaries()}",
        f"--old-datadir={directory.cluster}",
        f"--new-datadir={fresh}",
        f"--username={USER}",
        f"--socketdir={directory.sockets}",
        f"--old-options={access}",
        f"--new-options={access}",
        cwd=work,
    )
    shutil.rmtree(work)
    kept = directory.path / f"postgresql.{old}"
    directory.cluster.rename(kept)
    fresh.rename(directory.cluster)
    return kept


async def _checksums(cluster: Cluster, old: int) -> tuple[str, ...]:
    """Options of initdb so that page checksums are as in the old cluster: pg_upgrade insists."""
    control = await cluster.run("pg_controldata", str(cluster.directory.cluster), major=old)
    version = next(
        line.split(":")[1] for line in control.splitlines() if line.startswith("Data page checksum")
    )
    return ("--no-data-checksums",) if int(version) == 0 else ("--data-checksums",)
