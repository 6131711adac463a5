"""Credentials: who may write and read, for which tenant, and which authority vouches for what they send.

Secrets are kept as scrypt hashes (RFC 7914) with a salt of their own. Checking one takes tens of
milliseconds on purpose; whoever checks often keeps the answer for a short time (`lrs.http.access`).
"""

from __future__ import annotations

import hashlib
import hmac
import math
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from lrs.store.sql import queries

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.name import Names

ROOT_TENANT: Final = 1
Check = Callable[[str, bytes, bytes], Awaitable[bool]]
"""Runs `matches` where it keeps nobody waiting."""

HOME_PAGE: Final = "https://karmayogi-lrs.invalid/credentials"
"""Home page of the accounts that name credentials as authorities."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that was verified. `voids`: none, own or any statements; `lasts`: seconds from
    its verification until it expires, infinite if it never does."""

    tenant: int
    key: str
    authority: int
    voids: str
    scopes: frozenset[str]
    lasts: float = math.inf


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=32)


class Credentials:
    """The credentials of the store."""

    def __init__(self, pool: asyncpg.Pool, names: Names) -> None:
        self._pool, self._names = pool, names
        self._queries = queries("credential")

    async def ensure(
        self, tenant: int, key: str, secret: str, scopes: tuple[str, ...] = ("all",), voids: str = "any"
    ) -> None:
        """Make the credential, or set its secret if it is there; its authority stays as it is.

        Raises ValueError when the key belongs to another tenant.
        """
        agent = {"objectType": "Agent", "account": {"homePage": HOME_PAGE, "name": key}}
        [number] = await self._names.numbers("agent", tenant, [f"account:{HOME_PAGE} {key}"])
        salt = os.urandom(16)
        async with self._pool.acquire() as connection, connection.transaction():
            authority = await connection.fetchval(
                self._queries["put_authority"], tenant, number, msgspec.json.encode(agent)
            )
            stored = await connection.fetchval(
                self._queries["put"],
                tenant,
                key,
                _hash(secret, salt),
                salt,
                authority,
                list(scopes),
                voids,
            )
            if stored is None:
                raise ValueError(f"the key {key!r} belongs to another tenant")

    async def any(self, tenant: int) -> bool:
        """Whether the tenant has a credential at all."""
        return bool(await self._pool.fetchval(self._queries["exists"], tenant))

    async def verify(self, key: str, secret: str, check: Check) -> Credential | None:
        """The credential of this key if the secret is its own. `check` runs the slow comparison."""
        row = await self._pool.fetchrow(self._queries["find"], key)
        if row is None or not await check(secret, row["salt"], row["secret"]):
            return None
        return Credential(
            row["tenant"],
            row["key"],
            row["authority"],
            row["voiding"],
            frozenset(row["scopes"]),
            math.inf if row["lasts"] is None else row["lasts"],
        )

    async def documents(self, tenant: int) -> dict[int, bytes]:
        """Every authority of the tenant as it is written into statements."""
        return {
            row["authority"]: row["document"]
            for row in await self._pool.fetch(self._queries["documents"], tenant)
        }


def matches(secret: str, salt: bytes, stored: bytes) -> bool:
    """Whether a secret is the one that was hashed; slow, in constant time."""
    return hmac.compare_digest(_hash(secret, salt), stored)
