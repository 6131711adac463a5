"""The compression dictionary that ships with the program."""

from __future__ import annotations

from importlib import resources

import zstandard

from lrs.demo.dictionary import statements, train
from lrs.store.dictionary import LEVEL


def test_the_shipped_dictionary_makes_statements_that_it_has_not_seen_much_smaller() -> None:
    shipped = resources.files("lrs.store").joinpath("dictionary-1.zdict").read_bytes()
    dictionary = zstandard.ZstdCompressionDict(shipped)
    assert dictionary.dict_id() == 1
    unseen = list(statements(range(300, 310)))
    alone = zstandard.ZstdCompressor(level=LEVEL)
    trained = zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary)
    without = sum(len(alone.compress(statement)) for statement in unseen)
    with_it = sum(len(trained.compress(statement)) for statement in unseen)
    assert with_it < without / 3
    back = zstandard.ZstdDecompressor(dict_data=dictionary)
    assert all(back.decompress(trained.compress(statement)) == statement for statement in unseen)


def test_training_gives_the_same_bytes_again() -> None:
    assert train(range(12)) == train(range(12))
