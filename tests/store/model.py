"""Which statements a list must have, told from the JSON alone: the specification's rules, slowly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Wanted:
    """The filters of a list (1.0.3 Part Three 2.1.3), by mailbox, IRI and UUID."""

    agent: str | None = None
    related_agents: bool = False
    verb: str | None = None
    activity: str | None = None
    related_activities: bool = False
    registration: str | None = None


def matches(statement: Json, wanted: Wanted, by_id: Mapping[str, Json], authority: Mapping[str, str]) -> bool:
    """Whether the statement, or one that it refers to, directly or not, fits every filter that is set.

    Each filter may be met by another statement of the chain. `authority`: mailbox by statement id.
    """
    chain = list(_chain(statement, by_id))
    filters = []
    if wanted.agent is not None:
        filters.append([wanted.agent in _agents(each, wanted.related_agents, authority) for each in chain])
    if wanted.verb is not None:
        filters.append([wanted.verb == each["verb"]["id"] for each in chain])
    if wanted.activity is not None:
        filters.append([wanted.activity in _activities(each, wanted.related_activities) for each in chain])
    if wanted.registration is not None:
        filters.append([wanted.registration == each.get("context", {}).get("registration") for each in chain])
    return all(any(met) for met in filters)


def _chain(statement: Json, by_id: Mapping[str, Json]) -> Iterator[Json]:
    seen = set()
    at: Json | None = statement
    while at is not None and at["id"] not in seen:
        seen.add(at["id"])
        yield at
        at = by_id.get(at["object"]["id"]) if _kind(at) == "StatementRef" else None


def _kind(statement: Json) -> str:
    return str(statement["object"].get("objectType", "Activity"))


def _agents(statement: Json, related: bool, authority: Mapping[str, str]) -> set[str]:
    found = {*_identified(statement["actor"])}
    if _kind(statement) in ("Agent", "Group"):
        found |= {*_identified(statement["object"])}
    if not related:
        return found
    found.add(authority[statement["id"]])
    return found | {*_related_agents(statement)}


def _related_agents(statement: Json) -> Iterator[str]:
    for name in ("instructor", "team"):
        if name in statement.get("context", {}):
            yield from _identified(statement["context"][name])
    if _kind(statement) == "SubStatement":
        inner = statement["object"]
        yield from _identified(inner["actor"])
        if _kind(inner) in ("Agent", "Group"):
            yield from _identified(inner["object"])
        yield from _related_agents(inner)


def _identified(agent: Json) -> Iterator[str]:
    if "mbox" in agent:
        yield agent["mbox"]
    for member in agent.get("member", ()):
        yield from _identified(member)


def _activities(statement: Json, related: bool) -> set[str]:
    found = set[str]()
    if _kind(statement) == "Activity":
        found.add(statement["object"]["id"])
    if related:
        found |= {*_related_activities(statement)}
    return found


def _related_activities(statement: Json) -> Iterator[str]:
    for group in statement.get("context", {}).get("contextActivities", {}).values():
        yield from (activity["id"] for activity in group)
    if _kind(statement) == "SubStatement":
        inner = statement["object"]
        if _kind(inner) == "Activity":
            yield inner["object"]["id"]
        yield from _related_activities(inner)


def ids(statements: Sequence[Json]) -> list[str]:
    """The ids of some statements."""
    return [str(statement["id"]) for statement in statements]
