"""`lrs person`: export and erasure of everything that is kept of a person."""

from __future__ import annotations

import getpass
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from lrs.cli import settings as settings_of
from lrs.cli.command import data_option, done, json_option, tenant_option
from lrs.composition.person import erase_person, erasures, export_person
from lrs.store.dictionary import UnknownDictionary
from lrs.store.erasure import Erasure, NobodyKnown, StagesBehind
from lrs.store.rebuilding import RebuildingRuns
from lrs.store.tenant import TenantError
from lrs.xapi.agent import read_agent
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

_FORESEEN = (TenantError, NobodyKnown, StagesBehind, RebuildingRuns, UnknownDictionary, FileExistsError)


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
@tenant_option
@data_option
@click.pass_context
def export(ctx: click.Context, agent: str, target: Path, tenant: str, data: Path | None) -> None:
    """Write everything that is kept of a person into the new zip file TARGET."""
    size = done(export_person(settings_of(ctx, data=data), tenant, agent, target), *_FORESEEN)
    click.echo(f"{target} ({size:,} bytes)")


@person.command()
@_agent
@click.option("--related", is_flag=True, help="Also statements of others that name the person.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@tenant_option
@json_option
@data_option
@click.pass_context
def erase(
    ctx: click.Context,
    agent: str,
    related: bool,
    yes: bool,
    tenant: str,
    as_json: bool,
    data: Path | None,
) -> None:
    """Erase a person, or go on with an erasure that was not finished; the LRS must run."""
    settings = settings_of(ctx, data=data)
    if not yes:
        click.confirm(f"Erase everything that is kept of {agent}?", abort=True)
    by = f"user {getpass.getuser()}"
    erased = done(erase_person(settings, tenant, agent, by, related=related), *_FORESEEN)
    if as_json:
        click.echo(msgspec.json.encode(erased).decode())
        return
    gone = f"{erased.statements:,} statements and {erased.documents:,} documents"
    click.echo(f"erasure {erased.erasure}: {gone} erased")
    if erased.kept:
        click.echo(f"{erased.kept:,} statements of others name the person still: --related erases them, too")


@person.command()
@tenant_option
@json_option
@data_option
@click.pass_context
def audit(ctx: click.Context, tenant: str, as_json: bool, data: Path | None) -> None:
    """Show every erasure: who asked for it, when, and what went."""
    found = done(erasures(settings_of(ctx, data=data), tenant), *_FORESEEN)
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
