"""What commands have in common: their options, and how their work ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click

from lrs.log.port import LogError
from lrs.settings import SettingsError

T = TypeVar("T")

data_option = click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="Data directory (LRS_DATA)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="As JSON, on one line.")
tenant_option = click.option("--tenant", default="default", show_default=True, help="Name of the tenant.")


def done(work: Coroutine[Any, Any, T], *foreseen: type[Exception]) -> T:
    """Do a command's work. A store or a log that does not do its part, and what else is `foreseen`, ends
    the program with its text alone; anything else is a defect, and shows where it happened."""
    try:
        return asyncio.run(work)
    except foreseen as error:
        raise click.ClickException(str(error) or repr(error)) from None
    except (SettingsError, LogError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise click.ClickException(f"the store or the log does not do it: {error or repr(error)}") from None


def catalogue_text(path: Path) -> str:
    """What a catalogue's file holds; ends the program when that is no text."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path}: {error}") from None
