"""Prometheus and Grafana find what they are told to."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from lrs.settings import load
from tests.deployment import dockerfile
from tests.deployment.compose import ROOT
from tests.deployment.test_compose import COMPOSE, PARTS, PROXY

MONITORING = ROOT / "monitoring"


def document(name: str) -> dict[str, Any]:
    """A YAML file below `monitoring`."""
    found: dict[str, Any] = yaml.safe_load((MONITORING / name).read_text("utf-8"))
    return found


def test_every_part_is_scraped_on_its_metrics_port() -> None:
    settings = load(dockerfile.read()[-1].environment)
    ports = {
        "edge": settings.edge_metrics_port,
        "persist": settings.persist_metrics_port,
        "score": settings.score_metrics_port,
    }
    jobs = {job["job_name"]: job for job in document("prometheus.yml")["scrape_configs"]}
    for name in PARTS:
        [found] = jobs[name]["dns_sd_configs"]
        assert (found["names"], found["type"], found["port"]) == ([name], "A", ports[name])
    [proxy] = jobs["proxy"]["static_configs"]
    name, port = proxy["targets"][0].split(":")
    assert name in COMPOSE.services
    assert f"bind :{port}\n" in PROXY


def test_promtool_accepts_the_configuration() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool (Debian's package prometheus) is not there")
    done = subprocess.run(
        [promtool, "check", "config", str(MONITORING / "prometheus.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_asks_the_prometheus_of_the_composition() -> None:
    [source] = document("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    address = urlsplit(source["url"])
    assert (source["type"], source["uid"]) == ("prometheus", "prometheus")
    [published] = COMPOSE.services[str(address.hostname)].ports
    assert published.endswith(f":{address.port}")


def test_grafana_finds_its_files_where_they_are_mounted() -> None:
    mounts = COMPOSE.services["grafana"].mounts
    assert mounts["/etc/grafana/provisioning"] == "./monitoring/grafana/provisioning"
    [provider] = document("grafana/provisioning/dashboards/lrs.yml")["providers"]
    assert mounts[provider["options"]["path"]] == "./monitoring/grafana/dashboards"


def test_prometheus_reads_the_file_that_is_mounted() -> None:
    service = COMPOSE.services["prometheus"]
    [file] = [word.split("=", 1)[1] for word in service.command if word.startswith("--config.file=")]
    assert service.mounts[file] == "./monitoring/prometheus.yml"
    [data] = [word.split("=", 1)[1] for word in service.command if word.startswith("--storage.tsdb.path=")]
    assert data in service.mounts
