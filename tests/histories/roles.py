"""The processes of a history: what runs in them is the product's own code.

Left out is only what carries it: the HTTP server in front of the framer, Faust between the log and
the assignment. What stands here instead does what `lrs.stream.transport` and `lrs.stream.kafka` do.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from aiokafka.errors import KafkaConnectionError

from lrs.http.framing import Framer, Outcome
from lrs.log.instants import Instants
from lrs.log.port import EVIDENCE, STATEMENTS, LogUnavailable
from lrs.stream.assignment import Assignment
from lrs.stream.intake import Intake
from lrs.stream.outbox import Outbox
from lrs.stream.persist import Persist
from lrs.stream.resumption import FETCH_ANEW, SHORTEST_PAUSE
from lrs.stream.stage import Unobserved
from lrs.stream.transport import BEAT, READ_BYTES, READ_RECORDS
from lrs.stream.worker import TICK
from tests.histories.loop import Process
from tests.histories.pool import Pool
from tests.histories.program import COMPRESS, DICTIONARIES, OUTCOMES, PARTITIONS, TENANT

if TYPE_CHECKING:
    from lrs.log.frame import Request
    from lrs.log.kafka_topic import KafkaTopic
    from lrs.log.port import Log, Record
    from lrs.store.lease import Lease
    from lrs.stream.stage import Stage
    from tests.histories.world import World


class Role:
    """A program that can die and be started anew."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.process = Process(name)
        self.pool: Any = Pool(world.loop, world.database, self.process)

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run something as this process."""
        self.world.loop.create_task(coroutine, context=self.process.context)

    def start(self) -> None:
        """Begin."""

    def fail(self, error: BaseException) -> None:
        """End because of this error, as a worker does."""
        if self.process.alive:
            self.world.note("failed", self.name, type(error).__name__, str(error))
            self.world.kill(self)


class Silent:
    """Metrics that nobody reads."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_given, **_named: None


class Edge(Role):
    """Takes requests into the log."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        metrics: Any = Silent()
        self.log = world.program.statement_log(world, self.pool)
        self.framer = Framer(
            self.log, COMPRESS, DICTIONARIES.newest, metrics, metrics,
            wait=0.01, max_statements=6, max_bytes=1 << 20,
        )  # fmt: skip
        self.callers: list[asyncio.Future[Outcome]] = []
        self.process.at_death.append(self.reset)

    def post(self, request: Request) -> asyncio.Future[Outcome]:
        """Send a request; its answer, or the error that the client sees."""
        loop = self.world.loop
        answered: asyncio.Future[Outcome] = loop.create_future()
        if not self.process.alive:
            loop.send(None, ("refused connection", self.name), lambda: _fail(answered))
            return answered
        self.callers.append(answered)

        async def handle() -> None:
            try:
                outcome: Outcome | Exception = await self.framer.submit(TENANT, request, 100)
            except Exception as error:
                outcome = error
            if self.process.alive:
                loop.send(None, ("response", self.name), lambda: _tell(answered, outcome))

        loop.send(self.process, ("request", self.name), lambda: self.spawn(handle()))
        return answered

    def reset(self) -> None:
        """All connections of clients are lost; what they asked for may still be done."""
        callers, self.callers = self.callers, []
        for answered in callers:
            if not answered.done():
                self.world.loop.send(None, ("connection reset", self.name), lambda a=answered: _fail(a))  # type: ignore[misc]


def _tell(answered: asyncio.Future[Outcome], outcome: Outcome | Exception) -> None:
    if not answered.done():
        if isinstance(outcome, Exception):
            answered.set_exception(outcome)
        else:
            answered.set_result(outcome)


def _fail(answered: asyncio.Future[Outcome]) -> None:
    if not answered.done():
        answered.set_exception(ConnectionResetError("the edge is gone"))


class Source(Protocol):
    """Where a worker's records come from."""

    def resume(self, leases: Sequence[Lease]) -> None:
        """Begin to read where the leases say."""

    async def read(self, positions: dict[int, int]) -> list[Record]:
        """Records from these offsets on."""


class LogSource:
    """A log that is read through its port."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def resume(self, leases: Sequence[Lease]) -> None:
        """Nothing."""

    async def read(self, positions: dict[int, int]) -> list[Record]:
        """Records from these offsets on."""
        return await self._log.read(positions, READ_RECORDS, READ_BYTES)


class BrokerSource:
    """A topic on the brokers, whose records get their instants here."""

    def __init__(self, world: World, topic: KafkaTopic) -> None:
        self._brokers, self._topic = world.brokers, topic
        self._instants: dict[int, Instants] = {}

    def resume(self, leases: Sequence[Lease]) -> None:
        """Fold the instants from where the store is."""
        self._instants = {lease.partition: Instants(lease.next_offset, lease.theta) for lease in leases}

    async def read(self, positions: dict[int, int]) -> list[Record]:
        """Records from these offsets on."""
        name = self._topic.name
        instants, raws = self._instants, None
        while raws is None:
            try:
                raws = await self._brokers.asked(
                    f"read {name}", lambda: self._brokers.read(name, positions, READ_RECORDS)
                )
            except KafkaConnectionError:
                await asyncio.sleep(FETCH_ANEW)  # a consumer asks until the brokers are back
        if instants is not self._instants:
            return []  # what was fetched before a seek is dropped, and read anew
        return [
            self._topic.record(raw, instants.get(raw.partition) or Instants(raw.offset + 1, 0))
            for raw in raws
        ]


class Watched:
    """A stage of which one sees whether it is at work."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.working = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage, name)

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """As the stage."""
        self.working += 1
        try:
            await self._stage.process(partition, epoch, records)
        finally:
            self.working -= 1


