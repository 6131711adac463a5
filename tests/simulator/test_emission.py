from __future__ import annotations

import base64
import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from simulator.arrivals import arrivals
from simulator.emission import Emission, emit_http, emit_ndjson
from simulator.scenario import Scenario, ScenarioError
from simulator.study import quiet

IRI = re.compile(r"^https?://[^\s]+$")


@pytest.fixture(scope="module")
def lines(small: Scenario, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    out = tmp_path_factory.mktemp("emit") / "all.ndjson"
    done = emit_ndjson(Emission(small, 1), out, 0.0, quiet)
    found = out.read_bytes().splitlines()
    assert done["statements"] == len(found)
    return found


def test_every_statement_of_the_window_is_written_in_the_requests_of_the_arrivals(
    small: Scenario, lines: list[bytes]
) -> None:
    came = arrivals(small, 1)
    assert len(lines) == came.statements
    assert sum(len(firsts) for _, _, firsts, _ in Emission(small, 1).chunks()) == came.requests


def test_statements_are_well_formed(lines: list[bytes]) -> None:
    kinds = set()
    for line in lines[::7]:
        assert b"@" not in line
        statement = json.loads(line)
        assert uuid.UUID(statement["id"]).version == 4
        assert uuid.UUID(statement["context"]["registration"]).version == 4
        assert IRI.match(statement["verb"]["id"])
        assert IRI.match(statement["object"]["id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", statement["timestamp"])
        result = statement.get("result", {})
        if "score" in result:
            score = result["score"]
            assert 0 <= score["scaled"] <= 1
            assert score["raw"] == pytest.approx(100 * score["scaled"], abs=0.1)
            assert result["success"] == (score["scaled"] >= 0.6)
        if "duration" in result:
            assert re.fullmatch(r"PT\d+\.\d\dS", result["duration"])
        kinds.add(statement["verb"]["display"]["en"])
    assert {"launched", "played", "answered", "passed", "failed", "satisfied", "registered"} <= kinds


def test_the_record_store_s_own_reader_accepts_every_statement(lines: list[bytes]) -> None:
    reader = pytest.importorskip("lrs.xapi.reader")
    version = pytest.importorskip("lrs.xapi.version")
    for known in version.Version:
        for at in range(0, len(lines), 500):
            part = list({json.loads(line)["id"]: line for line in lines[at : at + 500]}.values())
            assert len(reader.read_statements(b"[" + b",".join(part) + b"]", known)) == len(part)


def test_an_id_comes_again_only_with_the_same_bytes(lines: list[bytes]) -> None:
    by_id: dict[str, bytes] = {}
    repeated = 0
    for line in lines:
        identity = line[7:43].decode()
        repeated += identity in by_id
        assert by_id.setdefault(identity, line) == line
    assert 0 < repeated < 0.02 * len(lines)


def test_the_same_seed_gives_the_same_bytes(small: Scenario, lines: list[bytes], tmp_path: Path) -> None:
    out = tmp_path / "again.ndjson"
    emit_ndjson(Emission(small, 1), out, 0.0, quiet)
    assert out.read_bytes().splitlines() == lines
    emit_ndjson(Emission(small, 2, limit=1000), out, 0.0, quiet)
    other = out.read_bytes().splitlines()
    assert 900 < len(other) <= 1000
    assert not set(other) & set(lines)


class _Store(BaseHTTPRequestHandler):
    """Takes statements, refuses each third request once with 503, drops nothing."""

    protocol_version = "HTTP/1.1"
    taken: dict[str, Any]
    calls = 0
    refuse_all = False

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        cls = type(self)
        cls.calls += 1
        wanted = "Basic " + base64.b64encode(b"key:secret").decode()
        if self.headers["Authorization"] != wanted or self.path != "/xapi/statements" or self.refuse_all:
            self._answer(401, b"{}")
        elif cls.calls % 3 == 0:
            self._answer(503, b"{}")
        else:
            for statement in json.loads(body):
                cls.taken[statement["id"]] = statement
            self._answer(200, b"[]")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@contextmanager
def store(refuse_all: bool) -> Iterator[tuple[type[_Store], str]]:
    handler = type("Store", (_Store,), {"taken": {}, "refuse_all": refuse_all})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield handler, f"http://127.0.0.1:{server.server_port}/xapi"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_posting_survives_refusals_and_delivers_everything(small: Scenario, lines: list[bytes]) -> None:
    with store(refuse_all=False) as (handler, url):
        done = emit_http(Emission(small, 1, limit=600), url, "key:secret", 0.0, 2, quiet)
    assert done["failed_statements"] == 0
    assert done["refused"] > 0
    assert set(handler.taken) == {line[7:43].decode() for line in lines[: done["statements"]]}


def test_posting_that_is_refused_for_good_is_counted(small: Scenario) -> None:
    with store(refuse_all=True) as (_, url):
        done = emit_http(Emission(small, 1, limit=100), url, "key:secret", 0.0, 2, quiet)
    assert done["statements"] == 0
    assert done["failed_statements"] > 50
    assert all(problem.startswith("401") for problem in done["errors"])


def test_an_address_that_is_none_is_refused(small: Scenario) -> None:
    with pytest.raises(ScenarioError, match="must be http"):
        emit_http(Emission(small, 1), "127.0.0.1:80", None, 0.0, 1, quiet)
