"""Documents: the State, Agent Profile and Activity Profile resources (1.0.3 Part Three 2.2, 2.3, 2.6,
2.7; IEEE 9274.1.1 4.1.6.2, 4.1.6.5, 4.1.6.6).

A document is given back as it was sent, byte for byte, with its Content-Type. A write judges what it
finds and changes it in one step if it is still that; else it judges again. So of several writes with
one ETag one is carried out and the others get 412.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from lrs.http import scope, spooled
from lrs.http.call import VERSION_HEADER, Call, Send, answer
from lrs.http.document_resource import RESOURCES, Resource
from lrs.http.error import Refusal, bad, parameter, unavailable
from lrs.http.ingest import uuid_parameter
from lrs.http.precondition import CLAUSE, conditional, entity_tag, require
from lrs.http.statements import agent_parameter, iri_parameter
from lrs.store.document import PIECE, Document, DocumentStore, Draft, Kind, Shelf, Stream
from lrs.xapi.document import check_json, is_json, merge
from lrs.xapi.timestamp import parse_timestamp
from lrs.xapi.version import Version

if TYPE_CHECKING:
    from lrs.http.access import Access
    from lrs.http.body import Admission, Bodies, Receive
    from lrs.http.edge import Route
    from lrs.store.name import Names

_LONG: Final = 1 << 17
"""Bytes from which on a document is worked on in a thread, so that nobody else waits for it."""

_EVER: Final = -(1 << 62)
"""An instant before everything."""

_UNKNOWN_TYPE: Final = "application/octet-stream"

_SAFE: Final = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
"""A document is whatever somebody sent: no browser is to run it as a page of this server."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request read. `names`: the agent's and the activity's, in canonical text. `id` None: it asks for
    all documents. `since`: µs since 1970."""

    tenant: int
    version: Version
    resource: Resource
    names: Mapping[str, str]
    registration: bytes | None
    id: str | None
    since: int

    def shelf(self, numbers: Mapping[str, int]) -> Shelf:
        """The shelf, when its names have numbers."""
        return Shelf(
            self.tenant,
            self.resource.kind,
            numbers.get("agent", 0),
            numbers.get("activity", 0),
            self.registration,
        )


class Documents:
    """The three document resources."""

    def __init__(
        self,
        store: DocumentStore,
        access: Access,
        names: Names,
        bodies: Bodies,
        admission: Admission,
        *,
        longest: int,
        mergeable: int,
        writable: Callable[[], bool],
    ) -> None:
        """`longest`: bytes that a document may have, `mergeable`: that one may have to be merged.
        `writable` is false when the store's disk is nearly full."""
        self._store, self._access, self._names = store, access, names
        self._bodies, self._admission = bodies, admission
        self._longest, self._mergeable, self._writable = longest, mergeable, writable

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        return {
            (resource.path, method): route
            for resource in RESOURCES
            for method, route in self._methods(resource).items()
        }

    def _methods(self, resource: Resource) -> dict[str, Route]:
        async def get(call: Call, _: Receive, send: Send) -> None:
            asked = await self._asked(call, resource, reading=True)
            if asked.id is None:
                await self._list(call, send, asked)
            else:
                await self._get(call, send, asked, asked.id)

        async def write(call: Call, receive: Receive, send: Send) -> None:
            if not self._writable():
                raise unavailable("the store's disk is nearly full; reads go on", "disk_full", 30)
            asked = await self._asked(call, resource)
            if asked.id is None:
                raise _missing(resource.id, resource)
            await self._write(call, receive, send, asked, asked.id)

        async def delete(call: Call, _: Receive, send: Send) -> None:
            asked = await self._asked(call, resource)
            if asked.id is None:
                if resource.kind is not Kind.STATE:
                    raise _missing(resource.id, resource)
                await self._clear(call, send, asked)
            else:
                await self._delete(call, send, asked, asked.id)

        return {"GET": get, "HEAD": get, "PUT": write, "POST": write, "DELETE": delete}

    async def _asked(self, call: Call, resource: Resource, *, reading: bool = False) -> _Asked:
        version = call.version()
        credential = await self._access.permitted(call, resource.kind.name.lower())
        allowed = {resource.id, *resource.context, *resource.optional}
        given = call.parameters(frozenset(allowed | {"since"} if reading else allowed))
        names = {}
        for name in resource.context:
            if name not in given:
                raise _missing(name, resource)
            if name == "agent":
                names["agent"] = agent_parameter(given[name], version)
                scope.require_subject(credential, names["agent"])
            else:
                names["activity"] = iri_parameter(name, given[name])
        registration = given.get("registration")
        return _Asked(
            credential.tenant,
            version,
            resource,
            names,
            None if registration is None else uuid_parameter("registration", registration),
            _id(resource, given.get(resource.id)),
            _since(given.get("since"), resource),
        )

    async def _known(self, asked: _Asked) -> Shelf | None:
        """The shelf, None when one of its names has never been seen, so that nothing is on it."""
        numbers = {}
        for kind, name in asked.names.items():
            number = await self._names.find(kind, asked.tenant, name)
            if number is None:
                return None
            numbers[kind] = number
        return asked.shelf(numbers)

    async def _made(self, asked: _Asked) -> Shelf:
        """The shelf, whose names are numbered if they were not."""
        return asked.shelf(
            {
                kind: (await self._names.numbers(kind, asked.tenant, [name]))[0]
                for kind, name in asked.names.items()
            }
        )

    async def _list(self, call: Call, send: Send, asked: _Asked) -> None:
        shelf = await self._known(asked)
        ids = [] if shelf is None else await self._store.ids(shelf, asked.since)
        body = msgspec.json.encode(ids)
        await answer(send, 200, body, _headers(asked), head=call.method == "HEAD")

    async def _get(self, call: Call, send: Send, asked: _Asked, id: str) -> None:
        head = call.method == "HEAD"
        shelf = await self._known(asked)
        while True:
            found = None if shelf is None else await self._store.find(shelf, id, whole=not head)
            has_it = not require(call, _tag(found))
            if shelf is None or found is None:
                raise Refusal(404, f"there is no document with the {asked.resource.id} {id[:200]}", "invalid")
            headers = {
                **_headers(asked, found.sha1),
                **_SAFE,
                "last-modified": formatdate(found.updated // 1_000_000, usegmt=True),
            }
            if has_it:
                await _send_head(send, 304, headers)
                return
            headers["content-type"] = found.content_type
            if head:
                await _send_head(send, 200, {**headers, "content-length": str(found.size)})
                return
            if found.whole is not None:
                self._admission.hold(call, found.size)
                del headers["content-type"]
                await answer(send, 200, found.whole, headers, content_type=found.content_type)
                return
            # Read in one go: a slow reader holds no connection, and gets one document, not parts of two.
            async with spooled.spool(call, self._admission) as file:
                async for piece in self._store.pieces(shelf, found):
                    await file.write(piece)
                if file.size == found.size:
                    await spooled.send_from(file, send, headers)
                    return

    async def _write(self, call: Call, receive: Receive, send: Send, asked: _Asked, id: str) -> None:
        content_type = call.header(b"content-type") or _UNKNOWN_TYPE
        if not content_type.isascii():
            raise parameter("Content-Type", content_type, "must be ASCII")
        if call.method == "POST":
            sent = await self._post(call, receive, asked, id, content_type)
        else:
            sent = await self._put(call, receive, asked, id, content_type)
        await answer(send, 204, headers=_headers(asked, sent.sha1))

    async def _put(self, call: Call, receive: Receive, asked: _Asked, id: str, content_type: str) -> Draft:
        async with spooled.spool(call, self._admission) as file:
            sha1 = await spooled.receive_into(file, call, self._bodies, receive, self._longest)

            def read() -> AsyncIterator[bytes]:
                return file.read(0, file.size)

            data = Stream(file.size, read)
            small = b"".join([piece async for piece in read()]) if file.size <= PIECE else None
            sent = Draft(content_type, sha1, data if small is None else small)
            shelf = await self._made(asked)
            while True:
                seen = await self._store.find(shelf, id)
                require(call, _tag(seen))
                if not conditional(call):
                    _require_condition(asked, seen, id)
                if await self._store.put(shelf, id, seen, sent):
                    return sent

    async def _post(self, call: Call, receive: Receive, asked: _Asked, id: str, content_type: str) -> Draft:
        data = await self._bodies.read(call, receive)
        try:
            sent = await _run(len(data), _draft, content_type, data, is_json(content_type))
        except ValueError as error:
            raise bad(f"the document is not JSON, as Content-Type says: {error}", "malformed") from None
        shelf = await self._made(asked)
        while True:
            seen = await self._store.find(shelf, id, whole=True)
            require(call, _tag(seen))
            if seen is None:
                if await self._store.put(shelf, id, seen, sent):
                    return sent
                continue
            with self._held(call, 2 * seen.size + len(data)):
                merged = await self._merged(shelf, seen, sent.content_type, data)
                if merged is not None and await self._store.put(shelf, id, seen, merged):
                    return merged

    async def _merged(self, shelf: Shelf, seen: Document, content_type: str, posted: bytes) -> Draft | None:
        """The stored document with the posted one merged into it; None when it has been changed."""
        for whose, given in (("stored", seen.content_type), ("posted", content_type)):
            if not is_json(given):
                raise _unmergeable(
                    f"the {whose} document has the Content-Type {given[:200]}, not application/json",
                )
        if seen.size > self._mergeable:
            raise _too_large(self._mergeable)
        stored = await self._store.read(shelf, seen)
        if stored is None:
            return None
        try:
            merged = await _run(seen.size + len(posted), merge, stored, posted)
        except ValueError as error:
            raise _unmergeable(str(error)) from None
        if len(merged) > self._mergeable:
            raise _too_large(self._mergeable)
        return await _run(len(merged), _draft, content_type, merged, False)

    async def _delete(self, call: Call, send: Send, asked: _Asked, id: str) -> None:
        shelf = await self._known(asked)
        while True:
            seen = None if shelf is None else await self._store.find(shelf, id)
            require(call, _tag(seen))
            if shelf is None or seen is None or await self._store.delete(shelf, id, seen):
                break
        await answer(send, 204, headers=_headers(asked))

    async def _clear(self, call: Call, send: Send, asked: _Asked) -> None:
        # A list of documents has no tag that a condition could name.
        require(call, "")
        shelf = await self._known(asked)
        if shelf is not None:
            await self._store.clear(shelf)
        await answer(send, 204, headers=_headers(asked))

    @contextmanager
    def _held(self, call: Call, size: int) -> Iterator[None]:
        """Bytes that count at the admission for a while."""
        self._admission.hold(call, size)
        try:
            yield
        finally:
            self._admission.hold(call, -size)


_Result = TypeVar("_Result")


async def _run(size: int, work: Callable[..., _Result], *arguments: Any) -> _Result:
    """Do what takes long for many bytes, in a thread if there are many."""
    return await asyncio.to_thread(work, *arguments) if size >= _LONG else work(*arguments)


def _draft(content_type: str, data: bytes, checked: bool) -> Draft:
    if checked:
        check_json(data)
    return Draft(content_type, hashlib.sha1(data, usedforsecurity=False).digest(), data)


def _require_condition(asked: _Asked, seen: Document | None, id: str) -> None:
    """Refuse a PUT without a condition where it could overwrite what its sender has not seen.

    1.0.3 asks for a condition on profiles, always; 2.0 on every document that is there.
    """
    profile = asked.resource.kind is not Kind.STATE
    old = asked.version is Version.V1_0_3
    if seen is not None and (profile or not old):
        raise Refusal(
            409,
            f"there is a document with the {asked.resource.id} {id[:200]}: GET it, and send If-Match with its"
            " ETag, or If-Match: * to overwrite whatever there is",
            "conflict",
            rule="a document is overwritten only by who has seen it",
            clause=CLAUSE,
        )
    if seen is None and profile and old:
        raise parameter(
            "If-None-Match",
            "",
            "PUT of a profile needs If-Match with the ETag of what it replaces, or If-None-Match: *",
            CLAUSE,
        )


def _too_large(limit: int) -> Refusal:
    error = f"a document that is merged may not be longer than {limit} bytes"
    return Refusal(413, error, "too_large", limit=limit)


def _unmergeable(error: str) -> Refusal:
    return bad(
        f"cannot be merged: {error}",
        rule="documents are merged only if both are JSON objects with Content-Type application/json",
        clause="1.0.3 Part Three 2.2; IEEE 9274.1.1 4.1.3",
    )


def _missing(name: str, resource: Resource) -> Refusal:
    return parameter(name, "", "must be given", resource.clause)


def _id(resource: Resource, given: str | None) -> str | None:
    if given is not None and (not given or "\x00" in given):
        raise parameter(resource.id, given, "must not be empty, nor contain U+0000", resource.clause)
    return given


def _since(given: str | None, resource: Resource) -> int:
    if given is None:
        return _EVER
    instant = parse_timestamp(given)
    if instant is None:
        raise parameter("since", given, "must be a timestamp of ISO 8601", resource.clause)
    return instant


def _tag(document: Document | None) -> str | None:
    return None if document is None else entity_tag(document.sha1)


def _headers(asked: _Asked, sha1: bytes | None = None) -> dict[str, str]:
    tag = {} if sha1 is None else {"etag": entity_tag(sha1)}
    return {VERSION_HEADER: asked.version.value, **tag}


async def _send_head(send: Send, status: int, headers: Mapping[str, str]) -> None:
    """Send an answer without a body, although it speaks of one."""
    listed = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": b""})
