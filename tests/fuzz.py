"""Mutated and invented requests against the whole path: `make fuzz` sends a hundred thousand.

Whatever comes, nothing is answered with 500 or more; what is accepted can be read back exactly; what
is refused leaves nothing behind. FUZZ_EXAMPLES and FUZZ_SEED say how many requests, and which.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import random
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import msgspec

from tests import postgres
from tests.http.client import STATEMENTS, Answer, Client
from tests.http.sample import ROOT, agent, fresh
from tests.http.system import System, running
from tests.mutation import SCALARS, mutate, original, scramble

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100000"))
SEED = int(os.environ.get("FUZZ_SEED", "20260101"))
AT_ONCE = 32

_PACKED: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (gzip.compress, gzip.decompress),
    "deflate": (zlib.compress, zlib.decompress),
    "identity": (bytes, bytes),
    "br": (bytes, bytes),
}

PARAMETERS: dict[str, tuple[Any, ...]] = {
    "agent": (agent("learner"), {"account": {"homePage": ROOT, "name": "learner 1"}}),
    "verb": (ROOT + "verb/1",),
    "activity": (ROOT + "page",),
    "registration": (fresh(),),
    "related_activities": ("true", "false"),
    "related_agents": ("true", "false"),
    "since": ("2026-01-01T00:00:00Z",),
    "until": ("2050-01-01T00:00:00Z",),
    "limit": ("3",),
    "format": ("ids", "exact", "canonical"),
    "attachments": ("true", "false"),
    "ascending": ("true", "false"),
    "statementId": (fresh(),),
    "voidedStatementId": (fresh(),),
    "Limit": ("1",),
    "wait": ("0.1", "1.1795325312721115"),
}
"""Valid values, for most."""


@dataclass
class Fuzz:
    """A run: what was answered how often, and which ids must not be known."""

    clients: list[Client]
    draw: random.Random
    statuses: Counter[str] = field(default_factory=Counter)
    refused: list[tuple[str, bytes]] = field(default_factory=list)

    async def request(self) -> None:
        """One request, mostly a write."""
        await (self.read() if self.draw.random() < 0.2 else self.write())

    async def write(self) -> None:
        """One POST or PUT of something odd; the answer must fit what is stored then."""
        draw = self.draw
        client = draw.choice(self.clients)
        batch = [original(draw) for _ in range(draw.choice((1, 1, 1, 2, 5)))]
        ids = [one["id"] for one in batch]
        single = len(batch) == 1 and draw.random() < 0.8
        value: Any = batch[0] if single else batch
        for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
            value = mutate(draw, value)
        body = json.dumps(value, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")
        if draw.random() < 0.2:
            body = scramble(draw, body)
        coding = draw.choice(list(_PACKED)) if draw.random() < 0.05 else "identity"
        sent = _PACKED[coding][0](body)
        if coding != "identity" and draw.random() < 0.5:
            sent = scramble(draw, sent)
        headers: dict[str, str | None] = {"content-encoding": coding}
        if draw.random() < 0.05:
            headers["idempotency-key"] = draw.choice(("a", "b", "\x7f", "a" * 300))
        if single and draw.random() < 0.3:
            answer = await client.request("PUT", STATEMENTS, {"statementId": ids[0]}, sent, headers)
        else:
            answer = await client.request("POST", STATEMENTS, None, sent, headers)
        self.note("write", answer, sent)
        if answer.status < 300:
            stored = _PACKED[coding][1](sent)
            await self.check_stored(client, stored, answer.json if answer.status == 200 else ids)
        else:
            self.refused += [(id_, sent) for id_ in ids]

    async def read(self) -> None:
        """A GET with odd parameters."""
        draw = self.draw
        client = draw.choice(self.clients)
        pairs = []
        for name in draw.sample(list(PARAMETERS), draw.choice((1, 1, 2, 3))):
            value = draw.choice(PARAMETERS[name]) if draw.random() < 0.7 else draw.choice(SCALARS)
            if isinstance(value, dict) and draw.random() < 0.5:
                value = mutate(draw, value)
            text = value if isinstance(value, str) else json.dumps(value)
            encoded = text.encode("utf-8", "surrogatepass")
            pairs.append(name.encode() + b"=" + (encoded if draw.random() < 0.1 else quote(encoded).encode()))
        paths = (STATEMENTS, STATEMENTS, STATEMENTS, STATEMENTS + "/more/x", "/api/v1/progress")
        answer = await client.get(b"&".join(pairs), draw.choice(paths))
        self.note("read", answer, b"&".join(pairs))
        if answer.headers["content-type"] == "application/json":
            msgspec.json.decode(answer.body)

    def note(self, kind: str, answer: Answer, sent: bytes) -> None:
        """Count an answer, which must be one of ours."""
        self.statuses[f"{kind} {answer.status}"] += 1
        assert answer.status < 500, (answer, sent)
        if answer.status >= 400:
            assert isinstance(answer.json["error"], str), (answer, sent)

    async def check_stored(self, client: Client, body: bytes, ids: list[str]) -> None:
        """What was accepted is there, exactly, but for what the LRS puts in place of what was sent."""
        read = json.loads(body, parse_float=str, parse_int=str)
        sent = read if isinstance(read, list) else [read]
        assert len(sent) == len(ids), body
        for one, id_ in zip(sent, ids, strict=True):
            answer = await client.get({"statementId": id_})
            if answer.status == 404:
                answer = await client.get({"voidedStatementId": id_})
            assert answer.status == 200, (id_, answer, body)
            found = json.loads(answer.body, parse_float=str, parse_int=str)
            expected = _as_returned(one)
            for assigned in ("stored", "authority"):
                expected.pop(assigned, None)
                del found[assigned]
            assert {name: found.get(name) for name in expected} == expected, (found, expected, body)
            assert found.keys() - expected.keys() <= {"id", "timestamp", "version"}, (found, expected)

    async def check_refused(self, system: System) -> None:
        """No id of a refused request is known; those seen are forgotten."""
        ids = [id_ for id_, _ in self.refused]
        known = await system.pool.fetch(
            "select id from known_id where tenant = $1 and id = any ($2::uuid[])", self.clients[0].tenant, ids
        )
        assert not known, [sent for id_, sent in self.refused if id_ == str(known[0]["id"])]
        self.refused.clear()


def _as_returned(sent: dict[str, Any]) -> dict[str, Any]:
    """A statement as it comes back: a single context activity in an array."""
    one = dict(sent)
    context = one.get("context", {})
    if "contextActivities" in context:
        roles = context["contextActivities"].items()
        arrays = {role: given if isinstance(given, list) else [given] for role, given in roles}
        one["context"] = context | {"contextActivities": arrays}
    if one["object"].get("objectType") == "SubStatement":
        one["object"] = _as_returned(one["object"])
    return one


async def fuzz(
    system: System, examples: int, seed: int, progress: Callable[[int], None] = lambda _: None
) -> Counter[str]:
    """Send so many requests; raises AssertionError, with what was sent, at the first wrong answer."""
    client = await system.tenant(catalogue=True)
    run = Fuzz([client, replace(client, version="2.0.0")], random.Random(seed))
    for sent in range(0, examples, AT_ONCE):
        await asyncio.gather(*(run.request() for _ in range(min(AT_ONCE, examples - sent))))
        await run.check_refused(system)
        progress(sent)
    assert system.admission.requests == system.admission.bytes == 0
    dead = await system.pool.fetch("select reason, detail from dead_letter where tenant = $1", client.tenant)
    assert not dead, f"accepted, but it cannot be stored: {dead[:3]}"
    return run.statuses


async def main() -> None:
    """Fuzz a system of its own, and print what was answered."""
    started = time.monotonic()

    def progress(sent: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{sent} of {EXAMPLES} requests", end="", file=sys.stderr)

    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(postgres.server())
        template = await stack.enter_async_context(postgres.template(server))
        url = await stack.enter_async_context(postgres.copy(server, template))
        system = await stack.enter_async_context(running(url))
        statuses = await fuzz(system, EXAMPLES, SEED, progress)
    print(f"\n{EXAMPLES} requests in {time.monotonic() - started:.0f} s, seed {SEED}: nothing wrong")
    for status, count in sorted(statuses.items()):
        print(f"  {status}: {count}")


if __name__ == "__main__":
    asyncio.run(main())
