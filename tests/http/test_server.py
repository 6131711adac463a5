"""The real server, byte by byte: framing, limits, slow senders, and a stop that answers what is under way."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
import pytest_asyncio

from lrs.http import call as call_module
from lrs.http import server as server_module
from lrs.http.server import serve
from tests.http.client import Client
from tests.http.sample import fresh, shortened, statement
from tests.http.system import Limits, System, assemble
from tests.http.wire import chunked, connection, free_port, head, served, until

LIMIT = 1 << 20
GOOD = msgspec.json.encode(statement())


@pytest_asyncio.fixture(scope="module")
async def port(system: System) -> AsyncIterator[int]:
    """The port of the system's edge."""
    async with served(system.edge) as running:
        yield running.port


async def test_a_statement_goes_in_and_comes_out_over_one_connection(port: int, lrs: Client) -> None:
    id_ = fresh()
    body = msgspec.json.encode(statement(id=id_))
    async with connection(port) as wire:
        await wire.send(head(lrs, "POST /xapi/statements", f"Content-Length: {len(body)}") + body)
        posted = await wire.answer()
        assert posted is not None
        assert (posted.status, posted.json) == (200, [id_])
        for method in ("GET", "HEAD"):
            await wire.send(head(lrs, f"{method} /xapi/statements?statementId={id_}"))
            got = await wire.answer(head=method == "HEAD")
            assert got is not None
            assert got.status == 200
            assert int(got.headers["content-length"]) > len(body)
            assert got.through
        await wire.send(
            head(lrs, f"PUT /xapi/statements?statementId={id_}", f"Content-Length: {len(body)}") + body
        )
        put = await wire.answer()
        assert put is not None
        assert (put.status, put.body) == (204, b"")


async def test_two_requests_may_be_sent_at_once(port: int, lrs: Client) -> None:
    request = head(lrs, "POST /xapi/statements", f"Content-Length: {len(GOOD)}") + GOOD
    async with connection(port) as wire:
        await wire.send(request * 2)
        answers = [await wire.answer(), await wire.answer()]
    assert [answer.status for answer in answers if answer] == [200, 200]


@pytest.mark.parametrize("sizes", [[1], [7, 1, 400], [100_000]])
async def test_a_chunked_body_is_put_together(port: int, lrs: Client, sizes: list[int]) -> None:
    parts, rest = [], GOOD
    for size in sizes * len(GOOD):
        part, rest = rest[:size], rest[size:]
        if part:
            parts.append(part)
    async with connection(port) as wire:
        await wire.send(head(lrs, "POST /xapi/statements", "Transfer-Encoding: chunked"), chunked(parts))
        answer = await wire.answer()
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize(
    ("header", "body", "status"),
    [
        ("Content-Length: abc", GOOD, 400),
        ("Content-Length: -5", GOOD, 400),
        ("Content-Length: +5", GOOD, 400),
        ("Content-Length: 99999999999999999999999999", GOOD, 400),
        ("Content-Length: 5\r\nContent-Length: 6", GOOD, 400),
        ("Content-Length: 5", GOOD, 400),
        ("X: no length", GOOD, 400),
        ("Content-Length: 0", b"", 400),
        ("Transfer-Encoding: chunked", b"zz\r\nabc\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked", b"-3\r\nabc\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: chunked", b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400),
        ("Transfer-Encoding: gzip", GOOD, 400),
        ("Transfer-Encoding: identity", GOOD, 400),
        (f"Content-Length: {LIMIT + 1}", b"", 413),
        ("\r\n".join(f"X{n}: a" for n in range(200)), b"", 431),
        ("X: a\x00b", b"", 400),
        ("X : a", b"", 400),
    ],
    ids=shortened,
)
async def test_a_wrongly_framed_request_is_refused_and_stores_nothing(
    port: int, alone: Client, system: System, header: str, body: bytes, status: int
) -> None:
    async with connection(port) as wire:
        await wire.send(head(alone, "POST /xapi/statements", header) + body)
        answer = await wire.answer()
    assert answer is not None
    assert answer.status == status
    assert await system.count(alone.tenant) == 0


async def test_a_head_that_is_too_long_gets_431_or_is_hung_up_on(port: int, lrs: Client) -> None:
    async with connection(port) as wire:
        await wire.send(head(lrs, "GET /xapi/about", "X: " + "a" * (4 << 20)))
        answer = await wire.answer()
    assert answer is None or answer.status == 431


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\r\n\r\n",
        b"GET /xapi/about\r\n\r\n",
        b"GET  /xapi/about HTTP/1.1\r\n\r\n",
        b"GET /xapi/about HTTP/9.9\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /xapi/statements?agent=\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 4000 + b"\r\n\r\n",
    ],
    ids=shortened,
)
async def test_what_is_no_http_gets_a_400_or_is_hung_up_on(port: int, request_bytes: bytes) -> None:
    async with connection(port) as wire:
        await wire.send(request_bytes)
        answer = await wire.answer()
    assert answer is None or answer.status in (400, 505)


