"""Machine code that an installation made is found where nobody may write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lrs.cli.warm import COMPILED

KERNELS = """
from numba import njit
from lrs.compilation import keep

@lambda function: keep(njit(cache=True)(function), "stamp")
def doubled(x):
    return x + x

@lambda function: keep(njit(cache=True)(function), "stamp")
def squared(x):
    return x * x
"""

# Root may write everywhere; so the file system refuses by itself, as a read-only one does.
READ_ONLY = """
import errno, numba.core.caching as caching
class Refusing:
    def TemporaryFile(self, dir): raise OSError(errno.EROFS, "Read-only file system", dir)
caching.tempfile = Refusing()
"""


def run(directory: Path, program: str) -> str:
    """What a program prints that runs where `kernels.py` lies."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=directory, env={"PYTHONPATH": ":".join((str(directory), *sys.path))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_machine_code_is_read_where_nobody_may_write_and_what_is_missing_is_compiled_anew(
    tmp_path: Path,
) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    run(tmp_path, "import kernels; kernels.doubled(2)")
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "__pycache__").iterdir()}
    told = run(
        tmp_path,
        READ_ONLY + "import kernels; print(kernels.doubled(2), kernels.squared(3));"
        "print(*[sum(each.stats.cache_hits.values()) for each in (kernels.doubled, kernels.squared)])",
    )
    assert told.split() == ["4", "9", "1", "0"]
    after = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "__pycache__").iterdir()}
    assert after == kept


def test_warming_reaches_every_package_that_compiles() -> None:
    root = Path(__file__).parent.parent.parent / "lrs"
    users = {
        ".".join(("lrs", file.relative_to(root).parts[0]))
        for file in root.rglob("*.py")
        if "lrs.compilation import" in file.read_text("utf-8")
    }
    assert users == set(COMPILED)
    COMPILED["lrs.xapi"]()
    kernels = {f"lrs.xapi.kernel.{file.stem}" for file in (root / "xapi" / "kernel").glob("[a-z]*.py")}
    assert kernels <= set(sys.modules)
