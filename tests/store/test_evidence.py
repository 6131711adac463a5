"""What persist tells score: every number of a statement, its related activities, its retraction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lrs.scoring.event import ABSENT, EVENT, NONE, PAIR, Events, Flag, MoveOn, Pairs
from lrs.store.evidence import joined, of_rows, unpack
from tests.store.path import PARTITIONS, Path, learner, ref, said, void

CATEGORY = "https://w3id.org/xapi/cmi5/context/categories/"
EXTENSION = "https://w3id.org/xapi/cmi5/context/extensions/"


async def told(path: Path) -> tuple[Events, Pairs]:
    """All events of the evidence log, in the order of pos."""
    parts = []
    for partition in range(PARTITIONS):
        records = await path.evidence.read({partition: 0}, 1_000, 1 << 30)
        for record in records:
            if record.value:
                events, pairs = unpack(record.value)
                assert set(events["agent"] % PARTITIONS) == {partition}
                assert len(events) == record.count
                parts.append((events, pairs))
    events, pairs = joined(parts)
    order = np.argsort(events["pos"], kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    moved = pairs.copy()
    moved["row"] = place[pairs["row"]]
    return events[order], moved[np.argsort(moved["row"], kind="stable")]


async def persisted(path: Path, *statements: dict[str, Any]) -> tuple[Events, Pairs]:
    """The events that follow from these statements."""
    await path.accept(list(statements))
    await path.do(path.persist)
    return await told(path)


async def test_an_event_has_every_number_of_its_statement(path: Path) -> None:
    statement = said(1, "launched", "unit:1") | {
        "timestamp": "2026-03-01T10:00:00.123456Z",
        "result": {"score": {"scaled": 0.75}, "success": True, "completion": False, "duration": "PT1M1.5S",
                   "extensions": {"https://w3id.org/xapi/cmi5/result/extensions/progress": 35}},
        "context": {
            "registration": "00112233-4455-6677-8899-aabbccddeeff",
            "contextActivities": {"category": [{"id": CATEGORY + "cmi5"}, {"id": CATEGORY + "moveon"}]},
            "extensions": {EXTENSION + "moveon": "Passed", EXTENSION + "masteryscore": 0.6,
                           EXTENSION + "launchmode": "Browse", EXTENSION + "sessionid": "session"},
        },
    }  # fmt: skip
    events, _ = await persisted(path, statement)
    [event] = events
    assert f"{int(event['id_hi']):016x}{int(event['id_lo']):016x}" == statement["id"].replace("-", "")
    assert int(event["registration_hi"]) == 0x0011223344556677
    assert int(event["registration_lo"]) == 0x8899AABBCCDDEEFF
    assert int(event["timestamp"]) == 1_772_359_200_123_456
    assert (event["duration_ms"], event["scaled"], event["mastery"]) == (61_500, 7_500, 6_000)
    assert event["move_on"] == MoveOn.PASSED
    assert event["session"] != 0
    assert event["tenant"] == 1
    assert event["flags"] == (
        Flag.HAS_SCALED | Flag.HAS_SUCCESS | Flag.SUCCESS | Flag.HAS_COMPLETION
        | Flag.CMI5 | Flag.MOVE_ON | Flag.NOT_NORMAL
    )  # fmt: skip
    numbers = await path.names.numbers("agent", 1, ["mbox:mailto:learner1@example.org"])
    assert [event["agent"]] == numbers
    assert [event["activity"]] == await path.names.numbers("activity", 1, ["unit:1"])
    assert [event["verb"]] == await path.names.numbers("verb", 1, [statement["verb"]["id"]])
    assert [event["authority"]] == await path.names.numbers(
        "agent", 1, ["mbox:mailto:authority0@example.org"]
    )


async def test_what_is_not_given_is_none(path: Path) -> None:
    statement = said(1, "attempted")
    del statement["timestamp"]
    [event], pairs = await persisted(path, statement)
    assert (event["timestamp"], event["duration_ms"], event["progress"], event["mastery"]) == (
        ABSENT, NONE, NONE, NONE,
    )  # fmt: skip
    assert (event["flags"], event["move_on"], event["session"], len(pairs)) == (0, 0, 0, 0)
    assert (event["registration_hi"], event["registration_lo"]) == (0, 0)


async def test_groupings_come_before_parents_each_in_order(path: Path) -> None:
    related = {
        "parent": [{"id": "p:1"}, {"id": "p:2"}],
        "category": [{"id": "c:1"}],
        "grouping": [{"id": "g:1"}, {"id": "g:2"}],
    }
    _, pairs = await persisted(path, said(1), said(2, context={"contextActivities": related}), said(3))
    wanted = await path.names.numbers("activity", 1, ["g:1", "g:2", "p:1", "p:2"])
    assert pairs["activity"].tolist() == wanted
    assert pairs["row"].tolist() == [1] * 4


@pytest.mark.parametrize(
    "statement",
    [
        said() | {"actor": {"objectType": "Group", "member": [learner(1)]}},
        said() | {"object": learner(2)},
        said() | {"object": ref("6f6c9b1e-0f8e-4dfa-b4c4-24d2ed1e3b0a")},
    ],
)
async def test_only_an_identified_agent_that_meets_an_activity_is_an_event(
    path: Path, statement: dict[str, Any]
) -> None:
    events, _ = await persisted(path, statement)
    assert len(events) == 0


async def test_a_retraction_is_the_targets_event_with_its_mark(path: Path) -> None:
    target = said(1, context={"contextActivities": {"grouping": [{"id": "g:1"}]}})
    await persisted(path, target, said(2))
    events, pairs = await persisted(path, void(target))
    [said_first, retraction] = events[events["agent"] == events["agent"][0]]
    assert retraction["flags"] == said_first["flags"] | Flag.RETRACT
    for name in events.dtype.names or ():
        if name != "flags":
            assert retraction[name] == said_first[name], name
    assert len(pairs) == 2
    assert len(set(pairs["activity"].tolist())) == 1


def test_events_are_joined_and_parted_with_their_pairs() -> None:
    events = np.zeros(4, EVENT)
    events["id_lo"] = [1, 2, 3, 4]
    pairs = np.array([(0, 10), (2, 30), (2, 31), (3, 40)], PAIR)
    first, second = (
        of_rows(events, pairs, np.array([0, 1])),
        of_rows(events, pairs, np.array([2, 3])),
    )
    assert second[1]["row"].tolist() == [0, 0, 1]
    again = joined([first, second])
    assert again[0].tobytes() == events.tobytes()
    assert again[1].tobytes() == pairs.tobytes()
    assert [len(part) for part in joined([])] == [0, 0]
