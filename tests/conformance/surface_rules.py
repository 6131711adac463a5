# ruff: noqa: E501 (one rule a line)
"""What every resource has in common over HTTP: one row a rule, which holds for each resource that it names.

(1.0.3 Part Three 1 and 3; IEEE 9274.1.1 4.1; RFC 9110; the Fetch standard)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lrs.xapi.version import Version
from tests.conformance.statement import BOTH, V1, V2

AGENT = '{"mbox":"mailto:meera@example.org"}'
ACTIVITY = "http://example.org/course/1"
UUID = "7f1a6b0e-3c55-4a1f-9d0a-5d1b7f0c2e11"

RESOURCES: dict[str, Mapping[str, str]] = {
    "/xapi/statements": {},
    "/xapi/activities/state": {"activityId": ACTIVITY, "agent": AGENT},
    "/xapi/agents/profile": {"agent": AGENT},
    "/xapi/activities/profile": {"activityId": ACTIVITY},
    "/xapi/agents": {"agent": AGENT},
    "/xapi/activities": {"activityId": ACTIVITY},
    "/xapi/about": {},
}
"""Every resource, with what a GET of it needs."""

SECURED = tuple(path for path in RESOURCES if path != "/xapi/about")
VERSION, ALLOW_ORIGIN = "x-experience-api-version", "access-control-allow-origin"
OPEN: Mapping[str, str | None] = {"authorization": None, VERSION: None}
FORM = {"content-type": "application/x-www-form-urlencoded"}
PAGE = {"origin": "https://course.example.org"}
PREFLIGHT = PAGE | {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,x-experience-api-version",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A request on each of `on`. `sent`: headers, None for left out; `has`: a pattern for headers of the
    answer. `query` is added to what the resource needs, or in its place if `alone`."""

    says: str
    clause: str
    method: str
    status: int
    sent: Mapping[str, str | None] = field(default_factory=dict)
    has: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    on: tuple[str, ...] = tuple(RESOURCES)
    versions: tuple[Version, ...] = BOTH
    alone: bool = False


_HEAD, _HEADERS, _VERSION = "Part Three 1.1", "Part Three 1.2", "Part Three 3.3"
_FORM, _ERRORS, _AUTH, _ABOUT = "Part Three 1.3", "Part Three 3.2", "Part Three 4.0", "Part Three 2.8"
_CORS, _CODING = "Fetch standard 3.2", "RFC 9110 8.4"

RULES: tuple[Row, ...] = (
    # Methods
    Row("GET is answered in JSON", _HEADERS, "GET", 200, has={"content-type": "^application/json$", VERSION: "^VERSION$"}),
    Row("HEAD is GET without the body", _HEAD, "HEAD", 200, has={"content-length": r"^\d+$", VERSION: "^VERSION$"}),
    Row("HEAD of what is wrong, too", _HEAD, "HEAD", 400, query={"x": "1"}),
    Row("OPTIONS tells the methods to anyone", "RFC 9110 9.3.7", "OPTIONS", 204, OPEN, {"allow": "^([A-Z]+, )*GET, HEAD, .*OPTIONS$"}, alone=True),
    Row("any other method is refused", "RFC 9110 15.5.6", "PATCH", 405, has={"allow": "GET, HEAD"}),
    # Versions
    Row("no version is refused, and the answer names one", _VERSION, "GET", 400, {VERSION: None}, {VERSION: r"^1\.0\.3$"}, on=SECURED),
    *(Row(f"version {version} is not spoken", _VERSION, "GET", 400, {VERSION: version}, {VERSION: r"^1\.0\.3$"}, on=SECURED) for version in ("0.95", "1.1.0")),
    Row("About needs neither version nor credentials", _ABOUT, "GET", 200, OPEN, on=("/xapi/about",)),
    *(Row(f"the version is named in an answer of {status}", _VERSION, method, status, sent, {VERSION: "^VERSION$"}, query, on=SECURED)
      for status, method, sent, query in ((400, "GET", {}, {"x": "1"}), (401, "GET", {"authorization": None}, {}), (405, "PATCH", {}, {}))),
    # Parameters, credentials
    Row("an unknown parameter is refused", _ERRORS, "GET", 400, query={"unknown": "1"}),
    Row("a parameter in the wrong case is refused", _ERRORS, "GET", 400, query={"Agent": AGENT}),
    *(Row(f"credentials: {value!r} is refused", _AUTH, "GET", 401, {"authorization": value}, {"www-authenticate": "Basic"}, on=SECURED)
      for value in (None, "Basic !", "Basic eDp5")),
    # Pages of other origins
    Row("a page may read an answer", _CORS, "GET", 200, PAGE, {ALLOW_ORIGIN: r"^\*$", "access-control-expose-headers": "X-Experience-API-Consistent-Through"}),
    Row("and a refusal", _CORS, "GET", 400, PAGE, {ALLOW_ORIGIN: r"^\*$"}, {"x": "1"}),
    Row("a preflight needs no credentials", _CORS, "OPTIONS", 204, {**OPEN, **PREFLIGHT}, {ALLOW_ORIGIN: r"^\*$", "access-control-allow-methods": "GET", "access-control-allow-headers": "^authorization,x-experience-api-version$"}, alone=True),
    # The alternate syntax
    Row("a form stands for a request in 1.0.3", _FORM, "POST", 200, FORM, query={"method": "GET"}, alone=True, versions=V1),
    Row("and for its refusal", _FORM, "POST", 400, FORM, query={"method": "GET"}, body=b"unknown=1", alone=True, versions=V1),
    Row("anything else in its query string is refused", _FORM, "POST", 400, FORM, query={"method": "GET", "limit": "1"}, alone=True, versions=V1),
    Row("it must be a POST", _FORM, "GET", 400, FORM, query={"method": "GET"}, versions=V1),
    Row("2.0 has no alternate syntax", _FORM, "POST", 400, FORM, {VERSION: "^2.0.0$"}, {"method": "GET"}, alone=True, versions=V2),
    # Bodies
    Row("a coding that is not known is refused", _CODING, "PUT", 415, {"content-encoding": "br"}, {"accept-encoding": "gzip"}, {"statementId": UUID}, b"{}", on=("/xapi/statements",)),
    Row("what is not packed as it says is refused", _CODING, "PUT", 400, {"content-encoding": "gzip"}, {}, {"statementId": UUID}, b"{}", on=("/xapi/statements",)),
    Row("a body that is too long is refused", "RFC 9110 15.5.14", "PUT", 413, {}, {}, {"statementId": UUID}, b" " * (1 << 20) + b"{}", on=("/xapi/statements",)),
    Row("a document, too", "RFC 9110 15.5.14", "PUT", 413, {}, {}, {"profileId": "x"}, b" " * (1 << 20) + b"{}", on=("/xapi/agents/profile", "/xapi/activities/profile")),
)  # fmt: skip
