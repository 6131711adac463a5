"""What load tests and benchmarks have in common as commands: options, their end, where a report goes."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import click
import msgspec

within_option = click.option(
    "--within",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data"),
    help="Where the fresh directory is made; the disk matters.",
)
report_option = click.option(
    "--report", type=click.Path(path_type=Path), help="HTML file; the figures go beside it as JSON."
)


def end_in_order() -> None:
    """Make a request to end (SIGTERM) an orderly one: what was started is stopped, the directory deleted."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def written(report: Path | None, name: str, page: str, record: Any) -> tuple[Path, Path]:
    """Write a page, and its figures beside it; both files. `report` None: one of this name and this time."""
    file = report or Path("reports") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, "utf-8")
    figures = file.with_suffix(".json")
    figures.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    return file, figures
