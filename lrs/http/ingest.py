"""Statements in: POST and PUT of the Statement resource (1.0.3 Part Three 2.1.1, 2.1.2).

The hot path. What is acknowledged is durable in the log; a batch is accepted or refused as a whole;
an id is accepted once, and again only for the same statement.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from lrs.http import scope
from lrs.http.attachments import Intake, Limits, refuse_missing
from lrs.http.body import PATIENCE, Admission, Bodies, Receive
from lrs.http.call import VERSION_HEADER, Call, Send, answer
from lrs.http.error import Refusal, bad, parameter, rejected, statement_path, unavailable
from lrs.http.multipart import is_mixed
from lrs.log.frame import Request
from lrs.log.port import LogUnavailable
from lrs.xapi.reader import read_statements
from lrs.xapi.render import format_uuid
from lrs.xapi.statement import Statement
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

if TYPE_CHECKING:
    from lrs.attachment.port import Attachments
    from lrs.http.access import Access
    from lrs.http.framing import Framer, Outcome
    from lrs.metrics.edge import EdgeMetrics
    from lrs.store.credential import Credential
    from lrs.store.settlement import Settlement

POSITION_HEADER: Final = "x-lrs-position"
"""Where a write stands in the log: partition, dot, offset after it; the platform API's `wait=` takes it."""

_KEYS: Final = uuid.UUID("5f0b5c1e-6a53-4d63-9d4f-6c727349644b")
"""Namespace of ids that follow from an Idempotency-Key."""

_LONGEST_KEY: Final = 255
_NAMED: Final = 20
"""The most ids that a refusal names."""
_LONG: Final = 1 << 17
"""Bytes from which on a body is checked in a thread, so that nobody else waits for it."""
_UUID: Final = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_POST: Final = frozenset({"ack"})
_PUT: Final = frozenset({"ack", "statementId"})
_ACKS: Final = ("log", "stored")


class Ingest:
    """The writing half of the Statement resource."""

    def __init__(
        self,
        access: Access,
        framer: Framer,
        admission: Admission,
        metrics: EdgeMetrics,
        attachments: Attachments,
        limits: Limits,
        settlement: Settlement,
        *,
        writable: Callable[[], bool],
        patience: float = PATIENCE,
    ) -> None:
        """`writable` is false when the store's disk is nearly full; `patience`: see Bodies."""
        self._access, self._framer, self.admission = access, framer, admission
        self._metrics, self._writable = metrics, writable
        self.bodies = Bodies(admission, limits.statements, patience)
        self._most = limits.batch
        self._settlement = settlement
        self._intake = Intake(attachments, self.bodies, admission, limits)

    async def __call__(self, call: Call, receive: Receive, send: Send) -> None:
        """Answer a POST or PUT; raises Refusal."""
        if not self._writable():
            raise unavailable("the store's disk is nearly full; reads go on", "disk_full", 30)
        received = time.time_ns() // 1000
        version = call.version()
        put = call.method == "PUT"
        parameters = call.parameters(_PUT if put else _POST) if call.query or put else {}
        wait = _waits(parameters)
        credential = await self._access.permitted(call, "statements")
        incoming = self._intake.open(call, receive) if is_mixed(call.headers.get(b"content-type")) else None
        try:
            if incoming is None:
                call.expect_json()
                data = await self.bodies.read(call, receive)
            else:
                data = await incoming.statements()
            try:
                if len(data) < _LONG:
                    statements = read_statements(data, version, max_statements=self._most)
                else:
                    statements = await asyncio.to_thread(
                        read_statements, data, version, max_statements=self._most
                    )
            except Rejected as cause:
                raise rejected(cause) from None
            if incoming is None:
                refuse_missing(data, statements)
            else:
                await incoming.attachments(data, statements, version)
            if put:
                ids = [_put_id(parameters, data, statements)]
            else:
                ids = assigned_ids(statements, credential, call.header(b"idempotency-key"))
            scope.require_own(credential, statements, data)
            if incoming is not None:
                await incoming.store(credential.tenant, ids)
        finally:
            if incoming is not None:
                await incoming.close()
        headers = {VERSION_HEADER: version.value}
        settled = True
        if statements:
            outcome = await self._submit(credential, version, received, statements, ids, data)
            headers[POSITION_HEADER] = f"{outcome.position[0]}.{outcome.position[1]}"
            if wait:
                settled = await self._settled(credential.tenant, statements, ids, outcome, data)
        if put:
            await answer(send, 204 if settled else 202, headers=headers)
        else:
            listed = '","'.join([format_uuid(id_) for id_ in ids])
            await answer(send, 200 if settled else 202, f'["{listed}"]'.encode() if ids else b"[]", headers)

    async def _settled(
        self,
        tenant: int,
        statements: Sequence[Statement],
        ids: Sequence[bytes],
        outcome: Outcome,
        data: bytes,
    ) -> bool:
        """Wait until each statement is stored; False when that takes too long. Raises Refusal."""
        digests = [statement.digest for statement in statements]
        settled = await self._settlement.of(tenant, ids, digests, outcome.position)
        if settled.conflicts:
            raise _conflict(ids, settled.conflicts, data, "what else it came with is in the log")
        if settled.put_aside:
            first = format_uuid(ids[settled.put_aside[0]])
            raise Refusal(
                500,
                f"statement {first} could not be stored; it is kept aside until somebody has looked at it",
                "put_aside",
                ids=[format_uuid(ids[place]) for place in settled.put_aside[:_NAMED]],
            )
        return not settled.pending

    async def _submit(
        self,
        credential: Credential,
        version: Version,
        received: int,
        statements: Sequence[Statement],
        ids: Sequence[bytes],
        data: bytes,
    ) -> Outcome:
        request = Request(
            credential.authority,
            version,
            received,
            statements,
            ids,
            credential.voids == "any",
            scope.defines(credential),
        )
        try:
            outcome = await self._framer.submit(credential.tenant, request, len(data))
        except LogUnavailable as error:
            raise unavailable(
                f"it is not known whether this was stored: {error}", "log_unavailable"
            ) from error
        if outcome.conflicts:
            raise _conflict(ids, outcome.conflicts, data, "nothing was stored")
        self._metrics.acknowledged(len(ids) - outcome.repeated, outcome.repeated)
        return outcome


