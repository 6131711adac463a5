"""Evidence: the frozen packed form, chunks, and rows that cannot be."""

from __future__ import annotations

import pytest

from lrs.scoring.batch import read_batch
from lrs.scoring.course import CourseError
from lrs.scoring.evidence import EvidenceRow
from lrs.scoring.fact import CHUNK, FACT, EvidenceError, read_facts, statement_id
from lrs.scoring.progress import read_progress
from lrs.scoring.score import score
from lrs.scoring.state import State
from tests.scoring.world import ADL, STORED, Said, world


def test_the_packed_form_of_a_fact_is_frozen() -> None:
    said = Said(
        1,
        ADL + "passed",
        "lms:unit",
        stored=STORED + 5,
        timestamp=STORED + 3,
        related=("other:1", "m:cmi5"),
        registration=(2 << 64) + 3,
        session=7,
        scaled=8_765,
        success=True,
        mastery=5_000,
        duration_ms=61_000,
        progress=9_999,
        move_on="Passed",
    )
    place = world()
    ((_, _, _, packed),) = place.score([said]).evidence_rows()
    assert FACT.itemsize == 96

    def little(value: int, size: int) -> str:
        return value.to_bytes(size, "little", signed=value < 0).hex()

    hi, lo = int.from_bytes(said.id[:8], "big"), int.from_bytes(said.id[8:], "big")
    assert packed.hex() == "".join(
        (
            "0104",
            little(1 | 2 | 16 | 32 | 64 | 2048, 2),
            little(7, 4),
            little(hi, 8),
            little(lo, 8),
            little(said.pos, 8),
            little(STORED + 3, 8),
            little(2, 8),
            little(3, 8),
            little(place.numbers[said.authority], 8),
            little(place.numbers["lms:unit"], 8),
            little(place.numbers["other:1"], 8),
            little(61_000, 4),
            little(8_765, 2),
            little(9_999, 2),
            little(5_000, 2),
            little(5_500, 2),
            "00010100",
        )
    )
    assert statement_id(read_facts(packed)[0]).bytes == said.id


def test_a_set_fills_its_chunks_and_only_changed_ones_are_written() -> None:
    place, state = world(), State()
    said = [Said(number, ADL + "experienced", "plain", stored=STORED + number) for number in range(1, 151)]
    sizes = []
    for part in (said[:60], said[60:70], said[70:], said[10:20]):
        output = place.take(state, [(one, False) for one in part])
        sizes.append([(chunk, len(packed) // 96) for _, _, chunk, packed in output.evidence])
    assert sizes == [[(0, 60)], [(0, 64), (1, 6)], [(1, 64), (2, 22)], []]
    output = place.take(state, [(said[3], True), (said[149], True)])
    assert [chunk for _, _, chunk, _ in output.evidence] == [0, 2]
    ((_, activity), chunks) = next(iter(state.chunks.items()))
    assert [len(chunk) // 96 for chunk in chunks] == [CHUNK, CHUNK, 22]
    assert read_progress(b"".join(chunks), activity, place.tables)["facts"] == 148
    once = place.score([one for one in said if one not in (said[3], said[149])])
    assert place.export(state) == place.export(once)


def test_a_set_as_large_as_a_sender_likes_costs_no_more_than_sorting() -> None:
    place = world()
    said = [
        Said(
            number, ADL + "scored", "plain", stored=STORED + number, registration=number, session=1, scaled=1
        )
        for number in range(1, 20_001)
    ]
    state = place.score(said)
    ((_, activity), chunks) = next(iter(state.chunks.items()))
    progress = read_progress(b"".join(chunks), activity, place.tables)
    assert progress["registrations"] == progress["attempts"] == progress["facts"] == 20_000


def _stored() -> tuple[State, list[EvidenceRow]]:
    place = world()
    state = place.score(
        [Said(number, ADL + "experienced", stored=STORED + number) for number in range(1, 71)]
    )
    return state, list(state.evidence_rows())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: [rows[1]], "not numbered from 0"),
        (lambda rows: [rows[0], rows[0]], "not numbered from 0"),
        (lambda rows: [(*rows[0][:3], rows[0][3][:96]), rows[1]], "64 facts in each but the last"),
        (lambda rows: [(*rows[0][:3], b"")], "not numbered"),
        (lambda rows: [(999, *rows[0][1:])], "not of a key asked for"),
        (lambda rows: [(*rows[0][:3], rows[0][3][:-1])], "not a multiple of 96"),
        (
            lambda rows: [(*rows[0][:3], b"\x02" + rows[0][3][1:]), rows[1]],
            "fact 0 has format 2; this program reads 1",
        ),
    ],
)
def test_evidence_rows_that_cannot_be_are_refused(spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    place = world()
    _, rows = _stored()
    batch = read_batch(*place.events([Said(500, ADL + "passed")]), place.tables, place.mapping)
    score(batch, rows[::-1], [], place.tables)
    with pytest.raises(EvidenceError, match=message):
        score(batch, spoil(rows), [], place.tables)


def test_course_rows_of_another_catalogue_are_refused() -> None:
    place = world()
    state, rows = _stored()
    batch = read_batch(*place.events([Said(500, ADL + "passed")]), place.tables, place.mapping)
    ((agent, course, slots),) = state.course_rows()
    score(batch, rows, [(agent, course, slots)], place.tables)
    for wrong in (
        [(agent, course, slots[:16])],
        [(agent, course, slots[:15])],
        [(agent, course + 1, slots)],
        [(agent, course, slots), (agent, course, slots)],
    ):
        with pytest.raises(CourseError, match=f"course row .{agent}, {wrong[0][1]}."):
            score(batch, rows, wrong, place.tables)


def test_scoring_leaves_what_it_was_given_as_it_was() -> None:
    place = world()
    state, rows = _stored()
    kept, slots = [(*row[:3], bytes(row[3])) for row in rows], list(state.course_rows())
    events, pairs = place.events([Said(1, ADL + "experienced"), Said(900, ADL + "passed")], {0})
    before = events.tobytes()
    events.flags.writeable = False
    output = score(read_batch(events, pairs, place.tables, place.mapping), rows, slots, place.tables)
    assert output.counts["retracted"] == 1
    assert events.tobytes() == before
    assert rows == kept
    assert slots == list(state.course_rows())


def test_no_events_change_nothing() -> None:
    place = world()
    output = place.take(State(), [])
    assert set(output.counts.values()) == {0}
    assert not len(output.evidence)
    assert not len(output.keys)
