"""Which language a reader gets of those there are."""

from __future__ import annotations

import re
from collections.abc import Iterable

_RANGE = re.compile(r"\s*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


def preferences(accept_language: str | None) -> tuple[str, ...]:
    """The language ranges of an Accept-Language header, best first, in small letters (RFC 9110 12.5.4).

    What is malformed or refused (q=0) is left out.
    """
    ranges: list[tuple[float, str]] = []
    for part in (accept_language or "").split(","):
        match = _RANGE.fullmatch(part)
        if match is not None and (quality := float(match[2] or 1)) > 0:
            ranges.append((-quality, match[1].lower()))
    return tuple(text for _, text in sorted(ranges, key=lambda pair: pair[0]))


def choose(tags: Iterable[str], preferred: tuple[str, ...]) -> str | None:
    """The tag to show: the first that a range, or the range shortened from its end, stands for
    (RFC 4647 3.4, extended to longer tags, so that "en" finds "en-US"); else the first there is."""
    there = list(tags)
    for wanted in preferred:
        if wanted == "*" and there:
            return there[0]
        while wanted:
            for tag in there:
                if tag.lower() == wanted or tag.lower().startswith(wanted + "-"):
                    return tag
            wanted = wanted.rpartition("-")[0]
    return there[0] if there else None
