"""Lists of statements: filters as terms, pages by keyset, a horizon that makes a list a snapshot.

A filter has alternatives: the statement's own column, and postings for what it is related to or
inherits through a reference. The rarest filter leads: each of its alternatives walks one index in the
order of pos; the other filters are checked at each step. Of several filters, the rarest is the one whose
next few matches lie the farthest apart, where the page begins. No list scans.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from asyncpg.pgproto.pgproto import UUID

from lrs.log import frame as frames
from lrs.store import term
from lrs.store.reread import Stored

if TYPE_CHECKING:
    from lrs.store.connection import Asked


_INT32, _INT60 = msgspec.Meta(ge=0, lt=1 << 31), msgspec.Meta(ge=0, lt=1 << 60)
_INSTANT = msgspec.Meta(ge=term.EPOCH - 1, le=term.LAST)
_POS = msgspec.Meta(ge=0, le=(1 << 63) - 1)


class Query(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a list is asked for, in the store's numbers, and where it goes on.

    `since` and `until`: µs since 1970, stored after and not after. `after`: pos of the last statement
    seen. `horizon`: by partition, the last instant that belongs to the list (empty on the first page).
    A query comes back from clients within `more` links, so each number has the bounds of its column.
    """

    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    agent: Annotated[int, _INT60] | None = None
    related_agents: bool = False
    verb: Annotated[int, _INT32] | None = None
    activity: Annotated[int, _INT60] | None = None
    related_activities: bool = False
    registration: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)] | None = None
    since: Annotated[int, _INSTANT] | None = None
    until: Annotated[int, _INSTANT] | None = None
    ascending: bool = False
    authority: Annotated[int, _INT32] | None = None
    """Only what this authority vouches for (scope statements/read/mine)."""
    actor: Annotated[int, _INT60] | None = None
    """Only what this agent did (a token that names it)."""
    after: Annotated[int, _POS] | None = None
    horizon: Annotated[tuple[Annotated[int, _POS], ...], msgspec.Meta(max_length=term.PARTITIONS)] = ()


class Page(msgspec.Struct, frozen=True):
    """One page of a list; `following` asks for the next one, None at the end."""

    statements: Sequence[Stored]
    following: Query | None
    thetas: tuple[int, ...]
    """How far persist was, by partition, when the page was read."""

    def ending_after(self, query: Query, count: int) -> Page:
        """The page of the first `count` statements alone; what follows begins after them."""
        kept = self.statements[:count]
        horizon = query.horizon or self.thetas
        return Page(kept, msgspec.structs.replace(query, after=kept[-1].pos, horizon=horizon), self.thetas)

    @property
    def consistent_through(self) -> int:
        """The instant up to which every statement was in sight."""
        return min(self.thetas, default=0)


MOST_BYTES: Final = 16 << 20
"""Stored bytes at which a page ends before its limit; one statement it has at least."""


PROBED: Final = 200
"""Matches of each filter that are looked at to tell which is the rarest."""


class _Arguments:
    """Values and the places that they have in the statement."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def put(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def _term(kind: int, number: int) -> tuple[str, int]:
    return "term", term.term(kind, number)


def _filters(query: Query) -> list[list[tuple[str, Any]]]:
    """The alternatives of each filter that is set; first the one that narrows most as a rule."""
    filters: list[list[tuple[str, Any]]] = []
    if query.actor is not None:
        filters.append([("actor", query.actor)])
    if query.registration is not None:
        stored = term.registration(query.registration)
        filters.append(
            [("registration", UUID(stored)), _term(term.REGISTRATION, term.registration_number(stored))]
        )
    if query.agent is not None:
        agent: list[tuple[str, Any]] = [("actor", query.agent), _term(term.AGENT, query.agent)]
        if query.related_agents:
            agent += [_term(term.RELATED_AGENT, query.agent), ("authority_of", query.agent)]
        filters.append(agent)
    if query.activity is not None:
        activity: list[tuple[str, Any]] = [("object", query.activity), _term(term.ACTIVITY, query.activity)]
        if query.related_activities:
            activity.append(_term(term.RELATED_ACTIVITY, query.activity))
        filters.append(activity)
    if query.verb is not None:
        filters.append([("verb", query.verb), _term(term.VERB, query.verb)])
    if query.authority is not None:
        filters.append([("authority", query.authority)])
    return filters


def _inherited(query: Query, filters: Sequence[Sequence[tuple[str, Any]]], arguments: _Arguments) -> str:
    """A term of a statement that refers to another one may be inherited: who may not read everything
    finds it by that only if all that it refers to is his own, so that no filter probes another's."""
    terms = any(kind == "term" for alternatives in filters for kind, _ in alternatives)
    if not terms or (query.authority is None and query.actor is None):
        return ""
    own = f"{arguments.put(query.authority)}::int, {arguments.put(query.actor)}::bigint"
    return f" and (s.flags & {frames.REFERS} = 0 or refers_to_own($1, s.pos, {own}))"


_NIL: Final = "'00000000-0000-0000-0000-000000000000'"


def _condition(alternative: tuple[str, Any], arguments: _Arguments, inherited: str) -> str:
    kind, value = alternative
    place = arguments.put(value)
    if kind == "term":
        posted = f"select from posting q where q.tenant = $1 and q.term = {place} and q.pos = s.pos"
        return f"(exists ({posted}){inherited})"
    if kind == "authority_of":
        return f"s.authority = (select authority from authority where tenant = $1 and agent = {place})"
    if kind == "registration":
        # Repeats the predicate of the partial index.
        return f"(s.registration = {place}::uuid and s.registration <> {_NIL})"
    if kind == "object":
        return f"(s.object = {place} and s.object <> 0)"
    return f"s.{kind} = {place}"


