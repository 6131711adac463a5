"""Credentials: who may write and read, for which tenant, and which authority vouches for what they send.

Secrets are kept as scrypt hashes (RFC 7914) with a salt of their own. Checking one takes tens of
milliseconds on purpose; whoever checks often keeps the answer for a short time (`lrs.http.access`).
A credential's authority is its own and stays, whatever happens to its secret.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import hmac
import math
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from lrs.store.sql import queries
from lrs.store.tenant import ROOT

if TYPE_CHECKING:
    import asyncpg

    from lrs.store.name import Names

ROOT_TENANT: Final = ROOT

EVERYTHING: Final = ("all", "person")
"""Scopes that together let one do everything: those of the root credential."""

Check = Callable[[str, bytes, bytes], Awaitable[bool]]
"""Runs `matches` where it keeps nobody waiting."""

Voiding = Literal["none", "own", "any"]
"""Whose statements may be voided."""

HOME_PAGE: Final = "https://karmayogi-lrs.invalid/credentials"
"""Home page of the accounts that name credentials as authorities."""

LONGEST_KEY: Final = 200
LONGEST_OVERLAP: Final = 30 * 86400.0
"""Seconds for which a secret that was replaced can stay valid at most."""

# What an unknown key is checked against, so that it takes as long as a wrong secret.
_NOBODYS: Final = (bytes(16), bytes(32))


class CredentialError(Exception):
    """What was asked for a credential breaks a rule."""


class KeyTaken(CredentialError):
    """Keys are unique in a store, since a key alone finds its tenant."""


class NoCredential(CredentialError):
    """The tenant has no such credential, or it is revoked."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The agent to which a credential is delegated: its canonical text, and its number in the store."""

    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential that was verified. `voids`: none, own or any statements; `lasts`: seconds from
    its verification until it expires, infinite if it never does; `admin`: it may manage credentials;
    `subject`: the one agent for which it is used, None if it is used for all."""

    tenant: int
    key: str
    authority: int
    voids: str
    scopes: frozenset[str]
    lasts: float = math.inf
    admin: bool = False
    subject: Subject | None = None
    tenant_name: str = ""


class Known(msgspec.Struct, frozen=True):
    """What can be told of a credential: everything but its secret. `old_until`: how long the secret
    before the last rotation is valid, null if it is not."""

    key: str
    tenant: str
    scopes: list[str]
    voiding: Voiding
    admin: bool
    authority: msgspec.Raw
    created: datetime.datetime
    expires: datetime.datetime | None
    revoked: datetime.datetime | None
    old_until: datetime.datetime | None


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A credential to be made. An empty key is chosen at random."""

    scopes: list[str]
    key: str = ""
    voiding: Voiding = "own"
    admin: bool = False
    expires: datetime.datetime | None = None


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=32)


async def _hashed(secret: str) -> tuple[bytes, bytes]:
    """Hash and salt of a secret."""
    salt = os.urandom(16)
    return await asyncio.to_thread(_hash, secret, salt), salt


