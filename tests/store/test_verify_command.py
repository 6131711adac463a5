"""`lrs verify` and `lrs rebuild` as commands."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path as File

import pytest
from click.testing import CliRunner, Result

from lrs.cli import main
from tests.store.path import OTHER_CATALOGUE, Path, said


@pytest.fixture
def _environment(database: str, tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRS_STORE", database)
    monkeypatch.setenv("LRS_DATA", str(tmp_path))


async def lrs(*arguments: str) -> Result:
    """Run a command as in a shell."""
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


@pytest.mark.usefixtures("_environment")
async def test_verify_tells_that_everything_is_right(path: Path) -> None:
    await path.send([said(1), said(2)])
    result = await lrs("verify")
    assert result.exit_code == 0, result.output
    assert "2 learners, 2 statements, 2 facts" in result.output
    assert "everything is as it must be" in result.output


@pytest.mark.usefixtures("_environment")
async def test_verify_exits_with_1_and_tells_what_is_wrong(path: Path) -> None:
    await path.send([said(1), said(2)])
    await path.pool.execute("delete from evidence where agent = (select max(agent) from evidence)")
    result = await lrs("verify")
    assert result.exit_code == 1
    assert "only recomputed: tenant 1 mbox:mailto:learner" in result.output
    report = json.loads((await lrs("verify", "--json")).stdout)
    assert report["different"] == 1
    assert {"learners", "statements", "facts", "seconds", "digest", "fraction"} <= report.keys()
    assert report["differences"][0]["kind"] == "only recomputed"


@pytest.mark.usefixtures("_environment")
async def test_rebuild_makes_it_right(path: Path) -> None:
    await path.send([said(1), said(2)])
    digest = (await path.proven()).digest
    await path.pool.execute("delete from competency")
    result = await lrs("rebuild")
    assert result.exit_code == 0, result.output
    assert "1 ranges" in result.output
    assert (await path.proven()).digest == digest


@pytest.mark.usefixtures("_environment")
async def test_rebuild_with_a_catalogue_puts_it_in_force(path: Path, tmp_path: File) -> None:
    await path.send(said(1))
    file = tmp_path / "catalogue.yaml"
    file.write_text(OTHER_CATALOGUE)
    result = await lrs("rebuild", "--catalogue", str(file))
    assert result.exit_code == 0, result.output
    assert "catalogue 2 is in force" in result.output
    await path.proven()


@pytest.mark.usefixtures("_environment")
async def test_a_wrong_catalogue_is_told_with_its_faults(tmp_path: File) -> None:
    file = tmp_path / "catalogue.yaml"
    file.write_text("format: 1\ncourses: 7\n")
    result = await lrs("rebuild", "--catalogue", str(file))
    assert result.exit_code == 1
    assert "courses" in result.output
    assert "Traceback" not in result.output


async def test_a_store_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRS_STORE", "postgresql://nobody@127.0.0.1:1/none")
    result = await lrs("verify")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")


@pytest.mark.parametrize("fraction", ["0", "1.5", "x"])
async def test_a_fraction_lies_between_0_and_1(fraction: str) -> None:
    assert (await lrs("verify", "--fraction", fraction)).exit_code == 2
