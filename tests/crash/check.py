"""What must hold after a fault."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import aiohttp
import msgspec

from tests.crash.fault import Lrs
from tests.crash.load import HEADERS, Batch, Ledger


async def caught_up(lrs: Lrs, timeout: float = 60) -> float:
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
