"""`lrs dead-letters`: what was accepted and cannot be stored."""

from __future__ import annotations

import datetime
import sys
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.table import Table

from lrs.cli import settings as settings_of
from lrs.cli.command import done, json_option
from lrs.composition import dead_letters as letters
from lrs.metrics.stage import STAGES
from lrs.store.dead_letter import REASONS, DeadLetter, Filter, numbers

_MOST = 1_000_000

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _filters(function: _Function) -> _Function:
    for option in (
        click.option("--tenant", type=int, help="Number of the tenant."),
        click.option("--stage", type=click.Choice(STAGES), help="Which stage put it aside."),
        click.option("--reason", type=click.Choice(REASONS), help="Why."),
        click.option("--id", "id_", type=click.UUID, help="Id of the statement."),
        click.option("--since", type=click.DateTime(), help="Not older than this time (UTC)."),
    ):
        function = option(function)
    return function


def _filter(
    tenant: int | None,
    stage: str | None,
    reason: str | None,
    id_: uuid.UUID | None,
    since: datetime.datetime | None,
) -> Filter:
    return Filter(tenant, stage, reason, id_, since and since.replace(tzinfo=datetime.UTC))


@click.group(name="dead-letters")
def dead_letters() -> None:
    """List, show, retry and discard what was accepted and cannot be stored."""


@dead_letters.command(name="list")
@_filters
@click.option("--limit", default=100, show_default=True, help="The most that are listed, newest first.")
@json_option
@click.pass_context
def list_(ctx: click.Context, /, limit: int, as_json: bool, **filters: Any) -> None:
    """List letters."""
    found = done(letters.listed(settings_of(ctx), _filter(**filters), limit))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        Console().print(_table(found))


@dead_letters.command()
@click.argument("number", type=int)
@click.pass_context
def show(ctx: click.Context, number: int) -> None:
    """Show a letter as JSON on stderr, and its bytes, as they came, on stdout."""
    found = done(letters.shown(settings_of(ctx), number))
    if found is None:
        raise click.ClickException(f"{number}: there is no such letter")
    click.echo(msgspec.json.format(msgspec.json.encode(found[0])).decode(), err=True)
    sys.stdout.buffer.write(found[1] or b"")


@dead_letters.command()
@click.argument("number", type=int, nargs=-1)
@_filters
@click.pass_context
def retry(ctx: click.Context, /, number: tuple[int, ...], **filters: Any) -> None:
    """Send statements again under their ids; retrying twice stores once."""
    chosen = _chosen(ctx, number, filters)
    _tell(ctx, len(chosen), done(letters.retried(settings_of(ctx), chosen)), "sent again")


@dead_letters.command()
@click.argument("number", type=int, nargs=-1)
@_filters
@click.pass_context
def discard(ctx: click.Context, /, number: tuple[int, ...], **filters: Any) -> None:
    """Forget letters."""
    chosen = _chosen(ctx, number, filters)
    _tell(ctx, len(chosen), done(letters.discarded(settings_of(ctx), chosen)), "discarded")


def _chosen(ctx: click.Context, given: tuple[int, ...], filters: dict[str, Any]) -> list[int]:
    if given and any(value is not None for value in filters.values()):
        raise click.UsageError("give numbers, or filters")
    if given:
        return list(given)
    if not any(value is not None for value in filters.values()):
        raise click.UsageError("give numbers, or filters that say which letters")
    return numbers(done(letters.listed(settings_of(ctx), _filter(**filters), _MOST)))


def _tell(ctx: click.Context, asked: int, refused: dict[int, str], done: str) -> None:
    for number, reason in refused.items():
        click.echo(f"{number}: {reason}", err=True)
    click.echo(f"{asked - len(refused)} {done}")
    if refused:
        ctx.exit(1)


def _table(found: list[DeadLetter]) -> Table:
    table = Table(title="Dead letters", title_justify="left")
    for heading in ("number", "tenant", "stage", "record", "reason", "id", "created", "detail"):
        table.add_column(heading, overflow="fold")
    for each in found:
        table.add_row(
            str(each.number),
            str(each.tenant),
            each.stage,
            f"{each.partition}/{each.offset}/{each.place}",
            each.reason,
            str(each.id or "-"),
            each.created.isoformat(timespec="seconds"),
            each.detail[:200],
        )
    return table
