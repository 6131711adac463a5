"""The documentation is complete and current: every setting, metric, command and route is in it."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from pathlib import Path

import click
import msgspec
import pytest

from lrs import settings
from lrs.cli import main
from lrs.http.edge import ROUTES
from lrs.metrics.registry import Described, catalogue

ROOT = Path(__file__).parent.parent


def page(name: str) -> str:
    """The text of a page of the documentation, a paragraph on one line."""
    return re.sub(r"\s+", " ", (ROOT / name).read_text("utf-8"))


def _field_docstrings() -> dict[str, str]:
    """What stands under each field of Settings."""
    [body] = ast.parse(inspect.getsource(settings.Settings)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, doc in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(doc, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(doc.value, ast.Constant)
            found[field.target.id] = re.sub(r"\s+", " ", str(doc.value.value))
    return found


def _shown(default: object) -> str:
    """A default as the page writes it: sizes with their unit."""
    if isinstance(default, int) and default >= settings.MIB and default % settings.MIB == 0:
        mib = default // settings.MIB
        return f"{mib // 1024}GB" if mib % 1024 == 0 else f"{mib}MB"
    return "" if default in ("", None) else f"{default:g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize("field", msgspec.structs.fields(settings.Settings), ids=lambda field: field.name)
def test_every_setting_is_documented_with_its_default_and_its_meaning(
    field: msgspec.structs.FieldInfo,
) -> None:
    default = _shown(field.default)
    meaning = _field_docstrings()[field.name]
    row = f"| `{settings.variable(field.name)}` | {f'`{default}`' if default else 'none'} | {meaning} |"
    assert row in page("docs/settings.md")


def test_no_setting_is_documented_that_does_not_exist() -> None:
    known = {settings.variable(field.name) for field in msgspec.structs.fields(settings.Settings)}
    known |= {f"{settings.variable(name)}_FILE" for name in settings.SECRET}
    for name in ("README.md", "docs/settings.md", "docs/cli.md", "docs/metrics.md", "CONTRIBUTING.md"):
        found = set(re.findall(r"\bLRS_[A-Z_]+\b", page(name)))
        assert found <= known | {settings.CONFIG}, name


@pytest.mark.parametrize(
    "metric", [m for m in catalogue() if m.name.startswith("lrs_")], ids=lambda m: m.name
)
def test_every_metric_is_documented_with_its_kind_labels_and_meaning(metric: Described) -> None:
    labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
    row = f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"
    assert row in page("docs/metrics.md")


def test_no_metric_is_documented_that_does_not_exist() -> None:
    known = {metric.name for metric in catalogue()}
    assert set(re.findall(r"`(lrs_[a-z_]+)`", page("docs/metrics.md"))) <= known


def _commands() -> dict[str, click.Command]:
    context = click.Context(main)
    return {
        name: command for name in main.list_commands(context) if (command := main.get_command(context, name))
    }


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_every_command_is_documented_with_its_options(name: str) -> None:
    text = (ROOT / "docs/cli.md").read_text("utf-8")
    section = re.search(rf"^## `lrs {re.escape(name)}\b.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    for parameter in _commands()[name].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert f"`{parameter.opts[-1]}" in section[0]
        elif isinstance(parameter, click.Argument):
            assert parameter.human_readable_name.upper() in section[0]


def test_no_command_is_documented_that_does_not_exist() -> None:
    named = set(re.findall(r"^## `lrs ([a-z-]+)", (ROOT / "docs/cli.md").read_text("utf-8"), re.MULTILINE))
    assert named == set(_commands())


@pytest.mark.parametrize("path", sorted(ROUTES.values()))
def test_every_http_route_is_named_in_the_readme_or_a_page(path: str) -> None:
    texts = [page("README.md"), *(file.read_text("utf-8") for file in (ROOT / "docs").glob("*.md"))]
    assert any(f"`{path}" in text or f"{path}`" in text or f" {path}" in text for text in texts)


def test_links_inside_the_documentation_lead_somewhere() -> None:
    for file in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", file.read_text("utf-8")):
            assert (file.parent / target).exists(), f"{file.name}: {target}"


# -- the house -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["setup", "run", "test", "check", "bench", "crash", "fuzz"])
def test_the_makefile_has_the_targets_that_the_readme_promises(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_continuous_integration_runs_the_readmes_test_command() -> None:
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")
    assert "make test" in page("README.md")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_requirements_are_pinned_by_hash_and_name_no_place(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not re.search(r"://|\bfile:|index-url|find-links|^/", text, re.MULTILINE)
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==\S+.*\\$", text, re.MULTILINE)
    requirements = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pinned) == len(requirements) > 30


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.split(r"[<>=!~;\[ ]", line)[0].lower().replace("_", "-") for line in requirements}

    def pinned(name: str) -> set[str]:
        return names([line for line in (ROOT / name).read_text().splitlines() if "==" in line])

    assert names(project["dependencies"]) <= pinned("requirements.txt")
    assert names(project["optional-dependencies"]["dev"]) <= pinned("requirements-dev.txt")


def test_the_licence_is_there_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
