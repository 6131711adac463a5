"""The canonical export: its form is fixed, and it shows what matters and nothing else."""

from __future__ import annotations

import msgspec
import numpy as np

from lrs.scoring.canonical import digest
from lrs.scoring.decay import gain
from lrs.scoring.state import State
from tests.scoring.test_agreement import assert_agrees
from tests.scoring.world import ADL, AUTHORITIES, OBJECTS, RELATED, STORED, VERBS, Said, histories, world


def test_an_export_names_everything_and_is_sorted() -> None:
    place = world(1)
    said = [
        Said(
            2, ADL + "passed", "lms:unit", "b", scaled=9_000, related=("m:cmi5", "course:a"), registration=5
        ),
        Said(1, ADL + "completed", "m:video", "a", duration_ms=1_000),
    ]
    lines = [msgspec.json.decode(line) for line in place.export(place.score(said))]
    assert [line[0] for line in lines] == ["competency"] * 3 + ["course"] * 3 + ["evidence"] * 2
    sums = [gain(256, 2_500, 1096) * score for score in (1, 10_000, 6_000)]
    assert lines[0] == ["competency", "a", "c:one", "1", "3", *sums]
    assert lines[3:6] == [
        ["course", "a", "course:a", "m:video", "", STORED, STORED],
        ["course", "a", "course:b", "m:video", "", STORED, STORED],
        ["course", "b", "course:a", "m:cmi5", "", STORED, None],
    ]
    numbers = {
        "flags": 96,
        "session": 0,
        "pos": said[1].pos,
        "effective": STORED,
        "duration_ms": 1_000,
        "score": -1,
        "progress": -1,
        "mastery": -1,
        "expected": 6_000,
        "calibration": 0,
        "mapping": 1,
        "move_on": 0,
    }
    video, unit = "9e3779b9-7f4a-7c15-f39c-c0605cedc835", "3c6ef372-fe94-f82b-e739-80c0b9db906a"
    registration = "00000000-0000-0000-0000-000000000005"
    vouched = AUTHORITIES[3]
    assert lines[6] == ["evidence", "a", "m:video", video, "completed", None, vouched, [], numbers]
    assert lines[7][:4] == ["evidence", "b", "m:cmi5", unit]
    assert lines[7][4:8] == ["passed", registration, vouched, ["lms:unit", "course:a"]]


def test_the_export_of_a_known_history_is_frozen() -> None:
    place = world()
    said = [
        Said(
            n,
            VERBS[n * 7 % len(VERBS)],
            OBJECTS[n * 5 % 8],
            f"frozen {n % 6}",
            STORED + n * 3_600_000_000,
            related=(RELATED[n % 6],),
            registration=n % 3,
            session=n % 2,
            authority=AUTHORITIES[n % 4],
            scaled=n * 777 % 10_001 if n % 3 else None,
            success=True if n % 5 == 0 else None,
            duration_ms=n * 1_000,
        )
        for n in range(1, 301)
    ]
    state = place.score(said)
    assert_agrees(place, state, said)
    lines = place.export(state)
    assert {line[:11] for line in lines} == {b'["evidence"', b'["course","', b'["competenc'}
    assert digest(lines) == "389083e1db729c74202bb9cfc9c3ad12"


def test_the_export_is_of_what_is_there_and_not_of_how_it_is_kept() -> None:
    place = world()
    said = [Said(n, ADL + "experienced", "plain", stored=STORED + n) for n in range(1, 200)]
    backwards = place.score(*[[one] for one in said[::-1]])
    assert backwards.chunks != place.score(said).chunks
    assert place.export(backwards) == place.export(place.score(said))


def test_one_bit_that_differs_is_seen() -> None:
    place = world()
    said = histories(np.random.default_rng(1), ["x", "y"])
    state = place.score(said)
    before = place.export(state)
    (key, chunks), *_ = state.chunks.items()
    for byte in (32, 84, 3):
        spoilt = bytearray(chunks[0])
        spoilt[byte] ^= 4
        state.chunks[key] = [bytes(spoilt)]
        assert place.export(state) != before
    state.chunks[key] = chunks
    assert place.export(state) == before
    accumulator, (w, a, e) = next((key, sums) for key, sums in state.accumulators.items() if sums[0])
    state.accumulators[accumulator] = (w, a, e + 1)
    assert place.export(state) != before


def test_nothing_has_an_empty_export() -> None:
    assert world().export(State()) == []
    assert digest([]) == "cae66941d9efbd404e4d88758ea67670"
