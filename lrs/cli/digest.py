"""`lrs digest`: count and sum of what was stored, and what is missing of what was sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO
from uuid import UUID

import click
import msgspec

from lrs.cli import settings as settings_of
from lrs.cli.command import data_option, done, tenant_option
from lrs.composition.person import differences, digest_of
from lrs.store.tenant import TenantError
from lrs.xapi.timestamp import parse_timestamp

_EVER = "2020-01-01T00:00:00Z"
_NEVER = "2055-01-01T00:00:00Z"


def _instant(_ctx: click.Context, _parameter: click.Parameter, text: str) -> int:
    instant = parse_timestamp(text)
    if instant is None:
        raise click.BadParameter("must be a timestamp of ISO 8601")
    return instant


_since = click.option("--since", default=_EVER, callback=_instant, help="Stored after this instant.")
_until = click.option("--until", default=_NEVER, callback=_instant, help="Stored not after this instant.")


@click.group()
def digest() -> None:
    """Compare what was stored with what was sent."""


@digest.command()
@_since
@_until
@tenant_option
@data_option
@click.pass_context
def show(ctx: click.Context, since: int, until: int, tenant: str, data: Path | None) -> None:
    """Show count and sum of what was stored, as one JSON object."""
    found = done(digest_of(settings_of(ctx, data=data), tenant, since, until), TenantError)
    click.echo(msgspec.json.encode({"count": found.count, "sum": f"{found.sum:032x}"}).decode())


@digest.command()
@click.argument("sent", type=click.File("r", encoding="utf-8"))
@_since
@_until
@click.option("--credential", help="Only what was stored with this credential.")
@tenant_option
@data_option
@click.pass_context
def compare(
    ctx: click.Context,
    sent: TextIO,
    since: int,
    until: int,
    credential: str | None,
    tenant: str,
    data: Path | None,
) -> None:
    """Compare the statements listed in SENT with what was stored; exit 1 on any difference.

    A line of SENT is a statement id and perhaps, after a space, the time at which it was stored or
    acknowledged. The nearer that is, the fewer ids are read.
    """
    settings = settings_of(ctx, data=data)
    listed = list(_read(sent, since))
    found = done(differences(settings, tenant, listed, since, until, credential), TenantError, LookupError)
    for kind, ids in (("missing", found.missing), ("surplus", found.surplus)):
        for id_ in sorted(ids):
            click.echo(f"{kind} {id_}")
    click.echo(f"{len(listed):,} sent, {len(found.missing):,} missing, {len(found.surplus):,} surplus")
    ctx.exit(1 if found.missing or found.surplus else 0)


def _read(sent: TextIO, default: int) -> Iterator[tuple[int, UUID]]:
    for number, line in enumerate(sent, 1):
        text, _, when = line.strip().partition(" ")
        if not text:
            continue
        try:
            yield _when(when) if when else default, UUID(text)
        except ValueError as error:
            raise click.ClickException(f"{sent.name}: line {number}: {error}") from None


def _when(text: str) -> int:
    found = parse_timestamp(text)
    if found is None:
        raise ValueError(f"{text!r} is no timestamp of ISO 8601")
    return found