class Credentials:
    """The credentials of the store."""

    def __init__(self, pool: asyncpg.Pool, names: Names) -> None:
        self._pool, self._names = pool, names
        self._queries = queries("credential")

    async def ensure(
        self,
        tenant: int,
        key: str,
        secret: str,
        scopes: tuple[str, ...] = ("all",),
        voids: str = "any",
        *,
        admin: bool = False,
    ) -> None:
        """Make the credential, or set its secret if it is there; its authority stays as it is.

        Raises KeyTaken when it belongs to another tenant.
        """
        authority = await self._authority(tenant, key)
        values = (*await _hashed(secret), authority, list(scopes), voids, admin)
        if await self._pool.fetchval(self._queries["put"], tenant, key, *values) is None:
            raise KeyTaken(f"the key {key!r} belongs to another tenant")

    async def create(self, tenant: int, draft: Draft) -> tuple[str, str]:
        """Key and secret of a new credential; raises CredentialError."""
        key = draft.key or f"key-{secrets.token_hex(8)}"
        if len(key) > LONGEST_KEY or not key.isprintable() or ":" in key:
            raise CredentialError(f"a key has 1 to {LONGEST_KEY} printable characters without a colon")
        if draft.expires is not None and draft.expires.tzinfo is None:
            raise CredentialError("the instant of expiry needs an offset, such as Z")
        secret = secrets.token_urlsafe(24)
        authority = await self._authority(tenant, key)
        values = (*await _hashed(secret), authority, draft.scopes, draft.voiding, draft.admin, draft.expires)
        if await self._pool.fetchval(self._queries["add"], tenant, key, *values) is None:
            raise KeyTaken(f"the key {key!r} is taken")
        return key, secret

    async def rotate(self, tenant: int, key: str, overlap: float = 0.0) -> str:
        """A new secret; the old one stays valid for `overlap` seconds. Raises CredentialError."""
        if not 0 <= overlap <= LONGEST_OVERLAP:
            raise CredentialError(f"the overlap must be 0 to {LONGEST_OVERLAP:.0f} seconds")
        secret = secrets.token_urlsafe(24)
        hashed, salt = await _hashed(secret)
        found = await self._pool.fetchval(self._queries["rotate"], tenant, key, hashed, salt, float(overlap))
        if found is None:
            raise NoCredential(f"there is no credential {key!r} that is not revoked")
        return secret

    async def revoke(self, tenant: int, key: str) -> None:
        """End a credential, for ever; harmless if it is revoked. Raises CredentialError."""
        if await self._pool.fetchval(self._queries["revoke"], tenant, key) is None:
            raise NoCredential(f"there is no credential {key!r}")

    async def known(self, tenant: int | None = None, key: str | None = None) -> list[Known]:
        """The credentials of a tenant, or of all; only the one of this key, if it is given."""
        return [_known(row) for row in await self._pool.fetch(self._queries["list"], tenant, key)]

    async def any(self, tenant: int) -> bool:
        """Whether the tenant has a credential at all."""
        return bool(await self._pool.fetchval(self._queries["exists"], tenant))

    async def verify(self, key: str, secret: str, check: Check) -> Credential | None:
        """The credential of this key if the secret is its own. `check` runs the slow comparison."""
        row = await self._pool.fetchrow(self._queries["find"], key)
        if row is None:
            await check(secret, *_NOBODYS)
            return None
        if await check(secret, row["salt"], row["secret"]):
            return _credential(row)
        old = row["old_lasts"]
        if old is not None and old > 0 and await check(secret, row["old_salt"], row["old_secret"]):
            return _credential(row, old)
        return None

    async def live(self, key: str) -> Credential | None:
        """The credential of this key, unverified; None if it is unknown, expired or revoked."""
        row = await self._pool.fetchrow(self._queries["find"], key)
        return None if row is None else _credential(row)

    async def documents(self, tenant: int) -> dict[int, bytes]:
        """Every authority of the tenant as it is written into statements."""
        return {
            row["authority"]: row["document"]
            for row in await self._pool.fetch(self._queries["documents"], tenant)
        }

    async def _authority(self, tenant: int, key: str) -> int:
        """The number of a key's authority, which is made if it is not there."""
        agent = {"objectType": "Agent", "account": {"homePage": HOME_PAGE, "name": key}}
        [number] = await self._names.numbers("agent", tenant, [f"account:{HOME_PAGE} {key}"])
        authority: int = await self._pool.fetchval(
            self._queries["put_authority"], tenant, number, msgspec.json.encode(agent)
        )
        return authority


def matches(secret: str, salt: bytes, stored: bytes) -> bool:
    """Whether a secret is the one that was hashed; slow, in constant time."""
    return hmac.compare_digest(_hash(secret, salt), stored)


def _credential(row: asyncpg.Record, at_most: float = math.inf) -> Credential:
    lasts = math.inf if row["lasts"] is None else row["lasts"]
    return Credential(
        row["tenant"],
        row["key"],
        row["authority"],
        row["voiding"],
        frozenset(row["scopes"]),
        min(lasts, at_most),
        row["admin"],
        tenant_name=row["tenant_name"],
    )


def _known(row: asyncpg.Record) -> Known:
    return Known(
        row["key"],
        row["tenant_name"],
        row["scopes"],
        row["voiding"],
        row["admin"],
        msgspec.Raw(row["authority"]),
        row["created"],
        row["expires"],
        row["revoked"],
        row["old_until"],
    )
