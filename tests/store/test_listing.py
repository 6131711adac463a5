"""Lists against a slow model: every filter, references in every order, and pages while others write."""

from __future__ import annotations

import random
import uuid
from typing import Any

import msgspec
import pytest

from lrs.store import term
from lrs.store.listing import PROBED, Query, page, probe, rarest
from tests.store.model import Wanted, ids, matches
from tests.store.path import PARTITIONS, Path, learner, ref, said, void

ACTIVITIES = [f"a:{number}" for number in range(4)]
VERBS = ["v:one", "v:two"]
REGISTRATIONS = [str(uuid.UUID(int=number)) for number in (0, 1)]


def some_agent(dice: random.Random) -> dict[str, Any]:
    agent = learner(dice.randrange(4))
    kind = dice.randrange(5)
    if kind == 0:
        return {"objectType": "Group", "member": [agent, learner(dice.randrange(4))]}
    if kind == 1:
        return {"objectType": "Group", "mbox": "mailto:group@example.org", "member": [agent]}
    return agent


def some_statement(dice: random.Random, refer_to: list[str]) -> dict[str, Any]:
    """Any statement, with an id out of `refer_to` perhaps as the one that it refers to."""
    statement = said(verb=dice.choice(VERBS)) | {"actor": some_agent(dice)}
    context: dict[str, Any] = {}
    if dice.random() < 0.3:
        context["registration"] = dice.choice(REGISTRATIONS)
    if dice.random() < 0.3:
        context["instructor"] = learner(dice.randrange(4))
    if dice.random() < 0.4:
        groups = dice.sample(["parent", "grouping", "category", "other"], dice.randint(1, 2))
        context["contextActivities"] = {name: [{"id": dice.choice(ACTIVITIES)}] for name in groups}
    if context:
        statement["context"] = context
    kind = dice.randrange(6)
    if kind < 2:
        statement["object"] = {"id": dice.choice(ACTIVITIES)}
    elif kind < 4 and refer_to:
        statement["object"] = ref(dice.choice(refer_to))
    elif kind == 4:
        statement["object"] = some_agent(dice)
    else:
        inner = said(verb=dice.choice(VERBS), activity=dice.choice(ACTIVITIES)) | {"actor": some_agent(dice)}
        del inner["id"]
        statement["object"] = {"objectType": "SubStatement"} | inner
    return statement


async def query_of(path: Path, wanted: Wanted, **more: Any) -> Query | None:
    """The query in the store's numbers; None if it has no number for a name."""
    agent = wanted.agent and await path.names.find("agent", 1, f"mbox:{wanted.agent}")
    verb = wanted.verb and await path.names.find("verb", 1, wanted.verb)
    activity = wanted.activity and await path.names.find("activity", 1, wanted.activity)
    if None in (agent or not wanted.agent or None, verb or not wanted.verb or None):
        return None
    return Query(
        limit=more.pop("limit", 500),
        agent=agent or None,
        related_agents=wanted.related_agents,
        verb=verb or None,
        activity=activity or None,
        related_activities=wanted.related_activities,
        registration=(wanted.registration and uuid.UUID(wanted.registration).bytes) or None,
        **more,
    )


async def listed(path: Path, query: Query) -> list[str]:
    """The ids of a whole list, page by page."""
    found: list[str] = []
    asked: Query | None = query
    while asked is not None:
        one = await page(path.pool, 1, asked)
        assert len(one.statements) <= query.limit
        found += [str(uuid.UUID(bytes=stored.id)) for stored in one.statements]
        asked = one.following
    return found


def every_filter(dice: random.Random) -> list[Wanted]:
    """Some combinations of filters, each alone among them."""
    mailboxes = [*(learner(number)["mbox"] for number in range(4)), "mailto:group@example.org"]
    mailboxes.append("mailto:authority1@example.org")
    alone = [
        Wanted(),
        *(
            Wanted(agent=mailbox, related_agents=related)
            for mailbox in mailboxes
            for related in (False, True)
        ),
        *(Wanted(verb=verb) for verb in VERBS),
        *(
            Wanted(activity=iri, related_activities=related)
            for iri in ACTIVITIES
            for related in (False, True)
        ),
        *(Wanted(registration=registration) for registration in REGISTRATIONS),
    ]
    mixed = [
        Wanted(
            dice.choice([None, *mailboxes]),
            dice.random() < 0.5,
            dice.choice([None, *VERBS]),
            dice.choice([None, *ACTIVITIES]),
            dice.random() < 0.5,
            dice.choice([None, None, *REGISTRATIONS]),
        )
        for _ in range(40)
    ]
    return [*alone, *mixed]


