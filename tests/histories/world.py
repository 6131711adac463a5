"""One history: its processes, what goes wrong with them, and what everybody saw."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from aiokafka.errors import KafkaConnectionError

from lrs.log import frame as frames
from lrs.log.inbox import INBOX
from lrs.log.port import EVIDENCE, STATEMENTS, LogUnavailable, Record
from lrs.store import listing, term
from lrs.store.horizon import Horizon
from lrs.xapi.version import Version
from tests.histories import inbox
from tests.histories import plan as plans
from tests.histories.database import Database
from tests.histories.inbox import Made
from tests.histories.kafka import Brokers, Group
from tests.histories.loop import Loop, Process
from tests.histories.plan import Dice, Fault, Plan, Produced, Request, id_of, statement_of
from tests.histories.pool import Pool
from tests.histories.program import PARTITIONS, TENANT, Program, furnish, topics
from tests.histories.roles import Edge, Role, Worker
from tests.histories.witness import Arrived, Committed, Polled, Seen, Sent

BEGIN = 1_772_359_200.0
"""2026-03-01T10:00Z, when every history begins."""

EDGES = 2
ATTEMPTS = 4
AGAIN = 0.1
"""Seconds after which a client sends again what was not answered."""

SUPERVISED = 0.3
"""Seconds after which a dead process is started again."""

POLLING = 0.2
"""Seconds between two looks of a poller."""

PAGE = 2
LONGEST = 3000
"""Steps after which nothing unusual happens any more."""

REST = 6000
"""Steps within which everything must come to rest then."""


_STAGE_TOPICS = {STATEMENTS: STATEMENTS, inbox.TOPIC: INBOX, inbox.REJECTED: inbox.REJECTED}
"""What a topic on the brokers is to the stages."""


class NeverAtRest(Exception):
    """The stages have not done what the logs hold, although nothing stops them."""


class World:
    """A history while it happens, and after."""

    def __init__(self, plan: Plan, dice: Dice, program: Program) -> None:
        self.plan, self.dice, self.program = plan, dice, program
        self.loop = Loop(BEGIN, dice.pick)  # type: ignore[abstract]
        self.database = Database(lambda: int(self.loop.time() * 1_000_000), program.answers())
        furnish(self.database)
        self.database.committing = self._committing
        self.brokers = Brokers(self.loop, topics(), lambda topic: self.tell_news(_STAGE_TOPICS[topic]))
        stages = ("persist", "intake")[: plan.kafka + plan.has_intake]
        self.groups = {stage: Group(self.loop, PARTITIONS) for stage in stages}
        self.sent: list[Sent] = []
        self.arrived: list[Arrived] = []
        self.committed: list[Committed] = []
        self.seen = Seen()
        self.notes: list[tuple[Any, ...]] = []
        self.steps = 0
        self._numbers = 0
        self._awaiting: dict[str, list[tuple[Process, asyncio.Future[None]]]] = {}
        self._clients: list[asyncio.Task[None]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.roles: list[Role] = []
        self._makers: list[Callable[[], Role]] = []

    def number(self) -> int:
        """One that nobody had before."""
        self._numbers += 1
        return self._numbers

    def note(self, *what: Any) -> None:
        """Keep what happened, for whoever reads the history."""
        self.notes.append((self.steps, *what))

    # Running.

    def run(self) -> None:
        """Let the history happen, then let it come to rest. Raises NeverAtRest."""
        with self.loop:
            self._makers = [partial(Edge, self, f"edge {number}") for number in range(EDGES)]
            for stage in ("persist", "score", *(("intake",) if self.plan.has_intake else ())):
                self._makers += [
                    partial(Worker, self, f"{stage} {number}", stage) for number in range(self.plan.workers)
                ]
            self.roles = [make() for make in self._makers]
            for role in self.roles:
                role.start()
            self._clients = [self.loop.create_task(self._client(each)) for each in self.plan.clients]
            if self.plan.has_intake:
                self._clients += [self.loop.create_task(self._produce(each)) for each in self.plan.producers]
            self._readers = [self.loop.create_task(self._poll()) for _ in range(self.plan.readers)]
            if self.plan.readers > 1:
                self._clients.append(self.loop.create_task(self._list()))
            self.loop.settle()
            faults = list(self.plan.faults)
            while self.steps < LONGEST and not (
                self.steps % 8 == 0
                and (not faults or faults[0].step > self.steps + 100)
                and all(client.done() for client in self._clients)
                and self._at_rest()
            ):
                while faults and faults[0].step <= self.steps:
                    self._go_wrong(faults.pop(0))
                self.step()
            self._heal()
            for task in (*self._clients, *self._readers):
                task.result()

    def step(self) -> None:
        """One more thing happens."""
        self.steps += 1
        label = self.loop.step()
        if label is None:
            raise NeverAtRest("nothing can happen any more")
        self.notes.append((self.steps, *label))

    def _heal(self) -> None:
        self.dice.usual = True
        for role in self.roles:
            role.process.paused = False
        limit = self.steps + REST
        while self.steps % 8 or not (
            all(client.done() for client in self._clients) and self._at_rest() and not self._zombies()
        ):
            self.step()
            if self.steps > limit:
                raise NeverAtRest(f"{REST} steps after the last fault")
        self._stopping = True
        for _ in range(REST):
            if all(reader.done() for reader in self._readers):
                return
            self.step()
        raise NeverAtRest("readers never end")

    def perform(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Do something after the history, in its world."""
        with self.loop:
            task = self.loop.create_task(coroutine)
            self.loop.settle()
            while not task.done():
                self.step()
            return task.result()

    def close(self) -> None:
        """End every process, so that nothing is left half done."""
        with self.loop:
            for role in self.roles:
                role.process.die()
            self.loop.settle()

    def outside(self) -> Any:
        """Connections of somebody who is never disturbed."""
        return Pool(self.loop, self.database, Process("reader"))

    def _at_rest(self) -> bool:
        """Whether the stages have done everything that the logs hold, and outcomes are published."""
        tables = self.database.tables
        for topic, stage, name in (
            (STATEMENTS, "persist", STATEMENTS),
            (EVIDENCE, "score", ""),
            *(((INBOX, "intake", inbox.TOPIC),) if self.plan.has_intake else ()),
        ):
            for partition in range(PARTITIONS):
                done = tables.get("stage_partition", {}).get((stage, partition))
                if done is None or (not done.theta_us and topic == STATEMENTS):
                    return False
                if stage in self.groups:
                    records = self.brokers.topics[name].records[partition]
                    end = records[-1].offset + 1 if records else 0
                else:
                    end = tables["log_head"][topic, partition][0]
                if done.next_offset < end:
                    return False
        boxes = tables.get("outbox", {}).values() if self.plan.kafka else ()
        return all(published == following - 1 for following, published in boxes)

    def _zombies(self) -> bool:
        """Whether an intake is at work although all is done: it appends before it meets the fence."""
        return any(
            role.watched.working
            for role in self.roles
            if isinstance(role, Worker) and role.stage.name == "intake"
        )

    def news(self, process: Process, topic: str) -> asyncio.Future[None]:
        """Done when the topic has something that it has not now, and the process may have heard of it."""
        told: asyncio.Future[None] = self.loop.create_future()
        self._awaiting.setdefault(topic, []).append((process, told))
        return told

    def tell_news(self, topic: str) -> None:
        """There is something to read."""
        for process, told in self._awaiting.pop(topic, ()):
            if process.alive and not told.done():
                self.loop.send(process, ("news", process.name), lambda t=told: t.done() or t.set_result(None))  # type: ignore[misc]

    def _committing(self, changes: Mapping[str, Mapping[Any, Any]]) -> None:
        """How far a stage is never goes back, and nothing comes after it was said that all is there."""
        tables = self.database.tables
        for topic in {topic for topic, _ in changes.get("log_head", ())}:
            self.tell_news(topic)
        partitions = tables.get("stage_partition", {})
        for key in changes.get("statement", {}).keys() - tables.get("statement", {}).keys():
            done = partitions["persist", key[1] & (term.PARTITIONS - 1)].theta_us
            if term.instant(key[1]) <= done:
                self.seen.missed.append(
                    f"{key} came when the store had said that it was complete up to {done}"
                )
        for key, row in changes.get("stage_partition", {}).items():
            before = partitions.get(key)
            if key[0] == "intake" and before is not None and row.next_offset > before.next_offset:
                self.committed.append(
                    Committed(key[1], before.next_offset, row.next_offset, {
                        name: self.brokers.topics[name].lengths for name in (STATEMENTS, inbox.REJECTED)
                    })
                )  # fmt: skip
            if before is not None and row.theta_us < before.theta_us:
                self.seen.missed.append(f"theta of {key} went back from {before.theta_us} to {row.theta_us}")

    # What goes wrong.

    def _go_wrong(self, fault: Fault) -> None:
        role = self.roles[fault.target % len(self.roles)]
        self.note("FAULT", fault.kind, role.name, fault.seconds)
        if fault.kind == plans.CRASH:
            self.kill(role)
        elif fault.kind == plans.PAUSE and role.process.running:
            role.process.paused = True
            role.pool.stand_still()
            self._later(fault.seconds, lambda: self._resume(role))
        elif fault.kind == plans.CUT:
            role.pool.sever()
        elif fault.kind == plans.RESET and isinstance(role, Edge):
            role.reset()
        elif fault.kind == plans.JUMP:
            self.loop.pass_time(fault.seconds)
        elif fault.kind == plans.REBALANCE:
            for group in list(self.groups.values())[fault.target % max(len(self.groups), 1) :][:1]:
                group.rebalance()
        elif fault.kind == plans.AWAY:
            self.brokers.go_away(fault.seconds)
        elif fault.kind == plans.RESTART:
            for each in self.roles:
                each.pool.sever()
        self.loop.settle()

    def kill(self, role: Role) -> None:
        """Let a process die; it is started again after a while."""
        if not role.process.alive:
            return
        role.process.die()
        self.loop.forget(role.process)
        self._later(SUPERVISED, lambda: self._restart(role))

    def _restart(self, dead: Role) -> None:
        place = self.roles.index(dead)
        self.roles[place] = self._makers[place]()
        self.note("started again", dead.name)
        self.roles[place].start()

    def _resume(self, role: Role) -> None:
        role.process.paused = False

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self.loop.call_later(seconds, act, context=contextvars.Context())

    # Clients and readers, whose world is whole.

    async def _client(self, requests: Sequence[Request]) -> None:
        for request in requests:
            if request.after:
                await asyncio.sleep(request.after)
            sent = Sent(request)
            self.sent.append(sent)
            statements = [statement_of(item) for item in request.items]
            ids = [id_of(item.id).bytes for item in request.items]
            for attempt in range(ATTEMPTS):
                edge: Any = self.roles[(request.edge + attempt) % EDGES]
                sent.attempts += 1
                received = int(self.loop.time() * 1_000_000)
                given = frames.Request(
                    request.authority, Version.V1_0_3, received, statements, ids, request.authority == 1
                )
                try:
                    sent.outcome = await edge.post(given)
                    self.note("answered", [item.id for item in request.items], sent.outcome)
                    break
                except (ConnectionResetError, LogUnavailable):
                    await asyncio.sleep(AGAIN)
                except Exception as error:
                    sent.errors.append(error)
                    break

    async def _produce(self, records: Sequence[Produced]) -> None:
        """Produce records, once more when it is not known whether they are there."""
        for produced in records:
            if produced.after:
                await asyncio.sleep(produced.after)
            made = inbox.made(produced, PARTITIONS)
            for _ in range(ATTEMPTS):
                try:
                    await self.brokers.asked("produce", partial(self._arrive, produced, made))
                    break
                except KafkaConnectionError:
                    await asyncio.sleep(AGAIN)

    def _arrive(self, produced: Produced, made: Made) -> None:
        raw = self.brokers.append(
            inbox.TOPIC, made.partition, made.value, made.form.headers,
            key=made.key, timestamp=made.form.timestamp,
        )  # fmt: skip
        self.arrived.append(Arrived(produced, made, raw))
        self.note("arrived in the inbox", made.partition, raw.offset)

    def met(self, topic: str, record: Record) -> None:
        """A worker has read a record."""
        if topic == INBOX:
            for each in self.arrived:
                if (each.raw.partition, each.raw.offset) == (record.partition, record.offset):
                    each.read += 1

    async def _poll(self) -> None:
        """Read everything once: from the last horizon up to the next one."""
        pool = self.outside()
        horizon = Horizon(pool, 0.2)
        polled = Polled()
        self.seen.polled.append(polled)
        last = False
        while not last:
            last = self._stopping
            through = await horizon.consistent_through()
            if 0 < through < polled.through:
                self.seen.missed.append(f"consistent-through went back from {polled.through} to {through}")
            if through > polled.through:
                query = listing.Query(limit=PAGE, since=polled.through, until=through, ascending=True)
                async for page in _pages(pool, query):
                    polled.met += [each.pos for each in page.statements]
                polled.through = through
            await asyncio.sleep(POLLING)

    async def _list(self) -> None:
        """Read a list, newest first, while others write."""
        pool = self.outside()
        await asyncio.sleep(0.15)
        met: list[int] = []
        thetas: tuple[int, ...] | None = None
        async for page in _pages(pool, listing.Query(limit=PAGE)):
            met += [each.pos for each in page.statements]
            thetas = page.thetas if thetas is None else thetas
        self.seen.lists.append((met, thetas or ()))


async def _pages(pool: Any, query: listing.Query) -> AsyncIterator[listing.Page]:
    following: listing.Query | None = query
    while following is not None:
        page = await listing.page(pool, TENANT, following)
        yield page
        following = page.following
