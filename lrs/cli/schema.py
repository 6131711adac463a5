"""`lrs migrate` and `lrs upgrade-data`: bring the database up to date."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from lrs.account import AccountError
from lrs.cli import settings as settings_of
from lrs.cli.command import data_option, done
from lrs.cluster import ClusterError
from lrs.composition.preparation import migrate_store, provide
from lrs.directory import DataDirectory, DirectoryInUse
from lrs.durability import NotDurable
from lrs.store.migration import Migration, MigrationError
from lrs.upgrade import upgrade


@click.command()
@click.pass_context
def migrate(ctx: click.Context) -> None:
    """Apply the migrations that the store lacks; harmless while the LRS runs."""
    settings = settings_of(ctx)

    async def bring_up_to_date() -> list[Migration]:
        fresh = await migrate_store(settings)
        await provide(settings)
        return fresh

    fresh = done(bring_up_to_date(), MigrationError, NotDurable)
    for migration in fresh:
        click.echo(f"applied {migration.number:04d}_{migration.name}")
    click.echo("the store is up to date")


@click.command("upgrade-data")
@data_option
@click.pass_context
def upgrade_data(ctx: click.Context, data: Path | None) -> None:
    """Turn a data directory of an older PostgreSQL major into one of this program's."""
    directory = DataDirectory(settings_of(ctx, data=data).data)
    try:
        directory.acquire()
        kept = asyncio.run(upgrade(directory, click.echo))
    except (DirectoryInUse, ClusterError, AccountError, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        directory.release()
    click.echo(f"the old files are kept in {kept}: remove them when you are content")
