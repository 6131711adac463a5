"""A tenant whose learners have tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.http.client import Answer, Client
from tests.http.issuer import Issuer, bearing
from tests.http.sample import agent
from tests.http.system import System


@dataclass(slots=True)
class World:
    """An edge that accepts tokens, their issuer, and the credential that it issues them for."""

    issuer: Issuer
    system: System
    platform: Client
    name: str

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Claims that are accepted, but for what is changed."""
        return self.issuer.claims(self.platform.key, self.name, **changed)

    def learner(self, name: str = "learner", **changed: Any) -> Client:
        """A learner with a token."""
        return bearing(self.platform, self.issuer.sign(self.claims(agent=agent(name), **changed)))

    async def ask(self, token: str) -> Answer:
        """GET statements with a token."""
        return await bearing(self.platform, token).get()


async def furnished(issuer: Issuer, own: System, *, catalogue: bool = False) -> World:
    """A tenant with a credential for which tokens are issued."""
    platform = await own.tenant(catalogue=catalogue)
    name = await own.pool.fetchval("select name from tenant where tenant = $1", platform.tenant)
    return World(issuer, own, platform, name)
