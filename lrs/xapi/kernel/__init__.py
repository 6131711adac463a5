"""The compiled part: bytes to tape (tape), tape to verdict (check), tape to canonical text (canonical).

numba's cache notices that a function's own file has changed, but not the file of a function or a table
that it was compiled with. A stale validator would be worse than none, so that every kernel's cache
entry is stamped with all sources that take part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.typeinfer import register_dispatcher


def _stamp() -> str:
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), here.parent / "schema.py", here.parent / "rules.py"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


_STAMP = _stamp()

TEXTS = numba.types.Array(numba.uint8, 1, "C", readonly=True)
PLACES = numba.types.Array(numba.int64, 1, "C", readonly=True)
"""Types of constant arrays, for signatures."""


def kernel(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile for this signature, now or from the cache, free of the GIL; never again at run time.

    Kernels are put into those that call them: passing half a dozen arrays costs more than most of them do.
    """

    def compile_now(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(nogil=True, cache=True, forceinline=True)(function)
        dispatcher._cache._cache_file._source_stamp = _STAMP
        with register_dispatcher(dispatcher):  # so that it may call itself
            dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return compile_now
