"""Stored statements read again: from their exact bytes back to the arrays that persist had.

What is recomputed (voids, references, verification, rebuilding) takes the same way as what came in:
the same reader, the same columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np
import zstandard

from lrs.log import frame as frames
from lrs.log.port import Record
from lrs.store.batch import Batch, gather
from lrs.xapi.reader import read_statements
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.connection import Asked
    from lrs.store.dictionary import Dictionaries
    from lrs.store.name import Names
    from lrs.xapi.statement import Statement

_TOGETHER: Final = 1 << 18
"""Bytes that are read as one body; a longer statement is read alone."""


class Unreadable(Exception):
    """Bytes in the store are not the statement that they were when it was accepted."""


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

    @property
    def version(self) -> Version:
        """The version of xAPI that it was sent as."""
        return Version.V2_0_0 if self.flags & frames.VERSION_2 else Version.V1_0_3


async def reread(stored: Sequence[Stored], dictionaries: Dictionaries, names: Names, asked: Asked) -> Batch:
    """The batch of these statements (at least one) of one tenant, in the order given, as persist had it.

    Dictionaries and names are looked up in `asked`, the connection of the caller's transaction. Raises
    Unreadable, naming the statement, and UnknownDictionary.
    """
    await dictionaries.load(asked, {one.dictionary for one in stored})
    versions = [one.version for one in stored]
    statements = _read_all(stored, versions, dictionaries)
    requests = [
        frames.Request(
            one.authority,
            version,
            0,
            [statement],
            [one.id],
            bool(one.flags & frames.VOIDS_ANYONES),
            not one.flags & frames.DEFINES_NOTHING,
        )
        for one, version, statement in zip(stored, versions, statements, strict=True)
    ]
    encoded = frames.encode(stored[0].tenant, requests, 0, lambda _raw: b"", lambda _iri, _definition: False)
    batch = await gather(0, [(Record(0, 0, 0, b""), frames.decode(encoded))], names, asked)
    return replace(
        batch, columns=dict(batch.columns) | {"pos": np.array([one.pos for one in stored], np.int64)}
    )


def _read_all(
    stored: Sequence[Stored], versions: Sequence[Version], dictionaries: Dictionaries
) -> list[Statement]:
    raws = [_decompressed(one, dictionaries) for one in stored]
    by_version: dict[Version, list[int]] = {}
    for place, version in enumerate(versions):
        by_version.setdefault(version, []).append(place)
    statements: dict[int, Statement] = {}
    for version, places in by_version.items():
        for some in _portions(places, raws):
            body = b"[%b]" % b",".join([raws[place] for place in some])
            try:
                read = read_statements(body, version, max_statements=len(some))
            except Rejected:
                read = []
            if len(read) != len(some):
                read = [_read(stored[place], raws[place]) for place in some]
            statements.update(zip(some, read, strict=True))
    return [statements[place] for place in range(len(stored))]


def _portions(places: Sequence[int], raws: Sequence[bytes]) -> Iterator[list[int]]:
    """The places, in portions that are read together: that costs less than one by one."""
    some: list[int] = []
    size = 0
    for place in places:
        if some and size + len(raws[place]) > _TOGETHER:
            yield some
            some, size = [], 0
        some.append(place)
        size += len(raws[place])
    if some:
        yield some


def _decompressed(one: Stored, dictionaries: Dictionaries) -> bytes:
    try:
        return dictionaries.decompress(one.dictionary, one.raw)
    except zstandard.ZstdError as error:
        raise Unreadable(f"statement {UUID(bytes=one.id)}: {error}") from None


def _read(one: Stored, raw: bytes) -> Statement:
    try:
        [statement] = read_statements(raw, one.version, max_statements=1)
    except (Rejected, ValueError) as error:
        raise Unreadable(f"statement {UUID(bytes=one.id)}: {error}") from None
    return statement
