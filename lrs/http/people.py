"""The Agents resource: what is known of an agent, as a Person (1.0.3 Part Three 2.4;
IEEE 9274.1.1 4.1.6.3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lrs.http import scope
from lrs.http.call import VERSION_HEADER, Call, Send, answer
from lrs.http.error import parameter
from lrs.http.statements import agent_parameter
from lrs.log import frame as frames
from lrs.log.port import STATEMENTS
from lrs.store import listing
from lrs.store.listing import Query
from lrs.xapi.reader import read_statements

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncpg

    from lrs.http.access import Access
    from lrs.http.body import Receive
    from lrs.http.edge import Route
    from lrs.store.credential import Credential
    from lrs.store.dictionary import Dictionaries
    from lrs.store.horizon import Horizon
    from lrs.store.name import Names
    from lrs.store.reread import Stored

PATH: Final = "/xapi/agents"
_CLAUSE: Final = "1.0.3 Part Three 2.4; IEEE 9274.1.1 4.1.6.3"

NEWEST: Final = 100
"""Statements with the agent, the newest ones, whose names for it are told."""

_IDENTIFIERS: Final = ("mbox", "mbox_sha1sum", "openid", "account")


class People:
    """GET of the Agents resource."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        access: Access,
        names: Names,
        dictionaries: Dictionaries,
        horizon: Horizon,
    ) -> None:
        self._pool, self._access, self._names = pool, access, names
        self._dictionaries, self._horizon = dictionaries, horizon

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        return {(PATH, "GET"): self._get, (PATH, "HEAD"): self._get}

    async def _get(self, call: Call, _: Receive, send: Send) -> None:
        version = call.version()
        credential = await self._access.permitted(call, "agents")
        text = call.parameters(frozenset({"agent"})).get("agent")
        if text is None:
            raise parameter("agent", "", "must be given: an Agent as JSON", _CLAUSE)
        agent = agent_parameter(text, version)
        scope.require_subject(credential, agent)
        sent: dict[str, Any] = msgspec.json.decode(text)
        if sent.get("objectType", "Agent") != "Agent":
            raise parameter("agent", text, "must be an Agent: a Group is no person", _CLAUSE)
        names = [sent["name"]] if "name" in sent else []
        names += await self._names_of(credential, agent)
        person: dict[str, Any] = {"objectType": "Person"}
        if names:
            person["name"] = list(dict.fromkeys(names))
        person |= {name: [sent[name]] for name in _IDENTIFIERS if name in sent}
        body = msgspec.json.encode(person)
        await answer(send, 200, body, {VERSION_HEADER: version.value}, head=call.method == "HEAD")

    async def _names_of(self, credential: Credential, agent: str) -> list[str]:
        """The names by which the newest statements call an agent, the newest first."""
        await self._horizon.caught_up(STATEMENTS)
        number = await self._names.find("agent", credential.tenant, agent)
        if number is None:
            return []
        query = scope.in_sight(credential, Query(limit=NEWEST, agent=number, related_agents=True))
        page = await listing.page(self._pool, credential.tenant, query)
        await self._dictionaries.load(self._pool, {one.dictionary for one in page.statements})
        return await asyncio.to_thread(self._named, page.statements, agent)

    def _named(self, statements: Iterable[Stored], agent: str) -> list[str]:
        found: list[str] = []
        for one in statements:
            if one.flags & frames.DEFINES_NOTHING:
                continue
            raw = self._dictionaries.decompress(one.dictionary, one.raw)
            [statement] = read_statements(raw, one.version, max_statements=1)
            found += [name for called, name in statement.names if called == agent]
        return found
