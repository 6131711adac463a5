"""`lrs topics`: the topics that the LRS needs on the brokers, planned, made and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lrs.cli import settings as settings_of
from lrs.log.port import LogError

if TYPE_CHECKING:
    from lrs.log.topics import Change
    from lrs.settings import Settings


@click.group()
def topics() -> None:
    """Plan, make and check the topics on Kafka."""


@topics.command()
@click.pass_context
def plan(ctx: click.Context) -> None:
    """Show what `apply` would change."""
    _show(_changes(settings_of(ctx)))


@topics.command()
@click.pass_context
def apply(ctx: click.Context) -> None:
    """Make what is missing and set what differs; nothing is ever deleted."""
    from lrs.composition.kafka import brokers_of
    from lrs.log.topics import carry_out

    settings = settings_of(ctx)
    changes = _changes(settings)
    brokers = brokers_of(settings)
    try:
        carry_out(brokers, changes)
    except LogError as error:
        raise click.ClickException(str(error)) from None
    finally:
        brokers.close()
    _show(changes)


@topics.command()
@click.pass_context
def check(ctx: click.Context) -> None:
    """End with status 1 if anything differs."""
    changes = _changes(settings_of(ctx))
    _show(changes)
    if changes:
        ctx.exit(1)


def _changes(settings: Settings) -> list[Change]:
    if not settings.on_kafka:
        raise click.ClickException("the log is not on Kafka: set LRS_LOG=kafka://host:port")
    from lrs.composition.kafka import brokers_of, declared_topics
    from lrs.log.topics import compare

    brokers = brokers_of(settings)
    declared = declared_topics(settings)
    try:
        return compare(declared, brokers.topics([topic.name for topic in declared]))
    except LogError as error:
        raise click.ClickException(str(error)) from None
    finally:
        brokers.close()


def _show(changes: list[Change]) -> None:
    for change in changes:
        click.echo(change.line())
    if not changes:
        click.echo("the brokers have every topic as it should be")
