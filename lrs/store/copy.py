"""Binary COPY streams built from arrays.

PostgreSQL's binary COPY format (PostgreSQL documentation, COPY, "Binary Format"): a header, then
rows of length-prefixed big-endian fields. Rows of fixed width are written by numpy in one go;
one field of varying length may stand last. Building tuples for the driver costs several times more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray

    from lrs.store.connection import Connection

_HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER: Final = b"\xff\xff"

_BIG_ENDIAN: Final = {"int4": ">i4", "int8": ">i8", "bool": "u1", "uuid": "V16"}


class Rows:
    """The shape of rows: column names with their types (int4, int8, bool, uuid), none null.

    `tail` names a bytea column that stands last and varies in length.
    """

    def __init__(self, table: str, columns: Mapping[str, str], tail: str | None = None) -> None:
        self.table = table
        self.names = [*columns, *([tail] if tail else [])]
        self._tail = tail
        fields: list[tuple[str, str]] = [("count", ">i2")]
        for name, kind in columns.items():
            fields += [(f"{name}_size", ">i4"), (name, _BIG_ENDIAN[kind])]
        if tail:
            fields.append((f"{tail}_size", ">i4"))
        self._dtype = np.dtype(fields)
        self._columns = dict(columns)

    def encode(self, rows: int, values: Mapping[str, Any], tails: Sequence[bytes] = ()) -> bytes:
        """The COPY stream of `rows` rows; `values` has an array or a scalar for each column."""
        fixed: NDArray[Any] = np.empty(rows, self._dtype)
        fixed["count"] = len(self.names)
        for name in self._columns:
            fixed[f"{name}_size"] = self._dtype.fields[name][0].itemsize  # type: ignore[index]
            fixed[name] = values[name]
        if self._tail is None:
            return b"".join((_HEADER, fixed.tobytes(), _TRAILER))
        fixed[f"{self._tail}_size"] = [len(tail) for tail in tails]
        buffer, width = fixed.tobytes(), self._dtype.itemsize
        parts: list[bytes] = [_HEADER]
        for start, tail in zip(range(0, rows * width, width), tails, strict=True):
            parts.append(buffer[start : start + width])
            parts.append(tail)
        parts.append(_TRAILER)
        return b"".join(parts)

    async def copy(self, connection: Connection, stream: bytes) -> None:
        """Send a stream that `encode` made."""
        await connection.copy_to_table(self.table, source=_once(stream), columns=self.names, format="binary")


async def _once(stream: bytes) -> AsyncIterator[bytes]:
    yield stream
