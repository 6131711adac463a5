"""Metrics and health: what is counted, how it is served, what ready means."""

from __future__ import annotations

import itertools

import aiohttp
import numpy as np
import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from lrs.metrics.edge import REASONS, EdgeMetrics
from lrs.metrics.endpoint import Endpoint
from lrs.metrics.histogram import Histogram
from lrs.metrics.readiness import Readiness
from lrs.metrics.registry import catalogue, exposition, process_registry
from lrs.metrics.stage import STAGES, StageMetrics

values = st.lists(st.floats(0, 100), max_size=50)


@given(values, values)
def test_a_histogram_says_what_prometheus_own_would_say(
    one_by_one: list[float], at_once: list[float]
) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bounds = (0.5, 1.0, 2.0, 50.0)
    cells = Histogram(ours, "x_seconds", "A duration.", bounds, ["way"], [("a",)]).series("a")
    reference = prometheus_client.Histogram(
        "x_seconds", "A duration.", ["way"], buckets=bounds, registry=theirs
    )
    for value in one_by_one:
        cells.observe(value)
    cells.observe_many(np.array(at_once))
    cells.observe(1.0, times=3)
    for value in (*one_by_one, *at_once, 1.0, 1.0, 1.0):
        reference.labels("a").observe(value)
    for bound in (*(str(bound) for bound in bounds), "+Inf"):
        sample = ("x_seconds_bucket", {"way": "a", "le": bound})
        assert ours.get_sample_value(*sample) == theirs.get_sample_value(*sample)
    assert ours.get_sample_value("x_seconds_count", {"way": "a"}) == len(one_by_one) + len(at_once) + 3
    total, expected = (r.get_sample_value("x_seconds_sum", {"way": "a"}) for r in (ours, theirs))
    assert total is not None
    assert expected is not None
    np.testing.assert_allclose(total, expected)


def test_names_follow_the_conventions_and_no_label_can_grow_without_bound() -> None:
    units = ("_seconds", "_bytes", "_total", "_info")
    allowed = {
        "became",
        "child",
        "ending",
        "kind",
        "partition",
        "reason",
        "role",
        "route",
        "stage",
        "state",
        "status",
        "until",
        "version",
    }
    for metric in catalogue():
        if metric.name.startswith("lrs_"):
            assert set(metric.labels) <= allowed, metric
            assert metric.help.endswith(".")
            if metric.kind == "counter":
                assert metric.name.endswith("_total")
            if "duration" in metric.name or "delay" in metric.name:
                assert metric.name.endswith(units)


def test_every_label_value_is_there_before_anything_happened() -> None:
    registry = process_registry("test")
    EdgeMetrics(registry, ("statements", "about"))
    StageMetrics(registry, STAGES, 4)
    text = exposition(registry).decode()
    for reason in REASONS:
        assert f'lrs_http_requests_refused_total{{reason="{reason}"}} 0.0' in text
    for route, status in itertools.product(("statements", "about", "other"), ("2xx", "4xx", "5xx")):
        assert f'lrs_http_requests_total{{route="{route}",status="{status}"}} 0.0' in text
    for stage, partition in itertools.product(STAGES, range(4)):
        assert f'lrs_stage_lag_records{{partition="{partition}",stage="{stage}"}} 0.0' in text
    assert 'lrs_statement_delay_seconds_count{until="scored"} 0.0' in text


def test_who_asks_for_some_names_gets_these_samples_and_no_others() -> None:
    registry = process_registry("test")
    EdgeMetrics(registry, ("statements",)).acknowledged(3, 0)
    StageMetrics(registry, STAGES, 4)
    query = "name[]=lrs_statements_accepted_total&name%5B%5D=lrs_statement_delay_seconds_bucket"
    samples = [line for line in exposition(registry, query).decode().splitlines() if line[0] != "#"]
    assert "lrs_statements_accepted_total 3.0" in samples
    assert {line.partition("{")[0].split()[0] for line in samples} == {
        "lrs_statements_accepted_total",
        "lrs_statement_delay_seconds_bucket",
    }
    assert exposition(registry, "name[]=unheard_of") == b""
    assert b"lrs_stage_lag_records" in exposition(registry, "other=1")


