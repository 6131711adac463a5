"""Who asks: HTTP Basic credentials, verified slowly once and then known for a short time.

Hashing a password on each request would cost more than everything else. What was verified is kept by
a keyed digest of the header, for a minute; a wrong one for a second, so that a flood of wrong ones
does not hash its way through the processor. Few hashes run at once.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import os
import time
from typing import TYPE_CHECKING, Final

from lrs.http.error import Refusal
from lrs.store.credential import Credential, matches

if TYPE_CHECKING:
    from lrs.store.credential import Credentials

KNOWN: Final = 60.0
"""Seconds for which a verified credential is not verified again; a revoked one ends within that."""
UNKNOWN: Final = 1.0
_MOST: Final = 10_000
_HASHES_AT_ONCE: Final = 2


class Access:
    """Turns an Authorization header into a credential."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._key = os.urandom(32)
        self._known: dict[bytes, tuple[float, Credential | None]] = {}
        self._asking: dict[bytes, asyncio.Task[Credential | None]] = {}
        self._hashes = asyncio.Semaphore(_HASHES_AT_ONCE)

    async def credential(self, authorization: bytes | None) -> Credential:
        """The credential of a request; raises Refusal 401."""
        if authorization is None:
            raise _unauthorized("credentials are missing")
        digest = hashlib.blake2b(authorization, key=self._key, digest_size=16).digest()
        until, known = self._known.get(digest, (0.0, None))
        if until < time.monotonic():
            asking = self._asking.get(digest)
            if asking is None:
                asking = asyncio.create_task(self._ask(digest, authorization))
                self._asking[digest] = asking
                asking.add_done_callback(lambda _: self._asking.pop(digest, None))
            known = await asyncio.shield(asking)
        if known is None:
            raise _unauthorized("these credentials are not known")
        return known

    async def _ask(self, digest: bytes, authorization: bytes) -> Credential | None:
        pair = _basic(authorization)
        found = None if pair is None else await self._credentials.verify(*pair, self._check)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[digest] = (time.monotonic() + (UNKNOWN if found is None else KNOWN), found)
        return found

    async def _check(self, secret: str, salt: bytes, stored: bytes) -> bool:
        async with self._hashes:
            return await asyncio.to_thread(matches, secret, salt, stored)


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
