"""`simulator emit`: the statements of a window, as NDJSON or posted to a record store, paced or flat out."""

from __future__ import annotations

import base64
import contextlib
import http.client
import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import numpy as np

from simulator.behaviour import compile_behaviour, start_ms
from simulator.compiled import I64
from simulator.record import new_record
from simulator.scenario import Scenario, ScenarioError
from simulator.statement import Bytes, render, templates
from simulator.study import Progress
from simulator.walk import MAX_LINES, Lines, lines_of, new_buffers

TRIES = 20


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
        lines, buffers = new_record(Lines), new_buffers()
        text = np.empty(MAX_LINES * forms.text.shape[1], np.uint8)
        ends = np.empty(MAX_LINES, np.int64)
        begin = int(start_ms(self.scenario, self.scenario.run.begin))
        end = begin + int(self.scenario.run.hours * 3_600_000)
        low, width, left = begin, end - begin, self.limit if self.limit is not None else 1 << 60
        while low < end and left > 0:
            high = min(end, low + width)
            n, reached = lines_of(
                b, self.seed, 0, self.scenario.population.learners, low, high, buffers, lines
            )
            if reached < self.scenario.population.learners:
                if width <= 1:
                    raise ScenarioError(
                        self.scenario.name, "run.load", width, f"more than {MAX_LINES} lines in 1 ms"
                    )
                width = max(1, width // 2)
                continue
            low = high
            if n < MAX_LINES // 4:
                width *= 2
            order = np.argsort(lines.sent[:n], kind="stable")
            firsts = _first_lines(lines, order)
            if n > left:  # whole requests only
                firsts = firsts[: int(np.searchsorted(firsts, left, "right"))]
                order = order[: int(firsts[-1])]
                firsts = firsts[:-1]
            left -= len(order)
            if len(order) == 0:
                if n > 0:
                    return
                continue
            render(b, forms, self.seed, lines, order, ends, text)
            yield text, ends[: len(order)], firsts, lines.sent[order[firsts]] - begin


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
    window_ms = emission.scenario.run.hours * 3_600_000
    for text, ends, firsts, due in emission.chunks():
        starts = np.concatenate(([0], ends[firsts[1:] - 1], [ends[-1]]))
        counts = np.diff(np.concatenate((firsts, [len(ends)])))
        for k in range(len(firsts)):
            if speed > 0:
                _wait(began, float(due[k]) / 1000.0 / speed)
            body = text[starts[k] : starts[k + 1] - 1].tobytes().replace(b"\n", b",")
            work.put((b"[" + body + b"]", int(counts[k])))
            if k % 256 == 0:
                progress("posted", float(due[k]) / window_ms)
    for _ in threads:
        work.put(None)
    for thread in threads:
        thread.join()
    progress("posted", 1.0)
    seconds = time.monotonic() - began
    return {
        "requests": tally.requests,
        "statements": tally.statements,
        "refused": tally.refused,
        "failed_statements": tally.failed_statements,
        "errors": tally.errors,
        "seconds": round(seconds, 3),
        "statements_per_s": round(tally.statements / max(seconds, 1e-9), 1),
    }


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
                with tally.lock:
                    tally.requests += 1
                    tally.statements += count
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
    with tally.lock:
        tally.failed_statements += count
        tally.errors[problem] = tally.errors.get(problem, 0) + 1
