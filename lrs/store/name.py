"""Interning: agents, activities and verbs get an integer for their text, once, for ever.

Numbers are given in short transactions of their own, sorted by key, so that two writers cannot
deadlock and a popular activity is no hot row; a number that was given and then not used is
harmless. Each worker keeps what it saw lately.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from asyncpg.pgproto.pgproto import UUID

from lrs.store.sql import queries
from lrs.store.term import key

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.connection import Asked

KINDS: Final = ("agent", "activity", "verb")


class _Recent:
    """The last names used: two generations of a bounded dictionary, so that use keeps a name."""

    __slots__ = ("_limit", "_old", "_young")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._young: dict[tuple[int, str], int] = {}
        self._old: dict[tuple[int, str], int] = {}

    def get(self, name: tuple[int, str]) -> int | None:
        number = self._young.get(name)
        if number is None:
            number = self._old.get(name)
            if number is not None:
                self.put(name, number)
        return number

    def put(self, name: tuple[int, str], number: int) -> None:
        if len(self._young) >= self._limit:
            self._old, self._young = self._young, {}
        self._young[name] = number


class Names:
    """Numbers of names, looked up in and added to the store; `recent`: names kept per kind."""

    def __init__(self, pool: asyncpg.Pool, recent: int = 200_000) -> None:
        self._pool = pool
        self._recent = {kind: _Recent(recent) for kind in KINDS}
        self._queries = queries("name")

    async def numbers(
        self, kind: str, tenant: int, names: Sequence[str], asked: Asked | None = None
    ) -> list[int]:
        """The number of each name, in order; unknown names are added.

        Whoever is inside a transaction gives its connection as `asked`, where names that are in the
        store are looked up: to wait for a second connection while holding one could be for ever.
        """
        recent = self._recent[kind]
        found = [recent.get((tenant, name)) for name in names]
        missing = {name for name, number in zip(names, found, strict=True) if number is None}
        if not missing:
            return found  # type: ignore[return-value]
        fresh = await self._intern(kind, tenant, missing, asked or self._pool)
        for name, number in fresh.items():
            recent.put((tenant, name), number)
        return [fresh[name] if number is None else number for name, number in zip(names, found, strict=True)]

    async def _intern(self, kind: str, tenant: int, names: Iterable[str], asked: Asked) -> dict[str, int]:
        by_key = dict(sorted((key(name), name) for name in names))
        numbers: dict[str, int] = {}
        # Added outside any transaction: a number must not be taken back after somebody has seen it.
        for query, where in (("find", asked), ("add", self._pool), ("find", self._pool)):
            wanted = {k: name for k, name in by_key.items() if name not in numbers}
            if not wanted:
                break
            keys = [UUID(k) for k in wanted]
            arguments = (tenant, keys, list(wanted.values())) if query == "add" else (tenant, keys)
            rows = await where.fetch(self._queries[f"{query}_{kind}"], *arguments)
            numbers.update({by_key[row["key"].bytes]: row["number"] for row in rows})
        return numbers

    async def find(self, kind: str, tenant: int, name: str) -> int | None:
        """The number of a name that may be unknown; nothing is added."""
        number = self._recent[kind].get((tenant, name))
        if number is None:
            rows = await self._pool.fetch(self._queries[f"find_{kind}"], tenant, [UUID(key(name))])
            if rows:
                number = int(rows[0]["number"])
                self._recent[kind].put((tenant, name), number)
        return number
