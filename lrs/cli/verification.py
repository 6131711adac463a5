"""`lrs verify` and `lrs rebuild`: prove what is derived, and derive it anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from lrs.cli import settings as settings_of
from lrs.cli.command import catalogue_text, data_option, done, json_option
from lrs.composition.verification import rebuilding, verification
from lrs.scoring.document import DocumentError
from lrs.store.dictionary import UnknownDictionary
from lrs.store.rebuilding import RebuildingRuns
from lrs.store.tail import Forgotten

if TYPE_CHECKING:
    from lrs.store import verification as store
    from lrs.store.verification import Report

FORESEEN = (UnknownDictionary, RebuildingRuns, Forgotten, DocumentError)


@click.command()
@click.option(
    "--fraction",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    help="Share of the learners, always the same ones.",
)
@json_option
@data_option
@click.pass_context
def verify(ctx: click.Context, fraction: float, as_json: bool, data: Path | None) -> None:
    """Recompute what is derived from the stored statements, and compare; exit 1 on any difference."""
    settings = settings_of(ctx, data=data)
    with _bar("verify") as progress:
        report = done(verification(settings, fraction, progress), *FORESEEN)
    click.echo(msgspec.json.encode(report).decode() if as_json else _told(report))
    ctx.exit(1 if report.different else 0)


def _told(report: Report) -> str:
    lines = [
        f"{difference.kind}: tenant {difference.tenant} {difference.of} {difference.text}"
        for difference in report.differences
    ]
    if report.different > len(lines):
        lines.append(f"… and {report.different - len(lines):,} more")
    rate = report.statements / report.seconds if report.seconds else 0.0
    lines.append(
        f"{report.learners:,} learners, {report.statements:,} statements, {report.facts:,} facts"
        f" in {report.seconds:.1f} s ({rate:,.0f} statements/s), digest {report.digest}"
    )
    lines.append(f"{report.different:,} differences" if report.different else "everything is as it must be")
    return "\n".join(lines)


@click.command()
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Derive everything under this catalogue, then put it in force.",
)
@data_option
@click.pass_context
def rebuild(ctx: click.Context, catalogue: Path | None, data: Path | None) -> None:
    """Derive what is derived anew from the stored statements, while the LRS runs."""
    settings = settings_of(ctx, data=data)
    text = None if catalogue is None else catalogue_text(catalogue)
    with _bar("rebuild") as progress:
        rebuilt = done(rebuilding(settings, text, progress), *FORESEEN)
    click.echo(f"{rebuilt.learners:,} learners, {rebuilt.statements:,} statements read")
    if catalogue is None:
        click.echo(f"{rebuilt.replaced:,} ranges of learners were not as they must be, and were replaced")
    else:
        click.echo(
            f"catalogue {rebuilt.catalogue} is in force: set LRS_CATALOGUE={catalogue} before the next start"
        )


@contextmanager
def _bar(title: str) -> Iterator[store.Progress]:
    """A progress bar on a terminal; what is printed is for programs, too, so it goes to stderr."""
    columns = (TextColumn(title), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=max(total, 1))
