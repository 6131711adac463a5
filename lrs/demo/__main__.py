"""`python -m lrs.demo ADDRESS STATE`: the demonstration of a running LRS, on this terminal.

`lrs up --demo` starts it. ADDRESS is where the LRS is reached; STATE the file in which `lrs up` notes
the metrics ports of its processes. Key and secret are in the variables DEMO_KEY and DEMO_SECRET.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import click
import msgspec

from lrs.demo.career import demonstration_catalogue
from lrs.demo.show import show
from lrs.scoring.catalogue import Catalogue
from lrs.scoring.catalogue_file import read_catalogue


class _Part(msgspec.Struct):
    metrics: str | None


class _State(msgspec.Struct):
    children: list[_Part]


def metrics_ports(state: Path) -> list[str]:
    """The addresses that stand in the note of `lrs up`; none while it stops."""
    try:
        noted = msgspec.json.decode(state.read_bytes(), type=_State)
    except FileNotFoundError:
        return []
    return [part.metrics for part in noted.children if part.metrics is not None]


@click.command()
@click.argument("address")
@click.argument("state", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The catalogue in force, when it is not the one that comes with the program.",
)
def main(address: str, state: Path, catalogue: Path | None) -> None:
    """Play a cohort of learners against the LRS at ADDRESS, and show what becomes of it."""
    learned = (
        demonstration_catalogue()
        if catalogue is None
        else read_catalogue(catalogue.read_text("utf-8"), catalogue.name)
    )
    asyncio.run(_until_stopped(address, state, learned))


async def _until_stopped(address: str, state: Path, catalogue: Catalogue) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    key, secret = os.environ["DEMO_KEY"], os.environ["DEMO_SECRET"]
    await show(address, key, secret, catalogue, lambda: metrics_ports(state), stopping)


if __name__ == "__main__":
    main()
