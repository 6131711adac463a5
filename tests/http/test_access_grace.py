"""A credential that was verified stays known for a time while the store does not say whether it still is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from lrs.http.access import Access
from lrs.store.connection import AWAY, within
from lrs.store.credential import Credential, Credentials
from lrs.store.name import Names
from tests.http.client import basic

RIGHT, WRONG = basic("key", "secret").encode(), basic("key", "other").encode()


class Moody(Credentials):
    """Credentials whose store may be away, or hang."""

    away = False
    hangs = False
    asked = 0

    async def verify(self, *given: object) -> Credential | None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise ConnectionRefusedError("nobody is there")
        return await super().verify(*given)  # type: ignore[arg-type]


@pytest.fixture
async def credentials(database: str) -> AsyncIterator[Moody]:
    """A store with one credential."""
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as pool:
        found = Moody(pool, Names(pool))
        await found.ensure(1, "key", "secret")
        yield found


async def test_what_was_verified_is_known_for_the_grace_time_and_nothing_else_is(credentials: Moody) -> None:
    access = Access(credentials, known_for=0.0, grace=60.0)
    known = await access.credential(RIGHT)
    credentials.away = True
    assert await access.credential(RIGHT) == known
    with pytest.raises(AWAY):
        await access.credential(WRONG)
    for over in (Access(credentials, known_for=0.0), Access(credentials, known_for=0.0, grace=60.0)):
        with pytest.raises(AWAY):
            await over.credential(RIGHT)
    credentials.away = False
    assert await access.credential(RIGHT) == known


async def test_without_a_grace_time_a_credential_ends_with_what_is_known(credentials: Moody) -> None:
    access = Access(credentials, known_for=0.0)
    await access.credential(RIGHT)
    credentials.away = True
    with pytest.raises(AWAY):
        await access.credential(RIGHT)


async def test_of_many_who_ask_while_the_store_hangs_one_waits(
    credentials: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = Access(credentials, known_for=0.0, grace=60.0)
    known = await access.credential(RIGHT)
    for patience in ("_PATIENCE", "_SHORT_PATIENCE"):
        monkeypatch.setattr(f"lrs.http.access.{patience}", 0.5)
    credentials.hangs, credentials.asked = True, 0
    first = asyncio.create_task(access.credential(RIGHT))
    await asyncio.sleep(0)
    async with asyncio.timeout(0.4):
        assert [await access.credential(RIGHT) for _ in range(50)] == [known] * 50
    assert await first == known
    assert credentials.asked == 1
    with pytest.raises(TimeoutError):
        await access.credential(WRONG)


async def test_a_question_that_hangs_is_left_behind() -> None:
    """It is cancelled, but not waited for: one that cleans up slowly keeps nobody."""
    cleaned = asyncio.Event()

    async def hangs() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await cleaned.wait()

    async with asyncio.timeout(5):
        with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
            await within(0.05, hangs())
    cleaned.set()
    assert await within(5, asyncio.sleep(0, "answer")) == "answer"
    with pytest.raises(ValueError, match="wrong"):
        await within(5, _raise())


async def _raise() -> None:
    raise ValueError("wrong")
