"""`lrs status`: who runs, and how far each stage is behind."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from lrs.cli import settings as settings_of
from lrs.cli.command import data_option, done, json_option
from lrs.composition.store import stage_lags
from lrs.directory import DataDirectory
from lrs.lag import Lag
from lrs.supervisor import State


class Status(msgspec.Struct, frozen=True):
    """What `lrs status --json` prints; `supervisor` is null unless `lrs up` runs here."""

    supervisor: State | None
    stages: list[Lag]


@click.command()
@data_option
@json_option
@click.pass_context
def status(ctx: click.Context, data: Path | None, as_json: bool) -> None:
    """Show the processes of `lrs up`, and offsets and lag of each stage."""
    settings = settings_of(ctx, data=data)
    note = DataDirectory(settings.data).state
    state = msgspec.json.decode(note.read_bytes(), type=State) if note.exists() else None
    found = Status(state, done(stage_lags(settings)))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        console = Console()
        if found.supervisor is not None:
            console.print(_processes(found.supervisor))
        console.print(stages_table(found.stages))


def _processes(state: State) -> Table:
    table = Table(title=f"Processes, serving {state.http}", title_justify="left")
    for heading in ("process", "pid", "restarts", "metrics"):
        table.add_column(heading, justify="right" if heading in ("pid", "restarts") else "left")
    table.add_row("supervisor", str(state.pid), "", state.metrics)
    for child in state.children:
        table.add_row(child.name, str(child.pid or "-"), str(child.restarts), child.metrics or "-")
    return table


def stages_table(stages: list[Lag]) -> Table:
    """Owner, offsets and lag of each stage and partition."""
    table = Table(title="Stages", title_justify="left")
    for heading in ("stage", "partition", "owner", "next", "end", "lag", "seconds"):
        table.add_column(heading, justify="left" if heading in ("stage", "owner") else "right")
    for lag in stages:
        table.add_row(
            lag.stage,
            str(lag.partition),
            lag.owner or "-",
            str(lag.next_offset),
            str(lag.end),
            str(lag.records),
            f"{lag.seconds:.3f}",
        )
    return table
