"""docker-compose.yml: everything that it names is there, and fits together."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
import yaml

from lrs.cli import main
from lrs.composition.worker import UPKEEP
from lrs.settings import Settings, load
from tests.deployment import dockerfile
from tests.deployment.compose import FILE, ROOT, Compose, Service, read, seconds

COMPOSE = read()
OURS = {name: service for name, service in COMPOSE.services.items() if service.ours}
PARTS = {name: service for name, service in OURS.items() if not service.ends}
PROXY = (ROOT / "deployment" / "haproxy.cfg").read_text("utf-8")

SECRETS = "/run/secrets/"


def parsed(words: list[str]) -> click.Context:
    """The context of an `lrs` command line; raises UsageError for one that does not exist."""
    group: click.Command = main
    context = main.make_context("lrs", list(words))
    rest = list(words)
    while isinstance(group, click.Group):
        name, command, rest = group.resolve_command(context, rest)
        assert command is not None
        if not isinstance(command, click.Group):
            return command.make_context(name, rest, parent=context)
        group, context = command, click.Context(command, parent=context, info_name=name)
    raise AssertionError("a group is no command")


def settings_of(service: Service, tmp_path: Path) -> Settings:
    """The settings of a service of ours: the image's variables, then its own; secrets are files."""
    given = dockerfile.read()[-1].environment | service.environment
    for name, value in given.items():
        if value.startswith(SECRETS):
            secret = value.removeprefix(SECRETS)
            assert secret in service.secrets, f"{name}: the service is not given this secret"
            (tmp_path / secret).write_text("s3cret/@:word\n")
            given[name] = str(tmp_path / secret)
    return load(given)


def test_the_file_keeps_the_specification_as_far_as_it_is_used() -> None:
    assert set(COMPOSE.services) == {
        *("topics", "migrate", "edge", "persist", "score", "proxy"),
        *("kafka", "postgres", "prometheus", "grafana"),
    }
    raw: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    raw = {name: value for name, value in raw.items() if name[:2] != "x-"}
    raw["services"]["edge"]["comand"] = []
    with pytest.raises(msgspec.ValidationError, match="comand"):
        msgspec.convert(raw, Compose)


