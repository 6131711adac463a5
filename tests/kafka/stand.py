"""An edge at work, its log on Kafka, on a PostgreSQL that can be taken away."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg

from lrs.cluster import Cluster
from lrs.composition import edge, worker
from lrs.composition.kafka import brokers_of, declared_topics
from lrs.composition.preparation import prepare
from lrs.log.topics import carry_out, compare
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import process_registry
from lrs.process import Process
from lrs.settings import Settings
from tests.http.client import basic
from tests.http.sample import fresh, statement
from tests.kafka.broker import free_port
from tests.ops.conftest import held
from tests.stream.processes import until


def process(settings: Settings, name: str, checks: tuple[str, ...]) -> Process:
    """The frame of a process, without a metrics port."""
    return Process(settings, name, process_registry(name), Readiness(checks), asyncio.Event(), "")


@dataclass
class Stand:
    """An edge at work on a store that can be taken away; `accepted`: ids that were acknowledged."""

    cluster: Cluster
    settings: Settings
    edge: Process
    session: aiohttp.ClientSession
    accepted: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, **given: Any) -> tuple[int, Any, float]:
        """Status, the answer's JSON (of a 503 its reason), and how many seconds it took."""
        given.setdefault("headers", {})
        given["headers"] = {
            "authorization": basic("root", "secret"),
            "x-experience-api-version": "2.0.0",
            **given["headers"],
        }
        began = time.monotonic()
        url = f"http://127.0.0.1:{self.settings.http_port}{path}"
        async with self.session.request(method, url, **given) as answer:
            body: Any = await answer.json(content_type=None) if answer.status != 204 else None
            if answer.status == 503 and "/readyz" not in path:
                assert int(answer.headers["retry-after"]) >= 1
                body = body["reason"]
            return answer.status, body, time.monotonic() - began

    async def send(self, **members: Any) -> tuple[int, Any, float]:
        """Send one statement."""
        sent = statement(**{"id": fresh(), **members})
        status, body, seconds = await self.ask("POST", "/xapi/statements", json=sent)
        if status == 200:
            self.accepted += body
        return status, body, seconds

    async def ready(self) -> int:
        """Status of /readyz."""
        return (await self.ask("GET", "/readyz"))[0]

    async def stored(self) -> list[str]:
        """Let a worker store what the log holds; the ids in the order of their positions."""
        own = process(self.settings, "worker", worker.checks(("persist",)))
        task = asyncio.create_task(worker.worker(own, worker.makers(("persist",))))
        connection = await asyncpg.connect(self.cluster.url)
        try:

            async def there() -> bool:
                # By id: what got no answer may be there as well, before what was acknowledged.
                found = "select count(*) from statement where id = any($1::uuid[])"
                return int(await connection.fetchval(found, self.accepted)) >= len(set(self.accepted))

            await until(there, 60)
            return [str(row["id"]) for row in await connection.fetch("select id from statement order by pos")]
        finally:
            await connection.close()
            own.stopping.set()
            await task


@asynccontextmanager
async def stand(address: str, grace: float = 60.0, **more: Any) -> AsyncIterator[Stand]:
    """An edge on brokers at an address and a PostgreSQL of its own; `more`: further settings."""
    with held() as directory:
        cluster = Cluster(directory)
        await cluster.start()
        settings = Settings(
            store=cluster.url,
            data=directory.path,
            log=f"kafka://{address}",
            partitions=2,
            kafka_topic=f"{uuid.uuid4().hex[:8]}.statements",
            kafka_outcomes=f"{uuid.uuid4().hex[:8]}.outcomes",
            kafka_replication=1,
            store_grace=grace,
            http_port=free_port(),
            admin_key="root",
            admin_secret="secret",
            disk_floor=0,
            **more,
        )
        brokers = brokers_of(settings)
        await asyncio.to_thread(carry_out, brokers, compare(declared_topics(settings), {}))
        brokers.close()
        await prepare(settings)
        own = process(settings, "edge", edge.CHECKS)
        task = asyncio.create_task(edge.edge(own))
        try:
            async with aiohttp.ClientSession() as session:
                found = Stand(cluster, settings, own, session)

                async def listening() -> bool:
                    if task.done():
                        task.result()
                    return own.readiness.report()[0]

                await until(listening, 60)
                yield found
        finally:
            own.stopping.set()
            await asyncio.gather(task, return_exceptions=True)
            await cluster.stop()
