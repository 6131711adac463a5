"""Framing: requests that come within a few milliseconds go to the log as one record.

A record costs about the same however many statements it holds, so requests are put together while
earlier ones are on their way. A request that comes when nothing is on its way goes at once. Each one
is acknowledged when its frame is durable, and refused alone if its ids are taken.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lrs.log import frame as frames
from lrs.log.port import Claims, LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lrs.log.port import Appended, Log
    from lrs.metrics.edge import EdgeMetrics
    from lrs.metrics.log import LogMetrics

PATIENCE: Final = 15.0
"""Seconds after which nobody waits any longer for a log that does not answer."""

FLIGHTS: Final = 3
"""Frames that may be on their way at once: one being written, others being built and committed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. `conflicts`: places of its statements whose ids are taken by others;
    then nothing of it is stored. `position`: partition of its frame, and the offset after it."""

    position: tuple[int, int]
    conflicts: Sequence[int] = ()
    repeated: int = 0


@dataclass(slots=True)
class _Waiting:
    request: frames.Request
    size: int
    done: asyncio.Future[Outcome]


@dataclass(slots=True)
class _Frame:
    tenant: int
    opened: float
    waiting: list[_Waiting] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    statements: int = 0
    size: int = 0

    def refuse(self, error: BaseException) -> None:
        """Tell everybody who still waits."""
        for waiting in self.waiting:
            if not waiting.done.done():
                waiting.done.set_exception(error)


class _Definitions:
    """Which definition of each activity went to the log last: the same one need not go with each statement.

    What is forgotten goes again, as everything does after an hour or a lost frame: the store takes a
    definition as often as it comes.
    """

    _MOST: Final = 20_000
    _AGAIN: Final = 3600.0

    def __init__(self) -> None:
        # Activity -> definition and when it went; as hashes, since definitions may be long.
        self._sent: dict[int, tuple[int, float]] = {}

    def fresh(self, tenant: int, iri: str, definition: bytes) -> bool:
        """Whether the definition is worth sending; it counts as sent from now on."""
        now, activity, said = time.monotonic(), hash((tenant, iri)), hash(definition)
        last = self._sent.get(activity)
        if last is not None and last[0] == said and last[1] > now - self._AGAIN:
            return False
        if len(self._sent) >= self._MOST:
            self._sent.clear()
        self._sent[activity] = said, now
        return True


class Framer:
    """Carries accepted requests into the log."""

    def __init__(
        self,
        log: Log,
        compress: Callable[[bytes], bytes],
        dictionary: int,
        metrics: EdgeMetrics,
        log_metrics: LogMetrics,
        *,
        wait: float,
        max_statements: int,
        max_bytes: int,
        patience: float = PATIENCE,
    ) -> None:
        """`wait`: how long a frame stays open, in seconds, while others are on their way; `patience`:
        how long a request waits at most for its frame to be durable."""
        self._log, self._compress, self._dictionary = log, compress, dictionary
        self._metrics, self._log_metrics = metrics, log_metrics
        self._wait, self._max_statements, self._max_bytes = wait, max_statements, max_bytes
        self._patience = patience
        self._definitions = _Definitions()
        self._open: deque[_Frame] = deque()
        self._flying: dict[asyncio.Task[None], _Frame] = {}
        self._busy: set[int] = set()
        self._turn = 0
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None

    async def submit(self, tenant: int, request: frames.Request, size: int) -> Outcome:
        """Make a request durable. Raises LogUnavailable when it is not known whether it is."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(request, size, loop.create_future())
        frame = self._frame_for(tenant, request, size)
        frame.waiting.append(waiting)
        frame.ids.update(request.ids)
        frame.statements += len(request.ids)
        frame.size += size
        self._depart()
        if self._watch is None:
            self._watch = loop.call_later(self._patience / 4, self._give_up)
        return await waiting.done

    async def drain(self) -> None:
        """Wait until everything that was submitted is answered."""
        while self._flying or self._open:
            self._depart(now=True)
            await asyncio.wait(self._flying)

    def _frame_for(self, tenant: int, request: frames.Request, size: int) -> _Frame:
        """An open frame with room, of this tenant, in which none of the request's ids stands."""
        for frame in self._open:
            if (
                frame.tenant == tenant
                and frame.statements + len(request.ids) <= self._max_statements
                and frame.size + size <= self._max_bytes
                and frame.ids.isdisjoint(request.ids)
            ):
                return frame
        frame = _Frame(tenant, time.monotonic())
        self._open.append(frame)
        return frame

    def _depart(self, *, now: bool = False) -> None:
        """Send the oldest open frames as long as there is room in the air and a reason to."""
        flights = min(FLIGHTS, self._log.partitions)
        while self._open and len(self._flying) < flights:
            frame = self._open[0]
            age = time.monotonic() - frame.opened
            full = (
                len(self._open) > 1
                or frame.statements >= self._max_statements
                or frame.size >= self._max_bytes
            )
            if not (now or full or not self._flying or age >= self._wait):
                if self._timer is None:
                    self._timer = asyncio.get_running_loop().call_later(self._wait - age, self._expired)
                return
            self._open.popleft()
            partition = self._partition()
            self._busy.add(partition)
            task = asyncio.create_task(self._fly(frame, partition))
            self._flying[task] = frame
            task.add_done_callback(lambda task, partition=partition: self._landed(task, partition))  # type: ignore[misc]

    def _expired(self) -> None:
        self._timer = None
        self._depart()

    def _landed(self, task: asyncio.Task[None], partition: int) -> None:
        del self._flying[task]
        self._busy.discard(partition)
        self._depart()

    def _give_up(self) -> None:
        """Let nobody wait longer than patience allows; what did not leave by then never does."""
        self._watch = None
        before = time.monotonic() - self._patience
        error = LogUnavailable(f"the log did not answer within {self._patience:g} s")
        for frame in (*self._flying.values(), *self._open):
            if frame.opened < before:
                frame.refuse(error)
        while self._open and self._open[0].opened < before:
            self._open.popleft()
        if self._open or self._flying:
            self._watch = asyncio.get_running_loop().call_later(self._patience / 4, self._give_up)

    def _partition(self) -> int:
        """The next partition in turn that nothing of this edge is on its way to."""
        partitions = self._log.partitions
        for _ in range(partitions):
            self._turn = (self._turn + 1) % partitions
            if self._turn not in self._busy:
                break
        return self._turn

    async def _fly(self, frame: _Frame, partition: int) -> None:
        requests = [waiting.request for waiting in frame.waiting]
        try:
            fresh = functools.partial(self._definitions.fresh, frame.tenant)
            value = frames.encode(frame.tenant, requests, self._dictionary, self._compress, fresh)
            started = time.perf_counter()
            appended = await self._log.append(partition, value, frame.statements, _claims(frame))
        except BaseException as error:
            if isinstance(error, LogUnavailable):
                self._log_metrics.failed()
            self._definitions = _Definitions()  # these may not have arrived
            frame.refuse(error)
            if not isinstance(error, Exception):
                raise
            return
        self._log_metrics.appended(time.perf_counter() - started)
        self._metrics.frame(len(requests), frame.statements, len(value))
        if appended.conflicts or appended.repeated:
            self._definitions = _Definitions()  # those of statements that are passed over do not count
        _answer(frame, appended)


def _claims(frame: _Frame) -> Claims:
    ids: list[bytes] = []
    digests: list[bytes] = []
    numbers: list[int] = []
    for number, waiting in enumerate(frame.waiting):
        ids += waiting.request.ids
        digests += [statement.digest for statement in waiting.request.statements]
        numbers += [number] * len(waiting.request.ids)
    return Claims([frame.tenant] * len(ids), ids, digests, numbers)


def _answer(frame: _Frame, appended: Appended) -> None:
    position = (appended.partition, appended.offset + 1)
    repeated = set(appended.repeated)
    first = 0
    for number, waiting in enumerate(frame.waiting):
        end = first + len(waiting.request.ids)
        places = (appended.conflicts or {}).get(number, ())
        known = sum(1 for place in range(first, end) if place in repeated) if repeated else 0
        if not waiting.done.done():
            waiting.done.set_result(Outcome(position, [place - first for place in places], known))
        first = end
