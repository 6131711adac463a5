"""`lrs credential`: make, list, show, rotate and revoke credentials."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from lrs.cli import settings as settings_of
from lrs.cli.command import data_option, done, json_option, tenant_option
from lrs.composition.store import connected
from lrs.http.scope import SCOPES
from lrs.store.credential import CredentialError, Credentials, Draft, Known, NoCredential, Voiding
from lrs.store.name import Names
from lrs.store.tenant import TenantError, Tenants

_Result = TypeVar("_Result")
_Command = TypeVar("_Command", bound=Callable[..., Any])


@click.group()
def credential() -> None:
    """Make, list, show, rotate and revoke credentials."""


def _common(command: _Command) -> _Command:
    """The options of every command here."""
    return data_option(json_option(command))


def _done(
    ctx: click.Context,
    data: Path | None,
    work: Callable[[Credentials, Tenants], Awaitable[_Result]],
) -> _Result:
    """Work on the credentials of the store; ends the program with what went wrong."""
    settings = settings_of(ctx, data=data)

    async def connected_work() -> _Result:
        async with connected(settings, 2, "credential") as pool:
            return await work(Credentials(pool, Names(pool)), Tenants(pool))

    return done(connected_work(), TenantError, CredentialError)


@credential.command()
@click.argument("key", default="")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(list(SCOPES)),
    help="What it may do; can be given several times.",
)
@click.option(
    "--voids",
    type=click.Choice(["none", "own", "any"]),
    default="own",
    show_default=True,
    help="What it may void.",
)
@click.option("--days", type=click.FloatRange(0, 36500, min_open=True), help="Expires after so many days.")
@click.option(
    "--admin", is_flag=True, help="May manage its tenant's credentials over HTTP; needs the scope all."
)
@tenant_option
@_common
@click.pass_context
def create(
    ctx: click.Context,
    key: str,
    scopes: tuple[str, ...],
    voids: Voiding,
    days: float | None,
    admin: bool,
    tenant: str,
    as_json: bool,
    data: Path | None,
) -> None:
    """Make the credential KEY (without it, one at random); its secret is shown this once."""
    expires = None if days is None else datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    draft = Draft(list(dict.fromkeys(scopes)), key, voids, admin, expires)

    async def work(credentials: Credentials, tenants: Tenants) -> tuple[str, str]:
        return await credentials.create(await tenants.number(tenant), draft)

    _show_secret(*_done(ctx, data, work), as_json)


@credential.command("list")
@click.option("--tenant", help="Name of a tenant; without it, of all.")
@_common
@click.pass_context
def list_(ctx: click.Context, tenant: str | None, as_json: bool, data: Path | None) -> None:
    """Show every credential."""

    async def work(credentials: Credentials, tenants: Tenants) -> list[Known]:
        return await credentials.known(None if tenant is None else await tenants.number(tenant))

    known = _done(ctx, data, work)
    if as_json:
        click.echo(msgspec.json.encode({"credentials": known}).decode())
        return
    table = Table(title="Credentials", title_justify="left")
    for heading in ("key", "tenant", "scopes", "voids", "admin", "created", "ends"):
        table.add_column(heading, overflow="fold")
    for one in known:
        table.add_row(
            one.key,
            one.tenant,
            " ".join(one.scopes),
            one.voiding,
            "yes" if one.admin else "",
            _minute(one.created),
            _end(one),
        )
    Console().print(table)


@credential.command()
@click.argument("key")
@_common
@click.pass_context
def show(ctx: click.Context, key: str, as_json: bool, data: Path | None) -> None:
    """Show the credential KEY: everything but its secret."""

    async def work(credentials: Credentials, _: Tenants) -> Known:
        return await _found(credentials, key)

    one = _done(ctx, data, work)
    if as_json:
        click.echo(msgspec.json.encode(one).decode())
        return
    table = Table(show_header=False)
    for name, value in msgspec.json.decode(msgspec.json.encode(one)).items():
        table.add_row(name, " ".join(value) if name == "scopes" else "" if value is None else str(value))
    Console().print(table)


@credential.command()
@click.argument("key")
@click.option(
    "--overlap", type=click.FloatRange(0), default=0.0, help="Seconds for which the old secret stays valid."
)
@_common
@click.pass_context
def rotate(ctx: click.Context, key: str, overlap: float, as_json: bool, data: Path | None) -> None:
    """Give the credential KEY a new secret, which is shown this once; its authority stays."""

    async def work(credentials: Credentials, tenants: Tenants) -> str:
        tenant = (await _found(credentials, key)).tenant
        return await credentials.rotate(await tenants.number(tenant), key, overlap)

    _show_secret(key, _done(ctx, data, work), as_json)


@credential.command()
@click.argument("key")
@_common
@click.pass_context
def revoke(ctx: click.Context, key: str, as_json: bool, data: Path | None) -> None:
    """End the credential KEY for ever; edges that remember it let it in for up to a minute more."""

    async def work(credentials: Credentials, tenants: Tenants) -> Known:
        tenant = (await _found(credentials, key)).tenant
        await credentials.revoke(await tenants.number(tenant), key)
        return await _found(credentials, key)

    revoked = _done(ctx, data, work)
    click.echo(msgspec.json.encode(revoked).decode() if as_json else f"{key} is revoked")


async def _found(credentials: Credentials, key: str) -> Known:
    for one in await credentials.known(key=key):
        return one
    raise NoCredential(f"there is no credential {key!r}")


def _show_secret(key: str, secret: str, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode({"key": key, "secret": secret}).decode())
    else:
        click.echo(f"key     {key}\nsecret  {secret}\nthe secret is not shown again")


def _end(one: Known) -> str:
    if one.revoked is not None:
        return f"revoked {_minute(one.revoked)}"
    return "" if one.expires is None else f"expires {_minute(one.expires)}"


def _minute(instant: datetime.datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"
