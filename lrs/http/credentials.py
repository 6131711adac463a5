"""The credentials of a tenant, managed over HTTP by one of its admin credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from lrs.http.call import Call, Send, answer
from lrs.http.error import Refusal, bad, parameter
from lrs.http.scope import SCOPES, unknown
from lrs.store.credential import CredentialError, Draft, KeyTaken, NoCredential

if TYPE_CHECKING:
    from lrs.http.access import Access
    from lrs.http.body import Bodies, Receive
    from lrs.http.edge import Route
    from lrs.store.credential import Credentials

log = structlog.get_logger("lrs.http")

PATH: Final = "/api/v1/credentials"

_SECRET: Final = {"cache-control": "no-store"}
"""An answer that shows a secret is kept by nobody in between."""


class _Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`overlap`: seconds for which the old secret stays valid."""

    overlap: float = 0.0


_read_draft = msgspec.json.Decoder(Draft).decode
_read_rotation = msgspec.json.Decoder(_Rotation).decode


class CredentialResource:
    """GET, POST, PUT and DELETE of /api/v1/credentials."""

    def __init__(self, credentials: Credentials, access: Access, bodies: Bodies) -> None:
        self._credentials, self._access, self._bodies = credentials, access, bodies

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        methods: dict[str, Route] = {
            "GET": self._get,
            "HEAD": self._get,
            "POST": self._create,
            "PUT": self._rotate,
            "DELETE": self._revoke,
        }
        return {(PATH, method): route for method, route in methods.items()}

    async def _get(self, call: Call, _: Receive, send: Send) -> None:
        """All of them, or the one of `key`."""
        asking = await self._access.permitted(call, "credentials")
        key = _key(call) if call.query else None
        known = await self._credentials.known(asking.tenant, key)
        if key is not None and not known:
            raise _none(key)
        body = msgspec.json.encode({"credentials": known})
        await answer(send, 200, body, head=call.method == "HEAD")

    async def _create(self, call: Call, receive: Receive, send: Send) -> None:
        asking = await self._access.permitted(call, "credentials")
        call.parameters(frozenset())
        call.expect_json()
        try:
            draft = _read_draft(await self._bodies.read(call, receive))
        except msgspec.DecodeError as error:
            raise bad(f"not a credential to make: {error}") from None
        if not draft.scopes or unknown(draft.scopes):
            wrong = ", ".join(unknown(draft.scopes)) or "none"
            raise bad(f"$.scopes: {wrong[:200]}: there are {', '.join(SCOPES)}", path="$.scopes")
        try:
            key, secret = await self._credentials.create(asking.tenant, draft)
        except KeyTaken as error:
            raise Refusal(409, str(error), "conflict", path="$.key", value=draft.key) from None
        except CredentialError as error:
            raise bad(str(error)) from None
        log.info("credential created", key=key, by=asking.key)
        await answer(send, 200, msgspec.json.encode({"key": key, "secret": secret}), _SECRET)

    async def _rotate(self, call: Call, receive: Receive, send: Send) -> None:
        asking = await self._access.permitted(call, "credentials")
        key = _key(call)
        body = await self._bodies.read(call, receive)
        try:
            rotation = _read_rotation(body) if body else _Rotation()
        except msgspec.DecodeError as error:
            raise bad(f"not a rotation: {error}") from None
        try:
            secret = await self._credentials.rotate(asking.tenant, key, rotation.overlap)
        except NoCredential as error:
            raise Refusal(404, str(error), "invalid") from None
        except CredentialError as error:
            raise bad(str(error), path="$.overlap") from None
        log.info("credential rotated", key=key, by=asking.key)
        await answer(send, 200, msgspec.json.encode({"key": key, "secret": secret}), _SECRET)

    async def _revoke(self, call: Call, _: Receive, send: Send) -> None:
        asking = await self._access.permitted(call, "credentials")
        key = _key(call)
        try:
            await self._credentials.revoke(asking.tenant, key)
        except NoCredential:
            raise _none(key) from None
        log.info("credential revoked", key=key, by=asking.key)
        await answer(send, 204)


def _key(call: Call) -> str:
    key = call.parameters(frozenset({"key"})).get("key")
    if not key or "\x00" in key:
        raise parameter("key", key or "", "must be given: the key of a credential")
    return key


def _none(key: str) -> Refusal:
    return Refusal(404, f"there is no credential {key[:200]!r}", "invalid")
