"""Load of which every statement is known: what was sent, in which request, and what was acknowledged."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import aiohttp
import msgspec

from lrs.demo.career import career, demonstration_catalogue
from lrs.demo.learner import learner

KEY, SECRET = "crash", "test"

HEADERS = {
    "X-Experience-API-Version": "1.0.3",
    "Content-Type": "application/json",
    "Authorization": "Basic " + base64.b64encode(f"{KEY}:{SECRET}".encode()).decode(),
}

VOIDED = "http://adlnet.gov/expapi/verbs/voided"


class _Identified(msgspec.Struct):
    id: str


_identify = msgspec.json.Decoder(_Identified).decode


@dataclass
class Batch:
    """One request: its ids in order, its body, and whether it was acknowledged."""

    ids: list[str]
    body: bytes
    acknowledged: bool = False
    voids: str | None = None


@dataclass
class Ledger:
    """Everything that was sent since the beginning."""

    batches: list[Batch] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    served: float = 0.0
    """The latest moment, of `time.monotonic`, at which a request was sent that was acknowledged."""


def statements(rng: Random) -> Iterator[tuple[str, bytes]]:
    """Statements (id, JSON) of learners in training, without end."""
    catalogue = demonstration_catalogue()
    for number in itertools.count():
        seed = rng.getrandbits(60)
        begin = 1_760_000_000_000_000 + number * 1_000_000
        for sitting in career(learner(rng.randrange(100_000)), catalogue, seed):
            for _, statement in sitting.statements(begin):
                yield _identify(statement).id, statement


def batches(rng: Random) -> Iterator[Batch]:
    """Requests of one client: batches and singles, and now and then a void of what it sent before."""
    source = statements(rng)
    sent: list[str] = []
    while True:
        if sent and rng.random() < 0.05:
            target = sent.pop(rng.randrange(len(sent)))
            body = {
                "id": _uuid(rng),
                "actor": {"mbox": "mailto:admin@example.org"},
                "verb": {"id": VOIDED},
                "object": {"objectType": "StatementRef", "id": target},
            }
            yield Batch([str(body["id"])], msgspec.json.encode(body), voids=target)
            continue
        size = 1 if rng.random() < 0.3 else rng.randrange(2, 50)
        taken = list(itertools.islice(source, size))
        sent.append(taken[0][0])
        body_bytes = taken[0][1] if size == 1 else b"[%b]" % b",".join(one for _, one in taken)
        yield Batch([id_ for id_, _ in taken], body_bytes)


def _uuid(rng: Random) -> str:
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


async def send(address: str, seed: int, ledger: Ledger, stop: asyncio.Event, patience: float) -> None:
    """One client: sends until `stop`, repeats what was not answered, sometimes what was.

    After `stop` it goes on repeating what is open, for `patience` seconds; what is open then may be
    stored or not, but not by half.
    """
    rng = Random(seed)
    source = batches(rng)
    timeout = aiohttp.ClientTimeout(total=10, connect=2)
    async with aiohttp.ClientSession(headers=HEADERS, timeout=timeout) as session:
        while not stop.is_set():
            batch = next(source)
            ledger.batches.append(batch)
            deadline: float | None = None
            while not await _post(session, address, batch, ledger):
                if rng.random() < 0.02:
                    break  # this sender gives up
                if stop.is_set():
                    deadline = deadline or asyncio.get_running_loop().time() + patience
                    if asyncio.get_running_loop().time() > deadline:
                        break
                await asyncio.sleep(0.05)
            if batch.acknowledged and rng.random() < 0.1:
                await _post(session, address, batch, ledger)


async def _post(session: aiohttp.ClientSession, address: str, batch: Batch, ledger: Ledger) -> bool:
    sent = time.monotonic()
    try:
        async with session.post(f"{address}/xapi/statements", data=batch.body) as answer:
            text = await answer.text()
            if answer.status == 200:
                if msgspec.json.decode(text) != batch.ids:
                    ledger.refusals.append(f"other ids were returned: {text[:200]}")
                batch.acknowledged = True
                ledger.served = max(ledger.served, sent)
                return True
            if answer.status < 500:
                ledger.refusals.append(f"{answer.status}: {text[:300]}")
                return True
    except (aiohttp.ClientError, TimeoutError):
        pass
    return False
