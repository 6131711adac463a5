"""`lrs tenant`: make and list tenants."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from lrs.cli import settings as settings_of
from lrs.cli.command import catalogue_text, data_option, done, json_option
from lrs.composition.store import connected
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.document import DocumentError
from lrs.store.catalogue import ensure_catalogue
from lrs.store.tenant import Tenant, TenantError, Tenants


@click.group()
def tenant() -> None:
    """Make and list tenants, who share nothing but the machine."""


@tenant.command()
@click.argument("name")
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="YAML file of the catalogue that its learners are scored by.",
)
@data_option
@click.pass_context
def create(ctx: click.Context, name: str, catalogue: Path | None, data: Path | None) -> None:
    """Make the tenant NAME; `lrs credential create --tenant NAME` gives it a first credential."""
    settings = settings_of(ctx, data=data)
    text = None if catalogue is None else catalogue_text(catalogue)

    async def made() -> int:
        if text is not None:
            read_catalogue(text)  # a faulty one leaves no tenant behind
        async with connected(settings, 1, "tenant") as pool:
            number = await Tenants(pool).create(name)
            if text is not None:
                await ensure_catalogue(pool, number, text)
            return number

    number = done(made(), TenantError, DocumentError)
    click.echo(f"tenant {number}: {name}")


@tenant.command("list")
@json_option
@data_option
@click.pass_context
def list_(ctx: click.Context, as_json: bool, data: Path | None) -> None:
    """Show every tenant."""
    settings = settings_of(ctx, data=data)

    async def found() -> list[Tenant]:
        async with connected(settings, 1, "tenant") as pool:
            return await Tenants(pool).all()

    tenants = done(found())
    if as_json:
        click.echo(msgspec.json.encode(tenants).decode())
        return
    table = Table(title="Tenants", title_justify="left")
    for heading in ("tenant", "name", "created", "credentials", "scored"):
        table.add_column(heading, justify="right" if heading in ("tenant", "credentials") else "left")
    for one in tenants:
        table.add_row(
            str(one.tenant),
            one.name,
            f"{one.created:%Y-%m-%d %H:%M}",
            str(one.credentials),
            "yes" if one.catalogue else "no",
        )
    Console().print(table)
