"""The description against the edge behind its server: requests that follow it and others, by schemathesis."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from lrs.http.edge import ROUTES
from lrs.http.openapi import description, operations
from tests.http.client import Client
from tests.http.system import System
from tests.http.wire import served

SECONDS = 20
"""What a run may take; a machine that is busy tries less."""

NOT_ASKED = (
    # A schema cannot say all that the specification asks of a statement or an agent.
    "positive_data_acceptance",
    # Methods that no resource has are tried in test_routes.py.
    "unsupported_method",
)


async def test_every_operation_answers_as_it_is_described(
    system: System, alone: Client, tmp_path: Path
) -> None:
    async with served(system.edge) as server:
        root = f"http://127.0.0.1:{server.port}"
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("schemathesis")), "run", root + ROUTES["openapi"]),
            *("--url", root, "--auth", f"{alone.key}:{alone.secret}"),
            *("--max-examples", "5", "--generation-deterministic", "--phases", "coverage,fuzzing"),
            *("--exclude-checks", ",".join(NOT_ASKED), "--max-time", str(SECONDS), "--warnings", "off"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    tested = re.search(r"Tested: (\d+)", output)
    assert tested is not None, output
    assert int(tested[1]) > len(list(operations(description()))) / 2, output
