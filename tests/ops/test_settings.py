"""Settings: where they come from, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.secrecy import without_password
from lrs.settings import Settings, SettingsError, load


def errors(environment: dict[str, str], config: Path | None = None, **options: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(environment, config, **options)
    return caught.value.errors


def test_without_anything_the_defaults_hold() -> None:
    assert load({}) == Settings()
    assert load({"PATH": "/bin", "HOME": "/"}) == Settings()


def test_an_option_wins_over_a_variable_and_a_variable_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lrs.toml"
    file.write_text('http_port = 1001\nhttp_host = "::1"\npartitions = 8\n')
    settings = load(
        {"LRS_HTTP_PORT": "1002", "LRS_HTTP_HOST": "0.0.0.0"}, file, http_port=1003, http_host=None
    )
    assert (settings.http_port, settings.http_host, settings.partitions) == (1003, "0.0.0.0", 8)


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "lrs.toml"
    file.write_text("partitions = 2")
    assert load({"LRS_CONFIG": str(file)}).partitions == 2


def test_all_errors_are_told_at_once_with_name_value_and_rule(tmp_path: Path) -> None:
    file = tmp_path / "lrs.toml"
    file.write_text('http_prot = 1\nlease = "long"\n')
    environment = {
        "LRS_HTTP_PORT": "70000",
        "LRS_LOG_LEVEL": "loud",
        "LRS_READ_WAIT": "-1",
        "LRS_PARTITION": "3",
        "LRS_MAX_BODY": "16 XB",
        "LRS_DATA": "",
    }
    found = errors(environment, file)
    assert found == [
        f"{file}: http_prot: no such setting; did you mean http_port (LRS_HTTP_PORT)?",
        f"{file}: lease = 'long': Expected float, got str",
        "LRS_HTTP_PORT = '70000': Expected int <= 65535",
        "LRS_LOG_LEVEL = 'loud': must be one of debug, info, warning, error",
        "LRS_READ_WAIT = '-1': Expected float >= 0.0",
        "LRS_PARTITION: no such setting; did you mean partitions (LRS_PARTITIONS)?",
        "LRS_MAX_BODY = '16 XB': Expected int, got str, or a number with KB, MB or GB",
        "LRS_DATA = '': Expected a path",
    ]


@pytest.mark.parametrize("text", ["http_port = ", "=", "\udce4"])
def test_a_file_that_is_no_toml_is_told_with_its_path(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lrs.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert errors({}, file)[0].startswith(f"{file}: not a readable TOML file: ")
    assert errors({}, tmp_path / "absent.toml")[0].startswith(f"{tmp_path / 'absent.toml'}: not a readable")


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("64KB", 64 << 10), ("16MB", 16 << 20), ("1 gb", 1 << 30), ("2GB", 2 << 30)]
)
def test_a_size_is_a_number_of_bytes_or_has_a_unit(text: str, size: int) -> None:
    assert load({"LRS_FRAME_BYTES": text}).frame_bytes == size


def test_a_value_of_the_wrong_type_in_the_file_is_not_converted(tmp_path: Path) -> None:
    file = tmp_path / "lrs.toml"
    file.write_text('partitions = "4"')
    assert errors({}, file) == [f"{file}: partitions = '4': Expected int, got str"]


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"LRS_STORE": "mysql://host/db"}, "LRS_STORE = ***: must be 'embedded' or 'postgresql://…'"),
        ({"LRS_STORE": "postgresql://host"}, "must name a database"),
        ({"LRS_STORE": "postgresql://host:port/db"}, "Port could not be cast"),
        ({"LRS_LOG": "kafka://broker"}, "must be 'kafka://host:port,host:port,…'"),
        ({"LRS_KAFKA_INTAKE": "key"}, "needs the log on Kafka"),
        ({"LRS_KAFKA_SASL": "PLAIN"}, "give both, or neither"),
        ({"LRS_KAFKA_TLS": "true", "LRS_KAFKA_CERTIFICATE": "c.pem"}, "give both, or neither"),
        ({"LRS_KAFKA_CA": "ca.pem"}, "need LRS_KAFKA_TLS"),
        ({"LRS_LOG": "sqlite"}, "LRS_LOG = 'sqlite': must be 'postgresql' or 'kafka://…'"),
        ({"LRS_ADMIN_KEY": "root"}, "LRS_ADMIN_KEY and LRS_ADMIN_SECRET: give both, or neither"),
        (
            {"LRS_MAX_BODY": "1GB"},
            "LRS_MAX_BYTES_IN_FLIGHT = 67108864: must be at least LRS_MAX_BODY = 1073741824",
        ),
        (
            {"LRS_MAX_ATTACHMENT": "1GB"},
            "LRS_MAX_ATTACHMENTS = 268435456: must be at least LRS_MAX_ATTACHMENT = 1073741824",
        ),
    ],
)
def test_what_cannot_work_is_refused(environment: dict[str, str], told: str) -> None:
    [error] = errors(environment)
    assert told in error


def test_secrets_and_passwords_are_never_shown() -> None:
    settings = load(
        {
            "LRS_ADMIN_KEY": "root",
            "LRS_ADMIN_SECRET": "hunter2",
            "LRS_STORE": "postgresql://lrs:hun@ter2@host/db",
        }
    )
    assert "hunter2" not in repr(settings)
    assert "ter2" not in repr(settings)
    assert "postgresql://lrs:***@host/db" in repr(settings)
    assert "hunter2" not in "".join(errors({"LRS_STORE": "oracle://u:hunter2@h/d"}))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "partitions": st.integers(1, 256),
            "read_wait": st.floats(0, 60),
            "http_host": st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
            "max_body": st.integers(1, 64 << 20),
            "log_level": st.sampled_from(["debug", "info", "warning", "error"]),
            "data": st.sampled_from([Path("data"), Path("/srv/with space/ü")]),
            "catalogue": st.sampled_from([None, Path("roles.yaml")]),
        },
    )
)
def test_the_environment_of_a_child_says_the_same(values: dict[str, Any]) -> None:
    settings = Settings(**values)
    assert load(settings.environment()) == settings


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p@@h/d?x=a@b:c", "postgresql://u:***@h/d?x=a@b:c"),
        ("embedded", "embedded"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_password(url) == shown
