"""The rhythm of Python's garbage collector in processes that handle statements by the thousand."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seldom_collected() -> Iterator[None]:
    """What was imported stays, and a batch makes many objects that end with it, none part of a cycle: the
    collector would look at all of them for nothing, and at its usual rhythm take two fifths of all time."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
