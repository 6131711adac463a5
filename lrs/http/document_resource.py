"""The document resources: what differs between State, Agent Profile and Activity Profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lrs.store.document import Kind


@dataclass(frozen=True, slots=True)
class Resource:
    """Where it is, its parameters (`id`: the document's; `context`: must be given), and the clause."""

    kind: Kind
    path: str
    id: str
    context: tuple[str, ...]
    optional: frozenset[str]
    clause: str


RESOURCES: Final = (
    Resource(
        Kind.STATE,
        "/xapi/activities/state",
        "stateId",
        ("activityId", "agent"),
        frozenset({"registration"}),
        "1.0.3 Part Three 2.3; IEEE 9274.1.1 4.1.6.2",
    ),
    Resource(
        Kind.AGENT_PROFILE,
        "/xapi/agents/profile",
        "profileId",
        ("agent",),
        frozenset(),
        "1.0.3 Part Three 2.6; IEEE 9274.1.1 4.1.6.5",
    ),
    Resource(
        Kind.ACTIVITY_PROFILE,
        "/xapi/activities/profile",
        "profileId",
        ("activityId",),
        frozenset(),
        "1.0.3 Part Three 2.7; IEEE 9274.1.1 4.1.6.6",
    ),
)
