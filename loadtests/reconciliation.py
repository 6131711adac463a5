"""Whether the store has what was acknowledged: each statement exactly once, nothing that was refused, and
progress as it follows from what was sent."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from loadtests.bisection import Found, find
from loadtests.hostile import hostile_id
from loadtests.ledger import Ledger, instant
from loadtests.plan import Agenda, agent
from loadtests.reader import Reader
from loadtests.refusals import Refusal, Refusals, mark
from loadtests.scenario import WRITING
from loadtests.sent import Role, Sent
from loadtests.tally import Fate, Outcome
from loadtests.target import Inbox
from lrs.demo.phrase import VERBS

SAMPLED: Final = 40
"""Statements read one by one, and learners whose progress is compared."""
SHOWN: Final = 20
"""Ids, or texts, that a report shows of each kind of difference."""

_CMI5: Final = "https://w3id.org/xapi/cmi5/context/categories/cmi5"
_WORDS: Final = ("completed", "passed", "failed")
_IRI: Final = {VERBS[word][0] + word: word for word in _WORDS}


@dataclass
class Reconciliation:
    """What the comparison came to. Lists show up to SHOWN of what the counts count."""

    by_digest: bool = False
    """Whether the digests told everything, so that no ids had to be listed."""
    digests_read: int = 0
    ids_read: int = 0
    """Ids that were listed, or asked for one by one."""
    acknowledged: int = 0
    in_doubt: int = 0
    """Statements of requests that got no final answer: they may be there or not."""
    stored: int = 0
    """Statements of this run in the store."""
    in_doubt_stored: int = 0
    foreign: int = 0
    """Statements stored meanwhile that this run did not send."""
    missing_count: int = 0
    missing: list[str] = field(default_factory=list)
    twice_count: int = 0
    twice: list[str] = field(default_factory=list)
    refused_stored: list[str] = field(default_factory=list)
    statements_read: int = 0
    statement_problems: list[str] = field(default_factory=list)
    learners_read: int = 0
    outcomes_compared: int = 0
    """Completions, passes and failures of those learners."""
    progress_problems: list[str] = field(default_factory=list)
    refusals_due: int = 0
    """Records that an intake had to refuse."""
    refusals_told: int = 0
    """Those that came back with the reason."""
    refusal_problems: list[str] = field(default_factory=list)
    drained: float | None = None
    """Seconds from the end of the load until everything was scored; None when it was not in time."""

    @property
    def problems(self) -> list[str]:
        """Everything that must not be, as sentences."""
        found = []
        if self.missing_count:
            found.append(f"{self.missing_count:,} acknowledged statements are missing: {self.missing[:3]}")
        if self.twice_count:
            found.append(f"{self.twice_count:,} statements are there more than once: {self.twice[:3]}")
        if self.refused_stored:
            found.append(f"statements that had to be refused are stored: {self.refused_stored[:3]}")
        if self.drained is None:
            found.append("what was acknowledged was not scored in time")
        return [*found, *self.refusal_problems, *self.statement_problems, *self.progress_problems]

    @property
    def compared(self) -> str:
        """How it was found out what is stored."""
        if self.by_digest and not self.ids_read:
            return "by digest"
        how = "by digest" if self.by_digest else "bisection"
        return f"{how}: {self.ids_read:,} ids read"

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "compared": self.compared, "problems": self.problems}


async def reconcile(
    agenda: Agenda,
    outcome: Outcome,
    reader: Reader,
    since: str,
    *,
    patience: float,
    inbox: Inbox | None = None,
    refusals: Refusals | None = None,
) -> Reconciliation:
    """Wait until the store has scored all that was acknowledged, up to `patience` seconds; then compare.

    `since`: the store's Consistent-Through before the run. `inbox`, `refusals`: where the statements went to
    an intake, and what it has refused since.
    """
    result = Reconciliation()
    began = time.monotonic()
    marks = await asyncio.to_thread(mark, inbox) if inbox else []
    if await _drained(reader, outcome.merged().positions, marks, patience):
        result.drained = round(time.monotonic() - began, 2)
    sent = await asyncio.to_thread(Sent.by, agenda, outcome, marks)
    found = await _found(sent, Ledger(reader), instant(since))
    compare(result, sent, found, _refused_ids(agenda))
    if refusals is not None:
        due = {number for number in _hostile(agenda) if outcome.fate(number) is Fate.DONE}
        compare_refusals(result, due, await asyncio.to_thread(refusals.told, agenda.plan.seed, due))
    done = [
        number
        for number in range(len(agenda))
        if agenda.request(number).kind in WRITING and outcome.fate(number) is Fate.DONE
    ]
    rng = random.Random(agenda.plan.seed)
    await _read_statements(result, agenda, rng.sample(done, min(SAMPLED, len(done))), reader)
    await _read_progress(result, agenda, outcome, rng.sample(done, min(SAMPLED, len(done))), reader)
    return result


async def _found(sent: Sent, ledger: Ledger, since: int) -> Found:
    """What is stored, by the digest alone where everything is there and nothing else."""
    due = np.flatnonzero(~sent.of_role(Role.IN_DOUBT))
    agrees, until = await ledger.agrees(sent.digest(due), since)
    if not agrees:
        return await find(sent, ledger, since, until)
    found = Found(np.zeros(len(sent), np.int64), digests=1)
    found.times[due] = 1
    return found


def compare(result: Reconciliation, sent: Sent, found: Found, refused: set[UUID]) -> None:
    """Set what is stored against what was acknowledged, what is in doubt, and what had to be refused."""
    stored, own = found.times > 0, ~sent.of_role(Role.MARK)
    acknowledged, doubted = sent.of_role(Role.ACKNOWLEDGED), sent.of_role(Role.IN_DOUBT)
    result.by_digest = not found.listed
    result.digests_read, result.ids_read = found.digests, found.listed + found.asked
    result.acknowledged, result.in_doubt = int(acknowledged.sum()), int(doubted.sum())
    result.stored = int((stored & own).sum())
    result.in_doubt_stored = int((stored & doubted).sum())
    result.foreign = len(found.others)
    missing = _listed(sent, acknowledged & ~stored)
    result.missing_count, result.missing = len(missing), missing[:SHOWN]
    again = [str(id_) for id_, count in found.others.items() if count > 1]
    twice = sorted(_listed(sent, own & (found.times > 1)) + again)
    result.twice_count, result.twice = len(twice), twice[:SHOWN]
    result.refused_stored = sorted(map(str, found.others.keys() & refused))[:SHOWN]


def _listed(sent: Sent, which: npt.NDArray[np.bool_]) -> list[str]:
    return sorted(str(sent.id(place)) for place in np.flatnonzero(which).tolist())


def compare_refusals(result: Reconciliation, due: set[int], told: list[Refusal]) -> None:
    """Set what an intake refused against what it had to: each once, for its reason, and nothing else."""
    times = Counter(refusal.number for refusal in told)
    result.refusals_due = len(due)
    result.refusals_told = len(due & times.keys())
    problems = [f"record {number} had to be refused, and was not" for number in sorted(due - times.keys())]
    problems += [f"record {number} was refused {count} times" for number, count in times.items() if count > 1]
    problems += [
        f"record {one.number} was refused as {one.reason or 'nothing'} ({one.rule}),"
        f" not as {one.expected or 'nothing'}"
        for one in told
        if one.reason != one.expected
    ]
    result.refusal_problems = problems[:SHOWN]


def _refused_ids(agenda: Agenda) -> set[UUID]:
    return {
        UUID(hostile_id(agenda.plan.seed, number, place)) for number in _hostile(agenda) for place in (0, 1)
    }


def _hostile(agenda: Agenda) -> Iterator[int]:
    return (number for number in range(len(agenda)) if agenda.request(number).kind == "hostile")


async def _drained(reader: Reader, positions: dict[int, int], marks: list[str], patience: float) -> bool:
    """Wait until the marks can be queried, and what was written up to the positions, or is there now, is
    scored."""
    deadline = time.monotonic() + patience

    async def until(true: Callable[[], Awaitable[bool]]) -> bool:
        while not await true():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    async def queryable(id_: str) -> bool:
        return (await reader.answer("/xapi/statements", {"statementId": id_}))[0] == 200

    async def scored(**wanted: str) -> bool:
        nobody = msgspec.json.encode(agent(0)).decode()
        told = await reader.json("/api/v1/progress", {"agent": nobody, **wanted})
        return bool(told["caught_up"])

    for id_ in marks:
        if not await until(partial(queryable, id_)):
            return False
    for partition, offset in positions.items():
        if not await until(partial(scored, wait=f"{partition}.{offset}")):
            return False
    return not marks or await until(scored)


async def _read_statements(
    result: Reconciliation, agenda: Agenda, numbers: Iterable[int], reader: Reader
) -> None:
    """Each comes back as it was sent."""
    for number in numbers:
        for sent in _statements(agenda, number)[:1]:
            status, got = await reader.answer("/xapi/statements", {"statementId": sent["id"]})
            result.statements_read += 1
            if status != 200:
                result.statement_problems.append(f"statement {sent['id']}: status {status}, not 200")
            elif differing := [name for name in sent if got.get(name) != sent[name]]:
                result.statement_problems.append(f"statement {sent['id']} came back with other {differing}")


async def _read_progress(
    result: Reconciliation, agenda: Agenda, outcome: Outcome, numbers: Iterable[int], reader: Reader
) -> None:
    """A learner completed, passed and failed an activity first when the earliest statement says so."""
    learners = [agenda.sending(number).learners[0] for number in numbers]
    for learner in dict.fromkeys(learners):
        requests = agenda.speaking(learner)
        if any(outcome.fate(number) is not Fate.DONE for number in requests):
            continue
        told = await reader.json("/api/v1/progress", {"agent": msgspec.json.encode(agent(learner)).decode()})
        got = {
            (activity["id"], word): datetime.fromisoformat(activity[word])
            for activity in told["activities"]
            for word in _WORDS
            if activity[word] is not None
        }
        expected = outcomes(
            statement for number in requests for statement in _statements(agenda, number, learner)
        )
        result.learners_read += 1
        result.outcomes_compared += len(expected)
        if got != expected:
            differing = sorted(
                str(key) for key in got.keys() | expected.keys() if got.get(key) != expected.get(key)
            )
            name = agent(learner)["account"]["name"]
            result.progress_problems.append(f"progress of {name} differs: {differing[:3]}")


def outcomes(statements: Iterable[dict[str, Any]]) -> dict[tuple[str, str], datetime]:
    """When each activity was first completed, passed and failed, by activity and word.

    In cmi5 the object is the learning system's own id of the unit; the publisher's stands first in the
    grouping (cmi5 8.1.5, 9.6.2.3).
    """
    found: dict[tuple[str, str], datetime] = {}
    for statement in statements:
        word = _IRI.get(statement["verb"]["id"])
        if word is not None:
            related = statement.get("context", {}).get("contextActivities", {})
            cmi5 = any(category["id"] == _CMI5 for category in related.get("category", ()))
            activity = related["grouping"][0] if cmi5 else statement["object"]
            key = (activity["id"], word)
            at = datetime.fromisoformat(statement["timestamp"])
            found[key] = min(at, found.get(key, at))
    return found


def _statements(agenda: Agenda, number: int, learner: int | None = None) -> list[dict[str, Any]]:
    """The statements of a request; of one learner only, where given."""
    content = msgspec.json.decode(agenda.sending(number).body.content)
    statements: list[dict[str, Any]] = content if isinstance(content, list) else [content]
    if learner is None:
        return statements
    name = agent(learner)["account"]["name"]
    return [one for one in statements if one["actor"]["account"]["name"] == name]
