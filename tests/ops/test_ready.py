"""`lrs ready`: what a container's health check is told."""

from __future__ import annotations

import asyncio

from click.testing import CliRunner, Result

from lrs.cli.ready import ready
from lrs.metrics.endpoint import Endpoint
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import process_registry
from tests.kafka.broker import free_port


async def asked(port: int) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, ready, ["--port", str(port)])


async def test_a_process_is_ready_when_all_its_checks_are() -> None:
    readiness = Readiness(("store", "listening"))
    async with Endpoint(process_registry("edge"), readiness, "127.0.0.1", 0) as endpoint:
        readiness.set("listening")
        readiness.set("store", "does not answer: refused")
        lacking = await asked(endpoint.port)
        assert (lacking.exit_code, lacking.output) == (1, "Error: store: does not answer: refused\n")
        readiness.set("store")
        there = await asked(endpoint.port)
        assert (there.exit_code, there.output) == (0, "ready\n")


async def test_nobody_is_not_ready() -> None:
    port = free_port()
    absent = await asked(port)
    assert absent.exit_code == 1
    assert absent.output.startswith(f"Error: nobody answers at 127.0.0.1:{port}: ")
