"""Faults: what is done to a running LRS, by name, and which of them are done where."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from tests.crash.system import EVERYTHING, POSTGRESQL, Lrs
from tests.kafka.proxy import Weather

if TYPE_CHECKING:
    from tests.kafka.broker import Broker
    from tests.kafka.proxy import Proxy

PATIENCE = 90.0
"""Seconds within which a worker must have joined, left, or lost its partitions, however busy the machine."""

VOIDS = 0x6C727303
"""Key of the advisory lock that every transaction of persist takes after the fence; see
`lrs/store/queries/statement.sql`."""


@dataclass
class Scene:
    """What faults are done to. `broker` and `proxy` are there where the log is on Kafka."""

    lrs: Lrs
    rng: Random
    broker: Broker | None = None
    proxy: Proxy | None = None
    zombies: dict[str, int] = field(default_factory=dict)
    """What became of workers that woke up after their partitions were given away: how often each."""

    def one_of(self, role: str) -> str:
        """The name of a child of this role (`edge`, `persist`, `score`) that runs."""
        names = sorted(name for name in self.lrs.children() if name.partition("-")[0] == role)
        return self.rng.choice(names) if names else role

    async def start_broker(self) -> None:
        """Start it after a while without it."""
        assert self.broker is not None
        await asyncio.sleep(self.rng.uniform(0, 3))
        await asyncio.to_thread(self.broker.start)


Fault = Callable[[Scene], Awaitable[bool]]
"""Does it, and returns when the LRS is left to itself; False if there was nobody to do it to."""


# Killed, or started again in good order.


async def kill(role: str, scene: Scene) -> bool:
    """kill -9."""
    return scene.lrs.kill(role if role == POSTGRESQL else scene.one_of(role))


async def kill_everything(scene: Scene) -> bool:
    """kill -9 of all processes at once, the broker's too; then everything is started again."""
    done = scene.lrs.kill(EVERYTHING)
    if scene.broker is not None:
        scene.broker.stop(signal.SIGKILL)
        await scene.start_broker()
    scene.lrs.start()
    return done


async def end_broker(number: signal.Signals, scene: Scene) -> bool:
    """End the broker, and start it again."""
    assert scene.broker is not None
    await asyncio.to_thread(scene.broker.stop, number)
    await scene.start_broker()
    return True


async def restart_postgresql(scene: Scene) -> bool:
    """A fast shutdown; the supervisor starts it again."""
    for pid in scene.lrs.pids(POSTGRESQL):
        os.kill(pid, signal.SIGINT)
        return True
    return False


# Silent for so long that somebody else goes on, and back.


async def _owns(lrs: Lrs, pid: int) -> bool:
    """Whether a process owns any partition in the store's eyes."""
    offsets = await lrs.offsets()
    return any(owner is not None and f":{pid}:" in owner for _, owner in offsets.values())


async def _until(holds: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not await holds():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


async def zombie(stage: str, scene: Scene) -> bool:
    """Stop a worker until its partitions were given away, then let it go on.

    It is refused at the fence, or finds that the store ended its transaction, says so and stops; or it
    learns from its group that it was given up before it tried to write, and joins anew.
    """
    lrs, name = scene.lrs, scene.one_of(stage)
    pids = lrs.pids(name)
    if not pids or not await _owns(lrs, pids[0]):
        return False
    pid = pids[0]

    async def given_away() -> bool:
        return not await _owns(lrs, pid)

    os.kill(pid, signal.SIGSTOP)
    try:
        await _until(given_away, PATIENCE, f"{name} is silent and its partitions are another's")
        await asyncio.sleep(scene.rng.uniform(0, 1))
        printed = lrs.printed
    finally:
        os.kill(pid, signal.SIGCONT)

    async def settled() -> bool:
        return pid not in lrs.children().values() or await _owns(lrs, pid)

    await _until(settled, PATIENCE, f"{name} woke up and stopped, or has partitions again")
    became = "joined anew"
    if pid not in lrs.children().values():

        def endings() -> list[str]:
            return [each["ending"] for each in lrs.endings(printed) if each["child"] == name]

        async def said() -> bool:
            return bool(endings())

        await _until(said, PATIENCE, f"the supervisor says how {name} ended: {lrs.tail()}")
        became = endings()[0]
    scene.zombies[became] = scene.zombies.get(became, 0) + 1
    return True


# Assigned anew in the middle of a commit.


@asynccontextmanager
async def _commits_hang(scene: Scene) -> AsyncIterator[None]:
    """In the block every transaction of persist waits, after its fence and before its commit."""
    connection = await scene.lrs.connect()
    try:
        async with connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", VOIDS)
            yield
    finally:
        await connection.close()


async def rebalance(scene: Scene) -> bool:
    """Two workers join, so that partitions move, and leave again, each while frames are being committed."""
    lrs, rng = scene.lrs, scene.rng
    joining = [lrs.spawn("worker", "--stages", "persist", "--replica", number) for number in ("8", "9")]

    async def owning() -> bool:
        for worker in joining:
            assert worker.poll() is None, f"one that joined ended with {worker.returncode}: {lrs.tail()}"
        return all([await _owns(lrs, worker.pid) for worker in joining])

    try:
        await asyncio.sleep(rng.uniform(0.5, 2.0))
        async with _commits_hang(scene):
            await asyncio.sleep(rng.uniform(0.2, 4.0))
        await _until(owning, PATIENCE, "two workers that joined have partitions")
        async with _commits_hang(scene):
            await asyncio.sleep(rng.uniform(0.1, 0.5))
            for worker in joining:
                worker.terminate()
            await asyncio.sleep(rng.uniform(0.0, 3.0))
        for worker in joining:
            status = await asyncio.to_thread(worker.wait, PATIENCE)
            assert status == 0, f"a worker that left ended with {status}: {lrs.tail()}"
    except subprocess.TimeoutExpired:
        raise AssertionError(f"a worker that left did not end: {lrs.tail()}") from None
    finally:
        for worker in joining:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
    return True


# The network between a process and the broker.


async def network(role: str, weather: Weather, scene: Scene) -> bool:
    """Cut a process off the broker, shorter and longer than it takes to be given up."""
    assert scene.proxy is not None
    name = scene.one_of(role)
    delay = scene.rng.uniform(0.05, 0.5)
    with scene.proxy.weather(weather, partial(scene.lrs.pids, name), delay):
        await asyncio.sleep(scene.rng.choice((0.5, 3.0, 9.0)))
    return True


ON_POSTGRESQL: dict[str, Fault] = {
    "kill edge": partial(kill, "edge"),
    "kill persist": partial(kill, "persist"),
    "kill score": partial(kill, "score"),
    "kill postgresql": partial(kill, POSTGRESQL),
    "kill everything": kill_everything,
}
"""The faults of an LRS whose log is in its store, by name."""

ON_KAFKA: dict[str, Fault] = ON_POSTGRESQL | {
    "kill broker": partial(end_broker, signal.SIGKILL),
    "restart broker": partial(end_broker, signal.SIGTERM),
    "restart postgresql": restart_postgresql,
    "zombie persist": partial(zombie, "persist"),
    "zombie score": partial(zombie, "score"),
    "rebalance": rebalance,
    **{
        f"{name} {role}": partial(network, role, weather)
        for name, weather in (("cut", Weather.CUT), ("hold", Weather.HELD), ("slow", Weather.SLOW))
        for role in ("persist", "edge")
    },
}
"""The faults of one whose log is on Kafka."""
