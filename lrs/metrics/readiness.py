"""Whether a process can do its work, and if not, why."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable


class Readiness:
    """Named checks, each with a state and a reason; ready when all are.

    Whoever knows reports with `set`. A check that must be reported again within `fresh` seconds is
    given by `expire`: silence then counts as failure, since a stuck process reports nothing.
    """

    def __init__(self, checks: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reasons: dict[str, str] = dict.fromkeys(checks, "not reported yet")
        self._fresh: dict[str, float] = {}
        self._reported: dict[str, float] = {}

    def expire(self, check: str, fresh: float) -> None:
        """From now on the check fails unless it was reported within the last `fresh` seconds."""
        self._fresh[check] = fresh

    def set(self, check: str, reason: str = "") -> None:
        """Report a check: in order without a reason, else not ready for this reason."""
        if check not in self._reasons:
            raise KeyError(check)
        self._reasons[check] = reason
        self._reported[check] = self._clock()

    def report(self) -> tuple[bool, dict[str, str]]:
        """Whether all checks are in order, and the reason of each (`ok` when it is)."""
        now = self._clock()
        reasons = {}
        for check, reason in self._reasons.items():
            fresh, reported = self._fresh.get(check), self._reported.get(check)
            if not reason and fresh is not None and reported is not None and now - reported > fresh:
                reason = f"not reported for {now - reported:.1f} s"
            reasons[check] = reason or "ok"
        return all(reason == "ok" for reason in reasons.values()), reasons
