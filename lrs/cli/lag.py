"""`lrs lag`: how far each stage is behind its log."""

from __future__ import annotations

import asyncio

import asyncpg
import click
import msgspec

from lrs.cli import settings as settings_of
from lrs.cli.status import stages_table
from lrs.composition.store import stage_lags
from lrs.log.port import LogError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.option("--most", type=float, help="End with status 1 if a stage is more seconds behind.")
@click.pass_context
def lag(ctx: click.Context, as_json: bool, most: float | None) -> None:
    """Show how far each stage is behind, by partition, in records and seconds."""
    from rich.console import Console

    try:
        found = asyncio.run(stage_lags(settings_of(ctx)))
    except (asyncpg.PostgresError, LogError, OSError) as error:
        raise click.ClickException(f"the store or the log does not answer: {error}") from None
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        Console().print(stages_table(found))
    if most is not None and any(each.seconds > most for each in found):
        ctx.exit(1)
