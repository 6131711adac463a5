"""Train the compression dictionary that ships with the program: `python -m lrs.demo.dictionary`.

It is trained on statements of a seeded cohort, each alone, as the store compresses them. The same
seed and the same zstd give the same bytes. A shipped dictionary never changes: stores have it as
row 1, and their statements are compressed with it. A better one gets the next number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import zstandard

import lrs.store
from lrs.demo.career import career, demonstration_catalogue
from lrs.demo.learner import learner
from lrs.store.dictionary import LEVEL

SIZE: Final = 32 << 10
_SEED: Final = 1
_LEARNERS: Final = range(200)
_HELD_OUT: Final = range(200, 240)
_BEGIN: Final = 1_767_225_600_000_000
"""2026-01-01, in microseconds since 1970."""
_DAY: Final = 86_400_000_000

# Segments of k bytes chosen by substrings of d bytes (zstd, ZDICT_fastCover). Given, not searched for:
# a search runs in threads and its winner may depend on them.
_K: Final = 1024
_D: Final = 8


def statements(learners: range) -> Iterator[bytes]:
    """All that these learners say, a day for each learner."""
    catalogue = demonstration_catalogue()
    for number in learners:
        for sitting in career(learner(number), catalogue, _SEED):
            for _, body in sitting.statements(_BEGIN + number * _DAY):
                yield body


def train(learners: range = _LEARNERS) -> bytes:
    """The dictionary, from what these learners say."""
    samples: list[bytes | bytearray | memoryview[int]] = list(statements(learners))
    return zstandard.train_dictionary(SIZE, samples, k=_K, d=_D, dict_id=1, level=LEVEL).as_bytes()


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(lrs.store.__file__).with_name("dictionary-1.zdict"),
    help="File to write.",
)
def main(out: Path) -> None:
    """Train, write, and show what it gains on statements that it has not seen."""
    content = train()
    out.write_bytes(content)
    bodies = list(statements(_HELD_OUT))
    dictionary = zstandard.ZstdCompressionDict(content)
    size = sum(map(len, bodies))
    alone = sum(len(zstandard.ZstdCompressor(level=LEVEL).compress(body)) for body in bodies)
    compressor = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary)
    with_it = sum(len(compressor.compress(body)) for body in bodies)
    click.echo(
        f"{out}: {len(content)} bytes; {len(bodies)} other statements take {size / len(bodies):.0f} bytes,"
        f" {alone / len(bodies):.0f} compressed without it, {with_it / len(bodies):.0f} with it"
    )


if __name__ == "__main__":
    main()
