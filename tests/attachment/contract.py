"""What every home of attachments keeps. An adapter's test class inherits it."""

from __future__ import annotations

import asyncio
import hashlib
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

import pytest

from lrs.attachment.port import Attachments, NoData, NotTheData

TENANT = 1
LARGE = random.Random(4).randbytes(700_001)


@dataclass(frozen=True, slots=True)
class Home:
    """Two views of one home: `attachments` with a long time of grace, `hasty` without any. `accept`
    makes it known that a statement was accepted."""

    attachments: Attachments
    hasty: Attachments
    accept: Callable[[int, bytes], Awaitable[None]]


def statement() -> bytes:
    """The id of a statement."""
    return uuid.uuid4().bytes


def sha2(data: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    """Data in these pieces."""
    for piece in given:
        yield piece


def cut(data: bytes, length: int) -> Iterable[bytes]:
    """The data in pieces of a length."""
    return (data[start : start + length] for start in range(0, len(data), length))


async def put(attachments: Attachments, data: bytes, *users: bytes, tenant: int = TENANT) -> str:
    """Put data in one piece; their SHA-2."""
    await attachments.put(tenant, sha2(data), len(data), pieces(data), users)
    return sha2(data)


async def whole(attachments: Attachments, name: str, tenant: int = TENANT) -> bytes:
    """The data, read to the end."""
    return b"".join([piece async for piece in attachments.read(tenant, name)])


class AttachmentsContract:
    """Tests of the port; the subclass has the fixture `home`."""

    @pytest.fixture
    async def home(self) -> Home:
        """Overridden by the adapter's tests."""
        raise NotImplementedError

    @pytest.mark.parametrize("length", [1, 1000, 65_536, 1 << 18, 1 << 20])
    async def test_data_come_back_whatever_their_pieces_were(self, home: Home, length: int) -> None:
        data = LARGE if length > 1000 else LARGE[:5000]
        await home.attachments.put(
            TENANT, sha2(data), len(data), pieces(*cut(data, length)), [statement(), statement()]
        )
        assert await whole(home.attachments, sha2(data)) == data
        assert await home.attachments.sizes(TENANT, [sha2(data), sha2(b"other")]) == {sha2(data): len(data)}

    async def test_data_of_no_bytes_are_data(self, home: Home) -> None:
        name = await put(home.attachments, b"", statement())
        assert await whole(home.attachments, name) == b""
        assert await home.attachments.sizes(TENANT, [name]) == {name: 0}

    @pytest.mark.parametrize("function", ["sha224", "sha256", "sha384", "sha512"])
    async def test_the_length_of_a_sha2_says_which_it_is(self, home: Home, function: str) -> None:
        name = hashlib.new(function, LARGE).hexdigest()
        await home.attachments.put(TENANT, name, len(LARGE), pieces(LARGE), [statement()])
        assert await whole(home.attachments, name) == LARGE

    @pytest.mark.parametrize(
        "given",
        [(LARGE[:-1],), (LARGE, b"x"), (LARGE[:-1] + b"\0",), (), (LARGE[1:], LARGE[:1])],
        ids=["too short", "too long", "changed", "none", "turned round"],
    )
    async def test_what_has_another_sha2_or_size_is_refused_and_leaves_nothing(
        self, home: Home, given: tuple[bytes, ...]
    ) -> None:
        with pytest.raises(NotTheData, match=f"{len(LARGE)} bytes whose SHA-2 is {sha2(LARGE)}"):
            await home.attachments.put(TENANT, sha2(LARGE), len(LARGE), pieces(*given), [statement()])
        assert await home.attachments.sizes(TENANT, [sha2(LARGE)]) == {}
        with pytest.raises(NoData):
            await whole(home.attachments, sha2(LARGE))

    async def test_data_that_break_off_leave_nothing(self, home: Home) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield LARGE[:600_000]
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError):
            await home.attachments.put(TENANT, sha2(LARGE), len(LARGE), broken(), [statement()])
        assert await home.attachments.sizes(TENANT, [sha2(LARGE)]) == {}
        assert await whole(home.attachments, await put(home.attachments, LARGE, statement())) == LARGE

    async def test_data_that_are_there_are_not_read_again(self, home: Home) -> None:
        await put(home.attachments, LARGE, statement())

        async def never() -> AsyncIterator[bytes]:
            raise AssertionError("read")
            yield b""

        await home.attachments.put(TENANT, sha2(LARGE), len(LARGE), never(), [statement()])
        assert await whole(home.attachments, sha2(LARGE)) == LARGE

    async def test_many_who_bring_the_same_at_once_all_have_it(self, home: Home) -> None:
        users = [statement() for _ in range(8)]
        await asyncio.gather(*(put(home.attachments, LARGE, user) for user in users))
        assert await whole(home.attachments, sha2(LARGE)) == LARGE
        await home.attachments.release(TENANT, users[1:])
        assert await home.attachments.sizes(TENANT, [sha2(LARGE)]) == {sha2(LARGE): len(LARGE)}
        await home.attachments.release(TENANT, users)
        assert await home.attachments.sizes(TENANT, [sha2(LARGE)]) == {}

    async def test_a_tenant_does_not_see_anothers_data(self, home: Home) -> None:
        user = statement()
        name = await put(home.attachments, b"mine", user)
        assert await home.attachments.sizes(TENANT + 1, [name]) == {}
        with pytest.raises(NoData):
            await whole(home.attachments, name, TENANT + 1)
        await put(home.attachments, b"mine", user, tenant=TENANT + 1)
        await home.attachments.release(TENANT, [user])
        assert await whole(home.attachments, name, TENANT + 1) == b"mine"

    async def test_what_statements_use_is_known_by_their_ids(self, home: Home) -> None:
        first, second, other = statement(), statement(), statement()
        shared = await put(home.attachments, b"shared", first, second)
        own = await put(home.attachments, b"own", second)
        await put(home.attachments, b"other", other)
        await put(home.attachments, b"elsewhere", first, tenant=TENANT + 1)
        assert await home.attachments.used(TENANT, [first]) == {shared: 6}
        assert await home.attachments.used(TENANT, [first, second, statement()]) == {shared: 6, own: 3}
        assert await home.attachments.used(TENANT, []) == {}
        await home.attachments.release(TENANT, [second])
        assert await home.attachments.used(TENANT, [first, second]) == {shared: 6}

    async def test_a_sweep_leaves_what_came_a_short_while_ago(self, home: Home) -> None:
        name = await put(home.attachments, b"young", statement())
        assert await home.attachments.sweep() == 0
        assert await home.hasty.sweep() == 0
        assert await whole(home.attachments, name) == b"young"

    async def test_a_sweep_deletes_what_no_accepted_statement_uses(self, home: Home) -> None:
        accepted = statement()
        kept = await put(home.hasty, b"kept", statement(), accepted)
        lost = await put(home.hasty, b"lost", statement())
        await home.accept(TENANT, accepted)
        assert await home.hasty.sweep() == 1
        assert await home.hasty.sweep() == 0
        assert await home.hasty.sizes(TENANT, [kept, lost]) == {kept: 4}
        assert await whole(home.hasty, await put(home.hasty, b"lost", statement())) == b"lost"

    async def test_an_accepted_statement_of_another_tenant_keeps_nothing(self, home: Home) -> None:
        user = statement()
        await put(home.hasty, b"lost", user)
        await home.accept(TENANT + 1, user)
        assert await home.hasty.sweep() == 1

    async def test_what_is_brought_again_is_kept_for_the_time_of_grace_again(self, home: Home) -> None:
        name = await put(home.hasty, b"again", statement())
        await put(home.attachments, b"again", statement())
        assert await home.hasty.sweep() == 0
        assert await whole(home.attachments, name) == b"again"

    async def test_what_is_released_by_one_stays_for_the_other_that_was_accepted(self, home: Home) -> None:
        first, second, refused = statement(), statement(), statement()
        name = await put(home.hasty, b"shared", first, second, refused)
        await home.accept(TENANT, first)
        await home.accept(TENANT, second)
        assert await home.hasty.sweep() == 0
        await home.hasty.release(TENANT, [first])
        assert await home.hasty.sweep() == 0
        assert await whole(home.hasty, name) == b"shared"
        await home.hasty.release(TENANT, [second])
        assert await home.hasty.sweep() == 1
        assert await home.hasty.sizes(TENANT, [name]) == {}

    async def test_a_reader_is_told_when_data_are_deleted_under_it(self, home: Home) -> None:
        user = statement()
        name = await put(home.attachments, LARGE, user)
        await home.attachments.put(TENANT, sha2(LARGE), len(LARGE), pieces(*cut(LARGE, 1 << 18)), [user])
        reading = aiter(home.attachments.read(TENANT, name))
        first = await anext(reading)
        assert LARGE.startswith(first)
        await home.attachments.release(TENANT, [user])
        with pytest.raises(NoData):
            await anext(reading)
