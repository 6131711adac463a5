"""What a part loads before it is ready: a start takes seconds for want of nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("part", ["lrs.cli.up", "lrs.composition.worker"])
def test_what_compiles_nothing_does_not_load_the_compiler(part: str) -> None:
    program = f"import sys, {part}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
