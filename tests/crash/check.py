"""What must hold after a fault."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter

import aiohttp
import asyncpg
import msgspec

from tests.crash.load import HEADERS, Batch, Ledger
from tests.crash.system import Lrs, Place

AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a store raises that does not answer."""

HARMLESS = ("killed", "unavailable", "fenced")
"""Why a process may end under faults."""


async def everything_goes_on(lrs: Lrs, ledger: Ledger, struck: float, timeout: float = 180) -> float:
    """Wait until a request was acknowledged that was sent after a moment of `time.monotonic`, and every
    partition of every stage came further, or has nothing left to do; the seconds from that moment on."""
    started = await _answered(lrs, struck + timeout)
    waiting = set(started)
    while True:
        with contextlib.suppress(*AWAY):
            now, ends = await lrs.offsets(), await lrs.evidence_ends()
            waiting -= {place for place in waiting if now[place][0] > started[place][0]}
            waiting -= {place for place in waiting if place in ends and now[place][0] >= ends[place]}
        if not waiting and ledger.served > struck:
            return time.monotonic() - struck
        missing = sorted(waiting) or "the edge does not answer"
        assert time.monotonic() - struck < timeout, f"nothing goes on: {missing}: {lrs.tail()}"
        await asyncio.sleep(0.1)


async def _answered(lrs: Lrs, deadline: float) -> dict[Place, tuple[int, str | None]]:
    """How far each stage is, as soon as the store says so."""
    while True:
        with contextlib.suppress(*AWAY):
            return await lrs.offsets()
        assert time.monotonic() < deadline, f"the store does not answer: {lrs.tail()}"
        await asyncio.sleep(0.1)


async def caught_up(lrs: Lrs, timeout: float = 120) -> float:
    """Wait until no stage has anything left to do; the seconds that took."""
    started = time.monotonic()
    while True:
        status = await asyncio.to_thread(lrs.run, "status", "--json")
        if status.returncode == 0:
            stages = msgspec.json.decode(status.stdout)["stages"]
            if stages and all(stage["records"] <= 2 for stage in stages):  # idle partitions get ticks
                return time.monotonic() - started
        assert time.monotonic() - started < timeout, f"did not catch up: {status.stdout} {status.stderr}"
        await asyncio.sleep(0.2)


async def listed(lrs: Lrs, since: str) -> Counter[str]:
    """Every id in the list of all statements stored after `since`, by paging to the last page."""
    found: Counter[str] = Counter()
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        url = f"{lrs.address}/xapi/statements?ascending=true&since={since}"
        while url:
            async with session.get(url) as answer:
                assert answer.status == 200, await answer.text()
                page = msgspec.json.decode(await answer.read())
            found.update(statement["id"] for statement in page["statements"])
            url = lrs.address + page["more"] if page.get("more") else ""
    return found


async def is_there(session: aiohttp.ClientSession, lrs: Lrs, id_: str) -> tuple[int, int]:
    """Status by statementId and by voidedStatementId."""
    statuses = []
    for name in ("statementId", "voidedStatementId"):
        async with session.get(f"{lrs.address}/xapi/statements?{name}={id_}") as answer:
            statuses.append(answer.status)
    return statuses[0], statuses[1]


async def everything_is_there_once(lrs: Lrs, ledger: Ledger, batches: list[Batch], since: str) -> None:
    """Of these batches, sent since then: what was acknowledged is stored once, nothing is there by half."""
    assert not ledger.refusals, ledger.refusals[:3]
    found = await listed(lrs, since)
    assert not [id_ for id_, count in found.items() if count > 1], "listed twice"
    # A voided statement is not listed; whether it is there is asked by its id.
    void_targets = {batch.voids for batch in ledger.batches if batch.voids is not None}
    effective = {batch.voids for batch in ledger.batches if batch.voids is not None and batch.acknowledged}
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        known: dict[str, bool] = {}
        for batch in batches:
            for id_ in batch.ids:
                if id_ in void_targets:
                    seen, voided = await is_there(session, lrs, id_)
                    known[id_] = 200 in (seen, voided)
                    if id_ in effective and known[id_]:
                        assert (seen, voided) == (404, 200), f"{id_} was voided and is still in sight"
                        assert id_ not in found, f"{id_} was voided and is listed"
                else:
                    known[id_] = id_ in found
    for batch in batches:
        there = sum(known[id_] for id_ in batch.ids)
        if batch.acknowledged:
            missing = [id_ for id_ in batch.ids if not known[id_]]
            assert not missing, f"acknowledged and lost: {missing[:3]} of a batch of {len(batch.ids)}"
        else:
            assert there in (0, len(batch.ids)), f"{there} of a batch of {len(batch.ids)} are there"
    sent = {id_ for batch in ledger.batches for id_ in batch.ids}
    assert found.keys() <= sent, "something is stored that nobody sent"


async def derived_equals_recomputed(lrs: Lrs) -> None:
    """`lrs verify` finds no difference."""
    verified = await asyncio.to_thread(lrs.run, "verify", "--json")
    assert verified.returncode == 0, f"{verified.stdout[-2000:]} {verified.stderr[-2000:]}"


async def nothing_was_put_aside(lrs: Lrs) -> None:
    """No statement became a dead letter: none was damaged, and none meant two things."""
    listed = await asyncio.to_thread(lrs.run, "dead-letters", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert not msgspec.json.decode(listed.stdout or "[]"), listed.stdout[:2000]


def nobody_ended_for_a_defect(lrs: Lrs) -> None:
    """Whatever ended was killed, refused at the fence, or had nobody to talk to."""
    wrong = [each for each in lrs.endings() if each["ending"] not in HARMLESS]
    assert not wrong, f"{wrong[0]}: {lrs.tail(6000)}"
