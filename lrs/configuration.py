"""The configuration of the embedded PostgreSQL, written anew at each start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lrs.directory import DataDirectory

# Chosen for a machine shared with the LRS itself; what differs from PostgreSQL's defaults, and why.
CONFIGURATION = {
    # The promise of the LRS rests on these four.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_sync_retry": "off",
    # No process shows more than 400 MB, shared memory included.
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_connections": "100",
    # Checkpoints far apart: each page is written whole to the WAL once after one.
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "10min",
    "wal_buffers": "16MB",
    # Pages of random ids do not compress: pglz took three times the CPU and saved nothing.
    "wal_compression": "off",
    # `lrs backup` is a base backup.
    "wal_level": "replica",
    "max_wal_senders": "4",
    "max_replication_slots": "4",
    # Short queries, known plans, a disk without a moving head.
    "jit": "off",
    "random_page_cost": "1.1",
    "max_parallel_workers_per_gather": "0",
    "max_locks_per_transaction": "256",
    # Tables that only grow are vacuumed by small steps.
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_insert_scale_factor": "0.05",
    # A killed client's locks go at once, not when its query ends.
    "client_connection_check_interval": "1s",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %a ",
    "log_checkpoints": "off",
}

_NOTE = "# Written by the LRS at each start; changes made here are lost.\n"


def configure(directory: DataDirectory, user: str, port: int, clients: Iterable[str]) -> None:
    """Write the three files: the operating-system users `clients` may connect, as `user`, nobody else."""
    where = directory.configuration
    settings = CONFIGURATION | {
        "data_directory": str(directory.cluster),
        "hba_file": str(where / "pg_hba.conf"),
        "ident_file": str(where / "pg_ident.conf"),
        "listen_addresses": "",
        "port": str(port),
        "unix_socket_directories": str(directory.sockets),
        "unix_socket_permissions": "0700",
    }
    lines = [f"{name} = {_quoted(value)}\n" for name, value in settings.items()]
    _write(where / "postgresql.conf", "".join(lines))
    access = [f"local {what} {user} peer map=lrs\n" for what in ("all", "replication")]
    _write(where / "pg_hba.conf", "".join(access))
    _write(where / "pg_ident.conf", "".join(f'lrs "{client}" {user}\n' for client in sorted(clients)))


def _write(path: Path, text: str) -> None:
    path.write_text(_NOTE + text, encoding="utf-8")
    path.chmod(0o644)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
