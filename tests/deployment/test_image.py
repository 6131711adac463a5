"""The Dockerfile: what it copies is there, what it runs exists, and it runs as nobody in particular."""

from __future__ import annotations

import re
import tomllib

from lrs.settings import load
from tests.deployment.compose import ROOT
from tests.deployment.dockerfile import read, words
from tests.deployment.test_compose import parsed

STAGES = read()
FINAL = STAGES[-1]


def test_both_stages_begin_with_the_same_pinned_image() -> None:
    assert len({stage.image for stage in STAGES}) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-[a-z-]+(@sha256:[0-9a-f]{64})?", FINAL.image)


def test_everything_that_is_copied_is_there_and_in_the_build_context() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    for stage in STAGES:
        for copied in stage.all("COPY"):
            *sources, _ = [word for word in copied.split() if not word.startswith("--")]
            if "--from=" in copied:
                assert f"--from={STAGES[0].name} " in copied
                continue
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source in allowed, f"{source} is not in the build context"


def test_packages_are_installed_by_their_hashes_alone() -> None:
    installs = [run for run in STAGES[0].all("RUN") if "pip install" in run]
    assert len(installs) == 2
    for run in installs:
        assert "--require-hashes --no-deps" in run or "--no-index --no-deps" in run


def test_machine_code_is_made_for_the_processor_that_will_run_it() -> None:
    made, run = STAGES[0].environment, FINAL.environment
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES"):
        assert made[name] == run[name]
    assert STAGES[0].all("ARG") == FINAL.all("ARG")
    order = [f"{name} {rest}" for name, rest in STAGES[0].steps]
    warm = order.index("RUN /opt/lrs/bin/lrs warm")
    assert all(place < warm for place, step in enumerate(order) if step.startswith("ENV"))


def test_it_runs_as_nobody_in_particular() -> None:
    user, group = FINAL.last("USER").split(":")
    assert int(user) >= 1000
    assert int(group) >= 1000


def test_it_starts_and_is_watched_by_commands_of_ours() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    [program] = words(FINAL.last("ENTRYPOINT"))
    assert program in scripts
    check = words(FINAL.last("HEALTHCHECK").split(" CMD ")[1])
    assert check[0] == program
    port = parsed(check[1:]).params["port"]
    assert port == load(FINAL.environment).edge_metrics_port


def test_what_it_exposes_is_listened_on_by_everybody_who_asks() -> None:
    settings = load(FINAL.environment)
    ports = {settings.http_port, settings.edge_metrics_port}
    assert {settings.persist_metrics_port, settings.score_metrics_port} <= ports
    assert set(map(int, FINAL.last("EXPOSE").split())) == ports
    assert (settings.http_host, settings.metrics_host) == ("0.0.0.0", "0.0.0.0")
    assert FINAL.environment["TMPDIR"] == FINAL.last("VOLUME")
