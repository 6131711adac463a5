"""Log lines: their form, and what never stands in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import msgspec
import pytest
import structlog

from lrs.logging import EVERY, Sparing, configure
from lrs.settings import Settings

JSON = msgspec.structs.replace(Settings(), log_format="json")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Take the configuration back after a test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_ours_and_those_of_libraries_have_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    configure(JSON, "edge")
    structlog.get_logger("lrs.test").info("frame appended", frame=7, requests=3)
    logging.getLogger("library").warning("slow %s", "disk")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert {key: ours[key] for key in ("event", "level", "process", "frame", "requests")} == {
        "event": "frame appended",
        "level": "info",
        "process": "edge",
        "frame": 7,
        "requests": 3,
    }
    assert ours["time"].endswith("Z")
    assert (theirs["event"], theirs["level"], theirs["process"]) == ("slow disk", "warning", "edge")


def test_secrets_are_starred_out(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("json", "human"):
        configure(msgspec.structs.replace(JSON, log_format=form), "edge")
        structlog.get_logger("lrs.test").warning(
            "refused",
            admin_secret="hunter2",
            Authorization="Basic hunter2",
            store="postgresql://lrs:hunter2@host/db",
            key="root",
        )
        said = capsys.readouterr().err
        assert "hunter2" not in said
        assert "root" in said


def test_lines_below_the_level_are_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    configure(msgspec.structs.replace(JSON, log_level="warning"), "edge")
    structlog.get_logger("lrs.test").info("quiet")
    assert capsys.readouterr().err == ""


def test_an_exception_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure(JSON, "edge")
    try:
        raise ValueError("why")
    except ValueError:
        structlog.get_logger("lrs.test").error("failed", exc_info=True)
    [line] = capsys.readouterr().err.splitlines()
    assert "ValueError: why" in json.loads(line)["exception"]


def test_a_library_says_the_same_once_in_a_while_and_how_often_meanwhile() -> None:
    now = 0.0
    sparing = Sparing(lambda: now)

    def said(name: str, line: str, *given: object) -> str | None:
        record = logging.LogRecord(name, logging.ERROR, "", 0, line, given, None)
        return record.getMessage() if sparing.filter(record) else None

    assert said("aiokafka.client", "no connection to %s", "one") == "no connection to one"
    assert [said("aiokafka.client", "no connection to %s", node) for node in ("one", "two")] == [None, None]
    assert said("aiokafka.client", "no topic") == "no topic"
    assert said("lrs.edge", "ours") == said("lrs.edge", "ours") == "ours"
    now = EVERY
    assert said("aiokafka.client", "no connection to %s", "two") == (
        "no connection to two (and 2 times more since this was last written)"
    )
    assert said("aiokafka.client", "no topic") == "no topic"
