"""Attachments on a real connection: large ones in little memory, and connections that end or stand still."""

from __future__ import annotations

import asyncio
import hashlib
import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psutil
import pytest

from tests.http.client import Client
from tests.http.mixed import CONTENT_TYPE, attachment, first, part, written
from tests.http.sample import fresh, statement
from tests.http.system import Limits, System, assemble
from tests.http.test_attachments import IMAGE, kept, with_data
from tests.http.wire import Served, connection, head, served


class Peak:
    """The most memory that this process has had above what it had."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss
        self.grown = 0

    def look(self) -> None:
        """Look how much it is now."""
        self.grown = max(self.grown, self._process.memory_info().rss - self._before)


LARGE = 50 << 20


def large(size: int) -> Iterator[bytes]:
    """So many bytes in pieces."""
    piece = random.Random(size).randbytes(1 << 16)
    return (piece for _ in range(size >> 16))


@asynccontextmanager
async def asked(server: Served, client: Client, line: str, *headers: str) -> AsyncIterator[Any]:
    """A connection on which a request's head has been sent."""
    async with connection(server.port) as wire:
        await wire.send(head(client, line, *headers).replace(b"Content-Type: application/json\r\n", b""))
        yield wire


async def there_and_back(server: Served, client: Client, size: int, peak: Peak) -> None:
    """Send an attachment and read it again."""
    hashed = hashlib.sha256()
    for piece in large(size):
        hashed.update(piece)
    sha2 = hashed.hexdigest()
    sent = statement(id=fresh(), attachments=[{**attachment(b""), "sha2": sha2, "length": size}])
    before, after = written([first(sent), part(b"\0", X_Experience_API_Hash=sha2)]).split(b"\0")
    length = f"Content-Length: {len(before) + size + len(after)}"
    async with asked(
        server, client, "POST /xapi/statements", f"Content-Type: {CONTENT_TYPE}", length
    ) as wire:
        await wire.send(before)
        for piece in large(size):
            await wire.send(piece)
            peak.look()
        await wire.send(after)
        answer = await wire.answer()
        peak.look()
        assert answer.status == 200, answer
    path = f"GET /xapi/statements?statementId={sent['id']}&attachments=true"
    async with asked(server, client, path) as wire:
        top = (await wire.reader.readuntil(b"\r\n\r\n")).decode()
        assert top.startswith("HTTP/1.1 200")
        left = int(top.lower().split("content-length: ")[1].split("\r\n")[0]) - size
        left -= len(await wire.reader.readuntil(b"X-Experience-API-Hash: "))
        left -= len(await wire.reader.readuntil(b"\r\n\r\n"))
        got = hashlib.sha256()
        for _ in range(size >> 16):
            got.update(await wire.reader.readexactly(1 << 16))
            peak.look()
        assert got.hexdigest() == sha2
        assert (await wire.reader.readexactly(left)).endswith(b"--\r\n")


async def test_50_mb_go_in_and_out_in_bounded_memory(system: System, alone: Client) -> None:
    async with served(system.edge) as server:
        await there_and_back(server, alone, 5 << 20, Peak())
        peak = Peak()
        await there_and_back(server, alone, LARGE, peak)
    assert peak.grown < LARGE // 4, f"{peak.grown >> 20} MB"
    assert await kept(system, alone) == 2


async def test_who_hangs_up_leaves_nothing_behind(
    system: System, alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = written([first(with_data(IMAGE)), part(IMAGE)])
    make, files = tempfile.TemporaryFile, []

    def made(**options: Any) -> Any:
        files.append(make(**options))
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", made)
    async with served(system.edge) as server:
        headers = (f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(body)}")
        async with asked(server, alone, "POST /xapi/statements", *headers) as wire:
            await wire.send(body[:-1000])
            await asyncio.sleep(0.2)
        async with asyncio.timeout(20):
            while system.admission.requests:
                await asyncio.sleep(0.01)
    assert await system.count(alone.tenant) == await kept(system, alone) == 0
    assert system.admission.bytes == 0
    assert [file.closed for file in files] == [True]


async def test_a_body_that_does_not_go_on_is_given_up(system: System, alone: Client) -> None:
    impatient = await assemble(system.pool, replace(Limits(), patience=0.5))
    body = written([first(with_data(IMAGE)), part(IMAGE)])
    async with served(impatient.edge) as server:
        headers = (f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(body)}")
        async with asked(server, alone, "POST /xapi/statements", *headers) as wire:
            await wire.send(body[:1000])
            answer = await wire.answer()
    assert (answer.status, answer.json["reason"]) == (408, "slow_body")


async def test_a_large_body_may_take_longer_than_a_small_one(system: System, alone: Client) -> None:
    impatient = await assemble(system.pool, replace(Limits(), patience=0.5))
    body = written([first(with_data(IMAGE)), part(IMAGE)])
    async with served(impatient.edge) as server:
        headers = (f"Content-Type: {CONTENT_TYPE}", f"Content-Length: {len(body)}")
        async with asked(server, alone, "POST /xapi/statements", *headers) as wire:
            await wire.send(body[:-10])
            await asyncio.sleep(1.5)
            await wire.send(body[-10:])
            answer = await wire.answer()
    assert answer.status == 200
