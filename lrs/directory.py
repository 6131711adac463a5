"""The data directory: what lies where, and that one program uses it at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import IO

SOCKET_PATH_MAX = 100
"""Bytes that the path of a Unix socket may have everywhere (Linux 107, macOS 103)."""


class DirectoryInUse(Exception):
    """Another program has the data directory; the text names the directory and the process."""


class DataDirectory:
    """Paths under one directory. It is made, closed to other users, by `acquire`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: IO[str] | None = None

    @property
    def cluster(self) -> Path:
        """Files of the embedded PostgreSQL."""
        return self.path / "postgresql"

    @property
    def configuration(self) -> Path:
        """Configuration of the embedded PostgreSQL, written anew at each start."""
        return self.path / "configuration"

    @property
    def log(self) -> Path:
        """What the embedded PostgreSQL says."""
        return self.path / "postgresql.log"

    @property
    def state(self) -> Path:
        """What the supervisor notes for `lrs status`: addresses and process ids, JSON."""
        return self.path / "supervisor.json"

    @property
    def sockets(self) -> Path:
        """Directory of PostgreSQL's socket: in the data directory, or, where that path would be too
        long for a socket, in the directory for temporary files."""
        here = self.path / "sockets"
        if len(os.fsencode(here / ".s.PGSQL.5432")) <= SOCKET_PATH_MAX:
            return here
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"lrs-{name}"

    def acquire(self) -> None:
        """Make the directory if need be, and hold it until `release` or the end of this process.

        Raises DirectoryInUse when another process holds it.
        """
        # Others may pass through when root owns it: PostgreSQL's account must reach its files.
        self.path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise DirectoryInUse(
                f"{self.path} is in use by another program (process {holder}): stop it, or choose another"
                " directory with --data or LRS_DATA"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def release(self) -> None:
        """Let others have the directory. Harmless when it is not held."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
