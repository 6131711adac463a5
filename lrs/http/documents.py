"""Documents: the State, Agent Profile and Activity Profile resources (1.0.3 Part Three 2.2, 2.3, 2.6,
2.7; IEEE 9274.1.1 4.1.6.2, 4.1.6.5, 4.1.6.6).

A document is given back as it was sent, byte for byte, with its Content-Type. A write judges what it
finds and changes it in one step if it is still that; else it judges again. So of several writes with
one ETag one is carried out and the others get 412.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

import msgspec

from lrs.http.call import VERSION_HEADER, Call, Send, answer
from lrs.http.error import Refusal, bad, parameter, unavailable
from lrs.http.ingest import uuid_parameter
from lrs.http.precondition import CLAUSE, conditional, entity_tag, require
from lrs.http.statements import agent_parameter, iri_parameter
from lrs.store.document import Document, DocumentStore, Draft, Kind, Shelf
from lrs.xapi import Version, parse_timestamp
from lrs.xapi.document import check_json, is_json, merge

if TYPE_CHECKING:
    from lrs.http.access import Access
    from lrs.http.body import Admission, Bodies, Receive
    from lrs.http.edge import Route
    from lrs.store.name import Names

_UNKNOWN_TYPE: Final = "application/octet-stream"

_SAFE: Final = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox"}
"""A document is whatever somebody sent: no browser is to run it as a page of this server."""


@dataclass(frozen=True, slots=True)
class _Resource:
    """What differs between the three: where they are, and which parameters they have."""

    kind: Kind
    path: str
    id: str
    context: tuple[str, ...]
    optional: frozenset[str]
    clause: str


RESOURCES: Final = (
    _Resource(
        Kind.STATE,
        "/xapi/activities/state",
        "stateId",
        ("activityId", "agent"),
        frozenset({"registration"}),
        "1.0.3 Part Three 2.3; IEEE 9274.1.1 4.1.6.2",
    ),
    _Resource(
        Kind.AGENT_PROFILE,
        "/xapi/agents/profile",
        "profileId",
        ("agent",),
        frozenset(),
        "1.0.3 Part Three 2.6; IEEE 9274.1.1 4.1.6.5",
    ),
    _Resource(
        Kind.ACTIVITY_PROFILE,
        "/xapi/activities/profile",
        "profileId",
        ("activityId",),
        frozenset(),
        "1.0.3 Part Three 2.7; IEEE 9274.1.1 4.1.6.6",
    ),
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request read: the shelf that it names, None where nothing can be on it; `id`: the document."""

    tenant: int
    version: Version
    resource: _Resource
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
        writable: Callable[[], bool],
    ) -> None:
        """`writable` is false when the store's disk is nearly full."""
        self._store, self._access, self._names = store, access, names
        self._bodies, self._admission, self._writable = bodies, admission, writable

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        return {
            (resource.path, method): route
            for resource in RESOURCES
            for method, route in self._methods(resource).items()
        }

    def _methods(self, resource: _Resource) -> dict[str, Route]:
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

    async def _asked(self, call: Call, resource: _Resource, *, reading: bool = False) -> _Asked:
        version = call.version()
        credential = await self._access.credential(call.headers.get(b"authorization"))
        allowed = {resource.id, *resource.context, *resource.optional}
        given = call.parameters(frozenset(allowed | {"since"} if reading else allowed))
        names = {}
        for name in resource.context:
            if name not in given:
                raise _missing(name, resource)
            if name == "agent":
                names["agent"] = agent_parameter(given[name], version)
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
        self._admission.hold(call, len(body))
        await answer(send, 200, body, _headers(asked), head=call.method == "HEAD")

    async def _get(self, call: Call, send: Send, asked: _Asked, id: str) -> None:
        head = call.method == "HEAD"
        shelf = await self._known(asked)
        while True:
            found = None if shelf is None else await self._store.find(shelf, id, whole=not head)
            wanted = require(call, _tag(found))
            if shelf is None or found is None:
                raise Refusal(404, f"there is no document with the {asked.resource.id} {id[:200]}", "invalid")
            headers = {
                **_headers(asked, found.sha1),
                "last-modified": formatdate(found.updated // 1_000_000, usegmt=True),
            }
            if not wanted:
                await send({"type": "http.response.start", "status": 304, "headers": _encoded(headers)})
                await send({"type": "http.response.body", "body": b""})
                return
            if head:
                data: bytes | None = b""
            else:
                data = await self._read(call, shelf, found)
            if data is not None:
                break
        await _send_document(send, found, data, {**headers, **_SAFE})

    async def _read(self, call: Call, shelf: Shelf, document: Document) -> bytes | None:
        """The document's bytes, held at the admission; None when it has been changed."""
        self._admission.hold(call, document.size)
        return await self._store.read(shelf, document)

    async def _write(self, call: Call, receive: Receive, send: Send, asked: _Asked, id: str) -> None:
        if call.method == "PUT" and _needs_condition(asked) and not conditional(call):
            await self._refuse_unconditional(asked, id)
        data = await self._bodies.read(call, receive)
        content_type = call.header(b"content-type") or _UNKNOWN_TYPE
        if call.method == "POST" and is_json(content_type):
            _check(data)
        shelf = await self._made(asked)
        draft = Draft(content_type, hashlib.sha1(data, usedforsecurity=False).digest(), data)
        done = False
        while not done:
            seen = await self._store.find(shelf, id, whole=call.method == "POST")
            require(call, _tag(seen))
            if call.method == "PUT":
                if seen is not None and not conditional(call) and _protected(asked):
                    raise _exists(asked, id)
                new: Draft | None = draft
            else:
                new = draft if seen is None else await self._merged(call, shelf, seen, draft)
            done = new is not None and await self._store.put(shelf, id, seen, new)
        assert new is not None
        await answer(send, 204, headers=_headers(asked, new.sha1))