@pytest.mark.parametrize("name", COMPOSE.services)
def test_every_image_is_pinned_to_one_version(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+(\.\d+)?(-[a-z0-9]+)*", COMPOSE.services[name].image)


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_ours_is_one_of_the_command_line(name: str) -> None:
    parsed(OURS[name].command)


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_a_setting_and_its_value_keeps_the_rules(name: str, tmp_path: Path) -> None:
    settings = settings_of(OURS[name], tmp_path)
    assert (settings.store_password, settings.admin_secret) == ("s3cret/@:word", "s3cret/@:word")
    assert settings.on_kafka
    assert not settings.embedded


def test_the_log_and_the_store_are_where_the_settings_say(tmp_path: Path) -> None:
    settings = settings_of(OURS["edge"], tmp_path)
    kafka, postgres = COMPOSE.services["kafka"].environment, COMPOSE.services["postgres"].environment
    assert kafka["KAFKA_ADVERTISED_LISTENERS"] == f"PLAINTEXT://{settings.brokers}"
    assert settings.brokers.split(":")[0] in COMPOSE.services
    assert (
        settings.store == f"postgresql://{postgres['POSTGRES_USER']}@postgres:5432/{postgres['POSTGRES_DB']}"
    )
    assert postgres["POSTGRES_PASSWORD_FILE"] == OURS["edge"].environment["LRS_STORE_PASSWORD_FILE"]
    assert kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


@pytest.mark.parametrize("name", COMPOSE.services)
def test_what_a_service_waits_for_is_there_and_can_be_waited_for(name: str) -> None:
    image_checks = bool(dockerfile.read()[-1].all("HEALTHCHECK"))
    for other, wait in COMPOSE.services[name].depends_on.items():
        target = COMPOSE.services[other]
        check = target.healthcheck
        if wait.condition == "service_completed_successfully":
            assert target.ends
        elif wait.condition == "service_healthy":
            assert (target.ours and image_checks) if check is None else (check.test and not check.disable)


def test_the_start_order_has_no_circle_and_parts_come_after_the_jobs() -> None:
    started: set[str] = set()
    while len(started) < len(COMPOSE.services):
        ready = {n for n, s in COMPOSE.services.items() if set(s.depends_on) <= started} - started
        assert ready, "some services wait for each other"
        started |= ready
    for part in PARTS.values():
        assert {"migrate", "topics"} <= set(part.depends_on)


def test_secrets_and_volumes_are_declared_and_used() -> None:
    services = COMPOSE.services.values()
    assert {secret for service in services for secret in service.secrets} == set(COMPOSE.secrets)
    mounted = {source for service in services for source in service.mounts.values()}
    assert {source for source in mounted if source[0] != "."} == set(COMPOSE.volumes)
    for source in mounted:
        if source[0] == ".":
            assert (ROOT / source).exists(), source


def test_no_secret_is_written_down() -> None:
    ignored = (ROOT / ".gitignore").read_text().split()
    for name, secret in COMPOSE.secrets.items():
        assert f"/{Path(secret.file).parts[0]}/" in ignored
        assert secret.file.removeprefix("./") in (ROOT / "docs" / "deployment.md").read_text("utf-8"), name
    for service in COMPOSE.services.values():
        for variable, value in service.environment.items():
            if re.search("PASSWORD|SECRET", variable):
                assert value.startswith(SECRETS)


@pytest.mark.parametrize("name", OURS)
def test_a_part_can_write_nowhere_but_where_it_must(name: str) -> None:
    service = OURS[name]
    assert service.read_only
    assert service.cap_drop == ["ALL"]
    assert service.security_opt == ["no-new-privileges:true"]
    assert service.init
    if name == "edge":
        assert dockerfile.read()[-1].environment["TMPDIR"] in service.mounts


@pytest.mark.parametrize("name", PARTS)
def test_a_part_has_the_time_to_finish_what_is_under_way(name: str, tmp_path: Path) -> None:
    assert settings_of(PARTS[name], tmp_path).stop_wait < seconds(PARTS[name].stop_grace_period)
    assert PARTS[name].deploy.replicas >= 2


def test_postgresql_has_a_connection_for_everybody(tmp_path: Path) -> None:
    edge = settings_of(PARTS["edge"], tmp_path)
    each = {
        "edge": edge.edge_connections,
        "persist": max(edge.worker_connections, edge.partitions) + UPKEEP,
        "score": max(edge.worker_connections, edge.partitions) + UPKEEP,
    }
    assert set(each) == set(PARTS)
    needed = sum(count * PARTS[name].deploy.replicas for name, count in each.items())
    [most] = [word for word in COMPOSE.services["postgres"].command if word.startswith("max_connections=")]
    assert 2 * needed <= int(most.split("=")[1]), "a rolling start has them twice"


def test_the_proxy_knows_the_edges_by_their_readiness(tmp_path: Path) -> None:
    settings = settings_of(PARTS["edge"], tmp_path)
    found = re.search(r"^    server-template edge (\d+) (\w+):(\d+)$", PROXY, re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= 2 * PARTS["edge"].deploy.replicas, "a rolling start has them twice"
    assert (found[2], int(found[3])) == ("edge", settings.http_port)
    assert "uri /readyz" in PROXY
    for port in COMPOSE.services["proxy"].ports:
        assert f"bind :{port.split(':')[-1]}\n" in PROXY


def test_the_proxy_repeats_only_what_reached_no_edge_or_changes_nothing() -> None:
    assert re.search(r"^    retry-on conn-failure empty-response$", PROXY, re.MULTILINE)
    assert re.search(r"^    http-request disable-l7-retry unless METH_GET$", PROXY, re.MULTILINE)
