"""The way of a statement without processes: log, persist and score as plain functions on a real store.

Nothing moves by itself: a test says which partition a request goes to, and when which stage does how
many records of which partition.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import asyncpg
import msgspec

from lrs.log import frame as frames
from lrs.log.port import EVIDENCE, STATEMENTS, Appended, Claims, Record
from lrs.log.postgres import PostgresLog
from lrs.scoring.fact import FactFlag, read_facts
from lrs.scoring.warming import warm
from lrs.store.catalogue import ensure_catalogue
from lrs.store.dictionary import Dictionaries
from lrs.store.evidence import EvidenceWriter
from lrs.store.lease import Leases
from lrs.store.name import Names
from lrs.store.statement import StatementStore
from lrs.store.verification import Examiner, Report, verify
from lrs.stream.persist import Persist
from lrs.stream.score import Score
from lrs.stream.stage import Stage
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version

PARTITIONS = 2

ADL = "http://adlnet.gov/expapi/verbs/"
VOIDED = ADL + "voided"

CATALOGUE = """
format: 1
competencies:
  - {id: "c:noting", domain: functional, name: {en: Noting}, half_life_days: 1096}
courses:
  - id: course:files
    name: {en: Files}
    modules:
      - id: m:quiz
        name: {en: Quiz}
        kind: plain
        move_on: CompletedOrPassed
        passing_score: 0.5
        evidence: assessment
        develops: [{competency: "c:noting", level: 2}]
      - {id: "m:text", name: {en: Text}, kind: plain, move_on: Completed}
    develops: [{competency: "c:noting", level: 1}]