def _bounds(query: Query, arguments: _Arguments) -> str:
    """The condition on pos, of the table or alias that it is formatted with."""
    low = -1 if query.since is None else term.pos(query.since, term.PARTITIONS - 1)
    high = (1 << 63) - 1 if query.until is None else term.pos(query.until, term.PARTITIONS - 1)
    if query.after is not None:
        if query.ascending:
            low = max(low, query.after)
        else:
            high = min(high, query.after - 1)
    return f"{{0}}.pos > {arguments.put(low)} and {{0}}.pos <= {arguments.put(high)}"


def probe(tenant: int, query: Query) -> tuple[str, list[Any]]:
    """The SQL that gives for each filter, by its place, the number of its next matches up to PROBED, and
    the pos of the last of them."""
    arguments = _Arguments()
    arguments.put(tenant)
    order, farthest = ("asc", "max") if query.ascending else ("desc", "min")
    bounds = _bounds(query, arguments)
    probes = []
    for place, alternatives in enumerate(_filters(query)):
        arms = []
        for alternative in alternatives:
            if alternative[0] == "term":
                alias, table, own = "p", "posting", f"p.term = {arguments.put(alternative[1])}"
            else:
                alias, table, own = "s", "statement", _condition(alternative, arguments, "")
            arms.append(
                f"(select {alias}.pos from {table} {alias} where {alias}.tenant = $1 and {own}"
                f" and {bounds.format(alias)} order by {alias}.pos {order} limit {PROBED})"
            )
        near = f"select pos from ({' union all '.join(arms)}) arm order by pos {order} limit {PROBED}"
        probes.append(
            f"select {place} as place, count(*) as count, {farthest}(pos) as pos from ({near}) near"
        )
    return " union all ".join(probes), arguments.values


async def rarest(connection: Asked, tenant: int, query: Query) -> int:
    """The place of the filter that leads."""
    if len(_filters(query)) < 2:
        return 0
    text, arguments = probe(tenant, query)
    rows = await connection.fetch(text, *arguments)
    few = [row for row in rows if row["count"] < PROBED]
    if few:
        return int(min(few, key=lambda row: (row["count"], row["place"]))["place"])
    direction = 1 if query.ascending else -1
    return int(max(rows, key=lambda row: (direction * row["pos"], -row["place"]))["place"])


def statement(tenant: int, query: Query, lead: int = 0) -> tuple[str, list[Any]]:
    """The SQL of one page and its arguments; `lead`: the place of the filter that leads. One row more
    than the limit tells that there is more."""
    arguments = _Arguments()
    arguments.put(tenant)
    order = "asc" if query.ascending else "desc"
    limit = arguments.put(query.limit + 1)
    bounds = _bounds(query, arguments)
    seen = "not s.voided"
    if query.horizon:
        # A partition that the list did not know then has nothing in it.
        seen += (
            f" and (s.pos >> {term.PARTITION_BITS}) + {term.EPOCH}"
            f" <= ({arguments.put(list(query.horizon))}::bigint[])[(s.pos & {term.PARTITIONS - 1})::int + 1]"
        )
    filters = _filters(query)
    inherited = _inherited(query, filters, arguments)
    leading = filters[lead] if filters else []
    others = [other for place, other in enumerate(filters) if place != lead]
    for other in others:
        conditions = [_condition(alternative, arguments, inherited) for alternative in other]
        seen += f" and ({' or '.join(conditions)})"
    arms = []
    for alternative in leading or (None,):
        if alternative is not None and alternative[0] == "term":
            place = arguments.put(alternative[1])
            arms.append(
                "select p.pos from posting p join statement s on s.tenant = p.tenant and s.pos = p.pos"
                f" where p.tenant = $1 and p.term = {place} and {bounds.format('p')} and {seen}{inherited}"
                f" order by p.pos {order} limit {limit}"
            )
        else:
            own = f" and {_condition(alternative, arguments, inherited)}" if alternative is not None else ""
            arms.append(
                f"select s.pos from statement s where s.tenant = $1 and {bounds.format('s')}{own} and {seen}"
                f" order by s.pos {order} limit {limit}"
            )
    pages = " union all ".join(f"({arm})" for arm in arms)
    text = f"""
        with page as (select distinct pos from ({pages}) arm order by pos {order} limit {limit}),
        done as (
            select coalesce(array_agg(theta_us order by partition), '{{}}') as thetas
            from stage_partition where stage = 'persist'
        ), sized as (
            select s.*, sum(octet_length(s.raw)) over (order by s.pos {order}) - octet_length(s.raw) as before
            from page join statement s on s.tenant = $1 and s.pos = page.pos
        )
        select s.pos, s.id, s.authority, s.flags, s.dictionary, done.thetas,
            case when s.before < {MOST_BYTES} then s.raw end as raw
        from done left join sized s on true
        order by s.pos {order}"""
    return text, arguments.values


async def page(connection: Asked, tenant: int, query: Query) -> Page:
    """One page of a list, and how far the store was when it was read."""
    text, arguments = statement(tenant, query, await rarest(connection, tenant, query))
    rows = await connection.fetch(text, *arguments)
    thetas = tuple(rows[0]["thetas"])
    there = [row for row in rows if row["pos"] is not None]
    found = [Stored.of(tenant, row) for row in there[: query.limit] if row["raw"] is not None]
    page = Page(found, None, thetas)
    return page if len(found) == len(there) else page.ending_after(query, len(found))
