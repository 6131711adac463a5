"""The program's own log lines: one form for ours and for those of the libraries, to stderr.

    log = structlog.get_logger("lrs.edge")
    log.info("frame appended", frame=offset, requests=12)

An event is a short fact in lower case; what varies stands in fields. Request and frame ids are the
fields `request` and `frame`. Secrets never appear: fields named like one are starred out, and so
are passwords in URLs.
"""

from __future__ import annotations

import logging
import math
import re
import sys
import time
from typing import TYPE_CHECKING

import structlog

from lrs.secrecy import without_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, Processor, WrappedLogger

    from lrs.settings import Settings

_SECRET = re.compile(r"secret|password|passwd|authorization|token|cookie", re.IGNORECASE)

QUIET = (
    *("asyncio", "aiokafka", "kafka", "faust", "mode", "_granian", "granian", "aiohttp"),
    # Faust logs the life of its services under the modules of their classes.
    *("lrs.stream.app", "lrs.stream.transport", "lrs.stream.resumption", "lrs.stream.kafka"),
)
"""Loggers that are heard from `warning` on, whatever our level, and not too often (`Sparing`)."""

EVERY = 10.0
"""Seconds in which a library says the same thing once."""

_REMEMBERED = 1000
"""Lines of libraries that are known again; some put what varies into the line itself."""


def configure(settings: Settings, process: str) -> None:
    """Set the form and level of all log lines of this process, which is named in each of them."""
    renderer: Processor
    if settings.log_format == "json":
        renderer = structlog.processors.JSONRenderer(sort_keys=False)
        errors: Processor = structlog.processors.format_exc_info
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
        errors = _unchanged

    def name_process(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        name_process,
        conceal,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Sparing())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, errors, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class Sparing(logging.Filter):
    """Lets a library say the same once in ten seconds, and tells how often it said it meanwhile: one that
    has lost its server tells so hundreds of times a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[tuple[str, int, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is to be written. Lines are the same if they differ only in what is put in."""
        if not record.name.startswith(QUIET) or not isinstance(record.msg, str):
            return True
        line, now = (record.name, record.levelno, record.msg), self._clock()
        since, more = self._said.get(line, (-math.inf, 0))
        if now < since + EVERY:
            self._said[line] = since, more + 1
            return False
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[line] = now, 0
        if more:
            record.msg += f" (and {more} times more since this was last written)"
        return True


def conceal(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Star out what must not be in a log."""
    for key, value in event.items():
        if _SECRET.search(key):
            event[key] = "***"
        elif isinstance(value, str) and "://" in value:
            event[key] = without_password(value)
    return event


def _unchanged(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return event
