"""Ingest: statements as fast as they are accepted, or at a given rate.

    python -m locust -f loadtests/ingest.py --headless --host http://127.0.0.1:8080 -u 8 -t 60s \\
        --key KEY --secret SECRET --batch 50

Each user sends one request after another. Every answer is checked: the status, and that the ids are
those of the statements sent, in order. Where the LRS says that it is busy, the user waits as long as
it is told to. `--summary FILE` writes what was acknowledged as JSON.
"""

from __future__ import annotations

import random
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, ClassVar

import gevent
import msgspec
from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment
from locust.runners import MasterRunner

from loadtests.bodies import Supply
from loadtests.rendering import make_bodies
from lrs.demo.career import demonstration_catalogue
from lrs.demo.client import basic
from lrs.scoring.catalogue_file import read_catalogue

STATEMENTS = 20_000
"""Statements rendered beforehand."""

BUSY = (429, 503)


class Acknowledged(msgspec.Struct):
    """What one driver process has had acknowledged."""

    requests: int = 0
    statements: int = 0
    busy: int = 0
    wrong: int = 0
    problems: dict[str, int] = {}

    def problem(self, text: str, *, wrong: bool) -> None:
        """Count an answer that was not the one expected."""
        self.wrong += wrong
        self.problems[text] = self.problems.get(text, 0) + 1


@events.init_command_line_parser.add_listener
def _options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("ingest")
    group.add_argument("--key", env_var="LRS_ADMIN_KEY", help="Key of the credential.")
    group.add_argument("--secret", env_var="LRS_ADMIN_SECRET", help="Its secret.")
    group.add_argument("--batch", type=int, default=50, help="Statements a request; 0: one, no array.")
    group.add_argument(
        "--interleaved", type=int, default=10, help="Learners whose statements alternate (default 10)."
    )
    group.add_argument(
        "--rate", type=float, default=0.0, help="Requests per second of all users; 0: as many as they can."
    )
    group.add_argument("--catalogue", type=Path, help="Catalogue in force (default: the demonstration's).")
    group.add_argument("--seed", type=int, default=0, help="0: another one each time.")
    group.add_argument("--summary", type=Path, help="JSON file for what was acknowledged.")


@events.init.add_listener
def _prepare(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None or isinstance(environment.runner, MasterRunner):
        return
    catalogue = (
        read_catalogue(options.catalogue.read_text("utf-8"), str(options.catalogue))
        if options.catalogue
        else demonstration_catalogue()
    )
    Ingest.supply = Supply(
        make_bodies(
            catalogue,
            options.seed or time.time_ns(),
            batch=options.batch,
            interleaved=options.interleaved,
            statements=STATEMENTS,
            now=time.time_ns() // 1000,
        )
    )


@events.quitting.add_listener
def _summarise(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    if options is None or options.summary is None:
        return
    total = environment.stats.total
    figures = {
        **msgspec.to_builtins(Ingest.acknowledged),
        "seconds": (total.last_request_timestamp or 0.0) - (total.start_time or 0.0),
        "latency_ms": {
            str(share): total.get_response_time_percentile(share) for share in (0.5, 0.95, 0.99, 0.999)
        },
    }
    options.summary.write_bytes(msgspec.json.encode(figures))


class Ingest(FastHttpUser):
    """A client that sends statements."""

    supply: ClassVar[Supply]
    acknowledged: ClassVar[Acknowledged] = Acknowledged()
    network_timeout = 60.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        assert options is not None
        self._name = f"batch of {options.batch}" if options.batch else "single statement"
        self._headers = {"X-Experience-API-Version": "1.0.3", "Content-Type": "application/json"}
        self.client.auth_header = basic(options.key, options.secret)
        self._rate = options.rate / (options.num_users or 1)
        self._wait = constant_throughput(self._rate) if self._rate > 0 else None

    def on_start(self) -> None:
        """Spread the users over the time between two requests of one."""
        if self._rate > 0:
            gevent.sleep(random.random() / self._rate)

    def wait_time(self) -> float:
        """Seconds until the next request is due."""
        return 0.0 if self._wait is None else float(self._wait(self))

    @task
    def send(self) -> None:
        """Send a body and check the answer."""
        body = next(self.supply)
        seen = self.acknowledged
        with self.client.post(
            "/xapi/statements",
            data=body.content,
            headers=self._headers,
            name=self._name,
            catch_response=True,
        ) as answer:
            if answer.status_code == 200:
                if msgspec.json.decode(answer.content) == body.ids:
                    seen.requests += 1
                    seen.statements += len(body.ids)
                    return
                seen.problem("acknowledged other ids than were sent", wrong=True)
                answer.failure("acknowledged other ids than were sent")
                return
            busy = answer.status_code in BUSY
            seen.busy += busy
            text = f"status {answer.status_code}: {(answer.text or '')[:200]}"
            seen.problem(text, wrong=not busy)
            answer.failure(text)
        if busy:
            gevent.sleep(float(answer.headers.get("Retry-After", 1)))
