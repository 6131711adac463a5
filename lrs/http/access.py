"""Who asks: HTTP Basic credentials, verified slowly once and then known for a short time.

Hashing a password on each request would cost more than everything else. What was verified is kept by
a keyed digest of the header, for a minute; what is wrong, for a second. Few are verified at once, and
few wait for it, so that a flood of wrong ones keeps nobody waiting whose credential is known.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import time
from typing import TYPE_CHECKING, Final, TypeVar

from lrs.http.error import Refusal, unavailable
from lrs.store.credential import Credential, matches

if TYPE_CHECKING:
    from lrs.store.credential import Credentials

KNOWN: Final = 60.0
"""Seconds for which a verified credential is not verified again; a revoked one ends within that."""

UNKNOWN: Final = 1.0
"""Seconds for which a wrong one is not verified again."""

_Kept = TypeVar("_Kept")

_MOST: Final = 10_000
_HASHES_AT_ONCE: Final = 2
_MOST_WAITING: Final = 32


class Access:
    """Turns an Authorization header into a credential."""

    def __init__(self, credentials: Credentials, known_for: float = KNOWN) -> None:
        """`known_for`: seconds for which a verified credential is not verified again."""
        self._credentials, self._known_for = credentials, known_for
        self._key = os.urandom(32)
        self._known: dict[bytes, tuple[float, Credential]] = {}
        self._wrong: dict[bytes, float] = {}
        self._asking: dict[bytes, asyncio.Task[Credential | None]] = {}
        self._hashes = asyncio.Semaphore(_HASHES_AT_ONCE)

    async def credential(self, authorization: bytes | None) -> Credential:
        """The credential of a request; raises Refusal 401."""
        if authorization is None:
            raise _unauthorized("credentials are missing")
        digest = hashlib.blake2b(authorization, key=self._key, digest_size=16).digest()
        now = time.monotonic()
        if digest in self._known:
            until, known = self._known[digest]
            if now < until:
                return known
        found = None
        if now >= self._wrong.get(digest, 0.0):
            found = await self._verified(digest, authorization)
        if found is None:
            raise _unauthorized("these credentials are not known")
        return found

    async def _verified(self, digest: bytes, authorization: bytes) -> Credential | None:
        """Verify once, however many requests ask for it at the same time."""
        asking = self._asking.get(digest)
        if asking is None:
            if len(self._asking) >= _MOST_WAITING:
                raise unavailable("too many credentials are being verified", "overload")
            asking = asyncio.create_task(self._ask(digest, authorization))
            self._asking[digest] = asking
            asking.add_done_callback(lambda _: self._asking.pop(digest, None))
        return await asyncio.shield(asking)

    async def _ask(self, digest: bytes, authorization: bytes) -> Credential | None:
        pair = _basic(authorization)
        found = None if pair is None else await self._credentials.verify(*pair, self._check)
        now = time.monotonic()
        if found is None:
            _keep(self._wrong, digest, now + UNKNOWN)
        else:
            _keep(self._known, digest, (now + min(self._known_for, found.lasts), found))
        return found

    async def _check(self, secret: str, salt: bytes, stored: bytes) -> bool:
        async with self._hashes:
            return await asyncio.to_thread(matches, secret, salt, stored)


def _keep(where: dict[bytes, _Kept], digest: bytes, what: _Kept) -> None:
    if len(where) >= _MOST:
        where.clear()
    where[digest] = what


def _basic(authorization: bytes) -> tuple[str, str] | None:
    """Key and secret of a Basic header (RFC 7617), None for anything else."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    key, colon, secret = text.partition(":")
    return (key, secret) if colon and "\x00" not in key else None


def _unauthorized(error: str) -> Refusal:
    return Refusal(401, error, "unauthorized", {"www-authenticate": 'Basic realm="xAPI", charset="UTF-8"'})
