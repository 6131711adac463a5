"""The compiled part: bytes to tape (tape), tape to verdict (check), tape to canonical text (canonical)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core.typeinfer import register_dispatcher

from lrs.compilation import keep, stamp

_HERE = Path(__file__).parent
_STAMP = stamp([*_HERE.glob("*.py"), _HERE.parent / "schema.py", _HERE.parent / "rules.py"])

TEXTS = numba.types.Array(numba.uint8, 1, "C", readonly=True)
PLACES = numba.types.Array(numba.int64, 1, "C", readonly=True)
"""Types of constant arrays, for signatures."""


def kernel(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile for this signature, now or from the cache, free of the GIL; never again at run time.

    Kernels are put into those that call them: passing half a dozen arrays costs more than most of them do.
    """

    def compile_now(function: Callable[..., Any]) -> Any:
        dispatcher = keep(numba.njit(nogil=True, cache=True, forceinline=True)(function), _STAMP)
        with register_dispatcher(dispatcher):  # so that it may call itself
            dispatcher.compile(signature)
        dispatcher.disable_compile()
        return dispatcher

    return compile_now
