"""`lrs credential` and `lrs tenant` as commands."""

from __future__ import annotations

import asyncio
import json
from importlib import resources
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from lrs.cli import main
from lrs.store.credential import Credential, Credentials
from lrs.store.name import Names
from tests.store.test_credential import Checking


@pytest.fixture(autouse=True)
def _environment(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRS_STORE", database)
    monkeypatch.setenv("LRS_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")


async def lrs(*arguments: str) -> Result:
    """Run a command as in a shell."""
    return await asyncio.to_thread(CliRunner().invoke, main, arguments)


async def told(*arguments: str) -> Any:
    """What a command says as JSON."""
    result = await lrs(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


async def let_in(pool: asyncpg.Pool, key: str, secret: str) -> Credential | None:
    """The credential, if the secret is its own."""
    return await Credentials(pool, Names(pool)).verify(key, secret, Checking())


async def test_the_life_of_a_credential(pool: asyncpg.Pool) -> None:
    first = await told(
        *("credential", "create", "player", "--voids", "none", "--days", "30"),
        *("--scope", "statements/write", "--scope", "state"),
    )
    found = await let_in(pool, **first)
    assert found is not None
    assert (found.scopes, found.voids, found.admin) == (
        frozenset({"statements/write", "state"}),
        "none",
        False,
    )
    assert 29 * 86400 < found.lasts <= 30 * 86400
    shown = await told("credential", "show", "player")
    assert (shown["key"], shown["tenant"], shown["revoked"]) == ("player", "default", None)
    second = await told("credential", "rotate", "player", "--overlap", "60")
    assert await let_in(pool, **first) is not None
    third = await told("credential", "rotate", "player")
    assert [await let_in(pool, **one) is not None for one in (first, second, third)] == [False, False, True]
    assert (await told("credential", "revoke", "player"))["revoked"] is not None
    assert await let_in(pool, **third) is None
    assert [one["key"] for one in (await told("credential", "list"))["credentials"]] == ["player"]


async def test_the_secret_is_shown_once(pool: asyncpg.Pool) -> None:
    made = await lrs("credential", "create", "--scope", "all", "--admin")
    key, secret = [line.split()[1] for line in made.output.splitlines()[:2]]
    found = await let_in(pool, key, secret)
    assert found is not None
    assert found.admin
    for command in (["list"], ["show", key], ["list", "--json"], ["show", key, "--json"]):
        result = await lrs("credential", *command)
        assert key in result.output
        assert secret not in result.output


async def test_a_tenant_has_credentials_of_its_own(pool: asyncpg.Pool, tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(resources.files("lrs.demo").joinpath("catalogue.yaml").read_text("utf-8"), "utf-8")
    result = await lrs("tenant", "create", "Railways", "--catalogue", str(catalogue))
    assert result.exit_code == 0, result.output
    made = await told("credential", "create", "train", "--scope", "all", "--tenant", "Railways")
    found = await let_in(pool, **made)
    assert found is not None
    assert found.tenant_name == "Railways"
    assert (await told("credential", "list", "--tenant", "default"))["credentials"] == []
    assert [
        one["key"] for one in (await told("credential", "list", "--tenant", "Railways"))["credentials"]
    ] == ["train"]
    listed = {one["name"]: one for one in await told("tenant", "list")}
    assert (listed["Railways"]["credentials"], listed["Railways"]["catalogue"]) == (1, True)
    assert (listed["default"]["credentials"], listed["default"]["catalogue"]) == (0, False)
    assert "Railways" in (await lrs("tenant", "list")).output


async def test_a_faulty_catalogue_leaves_no_tenant_behind(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text("no: catalogue\n")
    assert (await lrs("tenant", "create", "Railways", "--catalogue", str(catalogue))).exit_code == 1
    assert [one["name"] for one in await told("tenant", "list")] == ["default"]


WRONG = [
    (["credential", "create"], 2, "--scope"),
    (["credential", "create", "--scope", "joy"], 2, "joy"),
    (["credential", "create", "--scope", "all", "--tenant", "nobody"], 1, "no tenant"),
    (["credential", "create", "a:b", "--scope", "all"], 1, "colon"),
    (["credential", "list", "--tenant", "nobody"], 1, "no tenant"),
    (["credential", "show", "nobody"], 1, "no credential"),
    (["credential", "rotate", "nobody"], 1, "no credential"),
    (["credential", "revoke", "nobody"], 1, "no credential"),
    (["tenant", "create", "default"], 1, "already"),
    (["tenant", "create", ""], 1, "printable"),
]


async def test_what_goes_wrong_is_told_on_one_line() -> None:
    for arguments, status, says in WRONG:
        result = await lrs(*arguments)
        assert (result.exit_code, says in result.output) == (status, True), (arguments, result.output)
        assert "Traceback" not in result.output
