"""The log on Kafka while PostgreSQL is away: statements are taken for a time, everything else is refused."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.http.client import basic
from tests.http.mixed import CONTENT_TYPE, attachment, first, part, written
from tests.http.sample import fresh, statement
from tests.kafka.stand import Stand, stand
from tests.stream.processes import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka

STATE = {
    "activityId": "https://example.org/activity",
    "agent": '{"mbox": "mailto:asha@example.org"}',
    "stateId": "bookmark",
}
"""Where a document lies."""

GRACE = 4.0
"""Seconds for which the edges of these tests take statements without a store."""


@contextmanager
def frozen(lrs: Stand) -> Iterator[None]:
    """All its processes take nothing and say nothing, in the block."""
    postmaster = psutil.Process(
        int((lrs.settings.data / "postgresql" / "postmaster.pid").read_text().split()[0])
    )
    processes = [postmaster, *postmaster.children(recursive=True)]
    for each in processes:
        each.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(signal.SIGCONT)


async def test_statements_are_taken_for_a_time_while_the_store_is_away_and_nothing_else_is(
    broker: Broker,
) -> None:
    async with stand(broker.address, GRACE) as lrs:
        assert (await lrs.send())[0] == 200
        await lrs.cluster.stop()
        taken = statement(id=fresh())
        assert (await lrs.ask("POST", "/xapi/statements", json=taken))[0] == 200
        lrs.accepted.append(taken["id"])
        assert (await lrs.ask("POST", "/xapi/statements", json=taken))[0] == 200, "it is the same one"
        other = statement(id=taken["id"])
        other["verb"] = {"id": "https://example.org/another"}
        assert (await lrs.ask("POST", "/xapi/statements", json=other))[0] == 409
        at_once = [
            lrs.ask(
                "PUT",
                "/xapi/activities/state",
params=STATE,
                data=b"text",
            ),
            lrs.ask(
                "POST",
                "/xapi/statements",
                data=written([first(statement(attachments=[attachment(b"text")])), part(b"text")]),
                headers={"content-type": CONTENT_TYPE},
            ),
            lrs.ask("GET", "/xapi/statements"),
            lrs.ask("GET", "/xapi/statements", headers={"authorization": basic("root", "unknown")}),
        ]  # fmt: skip
        for status, reason, seconds in await asyncio.gather(*at_once):
            assert (status, reason) == (503, "store_unavailable")
            assert seconds < 3
        assert await lrs.ready() == 200, "it is to be asked"

        async def over() -> bool:
            return (await lrs.send())[:2] == (503, "log_unavailable")

        await until(over, 3 * GRACE)
        taken_meanwhile = len(lrs.accepted)
        assert taken_meanwhile > 5

        async def unready() -> bool:
            return await lrs.ready() == 503

        await until(unready, GRACE)
        await lrs.cluster.start()

        async def back() -> bool:
            return (await lrs.send())[0] == 200

        await until(back, 20)
        stored = await lrs.stored()
        assert sorted(stored) == sorted(lrs.accepted), "what was acknowledged is stored, once"


async def test_a_store_that_hangs_holds_up_one_append_and_no_more(broker: Broker) -> None:
    async with stand(broker.address, GRACE) as lrs:
        assert (await lrs.send())[0] == 200
        with frozen(lrs):
            status, _, seconds = await lrs.send()
            assert status == 200
            assert seconds < 10, "the store is given up"
            for _ in range(3):
                assert (await lrs.send())[0] == 200
            began = time.monotonic()
            assert (await lrs.send())[0] == 200
            assert time.monotonic() - began < 1.5
        assert sorted(await lrs.stored()) == sorted(lrs.accepted)
