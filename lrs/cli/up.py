"""`lrs up`: everything of one machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg
import click
from rich.console import Console

from lrs import launch
from lrs.cli import settings as settings_of
from lrs.cli.command import data_option
from lrs.cluster import ClusterError
from lrs.composition.preparation import Login, issue_demonstration, prepare
from lrs.directory import DataDirectory, DirectoryInUse
from lrs.durability import NotDurable
from lrs.log.port import LogError
from lrs.process import Process, run
from lrs.settings import SettingsError
from lrs.store.migration import MigrationError
from lrs.supervisor import Supervisor, SupervisorError

T = TypeVar("T")

START_ERRORS = (
    ClusterError,
    SupervisorError,
    NotDurable,
    MigrationError,
    LogError,
    SettingsError,
    asyncpg.PostgresError,
    OSError,
)
"""What may keep the LRS from starting; the text says what to do."""


@click.command()
@click.option("--host", help="Address to listen on (LRS_HTTP_HOST).")
@click.option("--port", type=int, help="Port to listen on (LRS_HTTP_PORT).")
@data_option
@click.option("--demo", is_flag=True, help="Show a live demonstration; log lines go to a file.")
@click.pass_context
def up(ctx: click.Context, host: str | None, port: int | None, data: Path | None, demo: bool) -> None:
    """Start and supervise all processes of one machine: PostgreSQL, edge, workers."""
    settings = settings_of(ctx, http_host=host, http_port=port, data=data)
    directory = DataDirectory(settings.data)
    try:
        directory.acquire()
        run(
            lambda process: _body(process, directory, demo=demo),
            settings,
            "supervisor",
            ("store", "children"),
            settings.supervisor_metrics_port,
        )
    except (DirectoryInUse, *START_ERRORS) as error:
        raise click.ClickException(str(error) or repr(error)) from None
    finally:
        directory.release()


async def _body(process: Process, directory: DataDirectory, *, demo: bool) -> None:
    output = directory.path / "lrs.log" if demo else None
    with _progress() as progress:
        supervisor = Supervisor(process, directory, progress, output)
        try:
            login = await _unless_stopped(process, _start(supervisor, progress))
        except BaseException:
            await supervisor.stop()
            raise
    try:
        if not process.stopping.is_set():
            _announce(supervisor, login)
            await asyncio.gather(supervisor.watch(), *([_demonstrate(supervisor, process)] if demo else []))
    finally:
        click.echo("stopping")
        await supervisor.stop()


async def _start(supervisor: Supervisor, progress: Callable[[str], None]) -> Login | None:
    supervisor.launch_children()
    await supervisor.start_store()
    progress("preparing the database")
    login = await prepare(supervisor.settings)
    await supervisor.start_children()
    return login


async def _unless_stopped(process: Process, work: Coroutine[None, None, T]) -> T | None:
    """The work's result, or None when a stop was asked for before it was done."""
    doing = asyncio.create_task(work)
    stopping = asyncio.create_task(process.stopping.wait())
    await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if doing.done():
        return doing.result()
    doing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await doing
    return None


async def _demonstrate(supervisor: Supervisor, process: Process) -> None:
    """Run the demonstration on this terminal, a client like any other: `python -m lrs.demo ADDRESS STATE`.

    ADDRESS is the edge's, STATE the file with the addresses of all metrics; key and secret are in the
    variables DEMO_KEY and DEMO_SECRET.
    """
    login = await issue_demonstration(supervisor.settings)
    program = [sys.executable, "-m", "lrs.demo", supervisor.address, str(supervisor.state)]
    if supervisor.settings.catalogue is not None:
        program += ["--catalogue", str(supervisor.settings.catalogue)]
    view = await asyncio.create_subprocess_exec(
        *launch.command(program, signal.SIGTERM),
        env=os.environ | {"DEMO_KEY": login.key, "DEMO_SECRET": login.secret},
        start_new_session=True,
    )
    ended = asyncio.create_task(view.wait())
    stopping = asyncio.create_task(process.stopping.wait())
    await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not ended.done():
        view.terminate()
    status = await ended
    if not process.stopping.is_set():
        click.echo(f"the demonstration ended with status {status}; the LRS goes on, Ctrl-C stops it")


def _announce(supervisor: Supervisor, login: Login | None) -> None:
    click.echo(f"The LRS is ready at {supervisor.address}/xapi")
    if login is not None:
        click.echo(f"  key     {login.key}\n  secret  {login.secret}\n  (shown this once)")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Tell what a start waits for: one changing line on a terminal, else a line for each change."""
    console = Console()
    if console.is_terminal:
        with console.status("starting") as status:
            yield status.update
    else:
        last = ""

        def say(text: str) -> None:
            nonlocal last
            if text != last:
                click.echo(text)
            last = text

        yield say
