"""Reconciliation finds what an LRS acknowledged and lost, and what it has that it must not have."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from click.testing import CliRunner

from loadtests.__main__ import main
from loadtests.ledger import Digest
from loadtests.reconciliation import Reconciliation, compare, compare_refusals, outcomes
from loadtests.refusals import Refusal
from loadtests.scenario import Curve, LoadError, RequestKind, Scenario
from loadtests.target import Inbox, Target
from loadtests.trial import Trial
from loadtests.verdict import GeneratorLimits, Judgement, Objectives
from tests.http.client import Client
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
    assert all(promise.kept for promise in verdict.promises)


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
    result = Reconciliation()
    found = Counter({"a": 1, "b": 2, "d": 1, "bad": 1, "other": 1})
    compare(result, {"a", "b", "c"}, {"d", "e"}, found, {"bad"})
    assert (result.missing, result.twice, result.refused_stored) == (["c"], ["b"], ["bad"])
    assert (result.stored, result.in_doubt_stored, result.foreign) == (3, 1, 2)
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