def _waits(parameters: dict[str, str]) -> bool:
    """Whether the answer is to come when everything is stored, and not when it is in the log."""
    given = parameters.get("ack", _ACKS[0])
    if given not in _ACKS:
        raise parameter("ack", given, f"must be {' or '.join(_ACKS)}")
    return given == "stored"


def _conflict(ids: Sequence[bytes], places: Sequence[int], data: bytes, rest: str) -> Refusal:
    """409. `rest` says what became of the request besides."""
    taken = [format_uuid(ids[place]) for place in places]
    return Refusal(
        409,
        f"statement {taken[0]} is stored already, with another content; {rest}",
        "conflict",
        path=f"{statement_path(data, places[0])}.id",
        value=taken[0],
        rule="a statement id is given to one statement only",
        clause="1.0.3 Part Three 2.1.1; IEEE 9274.1.1 4.2.4.1",
        index=places[0],
        id=taken[0],
        ids=taken[:_NAMED],
    )


def _put_id(parameters: dict[str, str], data: bytes, statements: Sequence[Statement]) -> bytes:
    given = parameters.get("statementId")
    if given is None:
        raise parameter("statementId", "", "PUT needs the statement's id", "1.0.3 Part Three 2.1.1")
    named = uuid_parameter("statementId", given)
    if len(statements) != 1 or statement_path(data, 0) != "$":
        raise bad("PUT takes one statement, not a batch")
    if statements[0].id not in (None, named):
        raise parameter(
            "statementId", given, "the statement's own id is another one", "1.0.3 Part Three 2.1.1"
        )
    return named


def uuid_parameter(name: str, value: str) -> bytes:
    """The 16 bytes of a UUID in its usual form; raises Refusal 400."""
    if _UUID.fullmatch(value):
        return uuid.UUID(value).bytes
    raise parameter(name, value, "must be a UUID", "1.0.3 Part Two 2.4.1")


def assigned_ids(statements: Sequence[Statement], credential: Credential, key: str | None) -> list[bytes]:
    """Each statement's id: its own, or one that follows from the Idempotency-Key, or a fresh one."""
    if key is None:
        ids = [statement.id for statement in statements]
        fresh = iter(_fresh_ids(ids.count(None)))
        return [next(fresh) if id_ is None else id_ for id_ in ids]
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise parameter("Idempotency-Key", key, f"must have 1 to {_LONGEST_KEY} printable characters")
    return [
        statement.id or uuid.uuid5(_KEYS, f"{credential.tenant}\n{credential.key}\n{key}\n{index}").bytes
        for index, statement in enumerate(statements)
    ]


def _fresh_ids(count: int) -> list[bytes]:
    """Random UUIDs of version 4 (RFC 9562 5.4): there are clients that refuse a version above 5."""
    random = bytearray(os.urandom(16 * count))
    for start in range(0, 16 * count, 16):
        random[start + 6] = random[start + 6] & 0x0F | 0x40
        random[start + 8] = random[start + 8] & 0x3F | 0x80
    return [bytes(random[start : start + 16]) for start in range(0, 16 * count, 16)]
