"""The failure table of ARCHITECTURE.md names tests, metrics and reasons that there are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from lrs.ending import Ending
from lrs.metrics.edge import REASONS
from lrs.metrics.registry import catalogue
from lrs.settings import variable
from tests.test_docs import _field_docstrings

ROOT = Path(__file__).parent.parent

PARTS = ("edge", "persist", "score", "intake", "broker", "PostgreSQL", "disk", "network")


class Row(NamedTuple):
    """One failure."""

    part: str
    befalls: str
    emitter: str
    reader: str
    operator: str
    recovers: str
    shown_by: str


def rows() -> list[Row]:
    """The table."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    section = text.split("\n## Failures\n", 1)[1].split("\n## ", 1)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in section.splitlines()
        if line.startswith("| ")
    ]
    return [Row(*each) for each in cells[1:]]


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's tests."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.part} {row.befalls}")
def test_every_failure_is_shown_by_a_test_that_there_is(row: Row) -> None:
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`", row.shown_by)
    assert named
    for file, test in named:
        assert test in names_in(file), f"{file} has no {test}"
    assert all(row)


def test_every_part_is_there() -> None:
    assert list(dict.fromkeys(row.part for row in rows())) == [*PARTS, "everything"]


def test_what_the_table_names_exists() -> None:
    said = "\n".join(" ".join(row) for row in rows())
    metrics = {metric.name for metric in catalogue()}
    assert set(re.findall(r"`(lrs_[a-z_]+)`", said)) <= metrics
    assert set(re.findall(r"`(LRS_[A-Z_]+)`", said)) <= {variable(name) for name in _field_docstrings()}
    assert set(re.findall(r"(?:503|408) `([a-z_]+)`", said)) <= set(REASONS)
    assert set(re.findall(r"ending `([a-z_]+)`", said)) <= {ending.name.lower() for ending in Ending}
