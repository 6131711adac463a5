"""Compression dictionaries: immutable rows of the store that frames and statements name.

Dictionary 0 is none. The first one comes with the program (`dictionary-1.zdict`, trained on
statements of the usual profiles); a later one is trained on what a store really holds.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

import zstandard

from lrs.store.sql import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lrs.store.connection import Asked

SHIPPED: Final = 1
LEVEL: Final = 3


class UnknownDictionary(Exception):
    """Bytes name a dictionary that the store does not have."""


class Dictionaries:
    """Compressors and decompressors by dictionary number; loaded from the store as they are met."""

    def __init__(self) -> None:
        self._contents: dict[int, zstandard.ZstdCompressionDict] = {}
        self._decompressors: dict[int, zstandard.ZstdDecompressor] = {0: zstandard.ZstdDecompressor()}
        self.newest = 0

    def add(self, number: int, content: bytes) -> None:
        """Make a dictionary known."""
        self._contents[number] = zstandard.ZstdCompressionDict(content)
        self._decompressors[number] = zstandard.ZstdDecompressor(dict_data=self._contents[number])
        self.newest = max(self.newest, number)

    def compressor(self) -> Callable[[bytes], bytes]:
        """Compresses one statement with the newest dictionary."""
        dictionary = self._contents.get(self.newest)
        # Neither checksum nor dictionary id: the row names the dictionary, PostgreSQL keeps checksums.
        parameters = zstandard.ZstdCompressionParameters.from_level(
            LEVEL, write_checksum=False, write_dict_id=False, write_content_size=True
        )
        compressor: zstandard.ZstdCompressor
        if dictionary is None:
            compressor = zstandard.ZstdCompressor(compression_params=parameters)
        else:
            dictionary.precompute_compress(level=LEVEL)
            compressor = zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters)
        return compressor.compress

    def decompress(self, number: int, compressed: bytes) -> bytes:
        """The exact bytes again. Raises UnknownDictionary when it was not loaded."""
        decompressor = self._decompressors.get(number)
        if decompressor is None:
            raise UnknownDictionary(f"compression dictionary {number} is not in the store")
        return decompressor.decompress(compressed)

    def unknown(self, numbers: Iterable[int]) -> list[int]:
        """Those of the numbers that are not loaded yet."""
        return sorted(set(numbers) - self._decompressors.keys())

    async def load(self, connection: Asked, numbers: Iterable[int]) -> None:
        """Load what is not known of these from the store; raises UnknownDictionary if it is not there."""
        wanted = self.unknown(numbers)
        if not wanted:
            return
        for row in await connection.fetch(queries("statement")["dictionaries"], wanted):
            self.add(row["dictionary"], row["content"])
        if missing := self.unknown(wanted):
            raise UnknownDictionary(f"compression dictionaries {missing} are not in the store")

    async def load_newest(self, connection: Asked) -> None:
        """Make sure that the store has the shipped dictionary, and load the newest one."""
        shipped = resources.files("lrs.store").joinpath("dictionary-1.zdict").read_bytes()
        await connection.execute(queries("statement")["add_dictionary"], SHIPPED, shipped)
        row = await connection.fetchrow(queries("statement")["newest_dictionary"])
        assert row is not None
        self.add(row["dictionary"], row["content"])
