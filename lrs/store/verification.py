"""Verification: is what the store derived what its statements say, and do its statements stand as they came?

Learners are taken in ranges of their numbers, each in one snapshot of the store, while traffic goes
on. What is derived live and what is recomputed (`lrs.store.recomputation`) are compared fact by fact;
where they differ, the lines of the canonical export (`lrs.scoring.canonical`) tell how.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from time import perf_counter
from typing import TYPE_CHECKING, Final

import msgspec

from lrs.scoring.canonical import export
from lrs.scoring.state import State
from lrs.store.catalogue import Catalogues, InForce, number_in_force
from lrs.store.derivation import Derivation, Texts, derived_live
from lrs.store.fingerprint import fingerprint
from lrs.store.recomputation import Fault, Recomputation, Recomputed
from lrs.store.sql import queries
from lrs.store.tail import Forgotten, Tail

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.connection import Connection
    from lrs.store.dictionary import Dictionaries
    from lrs.store.name import Names

RANGE: Final = 50_000
"""A range ends at the first learner after so many statements."""

BLOCK: Final = 64
"""A sample consists of blocks of so many learners whose numbers follow each other."""

EVERYBODY: Final = (1 << 63) - 1
"""Above every learner's number."""

SHOWN: Final = 100
"""Differences of which a report has the text."""

_LONGEST: Final = 2_000
_POSTINGS: Final = 512
_ATTEMPTS: Final = 5

Progress = Callable[[int, int], None]
"""Is told up to which learner's number everything is done, and the greatest one."""


class Difference(msgspec.Struct, frozen=True):
    """Something that is not as it must be. `kind`: a line of the canonical export is `only live` or
    `only recomputed` (`of`: the learner); a derived row is `damage`; or what is wrong with a stored
    `statement` (`of`: its id)."""

    kind: str
    tenant: int
    of: str
    text: str


class Report(msgspec.Struct):
    """What a verification found. `digest`: of what was recomputed, equal for two stores iff that is
    equal (`lrs.store.fingerprint`). `differences` has the first ones, `different` counts all."""

    learners: int = 0
    statements: int = 0
    facts: int = 0
    seconds: float = 0.0
    fraction: float = 1.0
    digest: str = "0" * 32
    different: int = 0
    differences: list[Difference] = msgspec.field(default_factory=list)

    def add(self, difference: Difference) -> None:
        """Count a difference, and keep it if there is room."""
        self.different += 1
        if len(self.differences) < SHOWN:
            text = difference.text
            if len(text) > _LONGEST:
                text = text[:_LONGEST] + "…"
            self.differences.append(msgspec.structs.replace(difference, text=text))

    def take(self, fingerprint: int) -> None:
        """Add the fingerprint of some learners to the digest."""
        self.digest = f"{(int(self.digest, 16) + fingerprint) % (1 << 128):032x}"


@dataclass(frozen=True)
class Examined:
    """A range of learners, from `low` to before `high`, in one snapshot: what is and what must be
    derived under the catalogue in force (None: there is none). `damage`: rows that cannot be."""

    tenant: int
    low: int
    high: int
    catalogue: InForce | None
    live: Derivation
    damage: list[str]
    recomputed: Recomputed

    @cached_property
    def right(self) -> Derivation:
        """What must be derived."""
        return Derivation.of(self.recomputed.state)

    @property
    def same(self) -> bool:
        """Whether that is what is derived."""
        return not self.damage and self.live.same_as(self.right)


class Examiner:
    """Examines ranges of learners, one after the other."""

    def __init__(self, pool: asyncpg.Pool, names: Names, dictionaries: Dictionaries) -> None:
        self.pool, self.names = pool, names
        self.catalogues = Catalogues(pool, names)
        self.recomputation = Recomputation(names, dictionaries)
        self._tail = Tail("score")
        self._queries = queries("verification")

    async def tenants(self) -> list[int]:
        """All tenants."""
        return [row["tenant"] for row in await self.pool.fetch(self._queries["tenants"])]

    async def newest(self, tenant: int) -> int:
        """The greatest number of a tenant's learner, now."""
        return int(await self.pool.fetchval(self._queries["newest_learner"], tenant))

    async def ranges(self, tenant: int, low: int, high: int) -> AsyncIterator[Examined]:
        """The learners from `low` to before `high`, in ranges of which each has some statements."""
        while low < high:
            examined = await self.examine(tenant, low, high)
            yield examined
            low = examined.high

    async def examine(self, tenant: int, low: int, high: int) -> Examined:
        """The first range of the learners from `low` to before `high`."""
        for _ in range(_ATTEMPTS):
            async with snapshot(self.pool) as connection:
                number = await number_in_force(connection, tenant)
                catalogue = await self.catalogues.in_force(tenant)
                if number != (None if catalogue is None else catalogue.number):
                    continue
                try:
                    await self._tail.look(connection)
                except Forgotten:
                    continue
                cut = await end_of_range(connection, tenant, low, high)
                recomputed = await self.recomputation.learners(
                    connection, self._tail, tenant, low, cut, catalogue
                )
                live, damage = Derivation.of(State()), list[str]()
                if catalogue is not None:
                    live, damage = await derived_live(connection, tenant, catalogue, low, cut)
                return Examined(tenant, low, cut, catalogue, live, damage, recomputed)
        raise Forgotten(f"tenant {tenant}: the store changed under {_ATTEMPTS} snapshots in a row")


