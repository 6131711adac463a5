"""Answers that refuse: one shape for all of them.

JSON: `error` says what is wrong in one sentence, `reason` is one of lrs.metrics.edge.REASONS. Where a
parameter or a statement breaks a rule, `path`, `value` (shortened), `rule` and, if the specification
says so, `clause` follow. Where statements do, `violations` has one entry for each rule broken, with
`index` and `id` of the statement besides; the first one's members stand at the top as well.
docs/http.md has them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lrs.xapi.violation import Rejected, TooMany


class Refusal(Exception):
    """Ends a request with a status of 400 or more. `reason` is one of lrs.metrics.edge.REASONS."""

    def __init__(
        self,
        status: int,
        error: str,
        reason: str,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(error)
        self.status, self.error, self.reason = status, error, reason
        self.headers = dict(headers or {})
        self.members = members

    def body(self) -> bytes:
        """The JSON to send."""
        return msgspec.json.encode({"error": self.error, "reason": self.reason, **self.members})


def bad(error: str, reason: str = "invalid", **members: Any) -> Refusal:
    """400."""
    return Refusal(400, error, reason, **members)


def parameter(name: str, value: str, rule: str, clause: str = "") -> Refusal:
    """400 for a parameter, in the query or a header."""
    name = _shortened(name)
    cited: dict[str, Any] = {"clause": clause} if clause else {}
    return Refusal(
        400,
        f"parameter {name}: {rule}",
        "invalid",
        path=name,
        value=_shortened(value),
        rule=rule,
        **cited,
    )


def rejected(cause: Rejected) -> Refusal:
    """400 for statements that break rules, 413 for too many at once."""
    violations = msgspec.to_builtins(cause.violations)
    first = violations[0]
    status, reason = (413, "too_large") if isinstance(cause, TooMany) else (400, "invalid")
    members = {**first, "violations": violations}
    return Refusal(status, f"{first['path']}: {first['rule']}", reason, **members)


def statement_path(data: bytes, index: int) -> str:
    """The JSON path of a statement in its body."""
    return f"$[{index}]" if data.lstrip()[:1] == b"[" else "$"


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"


def unavailable(error: str, reason: str, retry_after: int = 1) -> Refusal:
    """503 with Retry-After."""
    return Refusal(503, error, reason, {"retry-after": str(retry_after)})
