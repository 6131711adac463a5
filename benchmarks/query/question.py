"""The questions: what is asked of the store, with arguments drawn anew each time."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import asyncpg
from asyncpg.pgproto.pgproto import UUID

from benchmarks.query.crowd import BUSY, ROOT, WORDS, Crowd, agent, identifier
from lrs.demo.phrase import verb
from lrs.store import term
from lrs.store.credential import ROOT_TENANT
from lrs.store.listing import Query, page, rarest, statement
from lrs.store.name import Names
from lrs.store.sql import queries

LIMIT = 100
"""Statements of a page."""

Asked = tuple[str, Sequence[Any]]
"""SQL and its arguments."""


@dataclass(frozen=True)
class Question:
    """`draw` gives a query for `lrs.store.listing`, or an id."""

    name: str
    draw: Callable[[], Awaitable[Query | uuid.UUID]]

    async def ask(self, pool: asyncpg.Pool, drawn: Query | uuid.UUID) -> int:
        """Ask the store; how many statements came."""
        if isinstance(drawn, Query):
            return len((await page(pool, ROOT_TENANT, drawn)).statements)
        return len(await pool.fetch(*_single(drawn)))

    async def sql(self, pool: asyncpg.Pool, drawn: Query | uuid.UUID) -> Asked:
        """What the store is asked."""
        if isinstance(drawn, Query):
            return statement(ROOT_TENANT, drawn, await rarest(pool, ROOT_TENANT, drawn))
        text, *arguments = _single(drawn)
        return text, arguments


def _single(id_: uuid.UUID) -> tuple[Any, ...]:
    return queries("statement")["by_id"], ROOT_TENANT, UUID(id_.bytes)


async def questions(
    pool: asyncpg.Pool, crowd: Crowd, rng: Random, ids: Sequence[uuid.UUID]
) -> list[Question]:
    """All of them."""
    names = Names(pool)
    first, last = await pool.fetchrow("select min(pos), max(pos) from statement")  # type: ignore[misc]

    async def number(kind: str, name: str) -> int:
        return (await names.numbers(kind, ROOT_TENANT, [name]))[0]

    async def person(of: dict[str, Any]) -> int:
        return await number("agent", identifier(of))

    async def word() -> int:
        return await number("verb", verb(rng.choice(WORDS))["id"])

    def instant() -> int:
        return term.instant(rng.randrange(first, last))

    async def listed(**asked: Any) -> Query:
        return Query(limit=LIMIT, **asked)

    def deep() -> dict[str, Any]:
        """Somewhere in the middle of a list, as a more link asks."""
        horizon = (term.instant(last),) * 4
        return {"after": rng.randrange(first, last), "horizon": horizon}

    async def by_id() -> uuid.UUID:
        return rng.choice(ids)

    async def newest() -> Query:
        return await listed()

    async def deep_page() -> Query:
        return await listed(**deep())

    async def by_agent() -> Query:
        return await listed(agent=await person(crowd.learner(rng)))

    async def by_busy() -> Query:
        return await listed(agent=await person(agent(BUSY)))

    async def by_busy_deep() -> Query:
        return await listed(agent=await person(agent(BUSY)), ascending=rng.random() < 0.5, **deep())

    async def by_busy_and_verb() -> Query:
        return await listed(agent=await person(agent(BUSY)), verb=await word(), **deep())

    async def by_busy_and_activity() -> Query:
        return await listed(
            agent=await person(agent(BUSY)), activity=await number("activity", crowd.thing(rng))
        )

    async def by_activity() -> Query:
        return await listed(activity=await number("activity", crowd.thing(rng)))

    async def by_verb() -> Query:
        return await listed(verb=await word(), since=instant())

    async def by_verb_ascending() -> Query:
        return await listed(verb=await word(), since=instant(), ascending=True)

    async def by_registration() -> Query:
        return await listed(registration=uuid.UUID(crowd.registration(rng)).bytes)

    async def related_agents() -> Query:
        return await listed(agent=await person(crowd.teacher(rng)), related_agents=True)

    async def related_busy() -> Query:
        return await listed(agent=await person(agent(BUSY)), related_agents=True, **deep())

    async def related_activities() -> Query:
        course = await number("activity", crowd.course(rng))
        return await listed(activity=course, related_activities=True)

    async def related_both() -> Query:
        return await listed(
            agent=await person(crowd.teacher(rng)),
            related_agents=True,
            activity=await number("activity", f"{ROOT}course/{rng.randrange(5)}"),
            related_activities=True,
        )

    return [
        Question("by id", by_id),
        Question("newest", newest),
        Question("deep page", deep_page),
        Question("by agent", by_agent),
        Question("by the agent of half of all", by_busy),
        Question("by the agent of half of all, any page", by_busy_deep),
        Question("by that agent and verb, any page", by_busy_and_verb),
        Question("by that agent and activity", by_busy_and_activity),
        Question("by activity", by_activity),
        Question("by verb, since", by_verb),
        Question("by verb, since, ascending", by_verb_ascending),
        Question("by registration", by_registration),
        Question("related agents", related_agents),
        Question("related agents: half of all, any page", related_busy),
        Question("related activities", related_activities),
        Question("related agents and activities", related_both),
    ]
