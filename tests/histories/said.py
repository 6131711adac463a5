"""Everything that was said to the LRS in a history, by id: over HTTP, and in the inbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from tests.histories.plan import id_of, statement_of
from tests.histories.program import intake_authority

if TYPE_CHECKING:
    from lrs.xapi.statement import Statement
    from tests.histories.arrival import Arrival
    from tests.histories.plan import Item
    from tests.histories.world import World


@dataclass(frozen=True)
class Said:
    """One statement that somebody sent. `accepted`: whether it may be stored on the word of this sender."""

    id: UUID
    item: Item
    statement: Statement
    authority: int
    accepted: bool


AllSaid = Mapping[UUID, Sequence[Said]]


def everything_said(world: World, arrivals: Sequence[Arrival]) -> AllSaid:
    """By id, all that was said under it; what broke a rule said nothing."""
    found: dict[UUID, list[Said]] = {}
    for sent in world.sent:
        # On Kafka, who sends again what was not answered may be refused for what another one was promised
        # meanwhile, and whose first attempt comes first is settled by persist.
        unsettled = world.plan.kafka and sent.attempts > 1
        accepted = sent.outcome is None or not sent.outcome.conflicts or unsettled
        for item in sent.request.items:
            id_, statement = id_of(item.id), statement_of(item)
            said = Said(id_, item, statement, sent.request.authority, accepted)
            found.setdefault(id_, []).append(said)
    authority = intake_authority(world.plan)
    for arrival in arrivals:
        for (id_, statement), item in zip(arrival.statements, arrival.items, strict=True):
            said = Said(id_, item, statement, authority, arrival.may_be_stored)
            found.setdefault(id_, []).append(said)
    return found
