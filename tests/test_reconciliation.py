"""Comparing what was sent with what was stored finds exactly what differs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.reconciliation import LISTED, Digest, compare

RANGE = 1_000_000
IDS = [uuid.UUID(int=(n * 0x9E3779B97F4A7C15F39CC0605CEDC835) % (1 << 128)) for n in range(4 * LISTED)]


@dataclass
class Shelf:
    """A store in memory, which counts what it was asked."""

    stored: Sequence[tuple[int, uuid.UUID]]
    digests: int = 0
    lists: int = 0

    async def digest(self, since: int, until: int) -> Digest:
        self.digests += 1
        return Digest.of(id_.bytes for at, id_ in self.stored if since < at <= until)

    async def ids(self, since: int, until: int) -> set[uuid.UUID]:
        self.lists += 1
        return {id_ for at, id_ in self.stored if since < at <= until}


@given(
    st.sets(st.integers(0, len(IDS) - 1), max_size=6),
    st.sets(st.integers(0, len(IDS) - 1), max_size=6),
    st.integers(0, 3),
    st.booleans(),
)
@settings(max_examples=20)
async def test_exactly_what_differs_is_found(
    lost: set[int], added: set[int], off: int, crowded: bool
) -> None:
    at = [1 + (n % 3 if crowded else n * RANGE // len(IDS)) for n in range(len(IDS))]
    sent = [(at[n] + off, id_) for n, id_ in enumerate(IDS) if n not in added]
    shelf = Shelf([(at[n], id_) for n, id_ in enumerate(IDS) if n not in lost])
    found = await compare(sent, shelf, 0, RANGE)
    assert found.missing == {IDS[n] for n in lost - added}
    assert found.surplus == {IDS[n] for n in added - lost}


async def test_two_that_are_equal_cost_one_digest() -> None:
    sent = list(enumerate(IDS, 1))
    shelf = Shelf(sent)
    assert not (await compare(sent, shelf, 0, RANGE)).missing
    assert (shelf.digests, shelf.lists) == (1, 0)


async def test_one_that_is_missing_costs_few_digests_and_one_list() -> None:
    sent = list(enumerate(IDS, 1))
    shelf = Shelf(sent[:-1])
    assert (await compare(sent, shelf, 0, RANGE)).missing == {IDS[-1]}
    assert shelf.lists == 1
    assert shelf.digests <= 9


def test_the_digest_of_a_union_is_the_sum_and_knows_no_order() -> None:
    ids = [id_.bytes for id_ in IDS[:100]]
    assert Digest.of(ids[:40]) + Digest.of(ids[40:]) == Digest.of(reversed(ids))
    assert Digest.of([uuid.UUID(int=0).bytes]) == Digest(1, 0x374708FFF7719DD5979EC875D56CD228)
