"""What producers write to the inbox, and what the rules of xAPI and of docs/kafka.md say of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from lrs.xapi.reader import read_statements
from lrs.xapi.statement import Statement
from lrs.xapi.version import Version
from tests.histories.plan import Produced, id_of, statement_of

TOPIC, REJECTED = "xapi.inbox", "xapi.rejected"
TOPIC_NUMBER = 8
LONGEST = 6_000
"""Bytes that a record of REJECTED may have; one of TOPIC may be longer, since it is compressed on its way."""

_POSITIONS = uuid.UUID("0b0c7b3e-8f4f-4d0c-9d55-1c0f5e9b6a51")
_VERSION = "X-Experience-API-Version"
_FILE = b',"attachments":[{"usageType":"m:use","display":{},"contentType":"a/b","length":1,"sha2":"%s"}]}'


@dataclass(frozen=True)
class Form:
    """How a record says its statements. `value` makes it of their JSON; `reason`: why it must be refused;
    `timestamp`: what the producer says of the time, ms since 1970."""

    value: Callable[[Sequence[bytes]], bytes | None]
    reason: str = ""
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None


def _array(raws: Sequence[bytes]) -> bytes:
    return b" [" + b", ".join(raws) + b"]\n"


def _plain(raws: Sequence[bytes]) -> bytes:
    return raws[0] if len(raws) == 1 else _array(raws)


def _with_id(raw: bytes) -> bytes:
    return raw if raw.startswith(b'{"id"') else b'{"id":"%s",' % str(id_of(0)).encode() + raw[1:]


FORMS: Mapping[str, Form] = {
    "plain": Form(_plain, headers=[("trace", b"7")]),
    "array": Form(_array, headers=[(_VERSION, b"1.0.2")]),
    "version 2.0": Form(_plain, headers=[(_VERSION, b"2.0.0")]),
    "empty array": Form(lambda _raws: b"[]"),
    "time of nobody": Form(_plain, timestamp=(1 << 63) - 1),
    "no value": Form(lambda _raws: None, "invalid"),
    "cut short": Form(lambda raws: _plain(raws)[:-9], "invalid", [("lrs-reason", b"none"), ("trace", b"")]),
    "no UTF-8": Form(lambda raws: _plain(raws).replace(b"@", b"\xff"), "invalid"),
    "too deep": Form(lambda _raws: b"[" * 3_000, "invalid"),
    "a bad one among them": Form(lambda raws: _array([*raws, raws[0][:-1] + b',"vreb":1}']), "invalid"),
    "an id twice": Form(lambda raws: _array([_with_id(raws[0]), *raws[1:], _with_id(raws[0])]), "invalid"),
    "version 3.1": Form(_plain, "version", [(_VERSION, b"3.1")]),
    "no data": Form(lambda raws: _array([*raws[:-1], raws[-1][:-1] + _FILE % (b"ab" * 32)]), "attachment"),
    "longer than can be refused": Form(lambda raws: _array([*raws, b'"%s"' % (b"x" * LONGEST)]), "invalid"),
}


@dataclass(frozen=True)
class Made:
    """A record as it is produced, and its statements; none if it must be refused for `reason` whatever the
    credential may do. `key`: None without one."""

    value: bytes | None
    key: bytes | None
    partition: int
    form: Form
    statements: Sequence[Statement]


@cache
def _said(value: bytes, version: Version) -> Sequence[Statement]:
    return read_statements(value, version)


def made(produced: Produced, partitions: int) -> Made:
    """The record of what is to be produced."""
    form = FORMS[produced.form]
    value = form.value([statement_of(item).raw for item in produced.items])
    key = b"learner %d" % produced.items[0].learner if produced.keyed else None
    partition = (produced.partition if key is None else key[-1]) % partitions
    version = Version.V2_0_0 if (_VERSION, b"2.0.0") in form.headers else Version.V1_0_3
    statements = () if form.reason or value is None else _said(value, version)
    return Made(value, key, partition, form, statements)


def id_at(partition: int, offset: int, index: int) -> uuid.UUID:
    """The id of a statement that came without one: it follows from where it stands in the inbox."""
    return uuid.uuid5(_POSITIONS, f"{uuid.UUID(int=TOPIC_NUMBER)}/{partition}/{offset}/{index}")


def reason(made: Made, voids: str) -> str:
    """Why the rules refuse a record from a credential that may void these; empty: they do not."""
    if not made.form.reason and voids == "none" and any(each.voids is not None for each in made.statements):
        return "forbidden"
    return made.form.reason
