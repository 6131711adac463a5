"""Stored statements read again: from their exact bytes back to the arrays that persist had.

What is recomputed (voids, references, verification, rebuilding) takes the same way as what came in:
the same reader, the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lrs.log import frame as frames
from lrs.log.port import Record
from lrs.store.batch import Batch, gather
from lrs.xapi import Version, read_statements

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.dictionary import Dictionaries
    from lrs.store.name import Names


@dataclass(frozen=True, slots=True)
class Stored:
    """One row of the statement table; `raw` is compressed."""

    tenant: int
    pos: int
    id: bytes
    authority: int
    flags: int
    dictionary: int
    raw: bytes

    @classmethod
    def of(cls, tenant: int, row: asyncpg.Record) -> Stored:
        """Of a row of a query that returns these columns."""
        return cls(
            tenant, row["pos"], row["id"].bytes, row["authority"], row["flags"], row["dictionary"], row["raw"]
        )


async def reread(stored: Sequence[Stored], dictionaries: Dictionaries, names: Names) -> Batch:
    """The batch of these statements of one tenant, in the order given, as persist had it."""
    requests = []
    for statement in stored:
        version = Version.V2_0_0 if statement.flags & frames.VERSION_2 else Version.V1_0_3
        requests.append(
            frames.Request(
                statement.authority,
                version,
                0,
                read_statements(dictionaries.decompress(statement.dictionary, statement.raw), version),
                [statement.id],
                bool(statement.flags & frames.VOIDS_ANYONES),
            )
        )
    tenant = stored[0].tenant if stored else 0
    frame = frames.decode(frames.encode(tenant, requests, 0, lambda raw: raw))
    batch = await gather(0, [(Record(0, 0, 0, b""), frame)], names)
    return replace(
        batch, columns=dict(batch.columns) | {"pos": np.array([one.pos for one in stored], np.int64)}
    )
