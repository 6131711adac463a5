"""Bodies made beforehand, so that the driver costs little beside the system that it drives.

A body is rendered once. Each time it is sent, every UUID in it (of statements, registrations and
sessions) gets another beginning, and every learner another number, by overwriting bytes at places
found beforehand: so it is always new statements of other learners.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lrs.demo.learner import ACCOUNT

GENERATIONS: Final = 10_000
"""After so many rounds the learners of a supply come again; the ids do not."""

TEMPLATE_LEARNERS: Final = 10**8 // GENERATIONS
"""Learners of the bodies as rendered have numbers below this."""

_STAMP: Final = 8
"""Hexadecimal digits at the beginning of a UUID that tell the round."""

_ID: Final = re.compile(rb'\{"id":"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})","actor"')
_UUID: Final = re.compile(rb'"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"')
_ACCOUNT: Final = re.compile(rb'"' + ACCOUNT.split("{")[0].encode() + rb'(\d{8})"')


@dataclass(frozen=True)
class Fresh:
    """A body as it is sent, and the ids of its statements, in order."""

    content: bytes
    ids: list[str]


class Body:
    """A rendered body: one statement, or an array of them.

    `statements` is their number, `learners` that of the distinct learners who speak in it.
    """

    def __init__(self, content: bytes, statements: int) -> None:
        """Raises ValueError when `content` has not so many statements as the demonstration renders them."""
        self.content, self.statements = content, statements
        self._ids = [match.start(1) for match in _ID.finditer(content)]
        if len(self._ids) != statements:
            raise ValueError(f"{statements} statements, but {len(self._ids)} ids stand where they should")
        self._stamps = [slice(at.start(1), at.start(1) + _STAMP) for at in _UUID.finditer(content)]
        self._accounts: dict[bytes, list[slice]] = {}
        for match in _ACCOUNT.finditer(content):
            self._accounts.setdefault(match[1], []).append(slice(*match.span(1)))
        self.learners = len(self._accounts)

    @classmethod
    def of(cls, statements: Sequence[bytes], *, alone: bool = False) -> Body:
        """`alone`: the single statement goes without an array."""
        return cls(statements[0] if alone else b"[" + b",".join(statements) + b"]", len(statements))

    def fresh(self, generation: int, learners: Sequence[int] | None = None) -> Fresh:
        """The body for one round; no id of it is in any other round below 2^32.

        `learners`: who speaks, in the order in which they first do. Without them the round's number
        becomes a part of each learner's.
        """
        content = bytearray(self.content)
        stamp = b"%0*x" % (_STAMP, generation)
        for place in self._stamps:
            content[place] = stamp
        for order, (account, places) in enumerate(self._accounts.items()):
            number = (
                generation % GENERATIONS * TEMPLATE_LEARNERS + int(account) % TEMPLATE_LEARNERS
                if learners is None
                else learners[order]
            )
            digits = b"%08d" % number
            for place in places:
                content[place] = digits
        return Fresh(bytes(content), [content[place : place + 36].decode() for place in self._ids])


class Supply:
    """Bodies in turn, round after round; never the same id twice, for one seed."""

    def __init__(self, bodies: Sequence[Body]) -> None:
        if not bodies:
            raise ValueError("a supply needs a body at least")
        self._bodies, self._next, self._generation = bodies, 0, 0

    def __next__(self) -> Fresh:
        if self._next == len(self._bodies):
            self._next, self._generation = 0, self._generation + 1
        self._next += 1
        return self._bodies[self._next - 1].fresh(self._generation)
