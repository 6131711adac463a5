"""Brokers that do not answer, or slowly: 503 with Retry-After before memory grows, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.http.sample import fresh, statement
from tests.kafka.proxy import Weather
from tests.kafka.stand import stand

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka

MOST = 20
"""Requests that the edge works on at once."""


def here() -> set[int]:
    """The process of the edge: this one."""
    return {os.getpid()}


async def test_brokers_that_hang_are_503_and_what_waits_for_them_is_bounded(broker: Broker) -> None:
    async with broker.proxy() as proxy, stand(proxy.address, max_requests_in_flight=MOST) as lrs:
        assert (await lrs.send())[0] == 200
        again = statement(id=fresh())
        with proxy.weather(Weather.HELD, here):
            waiting = [
                asyncio.create_task(lrs.ask("POST", "/xapi/statements", json=sent))
                for sent in (again, *(statement(id=fresh()) for _ in range(MOST - 1)))
            ]
            await asyncio.sleep(2)
            for _ in range(5):
                status, reason, seconds = await lrs.send()
                assert (status, reason) == (503, "overload")
                assert seconds < 2, "at once"
            for status, reason, seconds in await asyncio.gather(*waiting):
                assert (status, reason) == (503, "log_unavailable")
                assert seconds < 25

        async with asyncio.timeout(30):
            while (await lrs.send())[0] != 200:
                await asyncio.sleep(0.2)
        assert (await lrs.ask("POST", "/xapi/statements", json=again))[0] == 200, "stored or not: once"
        lrs.accepted.append(again["id"])
        stored = await lrs.stored()
        assert set(lrs.accepted) <= set(stored)
        assert len(stored) == len(set(stored))


async def test_slow_brokers_make_answers_slow_and_refuse_nothing(broker: Broker) -> None:
    async with broker.proxy() as proxy, stand(proxy.address) as lrs:
        assert (await lrs.send())[0] == 200
        with proxy.weather(Weather.SLOW, here, 0.2):
            answers = await asyncio.gather(*(lrs.send() for _ in range(100)))
        assert {status for status, _, _ in answers} == {200}
        assert max(seconds for _, _, seconds in answers) > 0.2
        assert sorted(await lrs.stored()) == sorted(lrs.accepted)
