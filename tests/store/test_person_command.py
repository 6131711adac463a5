"""`lrs person` and `lrs digest` as commands."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path as File

import pytest

from tests.store.path import PARTITIONS, Path, learner, said
from tests.store.test_verify_command import _environment, lrs  # noqa: F401

AGENT = json.dumps(learner(1))


@pytest.fixture
def _partitions(_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("LRS_PARTITIONS", str(PARTITIONS))


@pytest.mark.usefixtures("_partitions")
async def test_a_person_is_exported_erased_and_in_the_trail(path: Path, tmp_path: File) -> None:
    await path.send([said(1), said(1), said(2, context={"instructor": learner(1)})])
    target = tmp_path / "person.zip"
    result = await lrs("person", "export", "--agent", AGENT, str(target))
    assert result.exit_code == 0, result.output
    with zipfile.ZipFile(target) as archive:
        assert len(archive.read("statements.ndjson").splitlines()) == 3
    assert (await lrs("person", "export", "--agent", AGENT, str(target))).exit_code == 1, "it is there"
    result = await lrs("person", "erase", "--agent", AGENT)
    assert result.exit_code == 1, "nobody said yes"
    result = await lrs("person", "erase", "--agent", AGENT, "--yes")
    assert result.exit_code == 0, result.output
    assert "2 statements" in result.output
    assert "1 statements of others" in result.output
    [line] = json.loads((await lrs("person", "audit", "--json")).stdout)["erasures"]
    assert (line["statements"], line["kept"]) == (2, 1)
    assert line["requested_by"].startswith("user ")
    assert line["key"] in (await lrs("person", "audit")).output.replace("\n", "")
    assert (await lrs("verify")).exit_code == 0


@pytest.mark.usefixtures("_partitions", "path")
async def test_somebody_unknown_or_no_agent_is_told() -> None:
    result = await lrs("person", "erase", "--agent", AGENT, "--yes")
    assert result.exit_code == 1
    assert "nothing was ever stored" in result.output
    result = await lrs("person", "erase", "--agent", '{"mbox": "nobody"}', "--yes")
    assert result.exit_code == 2
    assert "mbox" in result.output


@pytest.mark.usefixtures("_partitions")
async def test_what_is_missing_is_listed(path: Path, tmp_path: File) -> None:
    stored = [said(n) for n in range(5)]
    await path.send(stored)
    lost, unsent = said(9), stored.pop()
    file = tmp_path / "sent"
    file.write_text("".join(f"{one['id']}\n" for one in [*stored, lost]))
    result = await lrs("digest", "compare", str(file))
    assert result.exit_code == 1
    assert f"missing {lost['id']}\nsurplus {unsent['id']}\n" in result.output
    file.write_text("".join(f"{one['id']} 2026-01-01T00:00:00Z\n" for one in [*stored, unsent]))
    result = await lrs("digest", "compare", str(file))
    assert (result.exit_code, result.output) == (0, "5 sent, 0 missing, 0 surplus\n")
    assert json.loads((await lrs("digest", "show")).stdout)["count"] == 5
    file.write_text("1\n")
    assert "line 1" in (await lrs("digest", "compare", str(file))).output
    result = await lrs("digest", "compare", str(file), "--credential", "nobody")
    assert result.exit_code == 1
