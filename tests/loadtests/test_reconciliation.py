"""Reconciliation finds what an LRS acknowledged and lost, and what it has that it must not have."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from loadtests.__main__ import main
from loadtests.bisection import Found
from loadtests.plan import Agenda
from loadtests.planning import make_plan
from loadtests.reader import Reader
from loadtests.reconciliation import Reconciliation, compare, compare_refusals, outcomes, reconcile
from loadtests.refusals import Refusal
from loadtests.report import page
from loadtests.scenario import Curve, LoadError, RequestKind, Scenario
from loadtests.sent import Digest, Role, Sent
from loadtests.tally import Fate, Outcome, Tally
from loadtests.target import Inbox, Target
from loadtests.trial import Trial
from loadtests.verdict import GeneratorLimits, Judgement, Objectives
from lrs.store.digest import EVERYBODY, LEVELS
from lrs.store.term import PARTITION_BITS, PARTITIONS
from tests.http.client import Client
from tests.http.sample import statement
from tests.http.system import System
from tests.http.wire import served

PATIENT = Objectives(generator=GeneratorLimits(lag_p99=60.0, cpu=64.0))
BATCHES = Scenario(
    "Batches",
    "?",
    peak=40.0,
    seconds=1.0,
    curve=Curve(points=[(0.0, 1.0), (1.0, 1.0)]),
    request=[RequestKind("send", 1, statements=3)],
)
_ID = re.compile(rb'\{"id":"([0-9a-f-]{36})","actor"')
_NINTH = 9
NOW = 1_795_000_000_000_000


class Liar:
    """An edge that acknowledges each ninth batch and throws it away."""

    def __init__(self, edge: Callable[..., Awaitable[None]]) -> None:
        self._edge, self._asked = edge, 0
        self.lost: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("method") == "POST":
            self._asked += 1
            if self._asked % _NINTH == 0:
                await self._pretend(receive, send)
                return
        await self._edge(scope, receive, send)

    async def _pretend(self, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        ids = [id_.decode() for id_ in _ID.findall(body)]
        self.lost += ids
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": msgspec.json.encode(ids)})


async def test_acknowledged_statements_that_were_lost_fail_the_run_however_fast(
    system: System, client: Client, tmp_path: Path
) -> None:
    liar = Liar(system.edge)
    async with served(liar) as running:
        target = Target(f"http://127.0.0.1:{running.port}", client.key, client.secret)
        findings, verdict = await Trial(BATCHES, PATIENT, tmp_path).run(target, lambda _: None)
    checked = findings["reconciliation"]
    assert liar.lost
    assert verdict.judgement is Judgement.FAILED
    assert checked["missing_count"] == len(liar.lost)
    assert checked["missing"] == sorted(liar.lost)[:20]
    assert checked["stored"] == checked["acknowledged"] - len(liar.lost)
    assert not checked["by_digest"]
    assert f"bisection: {checked['ids_read']:,} ids read" in page(findings)
    assert all(promise.kept for promise in verdict.promises)


async def sent_one_by_one(client: Client, agenda: Agenda) -> Outcome:
    """Each request of an agenda, when the one before was answered."""
    tally, clock = Tally.of(len(agenda)), asyncio.get_running_loop().time
    begun = clock()
    for number in range(len(agenda)):
        began = clock() - begun
        answer = await client.post(agenda.sending(number).body.content)
        assert answer.status == 200, answer
        tally.fates[number] = Fate.DONE
        tally.spans.note(number, began, clock() - begun)
        tally.position(answer.headers["x-lrs-position"])
    return Outcome([tally], 0.0)


async def counted(pool: asyncpg.Pool, tenant: int, authority: int, pos: int, id_: UUID, times: int) -> None:
    """Change the digest of a store by one statement, once more or once less."""
    for whose in (authority, EVERYBODY):
        for level in LEVELS:
            key = tenant, whose, level, pos >> PARTITION_BITS >> level, pos % PARTITIONS
            await pool.execute(
                "insert into statement_digest as d (tenant, authority, level, bucket, partition, count, sum)"
                " values ($1, $2, $3, $4, $5, $6, $7)"
                " on conflict (tenant, authority, level, bucket, partition)"
                " do update set count = d.count + excluded.count, sum = d.sum + excluded.sum",
                *(*key, times, Decimal(times * Digest.of([str(id_)]).sum)),
            )


async def removed(pool: asyncpg.Pool, tenant: int, ids: Iterable[str]) -> None:
    """Take statements out of a store, as if persist had never seen them."""
    for id_ in map(UUID, ids):
        row = await pool.fetchrow(
            "delete from statement where tenant = $1 and id = $2 returning authority, pos", tenant, id_
        )
        assert row is not None
        await counted(pool, tenant, row["authority"], row["pos"], id_, -1)


async def doubled(pool: asyncpg.Pool, tenant: int, ids: Iterable[str]) -> None:
    """Store statements once more, at the same instant in a partition that nobody uses."""
    for id_ in map(UUID, ids):
        row = await pool.fetchrow("select * from statement where tenant = $1 and id = $2", tenant, id_)
        assert row is not None
        copy = {**row, "pos": row["pos"] | (PARTITIONS - 1)}
        names, places = ", ".join(copy), ", ".join(f"${number + 1}" for number in range(len(copy)))
        await pool.execute(f"insert into statement ({names}) values ({places})", *copy.values())
        await counted(pool, tenant, copy["authority"], copy["pos"], id_, 1)


async def test_what_was_removed_or_doubled_behind_its_back_is_found_by_reading_a_part(
    system: System, client: Client, target: Target
) -> None:
    batches = msgspec.structs.replace(
        BATCHES, peak=16.0, seconds=5.0, request=[RequestKind("send", 1, statements=100, learners=3)]
    )
    agenda = Agenda(await asyncio.to_thread(make_plan, batches, 3, NOW))
    assert len(agenda) > 60
    async with Reader(target) as reader:
        since = await reader.through()
        outcome = await sent_one_by_one(client, agenda)
        intact = await reconcile(agenda, outcome, reader, since, patience=60)
        assert (intact.compared, intact.problems) == ("by digest", [])

        lost = sorted([*agenda.sending(5).body.ids[7:9], agenda.sending(50).body.ids[0]])
        more = agenda.sending(30).body.ids[-1:]
        await removed(system.pool, client.tenant, lost)
        await doubled(system.pool, client.tenant, more)
        assert (await client.post(statement())).status == 200
        # Two that were stored, though nobody knew: the one is lost as a whole.
        [tally] = [tally for tally in outcome.tallies if tally is not None]
        tally.fates[20] = tally.fates[40] = Fate.IN_DOUBT
        await removed(system.pool, client.tenant, agenda.sending(40).body.ids)
        checked = await reconcile(agenda, outcome, reader, since, patience=60)
    assert (checked.missing_count, checked.missing) == (3, lost)
    assert (checked.twice_count, checked.twice) == (1, more)
    assert (checked.in_doubt, checked.in_doubt_stored, checked.foreign) == (200, 100, 1)
    assert checked.acknowledged == agenda.statements - 200
    assert checked.stored == agenda.statements - 100 - 3
    assert 0 < checked.ids_read < 0.6 * checked.stored
    assert checked.compared == f"bisection: {checked.ids_read:,} ids read"


async def test_the_command_judges_by_the_slo_file_and_leaves_a_report(
    address: str, client: Client, tmp_path: Path
) -> None:
    slo, report = tmp_path / "slo.toml", tmp_path / "report.html"
    slo.write_text("[latency.write]\np50 = 0.0\n[generator]\nlag_p99 = 60\ncpu = 64\n", "utf-8")
    command = [
        *(sys.executable, "-m", "loadtests", "ingest-single", "--peak", "20", "--seconds", "1"),
        *("--host", address, "--key", client.key, "--secret", client.secret),
        *("--slo", str(slo), "--report", str(report)),
    ]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == Judgement.FAILED, said.decode()
    assert "write: intended p50, s" in said.decode()
    assert client.secret not in report.read_text("utf-8")
    figures = msgspec.json.decode(report.with_suffix(".json").read_bytes())
    assert figures["verdict"]["judgement"] == "failed"
    assert figures["reconciliation"]["missing_count"] == 0


def test_an_unknown_scenario_is_told_without_starting_anything() -> None:
    done = CliRunner().invoke(main, ["nonsense"])
    assert done.exit_code == 1
    assert "no scenario 'nonsense'" in done.output


def test_what_is_there_twice_refused_or_foreign_is_told_apart() -> None:
    ids = [uuid4() for _ in range(6)]
    roles = [Role.ACKNOWLEDGED] * 3 + [Role.IN_DOUBT] * 2 + [Role.MARK]
    span = np.zeros(6, np.int64)
    sent = Sent.of([id_.bytes for id_ in ids], range(6), roles, span, span)
    bad, other = uuid4(), uuid4()
    found = Found(np.array([1, 2, 0, 1, 0, 1]), Counter({bad: 1, other: 2}), listed=7, asked=2)
    result = Reconciliation()
    compare(result, sent, found, {bad, uuid4()})
    assert result.missing == [str(ids[2])]
    assert result.twice == sorted(map(str, (ids[1], other)))
    assert result.refused_stored == [str(bad)]
    assert (result.acknowledged, result.in_doubt) == (3, 2)
    assert (result.stored, result.in_doubt_stored, result.foreign) == (3, 1, 2)
    assert (result.by_digest, result.ids_read) == (False, 9)
    result.drained = 0.1
    assert len(result.problems) == 3


def test_refusals_are_compared_with_what_had_to_be_refused() -> None:
    result = Reconciliation(drained=0.1)
    told = [
        Refusal(1, "invalid", "invalid", "must be JSON"),
        Refusal(2, "conflict", "invalid", "must be JSON"),
        Refusal(4, "", "conflict", "is taken"),
        Refusal(5, "version", "version", ""),
        Refusal(5, "version", "version", ""),
    ]
    compare_refusals(result, {1, 2, 3, 5}, told)
    assert (result.refusals_due, result.refusals_told) == (4, 3)
    assert [problem.partition(" (")[0] for problem in result.problems] == [
        "record 3 had to be refused, and was not",
        "record 5 was refused 2 times",
        "record 2 was refused as invalid",
        "record 4 was refused as conflict",
    ]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9092", "kafka://", "kafka://host", "kafka://a:1,b"])
def test_an_address_of_brokers_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(LoadError, match="must be kafka://host:port"):
        Inbox.at(url, "inbox", "rejected")
    assert Inbox.at("kafka://a:1,b:2", "inbox", "rejected").brokers == "a:1,b:2"


def test_a_digest_depends_on_no_order_and_on_every_id() -> None:
    ids = [str(uuid4()) for _ in range(100)]
    assert Digest.of(ids) == Digest.of(reversed(ids))
    assert Digest.of(ids).count == 100
    assert Digest.of(ids) != Digest.of(ids[1:])
    parts = [Digest.of(ids[:40]), Digest.of(ids[40:])]
    assert sum(part.sum for part in parts) % (1 << 128) == Digest.of(ids).sum


def test_the_earliest_of_several_statements_counts_and_cmi5_names_the_publishers_activity() -> None:
    def said(verb: str, at: str, **context: Any) -> dict[str, Any]:
        return {
            "verb": {"id": verb},
            "object": {"id": "https://lrs.example.org/unit"},
            "timestamp": f"2026-01-0{at}T00:00:00Z",
            "context": context,
        }

    passed = "http://adlnet.gov/expapi/verbs/passed"
    cmi5 = {
        "contextActivities": {
            "category": [{"id": "https://w3id.org/xapi/cmi5/context/categories/cmi5"}],
            "grouping": [{"id": "https://lrs.example.org/module"}],
        }
    }
    told = outcomes(
        [
            said(passed, "3"),
            said(passed, "2"),
            said(passed, "5", **cmi5),
            said("https://example.org/read", "1"),
        ]
    )
    assert {key: at.day for key, at in told.items()} == {
        ("https://lrs.example.org/unit", "passed"): 2,
        ("https://lrs.example.org/module", "passed"): 5,
    }
