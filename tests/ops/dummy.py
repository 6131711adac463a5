"""Stands for `lrs` in tests of the supervisor: a process that is ready at once and does nothing.

    python -m tests.ops.dummy edge|worker … --announce DESCRIPTOR

The file that DUMMY_DEAF names makes workers ignore the stop; DUMMY_BROKEN makes them end at once,
with the status that it holds.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from lrs.process import Process, run
from lrs.settings import load


async def body(process: Process) -> None:
    settings = process.settings
    process.readiness.set("work")
    if process.name == "edge":
        server = await asyncio.start_server(
            lambda _, writer: writer.close(), settings.http_host, settings.http_port
        )
        async with server:
            await process.stopping.wait()
    elif Path(os.environ["DUMMY_DEAF"]).exists():
        await asyncio.Event().wait()
    else:
        await process.stopping.wait()
    with Path(os.environ["DUMMY_JOURNAL"]).open("a") as journal:
        journal.write(f"{process.name}\n")


if __name__ == "__main__":
    role, *_, descriptor = sys.argv[1:]
    if role == "worker" and (broken := Path(os.environ["DUMMY_BROKEN"])).exists():
        sys.exit(int(broken.read_text()))
    run(
        body,
        load({key: value for key, value in os.environ.items() if key != "LRS_STORE"}),
        role,
        ["work"],
        0,
        int(descriptor),
    )
