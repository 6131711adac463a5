"""What is said about a statement that is refused."""

from __future__ import annotations

import msgspec

MOST = 20
"""So many violations are told at once; a hostile batch could have millions."""

_LONGEST_VALUE = 200


class Violation(msgspec.Struct, frozen=True):
    """One broken rule.

    ``path`` is the JSON path from the body's root ("$[3].actor.mbox"), ``value`` the offending JSON
    text, shortened, ``rule`` the rule in plain words, ``clause`` where the specification says so,
    ``index`` the statement's place in the batch (0 for a single one; None when the body is not JSON)
    and ``id`` its id, as sent, when it could be read.
    """

    path: str
    value: str
    rule: str
    clause: str
    index: int | None = None
    id: str | None = None


class Rejected(Exception):
    """Nothing of the body is accepted; ``violations`` has the reasons, at least one, at most MOST."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__(violations)

    def __str__(self) -> str:
        return "; ".join(f"{v.path} = {v.value}: {v.rule} ({v.clause})" for v in self.violations)


class TooMany(Rejected):
    """There are more statements than are taken at once."""


def shorten(text: str) -> str:
    """JSON text cut to what fits into an error message."""
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"
