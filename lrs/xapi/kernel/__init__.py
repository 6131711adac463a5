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
    """For what Python calls: compile for this signature, now or from the cache, free of the GIL; never
    again at run time."""

    def compile_now(function: Callable[..., Any]) -> Any:
        return _compile(_dispatcher(function), signature)

    return compile_now


def inner(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """For what kernels call: compile for this signature when one of them is compiled, and do not load it
    when that one comes from the cache, which takes half the time of a start.

    It is put into those that call it: passing half a dozen arrays costs more than most of them do.
    """

    def compile_later(function: Callable[..., Any]) -> Any:
        dispatcher = _dispatcher(function)

        def first(arguments: Any, keywords: Any) -> Any:
            del dispatcher.get_call_template
            return _compile(dispatcher, signature).get_call_template(arguments, keywords)

        dispatcher.get_call_template = first
        return dispatcher

    return compile_later


def _dispatcher(function: Callable[..., Any]) -> Any:
    return keep(numba.njit(nogil=True, cache=True, forceinline=True)(function), _STAMP)


def _compile(dispatcher: Any, signature: Any) -> Any:
    with register_dispatcher(dispatcher):  # so that it may call itself
        dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher
