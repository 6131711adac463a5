"""Attachments over HTTP: statements with data in and out as multipart/mixed (1.0.3 Part Three 1.5).

In: the first part is the statements; each further one is the data of an attachment that they name, by
its SHA-2. All of it is read and judged before anything is stored; then the data are stored, and when they
are durable the statements may be. Out: the statements, then each attachment's data once.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lrs.attachment.port import Attachments, NoData
from lrs.http.call import JSON, PIECE, Call, Send, answer_stream, require_json
from lrs.http.error import Refusal, bad, rejected, statement_path
from lrs.http.multipart import MEDIA_TYPE, Begin, End, Event, Malformed, Parser, boundary, head, tail
from lrs.http.spool import Spool
from lrs.xapi.attachment import hash_of, named_attachments
from lrs.xapi.signature import check_signature, signs
from lrs.xapi.statement import Attachment, ObjectKind, Statement
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

if TYPE_CHECKING:
    from lrs.http.body import Admission, Bodies, Receive

HASH: Final = "X-Experience-API-Hash"
ENCODING: Final = "Content-Transfer-Encoding"

_CLAUSE: Final = "1.0.3 Part Three 1.5.2"
_UNKNOWN_TYPE: Final = "application/octet-stream"
_OVERHEAD: Final = 1 << 20
"""Bytes that a body may have besides its parts: their heads, and what stands around them."""

_LONG: Final = 1 << 15
"""Bytes of a signature from which on it is checked in a thread."""


@dataclass(frozen=True, slots=True)
class Named:
    """An attachment that a statement names: the statement's place, the JSON path, and what it says."""

    index: int
    path: str
    attachment: Attachment


def named(data: bytes, statements: Iterable[Statement]) -> Iterator[Named]:
    """Every attachment that the statements of a body name."""
    for index, statement in enumerate(statements):
        if statement.attachments or statement.object_kind is ObjectKind.SUB_STATEMENT:
            path = statement_path(data, index)
            for where, attachment in named_attachments(statement.raw):
                yield Named(index, f"{path}.{where}", attachment)


