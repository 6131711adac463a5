"""Poison: what cannot be processed even when it is alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import asyncpg
import numpy as np

from lrs.store.reread import Unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATA_ERRORS: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    ValueError,
    OverflowError,  # lrs.scoring.decay.OverflowedError is one
    Unreadable,
)
"""What may be the data's own fault. Everything else is the store's, the network's or the machine's."""


async def find_poison(
    rows: NDArray[np.int64], attempt: Callable[[NDArray[np.int64]], Awaitable[None]]
) -> dict[int, str]:
    """Rows that fail even alone, with the reason, by halving.

    `attempt` tries to process some rows, leaves nothing behind, and raises one of DATA_ERRORS when
    they cannot be processed together.
    """
    try:
        await attempt(rows)
    except DATA_ERRORS as error:
        if len(rows) == 1:
            return {int(rows[0]): f"{type(error).__name__}: {error}"}
        middle = len(rows) // 2
        return await find_poison(rows[:middle], attempt) | await find_poison(rows[middle:], attempt)
    return {}