def test_the_edge_counts_requests_by_route_and_class_and_strangers_as_other() -> None:
    registry = CollectorRegistry()
    edge = EdgeMetrics(registry, ("statements",))
    edge.request("statements", 200, 0.01)
    edge.request("statements", 204, 0.01)
    edge.request("/../etc/passwd", 404, 0.01)
    edge.refused("conflict")
    edge.acknowledged(50, 2)
    edge.frame(3, 52, 9000)
    edge.read(0.2, behind=True)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("lrs_http_requests_total", route="statements", status="2xx") == 2
    assert value("lrs_http_requests_total", route="other", status="4xx") == 1
    assert value("lrs_http_request_duration_seconds_count", route="statements") == 2
    assert value("lrs_http_requests_refused_total", reason="conflict") == 1
    assert (value("lrs_statements_accepted_total"), value("lrs_statements_repeated_total")) == (50, 2)
    assert value("lrs_frame_bytes_sum") == 9000
    assert value("lrs_reads_behind_total") == 1


def test_a_stage_counts_batches_and_the_age_of_what_it_committed() -> None:
    registry = CollectorRegistry()
    stage = StageMetrics(registry, ("persist",), 2, clock=lambda: 100.0)
    stage.assigned("persist", [1])
    stage.batch_done("persist", 1, 3, 150, 0.02, 99_000_000)
    stage.through("persist", np.array([99_800_000, 90_000_000, 100_500_000]))
    stage.lag("persist", 0, 7, 1.5)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    assert value("lrs_stage_records_total", stage="persist") == 3
    assert value("lrs_stage_statements_total", stage="persist") == 150
    assert value("lrs_stage_partition_owned", stage="persist", partition="0") == 0
    assert value("lrs_stage_partition_owned", stage="persist", partition="1") == 1
    assert value("lrs_stage_reached_timestamp_seconds", stage="persist", partition="1") == 99
    assert value("lrs_stage_lag_records", stage="persist", partition="0") == 7
    # A clock that runs ahead at the edge makes no negative delay.
    assert value("lrs_statement_delay_seconds_bucket", until="queryable", le="0.001") == 1
    assert value("lrs_statement_delay_seconds_count", until="queryable") == 3


def test_a_process_is_ready_when_every_check_is_and_silence_is_no_sign_of_health() -> None:
    now = 0.0
    readiness = Readiness(("store", "stages"), clock=lambda: now)
    assert readiness.report() == (False, {"store": "not reported yet", "stages": "not reported yet"})
    readiness.expire("store", 10)
    readiness.set("store")
    readiness.set("stages", "no partition yet")
    assert readiness.report() == (False, {"store": "ok", "stages": "no partition yet"})
    readiness.set("stages")
    now = 9.0
    assert readiness.report()[0]
    now = 11.0
    assert readiness.report() == (False, {"store": "not reported for 11.0 s", "stages": "ok"})


async def test_the_metrics_port_serves_metrics_health_and_readiness() -> None:
    registry, readiness = process_registry("test"), Readiness(("work",))
    async with Endpoint(registry, readiness, "127.0.0.1", 0) as endpoint, aiohttp.ClientSession() as client:
        base = f"http://127.0.0.1:{endpoint.port}"
        async with client.get(f"{base}/readyz") as answer:
            assert (answer.status, await answer.json()) == (
                503,
                {"ready": False, "checks": {"work": "not reported yet"}},
            )
        readiness.set("work")
        async with client.get(f"{base}/readyz") as answer:
            assert answer.status == 200
        async with client.get(f"{base}/healthz") as answer:
            assert answer.status == 200
        async with client.get(f"{base}/metrics") as answer:
            families = {family.name for family in text_string_to_metric_families(await answer.text())}
    assert {"lrs_build_info", "process_resident_memory_bytes"} <= families
