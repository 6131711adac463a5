"""Machine code that is kept for the next process, and thrown away when its sources change.

numba's cache on disk looks only at the file of a kernel, not at the kernels and tables that it was
compiled with: after a change of one module, another would go on with the machine code of before,
silently. So the entries of a package's kernels carry the stamp of all sources that take part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def stamp(sources: Iterable[Path]) -> str:
    """A digest of these files."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(sources))).hexdigest()


def keep(dispatcher: Any, stamp: str) -> Any:
    """Cache what the dispatcher (`numba.njit(cache=True)`) compiles from now on, under this stamp."""
    dispatcher._cache._cache_file._source_stamp = stamp
    return dispatcher
