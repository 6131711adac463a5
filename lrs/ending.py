"""Why a process ended, told by its exit status to whoever started it."""

from __future__ import annotations

import enum

import asyncpg

from lrs.log.port import Fenced, LogUnavailable, OffsetOutOfLog
from lrs.settings import SettingsError
from lrs.store.connection import AWAY


class Ending(enum.Enum):
    """The value is the exit status; a process that a signal killed has none of them."""

    STOPPED = 0
    SETTINGS = 64
    """A setting does not fit what it names, such as a file: no start goes well until that is mended."""
    DEFECT = 70
    """An error that nobody foresaw."""
    UNAVAILABLE = 75
    """The log or the store did not answer: a new start may go well."""
    FENCED = 76
    """Another worker owns the partition; this one's output was refused."""
    OFFSET = 78
    """The stored offset is not inside the log: it takes an operator's `lrs offsets repair`."""
    KILLED = -1

    @classmethod
    def of_status(cls, status: int) -> Ending:
        """From an exit status, negative for a signal; an unknown one is a defect."""
        if status < 0:
            return cls.KILLED
        return cls(status) if status in {ending.value for ending in cls} else cls.DEFECT

    @classmethod
    def of_error(cls, error: BaseException) -> Ending:
        """From the error that ends the process."""
        if isinstance(error, SettingsError):
            return cls.SETTINGS
        if isinstance(error, Fenced):
            return cls.FENCED
        if isinstance(error, OffsetOutOfLog):
            return cls.OFFSET
        if isinstance(error, (*AWAY, asyncpg.PostgresError, LogUnavailable)):
            return cls.UNAVAILABLE
        return cls.DEFECT