@pytest.mark.parametrize("seed", range(3))
async def test_a_list_has_what_the_model_says_in_the_order_of_stored(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    statements: list[dict[str, Any]] = []
    for _ in range(60):
        statements.append(some_statement(dice, ids(statements)))
    dice.shuffle(statements)  # a reference may come before its target
    authority: dict[str, str] = {}
    while statements_left := [one for one in statements if one["id"] not in authority]:
        batch, number = statements_left[: dice.randint(1, 8)], dice.randrange(2)
        authority.update({one["id"]: f"mailto:authority{number}@example.org" for one in batch})
        await path.accept(batch, partition=dice.randrange(PARTITIONS), authority=number)
        if dice.random() < 0.5:
            await path.do(path.persist, dice.randrange(PARTITIONS), most=dice.randint(1, 3))
    await path.settle()
    voided = {statement["id"] for statement in dice.sample(statements, 5)}
    for target in voided:
        await path.send(void(target))
    by_id = {statement["id"]: statement for statement in statements}
    rows = await path.pool.fetch("select id, pos from statement order by pos")
    order = [str(row["id"]) for row in rows if str(row["id"]) in by_id]
    for wanted in every_filter(dice):
        query = await query_of(path, wanted, limit=dice.choice([1, 7, 500]))
        expected = [
            id_ for id_ in order if id_ not in voided and matches(by_id[id_], wanted, by_id, authority)
        ]
        found = [] if query is None else await listed(path, query)
        assert [id_ for id_ in found if id_ in by_id] == expected[::-1], wanted
        if query is not None:
            ascending = await listed(path, msgspec.structs.replace(query, ascending=True))
            assert ascending == found[::-1]
    await path.proven()


async def test_since_is_after_and_until_not_after(path: Path) -> None:
    statements = [said() for _ in range(4)]
    await path.send(statements)
    rows = await path.pool.fetch("select pos from statement order by pos")
    instants = [term.instant(row["pos"]) for row in rows]
    found = await listed(path, Query(limit=10, since=instants[0], until=instants[2], ascending=True))
    assert found == ids(statements[1:3])


async def test_pages_show_one_moment_while_others_write_and_void(path: Path) -> None:
    statements = [said(1) for _ in range(20)]
    for place, statement in enumerate(statements):
        await path.send(statement, partition=place % PARTITIONS)
    for ascending in (False, True):
        first = await page(path.pool, 1, Query(limit=6, ascending=ascending))
        found, asked = [uuid.UUID(bytes=one.id) for one in first.statements], first.following
        while asked is not None:
            await path.send(said(1), partition=0)
            await path.send(said(1), partition=1)
            one = await page(path.pool, 1, asked)
            found += [uuid.UUID(bytes=stored.id) for stored in one.statements]
            asked = one.following
        assert len(found) == len(set(found))
        await path.pool.execute("delete from statement where id <> all ($1::uuid[])",
                                [statement["id"] for statement in statements])  # fmt: skip
        order = ids(statements) if ascending else ids(statements)[::-1]
        assert [str(id_) for id_ in found] == order


async def test_a_list_of_one_authority_has_nothing_of_another(path: Path) -> None:
    own, other = said(1), said(1)
    await path.send(own, authority=1)
    await path.send(other, authority=2)
    number = await path.authority(1)
    assert await listed(path, Query(limit=10, authority=number)) == [own["id"]]
    agent = await path.names.find("agent", 1, f"mbox:{learner(1)['mbox']}")
    assert await listed(path, Query(limit=10, authority=number, agent=agent)) == [own["id"]]


async def test_the_rarest_filter_leads_wherever_the_page_begins(path: Path) -> None:
    common = [said(1, VERBS[0], "a:common") for _ in range(2 * PROBED)]
    rare = [said(1, VERBS[0], "a:rare") for _ in range(3)]
    await path.send([*common[:PROBED], *rare, *common[PROBED:]])
    others = [said(2, VERBS[1], "a:common") for _ in range(2)]
    await path.send(others)
    numbers = {
        "agent": await path.names.find("agent", 1, f"mbox:{learner(1)['mbox']}"),
        "other": await path.names.find("agent", 1, f"mbox:{learner(2)['mbox']}"),
        **{name: await path.names.find("activity", 1, f"a:{name}") for name in ("common", "rare")},
        "verb": await path.names.find("verb", 1, VERBS[0]),
    }
    for ascending in (False, True):
        busy = Query(limit=10, agent=numbers["agent"], activity=numbers["rare"], ascending=ascending)
        assert await rarest(path.pool, 1, busy) == 1
        few = Query(limit=10, agent=numbers["other"], activity=numbers["common"], ascending=ascending)
        assert await rarest(path.pool, 1, few) == 0
        assert await listed(path, busy) == ids(rare if ascending else rare[::-1])
        assert await listed(path, few) == ids(others if ascending else others[::-1])
    # Of those with many matches, the one whose matches lie the farthest apart.
    spread = Query(limit=10, agent=numbers["agent"], activity=numbers["common"])
    rows = await path.pool.fetch(*_asked(probe(1, spread)))
    assert [row["count"] for row in rows] == [PROBED, PROBED]


def _asked(probed: tuple[str, list[Any]]) -> tuple[Any, ...]:
    return probed[0], *probed[1]


async def test_a_list_has_nothing_of_another_tenant(path: Path) -> None:
    await path.pool.execute("insert into tenant (name) values ('second')")
    own = said(1)
    await path.send(own, tenant=1)
    await path.send(said(1), tenant=2)
    assert await listed(path, Query(limit=10)) == [own["id"]]