class Worker(Role):
    """Runs one stage on the partitions that it is given."""

    def __init__(self, world: World, name: str, stage: str) -> None:
        super().__init__(world, name)
        evidence = world.program.evidence_log(self.pool)
        self.stage: Stage
        self.log: Any
        if stage == Intake.name:
            self.stage, self.log = world.program.intake(world, self.pool)
        elif stage == Persist.name:
            self.log = world.program.statement_log(world, self.pool)
            self.stage = world.program.persist(world, self.pool, evidence)
        else:
            self.log = evidence
            self.stage = world.program.score(self.pool)
        self.watched: Any = Watched(self.stage)
        self._group = world.groups.get(stage)
        self._source: Source = LogSource(self.log) if self._group is None else BrokerSource(world, self.log)
        self._leases = world.program.leases(self.pool, stage, f"{name}-{world.number()}")
        self._held: set[int] = set()
        self._positions: dict[int, int] = {}
        self._full: set[int] = set()
        self._flowing = False
        self._assigned: tuple[int, set[int]] = (0, set())
        self._told = asyncio.Event()
        self._assignment: Assignment

    def start(self) -> None:
        """Take part in the sharing of the partitions."""
        self._assignment = self.process.context.run(Assignment, self.watched, self, Unobserved(), self.fail)
        self.spawn(self._guard(self._run()))
        self.spawn(self._guard(self._keep_house()))
        if self.world.plan.kafka and self.stage.topic == EVIDENCE:
            brokers: Any = self.world.brokers
            outbox = Outbox(self.pool, brokers, OUTCOMES, PARTITIONS, self._leases.worker)
            self.spawn(self._guard(outbox.run()))

    def full(self, partition: int) -> None:
        """Read no more of a partition."""
        self._full.add(partition)

    def room(self, partition: int) -> None:
        """Read on."""
        self._full.discard(partition)
        self.world.tell_news(self.stage.topic)

    async def _guard(self, part: Coroutine[Any, Any, None]) -> None:
        try:
            await part
        except Exception as error:
            self.fail(error)

    async def _run(self) -> None:
        await self._leases.ensure(self.stage.topic, PARTITIONS)
        if self._group is not None:
            self._group.join(self.process, self._assign)
            self.spawn(self._guard(self._follow_group()))
        else:
            self.spawn(self._guard(self._share()))
        await self._read()

    async def _share(self) -> None:
        """As `lrs.stream.transport`."""
        first = True
        while True:
            wanted = await self._leases.balance(self._held)
            if first or wanted != self._held:
                first = False
                await self._own(wanted, self._held - wanted)
            await asyncio.sleep(BEAT)

    def _assign(self, generation: int, partitions: set[int]) -> None:
        if generation > self._assigned[0]:
            self._assigned = generation, partitions
            self._told.set()

    async def _follow_group(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            await self._own(self._assigned[1], set())

    async def _own(self, wanted: set[int], surplus: set[int]) -> None:
        """A rebalance: give everything up, then go on where the store says."""
        self._flowing = False
        await self._assignment.close()
        if surplus:
            await self._leases.release(surplus)
        self._held = wanted
        leases = await self._leases.take(wanted, self.log)
        self._source.resume(leases)
        self._assignment.open(leases)
        self._positions = {lease.partition: lease.next_offset for lease in leases}
        self._full.clear()
        self._flowing = True
        self.world.tell_news(self.stage.topic)

    async def _read(self) -> None:
        while True:
            positions = {p: offset for p, offset in self._positions.items() if p not in self._full}
            news = self.world.news(self.process, self.stage.topic)
            found = []
            if positions and self._flowing:
                asked = self._positions
                found = await self._source.read(positions)
                if asked is not self._positions or not self._flowing:
                    continue  # somebody sought elsewhere while it was read
                last = {record.partition: record.offset for record in found}
                for record in found:
                    self._positions[record.partition] = record.offset + 1
                    self.world.met(self.stage.topic, record)
                    self._assignment.put(record, more=record.offset < last[record.partition])
            if not found:
                await news  # a look at what has not changed would find nothing
            await asyncio.sleep(SHORTEST_PAUSE)

    async def _keep_house(self) -> None:
        """As `lrs.stream.worker`."""
        while True:
            await asyncio.sleep(TICK)
            if self._assignment.partitions and self.stage.topic == STATEMENTS:
                with contextlib.suppress(LogUnavailable):
                    await self.log.tick(TICK)
