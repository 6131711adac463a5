"""Machine code that is kept for the next process, and thrown away when its sources change.

numba's cache on disk looks only at the file of a kernel, not at the kernels and tables that it was
compiled with: after a change of one module, another would go on with the machine code of before,
silently. So the entries of a package's kernels carry the stamp of all sources that take part.

It is kept beside the sources. Where nobody may write there (a read-only image, another user's
installation) what the installation compiled (`lrs warm`) is read; what it lacks is compiled by each
process anew, and kept by none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numba.core.caching import CacheImpl, InTreeCacheLocator, UserWideCacheLocator


def stamp(sources: Iterable[Path]) -> str:
    """A digest of these files."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sorted(sources))).hexdigest()


def keep(dispatcher: Any, stamp: str) -> Any:
    """Cache what the dispatcher (`numba.njit(cache=True)`) compiles from now on, under this stamp."""
    cache = dispatcher._cache
    cache._cache_file._source_stamp = stamp
    if isinstance(cache._impl.locator, _Installed):
        cache.save_overload = _pass_over
    return dispatcher


class _Installed(InTreeCacheLocator):
    """Beside the sources, where the machine code lies and nobody may write."""

    def ensure_cache_path(self) -> None:
        """Raises OSError, which makes numba look elsewhere, when nothing was compiled at installation."""
        if not any(name.endswith(".nbi") for name in os.listdir(self.get_cache_path())):
            raise FileNotFoundError(f"no machine code in {self.get_cache_path()}")


def _pass_over(signature: Any, data: Any) -> None:
    """Keep nothing."""


_locators = CacheImpl._locator_classes
if _Installed not in _locators:
    _locators.insert(_locators.index(UserWideCacheLocator), _Installed)
