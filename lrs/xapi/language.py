"""Which language a reader gets of those there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_RANGE = re.compile(r"\s*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


@dataclass(frozen=True, slots=True)
class Preferences:
    """The language ranges of an Accept-Language header, in small letters (RFC 9110 12.5.4): those that are
    wanted, best first, and those that are refused (q=0)."""

    wanted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def preferences(accept_language: str | None) -> Preferences:
    """What the header says; what is malformed in it is left out."""
    ranges: list[tuple[float, str]] = []
    for part in (accept_language or "").split(","):
        match = _RANGE.fullmatch(part)
        if match is not None:
            ranges.append((-float(match[2] or 1), match[1].lower()))
    ranges.sort(key=lambda pair: pair[0])
    wanted = tuple(text for quality, text in ranges if quality)
    return Preferences(wanted, tuple(text for _, text in ranges[len(wanted) :]))


def choose(tags: Iterable[str], preferred: Preferences) -> str | None:
    """The tag to show: the first that a range, or the range shortened from its end, stands for
    (RFC 4647 3.4, extended to longer tags, so that "en" finds "en-US"); else the first there is.

    What is refused is shown only if all there is is refused.
    """
    there = list(tags)
    allowed = there
    if preferred.refused:
        allowed = [tag for tag in there if not _is_refused(tag.lower(), preferred)]
    for wanted in preferred.wanted:
        if wanted == "*" and allowed:
            return allowed[0]
        while wanted:
            for tag in allowed:
                if _stands_for(wanted, tag.lower()):
                    return tag
            wanted = wanted.rpartition("-")[0]
    return next(iter(allowed or there), None)


def _stands_for(range_: str, tag: str) -> bool:
    return range_ in ("*", tag) or tag.startswith(range_ + "-")


def _is_refused(tag: str, preferred: Preferences) -> bool:
    """The range that says most about a tag decides."""
    refused = max((len(one) for one in preferred.refused if _stands_for(one, tag)), default=0)
    return refused > max((len(one) for one in preferred.wanted if _stands_for(one, tag)), default=0)
