"""`lrs lag`: how far each stage is behind its log."""

from __future__ import annotations

import click
import msgspec

from lrs.cli import settings as settings_of
from lrs.cli.command import done, json_option
from lrs.cli.status import stages_table
from lrs.composition.store import stage_lags


@click.command()
@json_option
@click.option("--most", type=float, help="End with status 1 if a stage is more seconds behind.")
@click.pass_context
def lag(ctx: click.Context, as_json: bool, most: float | None) -> None:
    """Show how far each stage is behind, by partition, in records and seconds."""
    from rich.console import Console

    found = done(stage_lags(settings_of(ctx)))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        Console().print(stages_table(found))
    if most is not None and any(each.seconds > most for each in found):
        ctx.exit(1)