@pytest.mark.parametrize(
    "target", ["/%ff", "/%zz", "/a%00b", "/xapi/%ed%a0%80", "//", "*", "/" + "a" * 60_000]
)
async def test_any_path_gets_an_answer(port: int, lrs: Client, target: str) -> None:
    async with connection(port) as wire:
        await wire.send(head(lrs, f"GET {target}"))
        answer = await wire.answer()
    assert answer is not None
    assert answer.status == 404
    assert answer.json["reason"] == "malformed"


async def test_a_path_may_be_percent_encoded(port: int, lrs: Client) -> None:
    async with connection(port) as wire:
        await wire.send(head(lrs, "GET /%78api%2Fabout"))
        answer = await wire.answer()
    assert answer is not None
    assert answer.status == 200


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [LIMIT + 1, 3 * LIMIT])
async def test_who_sends_too_much_gets_to_read_the_413(
    port: int, alone: Client, system: System, framing: str, size: int
) -> None:
    body = GOOD[:-1] + b" " * (size - len(GOOD)) + b"}"
    async with connection(port) as wire:
        if framing == "length":
            await wire.send(head(alone, "POST /xapi/statements", f"Content-Length: {size}"), body)
        else:
            pieces = [body[start : start + 60_000] for start in range(0, size, 60_000)]
            await wire.send(
                head(alone, "POST /xapi/statements", "Transfer-Encoding: chunked"), chunked(pieces)
            )
        answer = await wire.answer()
    assert answer is not None
    assert (answer.status, answer.json["reason"]) == (413, "too_large")
    assert (system.admission.requests, system.admission.bytes) == (0, 0)
    assert await system.count(alone.tenant) == 0


async def test_who_asks_before_sending_too_much_need_not_send_it(port: int, lrs: Client) -> None:
    async with connection(port) as wire:
        await wire.send(
            head(lrs, "POST /xapi/statements", f"Content-Length: {LIMIT + 1}", "Expect: 100-continue")
        )
        answer = await wire.answer(3)
    assert answer is not None
    assert answer.status == 413


async def test_who_asks_before_sending_is_told_to_go_on(port: int, lrs: Client) -> None:
    request = head(lrs, "POST /xapi/statements", f"Content-Length: {len(GOOD)}", "Expect: 100-continue")
    async with connection(port) as wire:
        await wire.send(request)
        interim = await wire.answer(5)
        assert interim is not None
        assert interim.status == 100
        await wire.send(GOOD)
        answer = await wire.answer()
    assert answer is not None
    assert answer.status == 200


async def test_a_sender_that_goes_away_leaves_nothing(port: int, alone: Client, system: System) -> None:
    for _ in range(5):
        async with connection(port) as wire:
            await wire.send(head(alone, "POST /xapi/statements", f"Content-Length: {len(GOOD)}"), GOOD[:50])
    await until(lambda: system.admission.requests == 0)
    assert system.admission.bytes == 0
    assert await system.count(alone.tenant) == 0


async def test_a_gzip_bomb_is_refused_over_the_wire(port: int, lrs: Client) -> None:
    bomb = gzip.compress(bytes(32 << 20))
    lines = (f"Content-Length: {len(bomb)}", "Content-Encoding: gzip")
    async with connection(port) as wire:
        await wire.send(head(lrs, "POST /xapi/statements", *lines), bomb)
        answer = await wire.answer()
    assert answer is not None
    assert answer.status == 413


async def test_a_slow_body_is_given_up(system: System, alone: Client) -> None:
    impatient = await assemble(system.pool, replace(Limits(), patience=0.5))
    async with served(impatient.edge) as running, connection(running.port) as wire:
        await wire.send(head(alone, "POST /xapi/statements", "Content-Length: 1000"), *[b" "] * 3, pause=0.05)
        answer = await wire.answer(10)
        assert answer is not None
        assert (answer.status, answer.json["reason"]) == (408, "slow_body")
        assert await wire.reader.read() == b"", "and the connection is closed"
        assert (impatient.admission.requests, impatient.admission.bytes) == (0, 0)


async def test_a_body_that_drips_is_given_up_as_well(system: System, alone: Client) -> None:
    impatient = await assemble(system.pool, replace(Limits(), patience=0.5))
    async with served(impatient.edge) as running, connection(running.port) as wire:
        dripping = asyncio.create_task(
            wire.send(head(alone, "POST /xapi/statements", "Content-Length: 1000"), *[b" "] * 100, pause=0.05)
        )
        answer = await wire.answer(10)
        assert answer is not None
        assert answer.status == 408
        dripping.cancel()


