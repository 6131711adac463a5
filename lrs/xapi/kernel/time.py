# ruff: noqa: SIM109 (plain loops and comparisons are what numba compiles best)
"""Timestamps to microseconds, durations to milliseconds."""

from __future__ import annotations

from lrs.xapi.kernel import inner, kernel

NO_TIME = -(2**63)
"""The text is no time."""
NO_LENGTH = -1
"""The text is a duration that has no length in milliseconds."""
LONGEST = 2**53

DAY = 86_400_000_000
FIRST = -62_135_596_800_000_000
"""0001-01-01T00:00Z; what lies before it, or after the year 9999, cannot be written."""
LAST = 253_402_300_800_000_000 - 1


@inner("int64(uint8[::1], int64, int64, int64)")
def digits(buf, a, b, n):  # type: ignore[no-untyped-def]
    """The number that n digits at a write; -1 where the text ends or has other characters."""
    if a + n > b:
        return -1
    value = 0
    for i in range(a, a + n):
        if buf[i] < 48 or buf[i] > 57:
            return -1
        value = value * 10 + (buf[i] - 48)
    return value


@inner("int64(int64, int64, int64)")
def days_since_1970(year, month, day):  # type: ignore[no-untyped-def]
    """Of a day of the Gregorian calendar; the year begins in March (Hinnant, days_from_civil)."""
    y = year - (month <= 2)
    era = y // 400
    of_era = y - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


@inner("int64(int64, int64)")
def days_in_month(year, month):  # type: ignore[no-untyped-def]
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@kernel("int64(uint8[::1], int64, int64, boolean)")
def read_timestamp(buf, a, b, v2):  # type: ignore[no-untyped-def]
    """Microseconds since 1970-01-01T00:00Z, truncated; NO_TIME where the text is no timestamp.

    2.0 asks for RFC 3339. 1.0.3 asks for ISO 8601, date and time together: the basic form without
    separators, the comma, times without seconds or without a zone (taken for UTC) and 24:00 are
    accepted, too; week and ordinal dates are not. A leap second is the next minute's first. An offset of
    -00:00 says that the zone is unknown, which neither version allows.
    """
    extended = a + 4 < b and buf[a + 4] == 45  # "-"
    if v2 and not extended:
        return NO_TIME
    gap = 1 if extended else 0
    year = digits(buf, a, b, 4)
    month = digits(buf, a + 4 + gap, b, 2)
    day = digits(buf, a + 6 + 2 * gap, b, 2)
    i = a + 8 + 2 * gap
    if year < 1 or month < 1 or month > 12 or day < 1 or day > days_in_month(year, month):
        return NO_TIME
    if extended and buf[a + 7] != 45:
        return NO_TIME
    if i >= b or not (buf[i] == 84 or (v2 and (buf[i] == 116 or buf[i] == 32))):  # "T", "t", " "
        return NO_TIME
    hour = digits(buf, i + 1, b, 2)
    i += 3
    if extended:
        if i >= b or buf[i] != 58:  # ":"
            return NO_TIME
        i += 1
    minute = digits(buf, i, b, 2)
    i += 2
    if hour < 0 or minute < 0 or minute > 59:
        return NO_TIME
    second = 0
    micros = 0
    if i < b and (buf[i] == 58 if extended else 48 <= buf[i] <= 57):
        second = digits(buf, i + gap, b, 2)
        i += 2 + gap
        if second < 0 or second > 60:
            return NO_TIME
        if i < b and (buf[i] == 46 or (not v2 and buf[i] == 44)):  # "." or ","
            i += 1
            first = i
            while i < b and 48 <= buf[i] <= 57:
                if i < first + 6:
                    micros = micros * 10 + (buf[i] - 48)
                i += 1
            if i == first:
                return NO_TIME
            for _ in range(i - first, 6):
                micros *= 10
    elif v2:
        return NO_TIME
    if hour > 24 or (hour == 24 and (v2 or minute or second or micros)):
        return NO_TIME
    offset = 0
    if i == b:
        if v2:
            return NO_TIME
    elif buf[i] == 90 or (v2 and buf[i] == 122):  # "Z", "z"
        i += 1
    elif buf[i] == 43 or buf[i] == 45:  # "+", "-"
        hours = digits(buf, i + 1, b, 2)
        minutes = 0
        sign = 44 - buf[i]
        i += 3
        if i < b or v2:
            if extended:
                if i >= b or (buf[i] != 58 and v2):
                    return NO_TIME
                i += buf[i] == 58
            minutes = digits(buf, i, b, 2)
            i += 2
        if hours < 0 or hours > 23 or minutes < 0 or minutes > 59:
            return NO_TIME
        if sign < 0 and hours == 0 and minutes == 0:
            return NO_TIME
        offset = sign * (hours * 60 + minutes)
    if i != b:
        return NO_TIME
    of_day = (hour * 60 + minute - offset) * 60 + second
    if second == 60 and of_day % 86400 != 0:
        return NO_TIME
    instant = days_since_1970(year, month, day) * DAY + of_day * 1_000_000 + micros
    return instant if FIRST <= instant <= LAST else NO_TIME


@inner("int64(uint8[::1], int64, int64)")
def read_duration(buf, a, b):  # type: ignore[no-untyped-def]
    """Milliseconds, truncated, of an ISO 8601:2004 4.4.3.2 duration; NO_TIME where the text is none.

    Only the last number may have a fraction; weeks stand alone. NO_LENGTH: it has years or months, whose
    length depends on when, or is longer than LONGEST.
    """
    if b - a < 3 or buf[a] != 80:  # "P"
        return NO_TIME
    i = a + 1
    total = 0
    units = 0  # 1 Y, 2 M, 3 D, 4 (T), 5 H, 6 M, 7 S, 8 W: they come in this order
    has_length = True
    parts = 0
    fraction = False
    while i < b:
        if buf[i] == 84:  # "T"
            if units >= 4 or i + 1 == b:
                return NO_TIME
            units = 4
            i += 1
            continue
        if fraction:
            return NO_TIME
        first = i
        whole = 0
        while i < b and 48 <= buf[i] <= 57:
            if whole <= LONGEST:
                whole = whole * 10 + (buf[i] - 48)
            i += 1
        if i == first or i == b:
            return NO_TIME
        part = 0
        scale = 1
        if buf[i] == 46 or buf[i] == 44:
            fraction = True
            i += 1
            first = i
            while i < b and 48 <= buf[i] <= 57:
                if i < first + 10:
                    part = part * 10 + (buf[i] - 48)
                    scale *= 10
                i += 1
            if i == first or i == b:
                return NO_TIME
        c = buf[i]
        i += 1
        unit = 0
        if c == 89 and units < 1:
            units = 1
        elif c == 77 and units < 2:
            units = 2
        elif c == 68 and units < 3:
            units, unit = 3, 86_400_000
        elif c == 87 and parts == 0 and units == 0 and i == b:
            units, unit = 8, 604_800_000
        elif c == 72 and units == 4:
            units, unit = 5, 3_600_000
        elif c == 77 and 4 <= units < 6:
            units, unit = 6, 60_000
        elif c == 83 and 4 <= units < 7:
            units, unit = 7, 1000
        else:
            return NO_TIME
        parts += 1
        if unit == 0 or whole > LONGEST // unit:
            has_length = False
        else:
            total += whole * unit + part * unit // scale
    if parts == 0 or units == 4:
        return NO_TIME
    return total if has_length and total <= LONGEST else NO_LENGTH
