"""Kernels: the one way in which this package compiles.

numba's cache on disk looks only at the file of a kernel, not at the kernels that it calls: after a
change of one module, another would go on with the machine code of before, silently. Here the stamp
is of all sources of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, TypeVar

from numba import njit
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

F = TypeVar("F", bound=Callable[..., Any])


def stamp(package: Path) -> str:
    """A digest of all sources of a package directory."""
    sources = sorted(package.glob("*.py"))
    return blake2b(b"".join(path.read_bytes() for path in sources), digest_size=16).hexdigest()


_STAMP: Final = stamp(Path(__file__).parent)


class _Provided(UserProvidedCacheLocator):
    def get_source_stamp(self) -> str:
        return _STAMP


class _InTree(InTreeCacheLocator):
    def get_source_stamp(self) -> str:
        return _STAMP


class _UserWide(UserWideCacheLocator):
    def get_source_stamp(self) -> str:
        return _STAMP


class _Implementation(CompileResultCacheImpl):
    _locator_classes = (_Provided, _InTree, _UserWide)


class _Cache(FunctionCache):
    _impl_class = _Implementation


def kernel(function: F) -> F:
    """Compile on first use, without the interpreter lock; the machine code is kept for the next process."""
    dispatcher = njit(nogil=True)(function)
    dispatcher._cache = _Cache(function)
    return dispatcher