async def test_a_slow_head_is_hung_up_on(
    system: System, lrs: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "HEAD_PATIENCE", 1)
    async with served(system.edge) as running, connection(running.port) as wire:
        sending = asyncio.create_task(wire.send(*[bytes([byte]) for byte in head(lrs)], pause=0.1))
        async with asyncio.timeout(8):
            assert await wire.reader.read() == b""
        sending.cancel()


@pytest.mark.parametrize("slow", ["body", "store"])
async def test_a_stop_answers_what_is_under_way(system: System, alone: Client, slow: str) -> None:
    async with served(system.edge) as running, connection(running.port) as wire:
        holding = await system.pool.acquire()
        transaction = holding.transaction()
        await transaction.start()
        await holding.execute("select from log_head for update")
        await wire.send(head(alone, "POST /xapi/statements", f"Content-Length: {len(GOOD)}"))
        await wire.send(GOOD if slow == "store" else GOOD[:-1])
        await asyncio.sleep(0.3)
        running.stop.set()
        await asyncio.sleep(0.3)
        assert not running.ended.done()
        await transaction.rollback()
        await system.pool.release(holding)
        if slow == "body":
            await wire.send(GOOD[-1:])
        answer = await wire.answer()
        assert answer is not None
        assert answer.status == 200
        async with asyncio.timeout(10):
            await running.ended
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", running.port)
    assert await system.count(alone.tenant) == 1


async def test_a_stop_waits_no_longer_than_it_may(system: System, alone: Client) -> None:
    async with served(system.edge, drain=0.5) as running, connection(running.port) as wire:
        await wire.send(head(alone, "POST /xapi/statements", "Content-Length: 100"), b" ")
        await asyncio.sleep(0.2)
        running.stop.set()
        async with asyncio.timeout(5):
            await running.ended


async def test_idle_connections_do_not_hold_up_a_stop(system: System, lrs: Client) -> None:
    async with served(system.edge) as running, connection(running.port) as wire:
        await wire.send(head(lrs, "GET /xapi/about"))
        assert await wire.answer() is not None
        running.stop.set()
        async with asyncio.timeout(5):
            await running.ended


async def test_a_port_that_is_taken_is_an_error(port: int, system: System) -> None:
    with pytest.raises(OSError):
        await serve(system.edge, "127.0.0.1", port, asyncio.Event(), lambda: None, 1.0)


async def test_a_port_of_zero_takes_a_free_one(system: System) -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(20):
        await serve(system.edge, "127.0.0.1", 0, stop, stop.set, 1.0)


async def test_a_port_is_free_again_after_a_stop(system: System, lrs: Client) -> None:
    again = free_port()
    for _ in range(2):
        stop, listening = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(serve(system.edge, "127.0.0.1", again, stop, listening.set, 1.0))
        await listening.wait()
        async with connection(again) as wire:
            await wire.send(head(lrs, "GET /xapi/about"))
            assert await wire.answer() is not None
        stop.set()
        await task


async def test_who_does_not_read_holds_no_whole_answer(port: int, system: System, alone: Client) -> None:
    """A large answer is given to the server in pieces, and counts at the admission until it is sent."""
    big = statement(result={"response": "x" * 900_000})
    for _ in range(12):
        assert (await alone.post(big)).status == 200
    await system.count(alone.tenant)
    async with connection(port, window=1 << 12) as wire:
        await wire.send(head(alone, "GET /xapi/statements"))
        await until(lambda: system.admission.bytes > 10_000_000)
        await asyncio.sleep(0.3)
        assert system.admission.bytes > 10_000_000, "still under way"
        answer = await wire.answer()
        assert answer is not None
        assert len(answer.json["statements"]) == 12
    await until(lambda: system.admission.bytes == 0)


async def test_who_never_reads_is_given_up(
    port: int, system: System, alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_module, "PATIENCE", 0.5)
    monkeypatch.setattr(call_module, "SLOWEST", 1 << 40)
    await alone.post([statement(result={"response": "x" * 900_000})])
    for _ in range(11):
        await alone.post([statement(result={"response": "x" * 900_000})])
    await system.count(alone.tenant)
    async with connection(port, window=1 << 12) as wire:
        await wire.send(head(alone, "GET /xapi/statements"))
        await until(lambda: system.admission.bytes > 10_000_000)
        await until(lambda: system.admission.bytes == 0)
        with pytest.raises(asyncio.IncompleteReadError):
            await wire.answer()
