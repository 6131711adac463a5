"""The numbers of a score, and what they ask of each other."""

from __future__ import annotations

import msgspec

from lrs.xapi.rules import Rule


class Score(msgspec.Struct, frozen=True, gc=False):
    scaled: float | None = None
    raw: float | None = None
    min: float | None = None
    max: float | None = None


def holds(score: Score) -> bool:
    """Whether no rule is broken; for finite numbers."""
    scaled, raw, low, high = score.scaled, score.raw, score.min, score.max
    return (
        (scaled is None or -1 <= scaled <= 1)
        and (low is None or ((high is None or low < high) and (raw is None or low <= raw)))
        and (high is None or raw is None or raw <= high)
    )


def breaches(score: Score) -> list[tuple[str, Rule]]:
    """(member, rule) for each rule broken (1.0.3 Part Two 2.4.5.1; IEEE 9274.1.1 4.2.2.4).

    An infinite number stands for one beyond the range of a double, and is compared with nothing.
    """
    values = {name: getattr(score, name) for name in score.__struct_fields__}
    found = [(name, Rule.NUMBER_RANGE) for name, value in values.items() if value in (_ABOVE, _BELOW)]
    scaled, raw, low, high = (None if v in (_ABOVE, _BELOW) else v for v in values.values())
    if scaled is not None and not -1 <= scaled <= 1:
        found.append(("scaled", Rule.SCALED_RANGE))
    if low is not None and high is not None and low >= high:
        found.append(("min", Rule.MIN_MAX))
    if raw is not None and ((low is not None and raw < low) or (high is not None and raw > high)):
        found.append(("raw", Rule.RAW_RANGE))
    return found


_ABOVE, _BELOW = float("inf"), float("-inf")
