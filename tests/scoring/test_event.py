"""Events: the encoded form of the evidence log, and the fact that an event becomes."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.scoring.batch import effective_time
from lrs.scoring.event import (
    EVENT,
    LANDMARK_US,
    PAIR,
    EventFormatError,
    decode_events,
    encode_events,
    halves,
    no_pairs,
    stored_us,
    ten_thousandths,
)
from lrs.scoring.fact import FactFlag, read_facts
from tests.scoring.world import ADL, STORED, Said, world

MINUTE = 60_000_000


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**32))
def test_a_batch_of_events_comes_back_as_it_was(events: int, pairs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    some = np.frombuffer(rng.bytes(events * EVENT.itemsize), EVENT)
    related = np.frombuffer(rng.bytes(pairs * PAIR.itemsize if events else 0), PAIR).copy()
    related["row"] = rng.integers(0, max(events, 1), len(related))
    back = decode_events(encode_events(some, related))
    assert back[0].tobytes() == some.tobytes()
    assert back[1].tobytes() == related.tobytes()
    assert back[0].flags.writeable


def test_the_encoded_form_is_frozen() -> None:
    assert EVENT.itemsize == 108
    assert PAIR.itemsize == 12
    events = np.zeros(2, EVENT)
    events["pos"], events["id_hi"], events["move_on"] = (1, 2), (3, 4), (5, 6)
    record = encode_events(events, np.array([(1, 9)], PAIR))
    head = struct.pack("<BxxxII", 1, 2, 1)
    columns = struct.pack("<qqQQ", 1, 2, 3, 4) + bytes(180) + b"\x05\x06" + bytes(2)
    assert record == head + columns + struct.pack("<Iq", 1, 9)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"", "head of 12 bytes"),
        (struct.pack("<BxxxII", 9, 0, 0), "event format 9; this program reads 1"),
        (struct.pack("<BxxxII", 1, 1, 0), "1 events with 0 pairs take 120 bytes, not 12"),
        (encode_events(np.zeros(1, EVENT), np.array([(1, 7)], PAIR)), "a pair names event 1 of 1"),
        (encode_events(np.zeros(1, EVENT), no_pairs()) + b"x", "not 121"),
    ],
)
def test_what_is_no_batch_of_events_is_refused_with_the_reason(record: bytes, message: str) -> None:
    with pytest.raises(EventFormatError, match=message):
        decode_events(record)


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (np.iinfo(np.int64).min, (STORED, False)),
        (STORED, (STORED, False)),
        (STORED - 1, (STORED - 1, False)),
        (LANDMARK_US, (LANDMARK_US, False)),
        (LANDMARK_US - 1, (STORED, True)),
        (STORED + 5 * MINUTE, (STORED + 5 * MINUTE, False)),
        (STORED + 5 * MINUTE + 1, (STORED, True)),
        (np.iinfo(np.int64).max, (STORED, True)),
        (0, (STORED, True)),
    ],
)
def test_effective_time_is_the_timestamp_from_2020_to_five_minutes_after_stored(
    timestamp: int, expected: tuple[int, bool]
) -> None:
    assert effective_time(timestamp, STORED) == expected


def test_events_that_are_no_facts_are_counted_by_reason() -> None:
    place = world()
    cmi5 = "https://w3id.org/xapi/adl/verbs/"
    passed, plain = ADL + "passed", frozenset[str]()
    said = [
        Said(1, passed, activity=None),
        Said(2, "http://example.org/unmapped"),
        Said(3, cmi5 + "waived", categories=plain, success=True),
        Said(4, passed, success=False),
        Said(5, ADL + "failed", success=True),
        Said(6, ADL + "completed", completion=False),
        Said(7, passed, timestamp=5),
    ]
    events, pairs = place.events(said)
    events = np.concatenate((events, events[6:]))
    events["agent"][7] = 0
    counts = place.score().take(events, pairs, place.tables, place.mapping).counts
    assert counts == {
        "events": 8,
        "time_refused": 1,
        "no_activity": 1,
        "no_agent": 1,
        "unmapped_verb": 1,
        "unmapped_category": 1,
        "contradiction": 3,
        "added": 1,
        "repeated": 0,
        "retracted": 0,
        "retracted_again": 0,
        "retracted_ahead": 0,
        "lms_disagrees": 0,
    }


@pytest.mark.parametrize(
    ("said", "home", "origin"),
    [
        (
            Said(1, ADL + "passed", "lms:unit", related=("other:1", "m:cmi5", "course:a")),
            "m:cmi5",
            ("lms:unit", "other:1"),
        ),
        (Said(1, ADL + "passed", "m:exam", related=("m:cmi5", "course:a")), "m:exam", ("m:cmi5", "course:a")),
        (Said(1, ADL + "passed", "lms:unit", related=("course:a",)), "lms:unit", ("course:a",)),
        (
            Said(1, ADL + "passed", "lms:unit", related=("m:cmi5",), categories=frozenset()),
            "lms:unit",
            ("m:cmi5",),
        ),
        (
            Said(1, "https://w3id.org/xapi/adl/verbs/satisfied", "lms:unit", related=("course:a",)),
            "course:a",
            ("lms:unit",),
        ),
    ],
    ids=[
        "publisher id",
        "own id first",
        "a course is no unit's home",
        "cmi5-defined only",
        "satisfied course",
    ],
)
def test_a_statement_is_at_home_where_the_catalogue_knows_it(
    said: Said, home: str, origin: tuple[str, ...]
) -> None:
    place = world()
    ((_, activity, _, packed),) = place.score([said]).evidence_rows()
    (fact,) = read_facts(packed)
    assert place.names[activity] == home
    assert tuple(place.names[number] for number in fact["origin"].tolist() if number) == origin
    assert bool(fact["flags"] & FactFlag.REHOMED) == (home != said.activity)
    cut = len(said.related) + (home != said.activity) - (home in said.related) > 2
    assert bool(fact["flags"] & FactFlag.ORIGINS_CUT) == cut


def test_numbers_are_kept_in_range_and_progressed_is_never_marks() -> None:
    place = world()
    said = [
        Said(1, ADL + "scored", scaled=-5_000, duration_ms=1 << 40, registration=1),
        Said(2, ADL + "progressed", scaled=4_000, registration=2),
        Said(3, ADL + "progressed", scaled=4_000, progress=100, registration=3),
    ]
    ((*_, packed),) = place.score(said).evidence_rows()
    facts = np.sort(read_facts(packed), order="registration_lo")
    assert facts["score"].tolist() == [0, -1, -1]
    assert facts["progress"].tolist() == [-1, 4_000, 100]
    assert facts["duration_ms"].tolist() == [2**31 - 1, -1, -1]


def test_small_conversions() -> None:
    assert ten_thousandths(0.6543) == 6_543
    assert ten_thousandths(-1.0) == -10_000
    assert stored_us(Said(1, "", stored=STORED + 7).pos) == STORED + 7
    assert halves(bytes(range(16))) == (0x0001020304050607, 0x08090A0B0C0D0E0F)
