"""Commands that work on a store: whose it is, and what is said when it cannot be done."""

from __future__ import annotations

import asyncio
import json
import os

import pytest
from click.testing import CliRunner, Result

from lrs.cli import main
from lrs.composition.preparation import provide
from lrs.settings import SettingsError, load

AGENT = '{"mbox": "mailto:nobody@example.org"}'


@pytest.fixture
def lrs(database: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("LRS_STORE", database)
    return CliRunner()


def refused(done: Result) -> str:
    """What a command said that ended with status 1, on purpose."""
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), done.exception
    return done.stderr


def test_a_number_of_partitions_that_the_store_does_not_have_is_named(lrs: CliRunner) -> None:
    assert lrs.invoke(main, ["status"], env={"LRS_PARTITIONS": "2"}).exit_code == 0
    said = refused(lrs.invoke(main, ["status"], env={"LRS_PARTITIONS": "3"}))
    assert "LRS_PARTITIONS = 3: topic" in said
    assert "it has 2 partitions" in said


@pytest.mark.parametrize(
    "command",
    [
        ["person", "export", "--agent", AGENT, "nobody.zip"],
        ["person", "erase", "--agent", AGENT, "--yes"],
        ["person", "audit"],
        ["digest", "show"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_a_tenant_that_is_not_there_is_named(lrs: CliRunner, command: list[str]) -> None:
    said = refused(lrs.invoke(main, [*command, "--tenant", "nowhere"]))
    assert "there is no tenant 'nowhere'" in said
    assert not said.startswith("Traceback")


def test_each_tenant_has_a_digest_of_its_own(lrs: CliRunner) -> None:
    assert lrs.invoke(main, ["tenant", "create", "other"]).exit_code == 0
    done = lrs.invoke(main, ["digest", "show", "--tenant", "other"])
    assert json.loads(done.stdout)["count"] == 0


def test_a_key_that_another_tenant_has_cannot_be_the_root_credentials(lrs: CliRunner) -> None:
    assert lrs.invoke(main, ["tenant", "create", "other"]).exit_code == 0
    made = ["credential", "create", "shared", "--scope", "all", "--tenant", "other"]
    assert lrs.invoke(main, made).exit_code == 0
    settings = load(os.environ | {"LRS_ADMIN_KEY": "shared", "LRS_ADMIN_SECRET": "secret"})
    with pytest.raises(SettingsError, match="LRS_ADMIN_KEY: the key 'shared' belongs to another tenant"):
        asyncio.run(provide(settings))
