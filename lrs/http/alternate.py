"""The alternate request syntax of 1.0.3 (Part Three 1.3), for browsers that could send nothing else.

A POST with the query string `method=PUT` and a form stands for a PUT: headers, parameters and the body
(`content`) are the form's fields. 2.0 has it no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from lrs.http.call import JSON, VERSION_HEADER, decoded
from lrs.http.error import bad, parameter
from lrs.xapi.version import Version, negotiate

if TYPE_CHECKING:
    from lrs.http.body import Admission, Bodies, Receive
    from lrs.http.call import Call

CLAUSE: Final = "1.0.3 Part Three 1.3"

FORM: Final = "application/x-www-form-urlencoded"
_METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE")
_WITH_CONTENT: Final = ("PUT", "POST")
_HEADERS: Final = (
    "authorization",
    VERSION_HEADER,
    "content-type",
    "content-length",
    "if-match",
    "if-none-match",
)
"""Fields of the form that stand for headers. The length is taken from the content."""

_MOST_FIELDS: Final = 50
_LONG: Final = 1 << 17
"""Bytes of a form from which on it is read in a thread."""


def asked(call: Call) -> bool:
    """Whether a request is made in this syntax, rightly or not."""
    return call.method == "POST" and b"method=" in call.query and call.path.startswith("/xapi/")


async def unfold(call: Call, receive: Receive, bodies: Bodies, admission: Admission) -> Receive:
    """Make of the call the one that it stands for; what its body is received from. Raises Refusal 400."""
    _require_old(call)
    method = _method(call)
    kind = (call.header(b"content-type") or "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise parameter("Content-Type", kind, f"the alternate request syntax sends {FORM}", CLAUSE)
    form = await bodies.read(call, receive)
    fields = await asyncio.to_thread(_fields, form) if len(form) >= _LONG else _fields(form)
    admission.hold(call, -len(form))
    content = fields.pop("content", None)
    if content is None and method in _WITH_CONTENT:
        raise parameter("content", "", f"a {method} has its body in this field of the form", CLAUSE)
    if content and method not in _WITH_CONTENT:
        raise parameter("content", content, f"does not go with {method}", CLAUSE)
    data = (content or "").encode()
    headers = {name.encode(): fields.pop(name).encode() for name in _HEADERS if name in fields}
    for name in (b"content-type", b"content-encoding", b"transfer-encoding", b"content-length"):
        call.headers.pop(name, None)
    if call.path == "/xapi/statements":
        # Nothing else can come: attachments' data are not sent in this syntax.
        call.headers[b"content-type"] = JSON.encode()
    call.headers |= {**headers, b"content-length": b"%d" % len(data)}
    call.method, call.query, call.consumed = method, urlencode(fields).encode(), False
    _require_old(call)

    async def given() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    return given


def _require_old(call: Call) -> None:
    version = call.header(VERSION_HEADER.encode())
    if negotiate(version) is Version.V2_0_0:
        raise parameter(
            "method", call.method, f"the alternate request syntax is not in {version}, only in 1.0.3", CLAUSE
        )


def _method(call: Call) -> str:
    method = call.parameters(frozenset({"method"}))["method"]
    if method not in _METHODS:
        raise parameter("method", method, f"must be one of {', '.join(_METHODS)}", CLAUSE)
    return method


def _fields(form: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in form.split(b"&", _MOST_FIELDS) if form else ():
        raw_name, equals, raw_value = pair.partition(b"=")
        if not equals:
            raise bad(f"the body is not {FORM}, as Content-Type says", "malformed", clause=CLAUSE)
        name, value = decoded(raw_name), decoded(raw_value)
        if name.lower() in _HEADERS:
            name = name.lower()
        if name in found:
            raise parameter(name, value, "this field stands twice", CLAUSE)
        found[name] = value
    return found