async def end_of_range(connection: Connection, tenant: int, low: int, high: int) -> int:
    """Where a range that begins at a learner ends: before `high`, and soon after RANGE statements."""
    cut = await connection.fetchval(queries("verification")["cut"], tenant, low, high, RANGE)
    return high if cut is None else max(int(cut), low + 1)


@asynccontextmanager
async def snapshot(pool: asyncpg.Pool) -> AsyncIterator[Connection]:
    """A connection that shows the store as it was at its first query, and cannot write."""
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


async def verify(examiner: Examiner, fraction: float, progress: Progress) -> Report:
    """Verify a fraction (0 to 1) of the learners, always the same ones, of all tenants."""
    started = perf_counter()
    report = Report(fraction=fraction)
    texts = Texts()
    for tenant in await examiner.tenants():
        newest = await examiner.newest(tenant)
        for low, high in sample(tenant, newest, fraction):
            async for examined in examiner.ranges(tenant, low, high):
                await add(report, examined, examiner.pool, texts)
                progress(min(examined.high, newest), newest)
    async with snapshot(examiner.pool) as connection:
        for tenant, fault in await examiner.recomputation.surplus(connection, _POSTINGS):
            report.add(_faulty(tenant, fault))
    report.seconds = perf_counter() - started
    return report


def sample(tenant: int, newest: int, fraction: float) -> Iterator[tuple[int, int]]:
    """Runs of learners' numbers, from … to before …, that make up the fraction of a tenant's learners."""
    if fraction >= 1:
        yield 0, EVERYBODY
        return
    start = None
    for block in range(newest // BLOCK + 2):
        mixed = blake2b(b"%d %d" % (tenant, block), digest_size=8).digest()
        chosen = block <= newest // BLOCK and int.from_bytes(mixed, "big") < fraction * 2.0**64
        if chosen and start is None:
            start = block * BLOCK
        elif not chosen and start is not None:
            yield start, block * BLOCK
            start = None


async def add(report: Report, examined: Examined, pool: asyncpg.Pool, texts: Texts) -> None:
    """Add what was found about a range of learners to the report."""
    tenant, right = examined.tenant, examined.right
    report.statements += examined.recomputed.statements
    report.learners += len(examined.recomputed.learners | examined.live.learners())
    report.facts += right.count
    for fault in examined.recomputed.faults:
        report.add(_faulty(tenant, fault))
    for text in examined.damage:
        report.add(Difference("damage", tenant, "", text))
    if examined.catalogue is None:
        return
    report.take(await fingerprint(pool, tenant, right))
    if not examined.live.same_as(right):
        for difference in await _differences(examined, right, pool, texts):
            report.add(difference)


async def _differences(
    examined: Examined, right: Derivation, pool: asyncpg.Pool, texts: Texts
) -> list[Difference]:
    """Lines of the canonical exports of what is and of what must be derived that stand in one only."""
    assert examined.catalogue is not None
    tenant, tables = examined.tenant, examined.catalogue.tables
    exports: list[set[bytes]] = []
    for derivation in (examined.live, right):
        await texts.load(pool, tenant, derivation, tables)
        rows = (derivation.evidence, derivation.courses, derivation.accumulators)
        exports.append(set(export(*rows, texts, tables)))
    live, recomputed = exports
    return [
        Difference(kind, tenant, msgspec.json.decode(line)[1], line.decode())
        for kind, only in (("only live", live - recomputed), ("only recomputed", recomputed - live))
        for line in sorted(only)
    ]


def _faulty(tenant: int, fault: Fault) -> Difference:
    return Difference("statement", tenant, str(fault.id), fault.text)
