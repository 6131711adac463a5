"""`simulator emit`: the statements of a window, as NDJSON, posted to a record store, or produced to the topic
of its intake; paced or flat out."""

from __future__ import annotations

import base64
import contextlib
import http.client
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import numpy as np
from kafka import KafkaProducer
from kafka.errors import KafkaError

from simulator.behaviour import Behaviour, compile_behaviour, start_ms
from simulator.compiled import I64
from simulator.record import new_record
from simulator.scenario import Scenario, ScenarioError
from simulator.statement import Bytes, render, templates
from simulator.study import Progress
from simulator.walk import MAX_LINES, Lines, lines_of, new_buffers

TRIES = 20
UNDER_WAY = 2_000
"""Records that are not acknowledged yet, at most: what is beyond waits, so that memory stays small."""
LINGER_MS = 5
BATCH_BYTES = 1 << 18
LARGEST = 64 << 20
CHUNK_LINES = 8_192
"""Lines that are rendered at once, so that their text is still in the processor's cache when it is sent; no
request has so many.
"""
PATIENCE_S = 120.0
CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sends at once. `due_s`: seconds since the window's begin; `body`: a JSON array."""

    due_s: float
    body: bytes
    statements: int


@dataclass(frozen=True, slots=True)
class Emission:
    """The statements of a scenario's window, in the order in which they are sent."""

    scenario: Scenario
    seed: int
    limit: int | None = None

    def chunks(self) -> Iterator[tuple[Bytes, I64, I64, I64]]:
        """Rendered lines, a chunk at a time: text, end of each line, first line and due time of each request.

        Due times are ms since the window's begin. A chunk never splits a request. The arrays are used again
        for the next chunk.
        """
        b, forms = compile_behaviour(self.scenario), templates(self.scenario)
        lines = new_record(Lines)
        text = np.empty(CHUNK_LINES * forms.text.shape[1], np.uint8)
        ends = np.empty(CHUNK_LINES, np.int64)
        for order, firsts in self._sorted(b, lines):
            bounds = np.append(firsts, len(order))
            low = 0
            while low < len(firsts):
                high = int(np.searchsorted(bounds, bounds[low] + CHUNK_LINES, "right")) - 1
                piece, begins = order[bounds[low] : bounds[high]], firsts[low:high]
                render(b, forms, self.seed, lines, piece, ends, text)
                due = lines.sent[order[begins]] - self._begin
                yield text, ends[: len(piece)], begins - bounds[low], due
                low = high

    @property
    def _begin(self) -> int:
        return int(start_ms(self.scenario, self.scenario.run.begin))

    def _sorted(self, b: Behaviour, lines: Lines) -> Iterator[tuple[I64, I64]]:
        """The lines of one part of the window after the other: their order, and where in it each request
        begins.
        """
        buffers, learners = new_buffers(), self.scenario.population.learners
        low, width = self._begin, int(self.scenario.run.hours * 3_600_000)
        end = low + width
        left = self.limit if self.limit is not None else 1 << 60
        while low < end and left > 0:
            high = min(end, low + width)
            n, reached = lines_of(b, self.seed, 0, learners, low, high, buffers, lines)
            if reached < learners:
                if width <= 1:
                    raise ScenarioError(
                        self.scenario.name, "run.load", width, f"more than {MAX_LINES} lines in 1 ms"
                    )
                width = max(1, int(width * min(0.5, 0.8 * reached / learners)))
                continue
            low = high
            width = max(1, int(width * min(2.0, 0.8 * MAX_LINES / max(n, 1))))
            order = np.argsort(lines.sent[:n], kind="stable")
            firsts = _first_lines(lines, order)
            if n > left:  # whole requests only
                firsts = firsts[: int(np.searchsorted(firsts, left, "right"))]
                order = order[: int(firsts[-1])]
                firsts = firsts[:-1]
            left -= len(order)
            if len(order) > 0:
                yield order, firsts
            elif n > 0:
                return

    def requests(self, speed: float, told: Callable[[float], None]) -> Iterator[Request]:
        """The requests, each when it is due at `speed` times the scenario's pace (0: at once). `told` hears
        now and then which share of the window has passed."""
        window_s, began = self.scenario.run.hours * 3600.0, time.monotonic()
        for text, ends, firsts, due in self.chunks():
            starts = np.concatenate(([0], ends[firsts[1:] - 1], [ends[-1]]))
            counts = np.diff(np.concatenate((firsts, [len(ends)])))
            for k in range(len(firsts)):
                due_s = float(due[k]) / 1000.0
                if speed > 0:
                    _wait(began, due_s / speed)
                lines = text[starts[k] : starts[k + 1] - 1].tobytes()
                yield Request(due_s, b"[" + lines.replace(b"\n", b",") + b"]", int(counts[k]))
                if k % 256 == 0:
                    told(due_s / window_s)
        told(1.0)


