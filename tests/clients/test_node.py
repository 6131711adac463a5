"""Clients of others that run in Node, unchanged, against the edge behind its server."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.http.client import Client, basic
from tests.http.system import System
from tests.http.wire import served

HERE = Path(__file__).parent
PLACE = HERE.parent.parent / "build/clients"
"""Where the clients are put, once; `make clean` takes them away."""

NODE, NPM = shutil.which("node"), shutil.which("npm")
INSTALL = (
    *("install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"),
    *("--fetch-retries=1", "--fetch-timeout=20000"),
)
PATIENCE = 120
"""Seconds for npm to get them."""


@pytest.fixture(scope="session")
def clients() -> Path:
    """The directory with the clients that package.json names, in exactly these versions."""
    if NODE is None or NPM is None:
        pytest.skip("needs node and npm")
    wanted, there = (HERE / "package.json").read_text(), PLACE / "package.json"
    if not (PLACE / "node_modules").exists() or there.read_text() != wanted:
        shutil.rmtree(PLACE, ignore_errors=True)
        PLACE.mkdir(parents=True)
        there.write_text(wanted)
        try:
            command = [NPM, *INSTALL]
            subprocess.run(command, cwd=PLACE, capture_output=True, check=True, timeout=PATIENCE)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            shutil.rmtree(PLACE)
            said = (error.stderr or b"").decode(errors="replace").strip()
            pytest.skip(f"npm cannot get the clients: {said[-200:] or error}")
    return PLACE


@pytest.mark.parametrize(
    ("script", "version"),
    [("xapi", "1.0.3"), ("xapi", "2.0.0"), ("tincan", "1.0.3"), ("wrapper", "1.0.3")],
)
async def test_a_client_does_everything_it_can(
    system: System, alone: Client, clients: Path, script: str, version: str
) -> None:
    shutil.copy(HERE / f"{script}.cjs", clients)
    assert NODE is not None
    async with served(system.edge) as server:
        process = await asyncio.create_subprocess_exec(
            *(NODE, f"{script}.cjs", f"http://127.0.0.1:{server.port}/xapi"),
            *(basic(alone.key, alone.secret), version),
            cwd=clients,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output[-3000:]
