"""A child process of the supervisor: started, watched, started again, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec
import structlog

from lrs import launch
from lrs.ending import Ending
from lrs.process import Announcement

log = structlog.get_logger("lrs.supervisor")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a start after the second failure in a row (the first is at once), and at most."""

STEADY = 20.0
"""Seconds after which a process counts as having run well: its failures are forgotten."""


def pause(failures: int) -> float:
    """Seconds to wait before the next start, after so many failures in a row."""
    return 0.0 if failures <= 1 else min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (failures - 2))


class Child:
    """One process, that of a command line to which `--announce DESCRIPTOR` is added.

    It is started at once and begins its work when its standard input ends, so that it can load its
    program while it waits for what it needs. It dies with the supervisor, and has a process group of
    its own, so that Ctrl-C reaches the supervisor alone, which stops the parts in order.
    """

    def __init__(
        self,
        name: str,
        program: Sequence[str],
        environment: Mapping[str, str],
        output: Path | None = None,
        changed: Callable[[], None] = lambda: None,
        ended: Callable[[str, Ending], None] = lambda _name, _ending: None,
    ) -> None:
        """`output`: file for what the process prints (None: where the supervisor prints);
        `changed` is called whenever the process starts, announces itself or ends; `ended` when it
        ended without having been asked to, as `ending` also tells of the last time."""
        self.name = name
        self.restarts = 0
        self.ending: Ending | None = None
        self.announced: Announcement | None = None
        self._program, self._environment, self._output = list(program), dict(environment), output
        self._changed, self._ended = changed, ended
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def keep(self, may_start: asyncio.Event) -> None:
        """Run the process, and again whenever it ends, until `stop`; it begins its work after `may_start`."""
        failures = 0
        while not self._stopping:
            began = time.monotonic()
            status = await self._once(may_start)
            if self._stopping:
                return
            lasted = time.monotonic() - began
            failures = 1 if lasted >= STEADY else failures + 1
            self.restarts += 1
            self.ending = ending = Ending.of_status(status)
            log.warning(
                "a child ended",
                child=self.name,
                ending=ending.name.lower(),
                status=status,
                lasted=round(lasted, 1),
            )
            self._ended(self.name, ending)
            await asyncio.sleep(pause(failures))

    async def _once(self, may_start: asyncio.Event) -> int:
        read, write = os.pipe()
        program = [*self._program, "--announce", str(write)]
        output = self._output.open("ab") if self._output else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                *launch.command(program, signal.SIGKILL),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=self._environment,
                pass_fds=(write,),
                start_new_session=True,
            )
        finally:
            os.close(write)
            if output is not None:
                output.close()
        if self._stopping:
            self._signal(signal.SIGKILL)
        self._changed()
        listening = asyncio.create_task(self._listen(os.fdopen(read, "rb")))
        starting = asyncio.create_task(self._let_start(self._process, may_start))
        try:
            return await self._process.wait()
        finally:
            starting.cancel()
            await listening
            self.announced = None
            self._changed()

    async def _let_start(self, process: asyncio.subprocess.Process, may_start: asyncio.Event) -> None:
        await may_start.wait()
        assert process.stdin is not None
        process.stdin.close()

    async def _listen(self, pipe: IO[bytes]) -> None:
        """Take the announcement; the pipe also ends when the process does."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        line = await reader.readline()
        transport.close()
        if line:
            self.announced = msgspec.json.decode(line, type=Announcement)
            self._changed()

    async def ready(self) -> bool:
        """Whether the process says of itself that it can do its work."""
        if self.announced is None:
            return False
        try:
            async with asyncio.timeout(1.0):
                reader, writer = await asyncio.open_connection(
                    self.announced.metrics_host, self.announced.metrics_port
                )
                try:
                    writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
                    return (await reader.readline()).split()[1:2] == [b"200"]
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    async def stop(self, timeout: float) -> None:
        """Ask the process to finish; kill it, with all that it started, after `timeout` seconds."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), timeout)
        except TimeoutError:
            log.warning("a child is killed, it did not finish in time", child=self.name, seconds=timeout)
            self._signal(signal.SIGKILL)
            await process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)
