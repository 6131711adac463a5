"""Instants: the timestamps of xAPI to microseconds since 1970-01-01T00:00Z, and back."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np

from lrs.xapi.kernel.time import NO_TIME, read_timestamp
from lrs.xapi.text import as_buffer
from lrs.xapi.version import Version

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MICROSECOND = datetime.timedelta(microseconds=1)


def format_timestamp(instant: int) -> str:
    """RFC 3339 in UTC with six digits: ``2024-03-01T12:00:00.000000Z``.

    ``instant`` is in microseconds since 1970; it must lie in the years 1 to 9999 (else OverflowError).
    """
    return (_EPOCH + instant * _MICROSECOND).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def format_timestamps(instants: Sequence[int]) -> list[str]:
    """`format_timestamp` of each, in a fraction of the time; that they lie in its years is not checked."""
    found: list[str] = np.datetime_as_string(np.array(instants, "M8[us]"), timezone="UTC").tolist()
    return found


def parse_timestamp(text: str, version: Version = Version.V1_0_3) -> int | None:
    """Microseconds since 1970, truncated, of a timestamp as this version allows it; else None."""
    if not text.isascii():
        return None
    buffer, size = as_buffer(text)
    instant: int = read_timestamp(buffer, 0, size, version is Version.V2_0_0)
    return None if instant == NO_TIME else instant
