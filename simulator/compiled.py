"""The one way in which this package compiles: numba, cached on disk, without the interpreter lock.

numba's cache looks only at the file of a kernel, not at the kernels that it calls. So when any source of the
package has changed, the machine code of all is thrown away.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

P = ParamSpec("P")
R = TypeVar("R")

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use; the machine code is cached beside the module for the next process."""
    return cast(Callable[P, R], numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def _throw_stale_code_away(package: Path) -> None:
    sources = sorted(package.rglob("*.py"))
    digest = hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=16).hexdigest()
    stamp = package / "__pycache__" / "kernels.stamp"
    with contextlib.suppress(OSError):  # an installation that cannot be written to cannot have changed either
        if stamp.exists() and stamp.read_text() == digest:
            return
        for code in package.rglob("__pycache__/*.nb[ic]"):
            code.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(digest)


_throw_stale_code_away(Path(__file__).parent)
