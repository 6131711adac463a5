"""The open loop: requests go out when they are due, whether or not the last one came back.

    python -m locust -f loadtests/openloop.py --headless --host http://127.0.0.1:8080 \\
        --plan PLAN --outcome OUTCOME [--processes 2] [--brokers HOST:PORT --topic TOPIC]

Run by `python -m loadtests`, which makes the plan and judges the outcome. Each generator process carries
out its share of the plan; each request has a greenlet of its own, and its latency counts from when it was
due. So a server that stalls is charged for all the requests that it kept waiting (Schroeder, Wierman and
Harchol-Balter, "Open versus closed", NSDI 2006), where a client that waits for its answer would just have
sent fewer ("coordinated omission").
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, ClassVar, Final

import gevent
from gevent.event import Event
from locust import FastHttpUser, LoadTestShape, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.exchange import Exchanges
from loadtests.plan import Agenda, Plan
from loadtests.producer import Producer
from loadtests.tally import Outcome, Tally, pack, unpack

_HEAD_START: Final = 0.5
"""Seconds until the begin, so that every process hears of it before."""
_NETWORK_TIMEOUT: Final = 30.0
_YIELD_EVERY: Final = 8
_PATIENCE: Final = 15.0
"""Seconds for which a process may be silent after the last request must have ended."""


@events.init_command_line_parser.add_listener
def _options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("open loop")
    group.add_argument("--key", env_var="LOAD_KEY", help="Key of the credential.")
    group.add_argument("--secret", env_var="LOAD_SECRET", help="Its secret.")
    group.add_argument("--plan", help="What to send, and when.")
    group.add_argument("--outcome", help="File for what was seen.")
    group.add_argument("--brokers", help="Statements go to these brokers, host:port with commas between.")
    group.add_argument("--topic", help="The intake's topic there.")


class Share:
    """What one generator process has to do, once it was told when to begin."""

    def __init__(self, agenda: Agenda, producer: Producer | None) -> None:
        self.agenda, self.producer = agenda, producer
        self._told = Event()
        self.place, self.of, self.begin = 0, 1, 0.0

    def tell(self, place: int, of: int, begin: float) -> None:
        """`begin`: seconds since 1970; the clocks of all machines must agree."""
        self.place, self.of = place, of
        self.begin = time.perf_counter() + begin - time.time()
        self._told.set()

    def carry_out(self, user: FastHttpUser) -> Tally:
        """Send every request of the share when it is due; return when all have ended."""
        self._told.wait()
        numbers = self.agenda.share(self.place, self.of)
        exchanges = Exchanges(user, self.agenda, Tally.of(len(numbers)), self.of, self.producer)
        under_way = []
        for sent, number in enumerate(numbers):
            due = self.begin + float(self.agenda.due[number])
            if (pause := due - time.perf_counter()) > 0:
                gevent.sleep(pause)
            elif sent % _YIELD_EVERY == 0:
                gevent.sleep(0)  # behind: let those begin that are due already
            under_way.append(gevent.spawn(exchanges.carry_out, number, due))
            if len(under_way) > 2 * user.concurrency:
                under_way = [one for one in under_way if not one.dead]
        gevent.joinall(under_way)
        return exchanges.tally


class Conductor:
    """Tells the processes when to begin, and collects what they saw. In the master, or the only process."""

    def __init__(self, environment: Environment, plan: Plan, outcome: Path) -> None:
        self._runner, self._plan, self._file = environment.runner, plan, outcome
        self.processes = 1
        self._outcome: Outcome | None = None
        self._runner.register_message("outcome", self._seen)
        environment.events.test_start.add_listener(self._begin)
        environment.events.quitting.add_listener(self._write)

    @property
    def over(self) -> bool:
        """Whether nothing more is to come."""
        if self._outcome is None:
            return False
        lost = isinstance(self._runner, MasterRunner) and self._runner.worker_count < self.processes
        last = self._outcome.begun + self._plan.seconds + self._plan.give_up + _NETWORK_TIMEOUT + _PATIENCE
        return self._outcome.complete or lost or time.time() > last

    def _begin(self, **_: Any) -> None:
        distributed = isinstance(self._runner, MasterRunner)
        nodes = [node.id for node in self._runner.clients.ready] if distributed else [None]
        self.processes = len(nodes)
        begin = time.time() + _HEAD_START
        self._outcome = Outcome([None] * len(nodes), begin)
        for place, node in enumerate(nodes):
            self._runner.send_message("begin", [place, len(nodes), begin], node)

    def _seen(self, environment: Environment, msg: Any, **_: Any) -> None:
        place, content = msg.data
        assert self._outcome is not None
        self._outcome.tallies[place] = unpack(content)

    def _write(self, **_: Any) -> None:
        if self._outcome is not None:
            self._outcome.write(self._file)


@events.init.add_listener
def _prepare(environment: Environment, runner: Any, **_: Any) -> None:
    options = environment.parsed_options
    if options is None or runner is None or options.plan is None:
        return
    plan = Plan.read(Path(options.plan))
    if not isinstance(runner, WorkerRunner):
        Curve.conductor = Conductor(environment, plan, Path(options.outcome))
    if not isinstance(runner, MasterRunner):
        gzip = any(kind.gzip for kind in plan.kinds)
        producer = (
            Producer(options.brokers, options.topic, plan.give_up, gzip=gzip) if options.brokers else None
        )
        share = Client.share = Share(Agenda(plan), producer)
        Client.concurrency = plan.connections
        runner.register_message("begin", lambda msg, **_: share.tell(*msg.data))


class Curve(LoadTestShape):
    """One user for each process, until all requests of the plan have ended: the plan has the curve in it."""

    conductor: ClassVar[Conductor]

    def tick(self) -> tuple[int, float] | None:
        """Users and how many start in a second; None at the end."""
        if self.conductor.over:
            return None
        workers = self.runner.worker_count if isinstance(self.runner, MasterRunner) else 1
        return max(1, workers), 100.0


class Client(FastHttpUser):
    """All clients of one generator process."""

    share: ClassVar[Share]
    network_timeout = _NETWORK_TIMEOUT
    connection_timeout = 10.0

    @task
    def carry_out(self) -> None:
        """Do the share, tell what was seen, and wait to be stopped."""
        tally = self.share.carry_out(self)
        self.environment.runner.send_message("outcome", [self.share.place, pack(tally)])
        Event().wait()