def refuse_missing(data: bytes, statements: Iterable[Statement], brought: Container[str] = ()) -> None:
    """Raise Refusal 400 unless each attachment's data came with the request, or have a fileUrl.

    `brought`: by SHA-2 in small letters.
    """
    for name in named(data, statements):
        if not name.attachment.has_file_url and name.attachment.sha2.lower() not in brought:
            rule = "must have a fileUrl, since its data do not come with the request"
            raise bad(
                f"{name.path}: {rule}",
                path=name.path,
                value=name.attachment.sha2,
                rule=rule,
                clause="1.0.3 Part Three 1.5.1",
                index=name.index,
            )


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a request. In bytes: of the statements, of one attachment, of all attachments; `batch`: how many
    statements."""

    statements: int
    attachment: int
    attachments: int
    batch: int


class Intake:
    """Where requests with attachments come in."""

    def __init__(self, store: Attachments, bodies: Bodies, admission: Admission, limits: Limits) -> None:
        self.store, self.bodies, self.admission, self.limits = store, bodies, admission, limits

    def open(self, call: Call, receive: Receive) -> Incoming:
        """The request of this call, from which nothing has been read. It must be closed."""
        return Incoming(self, call, receive)


class Incoming:
    """One request of statements and attachments: ask for the statements, then for the attachments, then
    have these stored."""

    def __init__(self, intake: Intake, call: Call, receive: Receive) -> None:
        self._intake, self._call, self._receive = intake, call, receive
        self._limits = intake.limits
        self._events = self._read()
        self._spool = Spool(call, intake.admission)
        self._users: dict[str, set[int]] = {}
        self._places: dict[str, tuple[int, int]] = {}
        self._received = 0

    async def statements(self) -> bytes:
        """The first part: JSON. Raises Refusal."""
        begin = await anext(self._events, None)
        if not isinstance(begin, Begin):
            raise _malformed("the body has no part")
        if "content-type" not in begin.headers:
            raise _malformed(f"the first part must have a Content-Type, and it must be {JSON}")
        require_json(begin.headers["content-type"])
        encoding = begin.headers.get(ENCODING.lower(), "binary").lower()
        if encoding not in ("binary", "8bit", "7bit"):
            raise _broken(1, ENCODING, encoding, "must not encode the statements")
        pieces, size = [], 0
        async for piece in self._part():
            size += len(piece)
            if size > self._limits.statements:
                raise _too_large("the first part", self._limits.statements)
            self._intake.admission.hold(self._call, len(piece))
            pieces.append(piece)
        return b"".join(pieces)

    async def attachments(self, data: bytes, statements: Sequence[Statement], version: Version) -> None:
        """The rest of the body, whose first part was `data`; raises Refusal."""
        names = list(named(data, statements))
        for name in names:
            self._users.setdefault(name.attachment.sha2.lower(), set()).add(name.index)
        number = 1
        async for begin in self._events:
            number += 1
            assert isinstance(begin, Begin)
            await self._attachment(number, begin)
        refuse_missing(data, statements, self._places)
        for name in names:
            if name.attachment.sha2.lower() in self._places and signs(name.attachment):
                await self._check_signature(name, statements[name.index], version)

    async def store(self, tenant: int, ids: Sequence[bytes]) -> None:
        """Store the data for the statements, whose ids are these; durable on return."""
        for sha2, (start, end) in self._places.items():
            users = [ids[index] for index in sorted(self._users[sha2])]
            await self._intake.store.put(tenant, sha2, end - start, self._spool.read(start, end), users)

    async def close(self) -> None:
        """Let go of what was received."""
        await self._events.aclose()
        self._spool.close()

    async def _read(self) -> AsyncGenerator[Event, None]:
        limits = self._limits
        try:
            parser = Parser(boundary(self._call.header(b"content-type") or ""))
            most = limits.statements + limits.attachments + _OVERHEAD
            async for piece in self._intake.bodies.stream(self._call, self._receive, most):
                for event in parser.feed(piece):
                    yield event
            parser.close()
        except Malformed as error:
            raise _malformed(str(error)) from None

    async def _part(self) -> AsyncIterator[bytes]:
        """The bytes of the part that has begun."""
        async for event in self._events:
            if isinstance(event, End):
                return
            assert isinstance(event, bytes)
            yield event

    async def _attachment(self, number: int, begin: Begin) -> None:
        encoding = begin.headers.get(ENCODING.lower(), "")
        if encoding.lower() != "binary":
            raise _broken(number, ENCODING, encoding, "must be binary")
        given = begin.headers.get(HASH.lower(), "")
        sha2 = given.lower()
        if sha2 not in self._users:
            rule = "must be the sha2 of an attachment of the statements" if given else "must be given"
            raise _broken(number, HASH, given, rule)
        start, size, hashed = self._spool.size, 0, hash_of(sha2)
        async for piece in self._part():
            size += len(piece)
            self._received += len(piece)
            if size > self._limits.attachment:
                raise _too_large(f"part {number}", self._limits.attachment)
            if self._received > self._limits.attachments:
                raise _too_large("the attachments together", self._limits.attachments)
            hashed.update(piece)
            await self._spool.write(piece)
        if hashed.hexdigest() != sha2:
            raise _broken(number, HASH, given, f"must be the SHA-2 of the part: {hashed.hexdigest()}")
        self._places.setdefault(sha2, (start, start + size))

    async def _check_signature(self, name: Named, statement: Statement, version: Version) -> None:
        start, end = self._places[name.attachment.sha2.lower()]
        if end - start > self._limits.statements:
            raise _too_large(f"the signature {name.path}", self._limits.statements)
        self._intake.admission.hold(self._call, end - start)
        data = b"".join([piece async for piece in self._spool.read(start, end)])

        def check() -> None:
            check_signature(data, statement, version, path=name.path, index=name.index)

        try:
            if len(data) < _LONG:
                check()
            else:
                await asyncio.to_thread(check)
        except Rejected as cause:
            raise rejected(cause) from None
        self._intake.admission.hold(self._call, start - end)


async def answer_mixed(
    call: Call,
    send: Send,
    body: bytes,
    headers: dict[str, str],
    store: Attachments,
    tenant: int,
    statements: Mapping[bytes, bytes],
) -> None:
    """Send JSON, `body`, and after it the data that came with its statements (by id), each once.

    What a statement only names is not sent, even where the data are here: whoever knows a SHA-2 need not
    have had the data.
    Whoever reads too slowly, or whose data are deleted meanwhile, finds the answer cut short.
    """
    wanted: dict[str, Attachment] = {}
    for statement in statements.values():
        for _, attachment in named_attachments(statement):
            wanted.setdefault(attachment.sha2.lower(), attachment)
    sizes = await store.used(tenant, list(statements))
    mark = secrets.token_hex(16)
    first = head(mark, {"Content-Type": JSON}, first=True) + body
    tops = {sha2: _head(mark, attachment) for sha2, attachment in wanted.items() if sha2 in sizes}
    last = tail(mark)
    length = len(first) + sum(len(top) + sizes[sha2] for sha2, top in tops.items()) + len(last)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(first), PIECE):
            yield first[start : start + PIECE]
        for sha2, top in tops.items():
            yield top
            async for piece in store.read(tenant, sha2):
                yield piece
        yield last

    content_type = f"{MEDIA_TYPE}; boundary={mark}"
    with contextlib.suppress(NoData):
        await answer_stream(
            send, 200, length, pieces(), headers, content_type=content_type, head=call.method == "HEAD"
        )


def _head(mark: str, attachment: Attachment) -> bytes:
    content_type = attachment.content_type
    return head(
        mark,
        {
            "Content-Type": content_type if content_type.isascii() else _UNKNOWN_TYPE,
            ENCODING: "binary",
            HASH: attachment.sha2,
        },
    )


def _malformed(error: str) -> Refusal:
    return bad(error, "malformed", clause=_CLAUSE)


def _broken(number: int, name: str, value: str, rule: str) -> Refusal:
    """400 for a header of a part, counted from 1."""
    path = f"part {number}, {name}"
    return bad(f"{path}: {rule}", path=path, value=value[:200], rule=rule, clause=_CLAUSE)


def _too_large(what: str, limit: int) -> Refusal:
    return Refusal(413, f"{what} may have {limit} bytes, and no more", "too_large", limit=limit)