def _first_lines(lines: Lines, order: I64) -> I64:
    """The places in the order at which a new request begins."""
    if len(order) == 0:
        return np.zeros(0, np.int64)
    new = np.zeros(len(order), bool)
    new[0] = True
    for column in (lines.sent, lines.learner, lines.enrolment, lines.request):
        new[1:] |= np.diff(column[order]) != 0
    new[1:] |= np.diff(lines.place[order] >> 20) != 0
    found: I64 = np.flatnonzero(new)
    return found


def emit_ndjson(emission: Emission, out: Path | None, speed: float, progress: Progress) -> dict[str, Any]:
    """Write one statement a line. Paced, each request's lines are written when it is due."""
    began, requests, statements, size = time.monotonic(), 0, 0, 0
    window_ms = emission.scenario.run.hours * 3_600_000
    with contextlib.ExitStack() as stack:
        target: BinaryIO = sys.stdout.buffer if out is None else stack.enter_context(out.open("wb"))
        for text, ends, firsts, due in emission.chunks():
            if speed > 0:
                starts = np.concatenate(([0], ends[firsts[1:] - 1], [ends[-1]]))
                for k in range(len(firsts)):
                    _wait(began, float(due[k]) / 1000.0 / speed)
                    target.write(text[starts[k] : starts[k + 1]].data)
                    target.flush()
            else:
                target.write(text[: ends[-1]].data)
            requests, statements, size = requests + len(firsts), statements + len(ends), size + int(ends[-1])
            progress("emitted", float(due[-1]) / window_ms)
    progress("emitted", 1.0)
    seconds = time.monotonic() - began
    return {
        "requests": requests,
        "statements": statements,
        "bytes": size,
        "failed_statements": 0,
        "seconds": round(seconds, 3),
        "statements_per_s": round(statements / max(seconds, 1e-9), 1),
    }


def _wait(began: float, due: float) -> None:
    pause = began + due - time.monotonic()
    if pause > 0:
        time.sleep(pause)


@dataclass(slots=True)
class _Tally:
    """What became of the requests; threads add under the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    requests: int = 0
    statements: int = 0
    refused: int = 0
    failed_statements: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def stored(self, statements: int) -> None:
        """Count a request that was acknowledged."""
        with self.lock:
            self.requests += 1
            self.statements += statements

    def failed(self, statements: int, problem: str) -> None:
        """Count a request that was given up."""
        with self.lock:
            self.failed_statements += statements
            self.errors[problem] = self.errors.get(problem, 0) + 1

    def record(self, seconds: float) -> dict[str, Any]:
        """As JSON."""
        return {
            "requests": self.requests,
            "statements": self.statements,
            "refused": self.refused,
            "failed_statements": self.failed_statements,
            "errors": self.errors,
            "seconds": round(seconds, 3),
            "statements_per_s": round(self.statements / max(seconds, 1e-9), 1),
        }


def emit_http(
    emission: Emission, url: str, auth: str | None, speed: float, connections: int, progress: Progress
) -> dict[str, Any]:
    """Post each request as its client would: an array of statements to <url>/statements.

    429, 503 and lost connections are tried again after Retry-After (or a pause that doubles); a statement has
    the same id each time, so nothing is stored twice.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ScenarioError("command line", "--url", url, "must be http://host[:port]/path")
    headers = {"Content-Type": "application/json", "X-Experience-API-Version": "1.0.3"}
    if auth is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(auth.encode()).decode()
    work: queue.Queue[tuple[bytes, int] | None] = queue.Queue(maxsize=4 * connections)
    tally, began = _Tally(), time.monotonic()
    path = parts.path.rstrip("/") + "/statements"

    def run() -> None:
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=60)
        while (item := work.get()) is not None:
            _post(connection, path, headers, *item, tally)
        connection.close()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for request in emission.requests(speed, lambda share: progress("posted", share)):
        work.put((request.body, request.statements))
    for _ in threads:
        work.put(None)
    for thread in threads:
        thread.join()
    return tally.record(time.monotonic() - began)


