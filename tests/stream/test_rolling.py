"""A rolling deploy: frames of this version and of the next in one log, workers of both, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeAlias

import asyncpg
import msgspec
import pytest

from lrs.ending import Ending
from lrs.log import frame as frames
from tests.store.path import PARTITIONS, Path
from tests.stream.persisting import Worker, log, stored

NEXT = frames.VERSION + 1

NewerEdge: TypeAlias = Callable[[], AbstractContextManager[None]]

_encode, _decode = frames.encode, frames.decode


def encode_next(*given: Any) -> bytes:
    """A frame as a next version might write it: its parts in another order, and a new one."""
    _, dictionary, fields, raw = msgspec.msgpack.decode(_encode(*given))
    return msgspec.msgpack.encode([NEXT, raw, fields, dictionary, "new"])


def decode_both(value: bytes) -> frames.Frame:
    """What the next version reads: its own frames, and those of the one before it."""
    version, *rest = msgspec.msgpack.decode(value)
    if version == NEXT:
        raw, fields, dictionary, _ = rest
        value = msgspec.msgpack.encode([frames.VERSION, dictionary, fields, raw])
    return _decode(value)


@pytest.fixture
def newer_edge(monkeypatch: pytest.MonkeyPatch) -> NewerEdge:
    """In its block, what is appended is of the next version."""

    @contextmanager
    def newer() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(frames, "encode", encode_next)
            yield

    return newer


async def test_two_versions_in_one_log_are_read_by_the_newer_program(
    pool: asyncpg.Pool, database: str, newer_edge: NewerEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await Path.open(pool)
    ids = []
    for number in range(0, 8, 2):
        ids.append(await log(path, number, number % PARTITIONS))
        with newer_edge():
            ids.append(await log(path, number + 1, number % PARTITIONS))
    monkeypatch.setattr(frames, "decode", decode_both)
    newer = Worker(database)
    await stored(path, ids)
    await newer.stop()


async def test_a_worker_that_is_too_old_stops_loudly_and_a_newer_one_goes_on_with_what_it_had(
    pool: asyncpg.Pool, database: str, newer_edge: NewerEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await Path.open(pool)
    ids = [await log(path, 1, 0), await log(path, 2, 1)]
    older = Worker(database)
    await stored(path, ids)
    with newer_edge():
        ids.append(await log(path, 3, 0))
    ids += [await log(path, 4, 0), await log(path, 5, 1)]
    with pytest.raises(frames.UnknownFrame, match=f"version {NEXT}; this program reads version 1") as told:
        await asyncio.wait_for(older.task, 30)
    assert Ending.of_error(told.value) is Ending.DEFECT, "it is started again, and counted, and told"
    assert await path.count("dead_letter") == 0, "it is no poison"
    monkeypatch.setattr(frames, "decode", decode_both)
    newer = Worker(database)
    await stored(path, ids)
    await newer.stop()
