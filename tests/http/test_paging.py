"""Pages and pollers while others write: nothing twice, nothing missed, and no header that lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.http.client import Answer, Client
from tests.http.sample import agent, fresh, statement


@asynccontextmanager
async def writing(lrs: Client, writers: int = 6) -> AsyncIterator[list[str]]:
    """Others who write, singles and batches; the ids that were acknowledged so far."""
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def write(number: int) -> None:
        while not stop.is_set():
            size = 1 + (len(acknowledged) + number) % 5
            answer = await lrs.post([statement(f"writer-{number}", id=fresh()) for _ in range(size)])
            assert answer.status == 200
            acknowledged.extend(answer.json)
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(write(number)) for number in range(writers)]
    try:
        while len(acknowledged) < 40:
            await asyncio.sleep(0.01)
        yield acknowledged
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@pytest.mark.parametrize("ascending", ["true", "false"])
@pytest.mark.parametrize("query", [{}, {"agent": agent("writer-0")}])
async def test_pages_to_the_last_repeat_and_miss_nothing_while_others_write(
    alone: Client, ascending: str, query: dict[str, object]
) -> None:
    async with writing(alone) as acknowledged, asyncio.timeout(30):
        before = list(acknowledged)
        found: list[dict[str, Any]] = []
        while len(acknowledged) == len(before) or not found:  # a list during which others did write
            before = list(acknowledged)
            found = await alone.listed(limit="7", ascending=ascending, **query)
    ids = [one["id"] for one in found]
    assert len(ids) == len(set(ids))
    if not query:
        assert set(before) <= set(ids)
    stored = [one["stored"] for one in found]
    assert stored == sorted(stored, reverse=ascending == "false")
    # What came after the first page was asked for is not in the list, however long the paging took.
    later = {one["id"] for one in await alone.listed(since=max(stored), **query)}
    whole = {one["id"] for one in await alone.listed(until=max(stored), **query)}
    assert not later & set(ids)
    assert set(ids) <= whole


async def test_a_list_is_a_snapshot_even_if_its_pages_are_read_much_later(alone: Client) -> None:
    first = await alone.post([statement(id=fresh()) for _ in range(5)])
    answer = await alone.get({"limit": "2", "ascending": "true"})
    await alone.post([statement(id=fresh()) for _ in range(5)])
    found = [one["id"] for one in answer.json["statements"]]
    while answer.json["more"]:
        answer = await alone.more(answer.json["more"])
        found += [one["id"] for one in answer.json["statements"]]
    assert found == first.json


async def test_a_more_link_works_again_and_again(alone: Client) -> None:
    await alone.post([statement() for _ in range(4)])
    link = (await alone.get({"limit": "3"})).json["more"]
    answers = [await alone.more(link) for _ in range(3)]
    assert len({answer.body for answer in answers}) == 1
    assert len(answers[0].json["statements"]) == 1


async def test_a_poller_with_since_as_the_header_said_misses_nothing(alone: Client) -> None:
    """1.0.3 Part Three 2.1.3: everything stored before Consistent-Through is there to be read."""
    seen: list[str] = []
    since: str | None = None

    async def poll() -> None:
        nonlocal since
        query = {"ascending": "true", "limit": "50"} | ({"since": since} if since else {})
        answer = first = await alone.get(query)
        while True:
            assert answer.status == 200
            seen.extend(one["id"] for one in answer.json["statements"] if one["stored"] <= first.through)
            if not answer.json["more"]:
                break
            answer = await alone.more(answer.json["more"])
        since = first.through

    async with writing(alone) as acknowledged:
        for _ in range(8):
            await poll()
    await wait_until_past(alone, max([one["stored"] for one in await alone.listed(limit="1")]))
    await poll()
    assert sorted(seen) == sorted(acknowledged), "each once"


async def wait_until_past(lrs: Client, instant: str) -> None:
    """Wait until the store is consistent through an instant: ticks come once a second."""
    async with asyncio.timeout(10):
        while (await lrs.get({"limit": "1"})).through < instant:
            await asyncio.sleep(0.05)


def instant_of(answer: Answer) -> datetime:
    """Consistent-Through as a time."""
    return datetime.fromisoformat(answer.through)


async def test_consistent_through_never_goes_back_and_is_never_in_the_future(alone: Client) -> None:
    latest = datetime.min.replace(tzinfo=UTC)
    async with writing(alone, 3):
        for turn in range(60):
            if turn % 3 == 0:
                answer = await alone.get({"limit": "1"})
            elif turn % 3 == 1:
                answer = await alone.get({"statementId": fresh()})
            else:
                answer = await alone.get({"no": "parameter"})
            assert latest <= instant_of(answer) <= datetime.now(UTC)
            latest = instant_of(answer)


async def test_consistent_through_moves_on_without_any_writing(alone: Client) -> None:
    async with asyncio.timeout(10):
        while datetime.now(UTC) - instant_of(await alone.get()) > timedelta(seconds=5):
            await asyncio.sleep(0.1)
    first = instant_of(await alone.get())
    async with asyncio.timeout(10):
        while instant_of(await alone.get()) == first:
            await asyncio.sleep(0.1)


async def test_what_was_acknowledged_is_read_at_once(alone: Client) -> None:
    async def write_and_read(number: int) -> None:
        for _ in range(5):
            [id_] = (await alone.post(statement(f"reader-{number}"))).json
            assert (await alone.get({"statementId": id_})).status == 200
            assert id_ in await alone.ids(agent=agent(f"reader-{number}"), limit="3")

    await asyncio.gather(*(write_and_read(number) for number in range(8)))


async def test_a_page_ends_before_its_bytes_are_too_many(
    alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = (await alone.post([statement(id=fresh(), about="x" * 1000) for _ in range(9)])).json
    monkeypatch.setattr("lrs.http.statements._LONGEST_PAGE", 3500)
    assert len((await alone.get()).json["statements"]) == 2
    assert await alone.ids(ascending="true") == ids
    monkeypatch.setattr("lrs.http.statements._LONGEST_PAGE", 10)
    assert await alone.ids() == ids[::-1]
    monkeypatch.undo()
    monkeypatch.setattr("lrs.store.listing.MOST_BYTES", 100)
    assert len((await alone.get()).json["statements"]) < 9
    assert await alone.ids(ascending="true") == ids
