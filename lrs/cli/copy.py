"""`lrs backup` and `lrs restore`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from lrs import backup as backups
from lrs.cli import settings as settings_of
from lrs.cli.command import data_option
from lrs.directory import DataDirectory, DirectoryInUse


@click.command()
@click.argument("target", type=click.Path(path_type=Path))
@data_option
@click.pass_context
def backup(ctx: click.Context, target: Path, data: Path | None) -> None:
    """Copy the running LRS, whole, into the file TARGET, or into a file in the directory TARGET."""
    settings = settings_of(ctx, data=data)
    if not settings.embedded:
        raise click.ClickException(
            "the store is a PostgreSQL of its own: back it up by its own means (pg_basebackup, pgBackRest);"
            " the log is in it too, so that nothing acknowledged is missing"
        )
    try:
        with _bar("backup") as progress:
            path = asyncio.run(backups.backup(DataDirectory(settings.data), target, progress))
    except (backups.BackupError, asyncpg.PostgresError, OSError) as error:
        raise click.ClickException(f"no backup was made: {error}") from None
    click.echo(f"{path} ({path.stat().st_size:,} bytes)")


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@data_option
@click.pass_context
def restore(ctx: click.Context, source: Path, data: Path | None) -> None:
    """Make the backup SOURCE the database of an empty data directory; then start with `lrs up`."""
    directory = DataDirectory(settings_of(ctx, data=data).data)
    try:
        directory.acquire()
        with _bar("restore") as progress:
            asyncio.run(backups.restore(directory, source, progress))
    except (DirectoryInUse, backups.BackupError, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        directory.release()
    click.echo(f"restored into {directory.path}; `lrs up` starts it, `lrs verify` proves it")


@contextmanager
def _bar(title: str) -> Iterator[backups.Progress]:
    columns = (TextColumn(title), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
