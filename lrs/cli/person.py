"""`lrs person`: export and erasure of everything that is kept of a person."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path

import asyncpg
import click
import msgspec
from rich.console import Console
from rich.table import Table

from lrs.cli import settings as settings_of
from lrs.composition.person import erase_person, erasures, export_person
from lrs.log.port import LogError
from lrs.store.dictionary import UnknownDictionary
from lrs.store.erasure import Erasure, NobodyKnown, StagesBehind
from lrs.store.rebuilding import RebuildingRuns
from lrs.xapi.agent import read_agent
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

_ERRORS = (
    asyncpg.PostgresError,
    LogError,
    OSError,
    NobodyKnown,
    StagesBehind,
    RebuildingRuns,
    UnknownDictionary,
)

_data = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="Data directory (LRS_DATA)."
)
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


def _read_agent(_ctx: click.Context, _parameter: click.Parameter, text: str) -> str:
    try:
        return read_agent(text.encode(), Version.V2_0_0)
    except Rejected as error:
        first = error.violations[0]
        raise click.BadParameter(f"{first.path}: {first.rule}") from None


_agent = click.option(
    "--agent", required=True, callback=_read_agent, help="The person: an Agent or identified Group as JSON."
)


@click.group()
def person() -> None:
    """Export or erase everything that is kept of a person."""


@person.command()
@_agent
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@_data
@click.pass_context
def export(ctx: click.Context, agent: str, target: Path, data: Path | None) -> None:
    """Write everything that is kept of a person into the new zip file TARGET."""
    try:
        size = asyncio.run(export_person(settings_of(ctx, data=data), agent, target))
    except _ERRORS as error:
        raise click.ClickException(str(error) or repr(error)) from None
    click.echo(f"{target} ({size:,} bytes)")


@person.command()
@_agent
@click.option("--related", is_flag=True, help="Also statements of others that name the person.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_json
@_data
@click.pass_context
def erase(ctx: click.Context, agent: str, related: bool, yes: bool, as_json: bool, data: Path | None) -> None:
    """Erase a person, or go on with an erasure that was not finished; the LRS must run."""
    settings = settings_of(ctx, data=data)
    if not yes:
        click.confirm(f"Erase everything that is kept of {agent}?", abort=True)
    try:
        done = asyncio.run(erase_person(settings, agent, f"user {getpass.getuser()}", related=related))
    except _ERRORS as error:
        raise click.ClickException(str(error) or repr(error)) from None
    if as_json:
        click.echo(msgspec.json.encode(done).decode())
        return
    click.echo(
        f"erasure {done.erasure}: {done.statements:,} statements and {done.documents:,} documents erased"
    )
    if done.kept:
        click.echo(f"{done.kept:,} statements of others name the person still: --related erases them, too")


@person.command()
@_json
@_data
@click.pass_context
def audit(ctx: click.Context, as_json: bool, data: Path | None) -> None:
    """Show every erasure: who asked for it, when, and what went."""
    try:
        found = asyncio.run(erasures(settings_of(ctx, data=data)))
    except _ERRORS as error:
        raise click.ClickException(str(error) or repr(error)) from None
    if as_json:
        click.echo(msgspec.json.encode({"erasures": found}).decode())
    else:
        Console().print(_table(found))


def _table(found: list[Erasure]) -> Table:
    table = Table(title="Erasures", title_justify="left")
    for heading in ("erasure", "person (hash)", "asked by", "asked", "finished"):
        table.add_column(heading, overflow="fold", min_width=36 if heading.startswith("person") else None)
    for heading in ("statements", "documents", "kept"):
        table.add_column(heading, justify="right")
    for one in found:
        times = (
            f"{time:%Y-%m-%d %H:%M:%S}" if time else "not finished" for time in (one.requested, one.finished)
        )
        counts = (f"{count:,}" for count in (one.statements, one.documents, one.kept))
        table.add_row(str(one.erasure), one.key, one.requested_by, *times, *counts)
    return table