def _post(
    connection: http.client.HTTPConnection,
    path: str,
    headers: dict[str, str],
    body: bytes,
    count: int,
    tally: _Tally,
) -> None:
    pause, problem = 0.2, ""
    for _ in range(TRIES):
        try:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            problem = type(error).__name__
        else:
            if answer.status == 200:
                tally.stored(count)
                return
            problem = f"{answer.status} {text[:200].decode(errors='replace')}"
            if answer.status not in (429, 503):
                break
            with tally.lock:
                tally.refused += 1
            after = answer.getheader("Retry-After", "")
            pause = max(pause, float(after)) if after.isdigit() else pause
        time.sleep(pause)
        pause = min(10.0, pause * 2)
    tally.failed(count, problem)


def emit_kafka(emission: Emission, url: str, topic: str, speed: float, progress: Progress) -> dict[str, Any]:
    """Produce each request as a record to the topic of an intake: an array of statements.

    A record counts when all replicas in sync have it. What the brokers did not acknowledge within PATIENCE_S
    has failed, and may be stored or not; sending the same emission again stores nothing twice.
    """
    scheme, _, brokers = url.partition("://")
    if scheme != "kafka" or not brokers:
        raise ScenarioError(
            "command line", "--to", url, "must be kafka://host:port, with commas between several"
        )
    producer = _producer(url, brokers.split(","), topic, LINGER_MS if speed == 0 else 0)
    tally, began, room = _Tally(), time.monotonic(), threading.Semaphore(UNDER_WAY)

    def stored(request: Request, _: object) -> None:
        tally.stored(request.statements)
        room.release()

    def failed(request: Request, error: BaseException) -> None:
        tally.failed(request.statements, f"{type(error).__name__}: {error}")
        room.release()

    headers = [("x-experience-api-version", b"1.0.3")]
    try:
        for request in emission.requests(speed, lambda share: progress("produced", share)):
            room.acquire()
            try:
                sent = producer.send(topic, request.body, headers=headers)
            except KafkaError as error:
                failed(request, error)
            else:
                sent.add_callback(stored, request)
                sent.add_errback(failed, request)
        for _ in range(UNDER_WAY):
            room.acquire()
    finally:
        producer.close()
    return tally.record(time.monotonic() - began)


def _producer(url: str, brokers: list[str], topic: str, linger_ms: int) -> Any:
    try:
        producer = KafkaProducer(
            bootstrap_servers=brokers,
            acks="all",
            linger_ms=linger_ms,
            batch_size=BATCH_BYTES,
            max_request_size=LARGEST,
            delivery_timeout_ms=int(PATIENCE_S * 1000),
            bootstrap_timeout_ms=int(CONNECT_S * 1000),
            max_block_ms=int(CONNECT_S * 1000),
            allow_auto_create_topics=False,
        )
        partitions = producer.partitions_for(topic)
    except (KafkaError, ValueError) as error:
        raise ScenarioError("command line", "--to", url, f"{type(error).__name__}: {error}") from None
    if not partitions:
        raise ScenarioError("command line", "--topic", topic, f"must be a topic of {url}")
    return producer
