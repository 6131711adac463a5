"""The frame of every process of the LRS: log lines, metrics port, readiness, an orderly stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import structlog
import uvloop

from lrs import logging
from lrs.ending import Ending
from lrs.garbage import seldom_collected
from lrs.metrics.endpoint import Endpoint
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import process_registry

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from lrs.settings import Settings


class Announcement(msgspec.Struct, frozen=True):
    """What a child tells the supervisor once, as a line of JSON, when its metrics port is open."""

    metrics_host: str
    metrics_port: int


@dataclass(frozen=True)
class Process:
    """What the body of a process works with. It ends soon after `stopping` is set."""

    settings: Settings
    name: str
    registry: CollectorRegistry
    readiness: Readiness
    stopping: asyncio.Event
    metrics: str
    """Where its metrics are read."""


@asynccontextmanager
async def framed(
    settings: Settings, name: str, checks: Iterable[str], metrics_port: int, announce: int | None = None
) -> AsyncIterator[Process]:
    """Open the frame around a process's body; SIGTERM and SIGINT set `stopping`.

    `checks` name what must be in order before the process is ready; `announce` is a file descriptor
    for the Announcement. A port of 0 takes a free one.
    """
    registry, readiness, stopping = process_registry(name), Readiness(checks), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with Endpoint(registry, readiness, settings.metrics_host, metrics_port) as endpoint:
        structlog.get_logger("lrs.process").info("metrics", host=endpoint.host, port=endpoint.port)
        if announce is not None:
            with os.fdopen(announce, "wb") as pipe:
                pipe.write(msgspec.json.encode(Announcement(endpoint.host, endpoint.port)) + b"\n")
        address = f"http://{endpoint.host}:{endpoint.port}/metrics"
        yield Process(settings, name, registry, readiness, stopping, address)


def run(
    body: Callable[[Process], Awaitable[None]],
    settings: Settings,
    name: str,
    checks: Iterable[str],
    metrics_port: int,
    announce: int | None = None,
) -> None:
    """Run the body of a process in its frame, on uvloop, to its end.

    A child of the supervisor (`announce`) begins when its standard input ends; see `lrs.child.Child`.
    """

    async def inside() -> None:
        async with framed(settings, name, checks, metrics_port, announce) as process:
            with seldom_collected():
                await body(process)

    logging.configure(settings, name)
    if announce is not None:
        sys.stdin.buffer.read()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(inside())


def exit_on_error(work: Callable[[], None]) -> None:
    """Do the work of a child process; an error ends the process with the status of its Ending."""
    try:
        work()
    except Exception as error:
        ending = Ending.of_error(error)
        log = structlog.get_logger("lrs.process")
        log.error(
            "the process ends", ending=ending.name.lower(), error=str(error), exc_info=ending is Ending.DEFECT
        )
        sys.exit(ending.value)
