"""The client: patient with a busy LRS, never wrong about what was acknowledged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from lrs.demo import client as client_module
from lrs.demo.client import Client, Refused

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """The address of a server that answers everything with `handler`."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test has time for."""
    monkeypatch.setattr(client_module, "_FIRST_PAUSE", 0.01)


async def test_a_busy_lrs_gets_the_same_bytes_again_until_it_takes_them() -> None:
    bodies: list[bytes] = []

    async def handle(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        status = (503, 429, 200)[len(bodies) - 1]
        return web.Response(status=status, headers={"Retry-After": "0"})

    async with served(handle) as address, Client(address, "key", "secret") as client:
        await client.send([b'{"a":1}', b'{"b":2}'])
    assert bodies == [b'[{"a":1},{"b":2}]'] * 3
    assert (client.sent.acknowledged, client.sent.waits, client.sent.refused) == (2, 2, 0)


async def test_a_lost_connection_is_no_loss() -> None:
    seen = 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        await request.read()
        if seen == 1:
            assert request.transport is not None
            request.transport.close()
        return web.Response()

    async with served(handle) as address, Client(address, "key", "secret") as client:
        await client.send([b"{}"])
    assert (seen, client.sent.acknowledged, client.sent.waits) == (2, 1, 1)


async def test_a_refusal_is_counted_and_not_repeated() -> None:
    seen = 0

    async def handle(_: web.Request) -> web.Response:
        nonlocal seen
        seen += 1
        return web.Response(status=400, text="the verb is missing")

    async with served(handle) as address, Client(address, "key", "secret") as client:
        await client.send([b"{}"])
        with pytest.raises(Refused, match="400: the verb is missing"):
            await client.progress({"mbox": "mailto:a@example.org"})
    assert (seen, client.sent.refused, client.sent.acknowledged) == (2, 1, 0)
    assert client.sent.last_refusal == "400: the verb is missing"


async def test_it_signs_in_and_names_its_version() -> None:
    headers: dict[str, str] = {}

    async def handle(request: web.Request) -> web.Response:
        headers.update(request.headers)
        return web.Response()

    async with served(handle) as address, Client(address, "key", "secret") as client:
        await client.send([b"{}"])
    assert headers["Authorization"] == "Basic a2V5OnNlY3JldA=="
    assert headers["X-Experience-API-Version"] == "1.0.3"
    assert headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("told", "least"), [("3", 3.0), (None, 0.01), ("soon", 0.01), ("-5", 0.01)])
def test_the_pause_is_as_long_as_told_at_least(told: str | None, least: float) -> None:
    assert least <= client_module._pause(0, told) <= least * 1.5


def test_pauses_grow_and_have_an_end() -> None:
    assert client_module._pause(4, None) >= 0.16
    assert client_module._pause(60, None) <= 15 * 1.5
