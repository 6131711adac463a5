from __future__ import annotations

from loadtests.meter import Mark, between

BUCKET = "lrs_statement_delay_seconds_bucket le={} until=scored"


def mark(at: float, *counts: float, cpu: float = 0.0, busy: float = 0.0) -> Mark:
    names = (BUCKET.format("0.1"), BUCKET.format("0.5"), "lrs_statements_accepted_total")
    return Mark(at, dict(zip(names, counts, strict=True)), {"edge": cpu}, [busy, 0.0])


def test_what_others_took_of_the_systems_cores_is_what_it_did_not_use_itself() -> None:
    first, last = mark(10.0, 0, 2, 5, cpu=1.0, busy=100.0), mark(20.0, 0, 4, 9, cpu=4.0, busy=108.0)
    told = between(first, last, last, [0])
    assert told["seconds"] == 10.0
    assert told["cpu_s"] == {"edge": 3.0}
    assert told["foreign_s"] == 5.0
    assert between(first, last, last, [])["foreign_s"] is None


def test_delays_count_until_everything_has_settled_and_empty_buckets_are_kept() -> None:
    first, last, settled = mark(0.0, 0, 2, 5), mark(10.0, 0, 4, 9), mark(12.0, 0, 8, 11)
    counts = between(first, last, settled, [0])["counts"]
    assert counts == {
        BUCKET.format("0.1"): 0.0,
        BUCKET.format("0.5"): 6.0,
        "lrs_statements_accepted_total": 4.0,
    }
