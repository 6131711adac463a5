"""An event loop in which nothing happens by itself: one thread, virtual time, one delivery at a time.

Whatever is ready runs in the order in which it became ready, as in every event loop. What comes from
outside (a message of another process, a timer) comes one at a time, and the schedule says which one.
A process is a set of tasks that live, stop and die together; it is known by the context of its tasks.
"""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any

STEP = 0.0005
"""Seconds that a delivery takes."""

TICK = 1e-6
"""The least time that passes until a timer is due: a clock that stood still could be asked for ever."""


class Process:
    """A program that runs, stands still, or is dead."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive, self.paused = True, False
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.at_death: list[Callable[[], None]] = []
        self.context = contextvars.copy_context()
        self.context.run(_PROCESS.set, self)

    @property
    def running(self) -> bool:
        """Whether it can be told something now."""
        return self.alive and not self.paused

    def die(self) -> None:
        """Die at once. What its tasks still do on their way out reaches nobody."""
        self.alive = False
        for act in self.at_death:
            act()
        for task in list(self.tasks):
            task.cancel()


_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


def current_process() -> Process | None:
    """Whose code runs now; None: that of the world around all processes."""
    return _PROCESS.get()


class Delivery:
    """Something on its way to a process (None: to what never stops, such as the database)."""

    __slots__ = ("act", "label", "to")

    def __init__(self, to: Process | None, label: tuple[Any, ...], act: Callable[[], None]) -> None:
        self.to, self.label, self.act = to, label, act


class Loop(asyncio.AbstractEventLoop):
    """Deterministic; `step` makes one thing happen."""

    def __init__(self, start: float, pick: Callable[[int], int]) -> None:
        """`start`: seconds since 1970; `pick(n)` chooses one of n, 0 being what is usual."""
        self._now, self.pick = start, pick
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Process | None]] = []
        self._made = 0
        self.deliveries: list[Delivery] = []
        self.errors: list[BaseException] = []

    # What happens next.

    def send(self, to: Process | None, label: tuple[Any, ...], act: Callable[[], None]) -> Delivery:
        """Let something be on its way."""
        delivery = Delivery(to, label, act)
        self.deliveries.append(delivery)
        return delivery

    def step(self) -> tuple[Any, ...] | None:
        """Deliver one of what is on its way, the oldest as a rule; if nothing is, let time pass to the
        next timer. Returns what happened; None: nothing can."""
        eligible = [each for each in self.deliveries if each.to is None or each.to.running]
        if eligible:
            chosen = eligible[self.pick(len(eligible)) if len(eligible) > 1 else 0]
            self.deliveries.remove(chosen)
            self._now += STEP
            self._expire()
            chosen.act()
            self.settle()
            return chosen.label
        due = self._next_timer()
        if due is None:
            return None
        self._now = max(self._now + TICK, due)
        self._expire()
        self.settle()
        return ("time passes",)

    def pass_time(self, seconds: float) -> None:
        """Let time pass while everything else is on its way."""
        until = self._now + seconds
        while (due := self._next_timer()) is not None and due <= until:
            self._now = max(self._now + TICK, due)
            self._expire()
            self.settle()
        self._now = max(self._now, until)

    def settle(self) -> None:
        """Run what is ready until nothing is."""
        ready = self._ready
        while ready:
            handle = ready.popleft()
            if not handle._cancelled:
                handle._context.run(handle._callback, *handle._args)  # type: ignore[attr-defined]

    def forget(self, process: Process) -> None:
        """Drop what is on its way to a dead process."""
        self.deliveries = [each for each in self.deliveries if each.to is not process]

    def _next_timer(self) -> float | None:
        times = [
            when
            for when, _, handle, process in self._timers
            if not handle._cancelled and (process is None or process.running)
        ]
        return min(times, default=None)

    def _expire(self) -> None:
        held = []
        while self._timers and self._timers[0][0] <= self._now:
            timer = heappop(self._timers)
            handle, process = timer[2], timer[3]
            if handle._cancelled or (process is not None and not process.alive):
                continue
            if process is not None and process.paused:
                held.append(timer)
            else:
                self._ready.append(handle)
        for timer in held:
            heappush(self._timers, timer)
        self.settle()

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        process = current_process() if context is None else context.get(_PROCESS)
        if process is not None:
            process.tasks[task] = None
            task.add_done_callback(process.tasks.pop)
        return task

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:  # type: ignore[override]
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override]
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._made += 1
        process = handle._context.get(_PROCESS)  # type: ignore[attr-defined]
        heappush(self._timers, (when, self._made, handle, process))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing: a cancelled timer is passed over."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Run it here and now: there is one thread."""
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self.errors.append(error)

    def __enter__(self) -> Loop:
        self._outer = events._get_running_loop()
        events._set_running_loop(self)
        return self

    def __exit__(self, *_: object) -> None:
        events._set_running_loop(self._outer)


def now() -> float:
    """The time of the loop that runs, in seconds since 1970."""
    return asyncio.get_running_loop().time()
