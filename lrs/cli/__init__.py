"""The command line: `lrs …`. Commands are thin: they read settings, call a module, print.

`docs/cli.md` describes every command.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from lrs.settings import SettingsError, load

if TYPE_CHECKING:
    from lrs.settings import Settings


class Commands(click.Group):
    """A group whose commands are imported when they are needed, so that `lrs --help` is quick."""

    homes: ClassVar[dict[str, str]] = {
        "up": "lrs.cli.up",
        "edge": "lrs.cli.part",
        "worker": "lrs.cli.part",
        "migrate": "lrs.cli.schema",
        "upgrade-data": "lrs.cli.schema",
        "ready": "lrs.cli.ready",
        "status": "lrs.cli.status",
        "lag": "lrs.cli.lag",
        "topics": "lrs.cli.topics",
        "dead-letters": "lrs.cli.dead_letters",
        "tenant": "lrs.cli.tenant",
        "credential": "lrs.cli.credential",
        "verify": "lrs.cli.verification",
        "rebuild": "lrs.cli.verification",
        "backup": "lrs.cli.copy",
        "restore": "lrs.cli.copy",
        "person": "lrs.cli.person",
        "digest": "lrs.cli.digest",
        "warm": "lrs.cli.warm",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.homes:
            return None
        from importlib import import_module

        command: click.Command = getattr(import_module(self.homes[cmd_name]), cmd_name.replace("-", "_"))
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="karmayogi-lrs")
@click.option(
    "--config", type=click.Path(path_type=Path), help="TOML file with settings (default: LRS_CONFIG)."
)
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Karmayogi LRS: an event-driven xAPI learning-record store."""
    ctx.obj = config


def settings(ctx: click.Context, **given: object) -> Settings:
    """The settings of this call; `given` are its own options. Ends the program with all errors."""
    try:
        return load(os.environ, ctx.obj, **given)
    except SettingsError as error:
        raise click.ClickException("wrong settings:\n  " + "\n  ".join(error.errors)) from None