authorities: {}
"""

OTHER_CATALOGUE = CATALOGUE.replace("level: 2", "level: 3").replace(
    '      - {id: "m:text", name: {en: Text}, kind: plain, move_on: Completed}\n', ""
)


def learner(number: int) -> dict[str, Any]:
    """An agent."""
    return {"objectType": "Agent", "mbox": f"mailto:learner{number}@example.org"}


def said(number: int = 0, verb: str = "passed", activity: str = "m:quiz", **more: Any) -> dict[str, Any]:
    """A statement of a learner about an activity, with an id."""
    statement = {
        "id": str(uuid.uuid4()),
        "actor": learner(number),
        "verb": {"id": verb if ":" in verb else ADL + verb},
        "object": {"id": activity},
        "timestamp": "2026-03-01T10:00:00Z",
    }
    if verb == "passed":
        statement["result"] = {"success": True, "score": {"scaled": 0.8}}
    return statement | more


def ref(target: Mapping[str, Any] | str) -> dict[str, Any]:
    """An object that refers to a statement."""
    return {"objectType": "StatementRef", "id": target if isinstance(target, str) else target["id"]}


def void(target: Mapping[str, Any] | str, number: int = 99) -> dict[str, Any]:
    """A statement that voids another one."""
    return said(number, VOIDED) | {"object": ref(target)}


@cache
def _warm() -> None:
    """Compile outside of any transaction, whose patience is short."""
    warm()


@dataclass
class Path:
    """One way of statements on one store."""

    pool: asyncpg.Pool
    names: Names
    dictionaries: Dictionaries
    statements: PostgresLog
    evidence: PostgresLog
    persist: Persist
    score: Score
    epochs: dict[tuple[str, int], int]
    counts: list[Mapping[str, int]]

    @classmethod
    async def open(cls, pool: asyncpg.Pool, catalogue: str | None = CATALOGUE) -> Self:
        """The path on this store, whose tenant 1 gets the catalogue if it has none; the stages of an
        earlier path are fenced."""
        _warm()
        names, dictionaries = Names(pool), Dictionaries()
        await dictionaries.load_newest(pool)
        statements = await PostgresLog.open(pool, STATEMENTS, PARTITIONS)
        evidence = await PostgresLog.open(pool, EVIDENCE, PARTITIONS)
        if catalogue is not None:
            await ensure_catalogue(pool, 1, catalogue)
        counts: list[Mapping[str, int]] = []
        store = StatementStore(names, dictionaries)
        writer = EvidenceWriter(evidence, names, dictionaries)
        path = cls(
            pool,
            names,
            dictionaries,
            statements,
            evidence,
            Persist(pool, names, store, writer, max_records=100, max_statements=10_000),
            Score(
                pool,
                names,
                max_records=100,
                max_statements=10_000,
                scored=lambda _stored, found: counts.append(found),
            ),
            {},
            counts,
        )
        await path.seize()
        return path

    async def seize(self) -> None:
        """Take new epochs of everything."""
        for stage, log in ((self.persist, self.statements), (self.score, self.evidence)):
            leases = Leases(self.pool, stage.name, f"test-{uuid.uuid4().hex}")
            await leases.ensure(stage.topic, PARTITIONS)
            for lease in await leases.seize(range(PARTITIONS), await log.log_id(), await log.ends()):
                self.epochs[stage.name, lease.partition] = lease.epoch

    async def authority(self, number: int, tenant: int = 1) -> int:
        """The store's number of an authority."""
        [agent] = await self.names.numbers("agent", tenant, [f"mbox:mailto:authority{number}@example.org"])
        document = msgspec.json.encode({"mbox": f"mailto:authority{number}@example.org"})
        found: int = await self.pool.fetchval(
            "insert into authority (tenant, agent, document) values ($1, $2, $3)"
            " on conflict (tenant, agent) do update set document = authority.document returning authority",
            tenant,
            agent,
            document,
        )
        return found

    async def accept(
        self,
        *requests: Sequence[Mapping[str, Any]] | Mapping[str, Any],
        partition: int = 0,
        tenant: int = 1,
        authority: int = 0,
        voids_anyones: bool = True,
        version: Version = Version.V1_0_3,
    ) -> Appended:
        """Append requests (statements with ids) to the log as one frame, as the edge does."""
        accepted = []
        for request in requests:
            body = msgspec.json.encode(request)
            statements = read_statements(body, version)
            accepted.append(
                frames.Request(
                    await self.authority(authority, tenant),
                    version,
                    0,
                    statements,
                    [statement.id or uuid.uuid4().bytes for statement in statements],
                    voids_anyones,
                )
            )
        return await self.append(tenant, accepted, partition)

    async def append(self, tenant: int, requests: Sequence[frames.Request], partition: int = 0) -> Appended:
        """Append these requests as one frame."""
        dictionary = self.dictionaries.newest
        value = frames.encode(tenant, requests, dictionary, self.dictionaries.compressor())
        ids = [id_ for request in requests for id_ in request.ids]
        digests = [statement.digest for request in requests for statement in request.statements]
        numbers = [number for number, request in enumerate(requests) for _ in request.ids]
        claims = Claims([tenant] * len(ids), ids, digests, numbers)
        return await self.statements.append(partition, value, len(ids), claims)

    async def unread(self, stage: Stage, partition: int, most: int = 100) -> list[Record]:
        """The records of a partition that a stage has not done."""
        next_offset = await self.pool.fetchval(
            "select next_offset from stage_partition where stage = $1 and partition = $2",
            stage.name,
            partition,
        )
        log = self.statements if stage is self.persist else self.evidence
        return await log.read({partition: next_offset}, most, 1 << 30)

    async def do(self, stage: Stage, *partitions: int, most: int = 100) -> None:
        """Let a stage do up to so many records of each of these partitions, of all by default."""
        for partition in partitions or range(PARTITIONS):
            while records := await self.unread(stage, partition, most):
                await stage.process(partition, self.epochs[stage.name, partition], records)
                if most < 100:
                    break

    async def settle(self) -> None:
        """Let both stages do everything."""
        await self.do(self.persist)
        await self.do(self.score)

    async def send(self, *requests: Sequence[Mapping[str, Any]] | Mapping[str, Any], **how: Any) -> None:
        """Accept requests, and let both stages do everything."""
        await self.accept(*requests, **how)
        await self.settle()

    def examiner(self) -> Examiner:
        """A fresh examiner, which remembers nothing."""
        return Examiner(self.pool, Names(self.pool), Dictionaries())

    async def verify(self, fraction: float = 1.0) -> Report:
        """Verify the store."""
        return await verify(self.examiner(), fraction, lambda _done, _total: None)

    async def proven(self) -> Report:
        """Verify the store; it must be right."""
        report = await self.verify()
        assert not report.differences, report.differences[:5]
        return report

    async def count(self, query: str, *arguments: object) -> int:
        """A number out of the store."""
        return int(await self.pool.fetchval(f"select count(*) from {query}", *arguments))

    async def in_sight(self, tenant: int = 1) -> set[str]:
        """Ids of the statements that are not voided."""
        rows = await self.pool.fetch("select id from statement where tenant = $1 and not voided", tenant)
        return {str(row["id"]) for row in rows}

    async def facts(self, tenant: int = 1) -> int:
        """Facts that count."""
        rows = await self.pool.fetch("select facts from evidence where tenant = $1", tenant)
        return sum(int((read_facts(row["facts"])["flags"] & FactFlag.RETRACTED == 0).sum()) for row in rows)
