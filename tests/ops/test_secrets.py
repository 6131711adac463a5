"""Secrets in files of their own."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from lrs.composition.store import store_url
from lrs.settings import SECRET, SettingsError, load, variable


def errors(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environment)
    return caught.value.errors


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_the_file_that_a_variable_names(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f" hunter2 {ending}".encode())
    settings = load({"LRS_ADMIN_KEY": "root", "LRS_ADMIN_SECRET_FILE": str(file)})
    assert settings.admin_secret == " hunter2 "
    assert load(settings.environment()) == settings, "a child needs no file"


@pytest.mark.parametrize("name", sorted(SECRET))
def test_every_secret_may_stand_in_a_file(tmp_path: Path, name: str) -> None:
    told = errors({f"{variable(name)}_FILE": str(tmp_path / "absent")})
    assert told == [
        f"{variable(name)}_FILE = {str(tmp_path / 'absent')!r}: cannot be read: No such file or directory"
    ]


def test_what_is_wrong_with_a_file_is_told_without_what_is_in_it(tmp_path: Path) -> None:
    empty, binary, wrong = (tmp_path / name for name in ("empty", "binary", "wrong"))
    empty.write_text("\n")
    binary.write_bytes(b"hunter\xff")
    wrong.write_text("mysql://hunter2@host/db")
    assert errors(
        {
            "LRS_KAFKA_PASSWORD_FILE": str(binary),
            "LRS_ADMIN_SECRET_FILE": str(empty),
            "LRS_STORE_FILE": str(wrong),
            "LRS_STORE_PASSWORD": "hunter2",
            "LRS_STORE_PASSWORD_FILE": str(wrong),
        }
    ) == [
        f"LRS_ADMIN_SECRET_FILE = {str(empty)!r}: the file is empty",
        f"LRS_KAFKA_PASSWORD_FILE = {str(binary)!r}: cannot be read: it is not UTF-8",
        "LRS_STORE_PASSWORD and LRS_STORE_PASSWORD_FILE: give one of them",
        "LRS_STORE = ***: must be 'embedded' or 'postgresql://…'",
    ]


def test_only_secrets_have_files() -> None:
    assert errors({"LRS_HTTP_PORT_FILE": "port"})[0].startswith("LRS_HTTP_PORT_FILE: no such setting")


def test_the_password_of_the_store_comes_into_its_url() -> None:
    settings = load({"LRS_STORE": "postgresql://lrs@db:5432/lrs?x=1", "LRS_STORE_PASSWORD": "s3cret/@:ä"})
    parts = urlsplit(store_url(settings))
    assert (parts.username, unquote(parts.password or ""), parts.hostname, parts.port) == (
        "lrs", "s3cret/@:ä", "db", 5432,
    )  # fmt: skip
    assert (parts.path, parts.query) == ("/lrs", "x=1")
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    "store", ["embedded", "postgresql://db/lrs", "postgresql://lrs:other@db/lrs", "postgresql://@db/lrs"]
)
def test_a_password_for_a_store_that_takes_none_is_refused(store: str) -> None:
    assert errors({"LRS_STORE": store, "LRS_STORE_PASSWORD": "hunter2"}) == [
        "LRS_STORE_PASSWORD: LRS_STORE must be a URL that names a user and no password"
    ]
