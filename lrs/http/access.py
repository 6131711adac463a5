"""Who asks: HTTP Basic credentials, verified slowly once and then known for a short time, and tokens.

Hashing a password on each request would cost more than everything else. What was verified is kept by
a keyed digest of the header, for a minute; what is wrong, for a second. Few are hashed at once, and
few wait for it, so that a flood of wrong ones keeps nobody waiting whose credential is known.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import itertools
import os
import time
from typing import TYPE_CHECKING, Final, TypeVar

from lrs.http import scope
from lrs.http.error import Refusal, unavailable
from lrs.http.token import TokenError
from lrs.store.connection import AWAY, within
from lrs.store.credential import Credential, matches

if TYPE_CHECKING:
    from lrs.http.call import Call
    from lrs.http.token import Tokens
    from lrs.store.credential import Credentials

KNOWN: Final = 60.0
"""Seconds for which a verified credential is not verified again; a revoked one ends within that."""

UNKNOWN: Final = 1.0
"""Seconds for which a wrong one is not verified again."""

_Kept = TypeVar("_Kept")

_MOST: Final = 50_000
"""Headers that are remembered, of the right ones and of the wrong ones; the oldest half goes first."""

_PATIENCE: Final = 15.0
"""Seconds after which a store that does not say whether a credential is right is away."""

_SHORT_PATIENCE: Final = 2.0
"""The same where the credential was right before."""

_HASHES_AT_ONCE: Final = 2
_MOST_WAITING: Final = 32


class Access:
    """Turns an Authorization header into a credential."""

    def __init__(
        self,
        credentials: Credentials,
        tokens: Tokens | None = None,
        known_for: float = KNOWN,
        grace: float = 0.0,
    ) -> None:
        """`tokens`: None where none are accepted. `known_for`: seconds for which a verified credential
        is not verified again, `grace`: and for which it stays known besides if the store is away."""
        self._credentials, self._tokens, self._known_for = credentials, tokens, known_for
        self._grace = grace
        self._key = os.urandom(32)
        self._known: dict[bytes, tuple[float, Credential]] = {}
        self._wrong: dict[bytes, tuple[float, str]] = {}
        self._asking: dict[bytes, asyncio.Task[Credential | str]] = {}
        self._hashing = 0
        self._hashes = asyncio.Semaphore(_HASHES_AT_ONCE)

    async def permitted(self, call: Call, resource: str) -> Credential:
        """The credential of a request that may do it; raises Refusal 401 or 403."""
        credential = await self.credential(call.headers.get(b"authorization"))
        scope.require(credential, resource, call.method)
        return credential

    async def credential(self, authorization: bytes | None) -> Credential:
        """The credential of an Authorization header, whatever it may do; raises Refusal 401."""
        if authorization is None:
            raise self._unauthorized("credentials are missing")
        digest = hashlib.blake2b(authorization, key=self._key, digest_size=16).digest()
        now = time.monotonic()
        stale: Credential | None = None
        if digest in self._known:
            until, known = self._known[digest]
            if now < until:
                return known
            stale = known if now < until + self._grace else None
        until, why = self._wrong.get(digest, (0.0, ""))
        found = why if now < until else await self._verified(digest, authorization, stale)
        if isinstance(found, str):
            raise self._unauthorized(found, token=_scheme(authorization)[0] == b"bearer")
        return found

    async def _verified(
        self, digest: bytes, authorization: bytes, stale: Credential | None
    ) -> Credential | str:
        """Verify once, however many requests ask for it at the same time; `stale` counts while the store is
        away, and for who comes while another asks."""
        asking = self._asking.get(digest)
        if asking is None:
            hashes = _scheme(authorization)[0] != b"bearer"
            if hashes and self._hashing >= _MOST_WAITING:
                if stale is not None:
                    return stale
                raise unavailable("too many credentials are being verified", "overload")
            self._hashing += hashes
            asking = asyncio.create_task(self._ask(digest, authorization))
            self._asking[digest] = asking
            asking.add_done_callback(lambda asked: self._asked(digest, hashes, asked))
        elif stale is not None:
            return stale
        try:
            return await within(_PATIENCE if stale is None else _SHORT_PATIENCE, asyncio.shield(asking))
        except AWAY:
            if stale is None:
                raise
            return stale

    def _asked(self, digest: bytes, hashes: bool, asked: asyncio.Task[Credential | str]) -> None:
        del self._asking[digest]
        self._hashing -= hashes
        if not asked.cancelled():
            asked.exception()  # seen: whoever waits has it, and there may be nobody any more

    async def _ask(self, digest: bytes, authorization: bytes) -> Credential | str:
        """The credential, or why there is none."""
        name, value = _scheme(authorization)
        found = await (self._token(value) if name == b"bearer" else self._basic(name, value))
        now = time.monotonic()
        if isinstance(found, str):
            _keep(self._wrong, digest, (now + UNKNOWN, found))
        else:
            _keep(self._known, digest, (now + min(self._known_for, found.lasts), found))
        return found

    async def _token(self, token: bytes) -> Credential | str:
        if self._tokens is None:
            return "tokens are not accepted here"
        try:
            return await self._tokens.credential(token, time.time())
        except TokenError as error:
            return f"this token is not accepted: {error}"

    async def _basic(self, scheme: bytes, encoded: bytes) -> Credential | str:
        pair = _pair(encoded) if scheme == b"basic" else None
        found = None if pair is None else await self._credentials.verify(*pair, self._check)
        return "these credentials are not known" if found is None else found

    async def _check(self, secret: str, salt: bytes, stored: bytes) -> bool:
        async with self._hashes:
            return await asyncio.to_thread(matches, secret, salt, stored)

    def _unauthorized(self, error: str, *, token: bool = False) -> Refusal:
        challenge = 'Basic realm="xAPI", charset="UTF-8"'
        if self._tokens is not None:
            challenge += ', Bearer realm="xAPI"' + (', error="invalid_token"' if token else "")
        return Refusal(401, error, "unauthorized", {"www-authenticate": challenge})


def _keep(where: dict[bytes, _Kept], digest: bytes, what: _Kept) -> None:
    if len(where) >= _MOST:
        for oldest in list(itertools.islice(where, _MOST // 2)):
            del where[oldest]
    where[digest] = what


def _scheme(authorization: bytes) -> tuple[bytes, bytes]:
    """The scheme in lower case, and what follows it."""
    scheme, _, rest = authorization.partition(b" ")
    return scheme.lower(), rest.strip()


def _pair(encoded: bytes) -> tuple[str, str] | None:
    """Key and secret of a Basic header (RFC 7617), None for anything else."""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    key, colon, secret = text.partition(":")
    return (key, secret) if colon and "\x00" not in key else None
