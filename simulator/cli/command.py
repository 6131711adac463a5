"""What the commands share: options, progress bars, errors in a line, and reports in two files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from simulator.scenario import ScenarioError

CORES = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)

settings_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change a parameter; may be repeated.",
)
calibration_option = click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    default=None,
    help="Service times: a file, or the name of one that comes with the package; else they are assumed.",
)
out_option = click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Files are OUT.html and OUT.json."
)
shards_option = click.option(
    "--shards", default=CORES, show_default=True, help="Threads; they change no figure."
)


@contextmanager
def errors() -> Iterator[None]:
    """Tell a ScenarioError in one line, and end."""
    try:
        yield
    except ScenarioError as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def bars() -> Iterator[Callable[[str, float], None]]:
    """Live progress bars, one for each thing that is under way."""
    columns = (TextColumn("{task.description:>20}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, share: float) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=1.0)
            progress.update(tasks[what], completed=share)

        yield tell


def write(out: Path, data: dict[str, Any], html: str) -> None:
    """Write OUT.json and OUT.html."""
    out.parent.mkdir(parents=True, exist_ok=True)
    json_file, html_file = out.with_name(out.name + ".json"), out.with_name(out.name + ".html")
    json_file.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    html_file.write_text(html, encoding="utf-8")
    click.echo(f"{html_file}\n{json_file}")
