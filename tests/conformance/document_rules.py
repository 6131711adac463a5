# ruff: noqa: E501 (one rule a line)
"""What may be done with a document, and what becomes of it: one row a rule.

A row holds for State, Agent Profile and Activity Profile and in both versions unless it names some.
In headers, TAG stands for the entity tag of the document that is there before the request. This is the
place to look a rule up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lrs.store.document import Kind
from lrs.xapi.version import Version

BOTH = tuple(Version)
V1, V2 = (Version.V1_0_3,), (Version.V2_0_0,)
ALL = tuple(Kind)
PROFILES = (Kind.AGENT_PROFILE, Kind.ACTIVITY_PROFILE)

JSON = "application/json"
TAG = "TAG"
OTHER_TAG = '"356a192b7913b04c54574d18c28d46e6395428ab"'

THERE = b'{ "a": {"x": 1.0, "y": 2},\n "b": "\xe0\xa4\x95" }'
SENT = b'{"a": {"z": 3}, "c": 1e2}'
MERGED = b'{"a":{"z": 3},"b":"\xe0\xa4\x95","c":1e2}'


@dataclass(frozen=True, slots=True)
class Row:
    """A request on a document. `before`: what is there, None for nothing. `after`: what is there then;
    the same bytes as before if the row does not say."""

    says: str
    method: str
    status: int
    before: bytes | None = THERE
    after: bytes | None = THERE
    sent: bytes = SENT
    before_type: str = JSON
    sent_type: str | None = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    kinds: tuple[Kind, ...] = ALL
    versions: tuple[Version, ...] = BOTH


def _with(**headers: str) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


MATCH, NO_MATCH = _with(if_match=TAG), _with(if_match=OTHER_TAG)
ABSENT_ONLY = _with(if_none_match="*")

# -- 1.0.3 Part Three 3.1; IEEE 9274.1.1 4.1.4: preconditions --------------------------------------

CONDITIONS = [
    Row("PUT with the tag replaces", "PUT", 204, after=SENT, headers=MATCH),
    Row("PUT with another tag is refused", "PUT", 412, headers=NO_MATCH),
    Row("PUT with one of several tags replaces", "PUT", 204, after=SENT, headers=_with(if_match=f"{OTHER_TAG}, {TAG}")),
    Row("PUT with a tag without quotes replaces", "PUT", 204, after=SENT, headers=_with(if_match="TAG-BARE")),
    Row("PUT with a weak tag is refused", "PUT", 412, headers=_with(if_match=f"W/{TAG}")),
    Row("PUT with the tag of a compressed answer replaces", "PUT", 204, after=SENT, headers=_with(if_match="TAG-GZIP")),
    Row("PUT with If-Match: * replaces", "PUT", 204, after=SENT, headers=_with(if_match="*")),
    Row("PUT with an unreadable If-Match is refused", "PUT", 412, headers=_with(if_match="what")),
    Row("PUT with a tag of nothing is refused", "PUT", 412, before=None, after=None, headers=NO_MATCH),
    Row("PUT with If-Match: * of nothing is refused", "PUT", 412, before=None, after=None, headers=_with(if_match="*")),
    Row("PUT with If-None-Match: * creates", "PUT", 204, before=None, after=SENT, headers=ABSENT_ONLY),
    Row("PUT with If-None-Match: * replaces nothing", "PUT", 412, headers=ABSENT_ONLY),
    Row("PUT with If-None-Match of the tag is refused", "PUT", 412, headers=_with(if_none_match=TAG)),
    Row("PUT with If-None-Match of the weak tag is refused", "PUT", 412, headers=_with(if_none_match=f"W/{TAG}")),
    Row("PUT with If-None-Match of another tag replaces", "PUT", 204, after=SENT, headers=_with(if_none_match=OTHER_TAG)),
    Row("PUT has to meet both conditions", "PUT", 412, headers=_with(if_match=TAG, if_none_match=TAG)),
    Row("PUT without a condition over a profile is a conflict", "PUT", 409, kinds=PROFILES),
    Row("PUT without a condition over a state replaces in 1.0.3", "PUT", 204, after=SENT, kinds=(Kind.STATE,), versions=V1),
    Row("PUT without a condition over a state is a conflict in 2.0", "PUT", 409, kinds=(Kind.STATE,), versions=V2),
    Row("PUT without a condition of a new state creates", "PUT", 204, before=None, after=SENT, kinds=(Kind.STATE,)),
    Row("PUT without a condition of a new profile is refused in 1.0.3", "PUT", 400, before=None, after=None, kinds=PROFILES, versions=V1),
    Row("PUT without a condition of a new profile creates in 2.0", "PUT", 204, before=None, after=SENT, kinds=PROFILES, versions=V2),
    Row("POST with the tag merges", "POST", 204, after=MERGED, headers=MATCH),
    Row("POST with another tag is refused", "POST", 412, headers=NO_MATCH),
    Row("POST with a tag of nothing is refused", "POST", 412, before=None, after=None, headers=NO_MATCH),
    Row("POST with If-None-Match: * merges nothing", "POST", 412, headers=ABSENT_ONLY),
    Row("POST with If-None-Match: * creates", "POST", 204, before=None, after=SENT, headers=ABSENT_ONLY),
    Row("DELETE with the tag deletes", "DELETE", 204, after=None, headers=MATCH),
    Row("DELETE with another tag is refused", "DELETE", 412, headers=NO_MATCH),
    Row("DELETE with a tag of nothing is refused", "DELETE", 412, before=None, after=None, headers=NO_MATCH),
    Row("DELETE with If-None-Match of the tag is refused", "DELETE", 412, headers=_with(if_none_match=TAG)),
    Row("GET with If-None-Match of the tag is told that nothing changed", "GET", 304, headers=_with(if_none_match=TAG)),
    Row("GET with If-None-Match of the weak tag, too", "GET", 304, headers=_with(if_none_match=f"W/{TAG}")),
    Row("GET with If-None-Match of another tag is answered", "GET", 200, headers=_with(if_none_match=OTHER_TAG)),
    Row("GET with another tag in If-Match is refused", "GET", 412, headers=NO_MATCH),
    Row("HEAD with If-None-Match of the tag is told that nothing changed", "HEAD", 304, headers=_with(if_none_match=TAG)),
]  # fmt: skip

# -- 1.0.3 Part Three 2.2; IEEE 9274.1.1 4.1.3: documents and how they are merged -------------------

DOCUMENTS = [
    Row("GET of a document", "GET", 200),
    Row("HEAD of a document", "HEAD", 200),
    Row("GET of nothing", "GET", 404, before=None, after=None),
    Row("HEAD of nothing", "HEAD", 404, before=None, after=None),
    Row("DELETE of a document", "DELETE", 204, after=None),
    Row("DELETE of nothing", "DELETE", 204, before=None, after=None),
    Row("POST to nothing creates", "POST", 204, before=None, after=SENT),
    Row("POST to nothing of any type creates", "POST", 204, before=None, after=b"\x00\xff", sent=b"\x00\xff", sent_type="image/x-any"),
    Row("POST to nothing without a type creates", "POST", 204, before=None, after=b"x", sent=b"x", sent_type=None),
    Row("POST to nothing of an empty document creates", "POST", 204, before=None, after=b"", sent=b"", sent_type="text/plain"),
    Row("POST to nothing of a JSON array creates", "POST", 204, before=None, after=b"[1]", sent=b"[1]"),
    Row("POST merges one level deep, the posted member wins", "POST", 204, after=MERGED),
    Row("POST with parameters on the type merges", "POST", 204, after=MERGED, sent_type="application/JSON ; charset=utf-8"),
    Row("POST to a type with parameters merges", "POST", 204, after=MERGED, before_type="application/json; charset=utf-8"),
    Row("POST of an empty object changes no member", "POST", 204, before=b'{"a":1.50}', after=b'{"a":1.50}', sent=b" {} "),
    Row("POST of another type to JSON is refused", "POST", 400, sent=b"x", sent_type="not/json"),
    Row("POST of JSON under another type is refused", "POST", 400, sent_type="application/octet-stream"),
    Row("POST without a type to JSON is refused", "POST", 400, sent_type=None),
    Row("POST of JSON to another type is refused", "POST", 400, before=b"x", after=b"x", before_type="text/plain"),
    Row("POST to JSON under another type is refused", "POST", 400, before_type="text/plain"),
    Row("POST of an array is not merged", "POST", 400, sent=b"[1]"),
    Row("POST to an array is not merged", "POST", 400, before=b"[1]", after=b"[1]"),
    Row("POST of a string is not merged", "POST", 400, sent=b'"x"'),
    Row("POST to what is no JSON is not merged", "POST", 400, before=b'{"a":', after=b'{"a":'),
    Row("POST of what is no JSON is refused", "POST", 400, sent=SENT + b"{"),
    Row("POST of what is no UTF-8 is refused", "POST", 400, sent=b'{"a":"\xff"}'),
    Row("POST of what is no JSON to nothing is refused", "POST", 400, before=None, after=None, sent=b"{'a':1}"),
    Row("POST of what is nested without end is refused", "POST", 400, sent=b'{"a":' * 20_000 + b"1" + b"}" * 20_000),
    Row("POST of no body under JSON is refused", "POST", 400, sent=b""),
    Row("PUT replaces whole, whatever the types", "PUT", 204, after=b"x", sent=b"x", sent_type="text/plain", headers=MATCH),
    Row("PUT of what is no JSON under JSON is kept as it is", "PUT", 204, after=b"{'a'", sent=b"{'a'", headers=MATCH),
]  # fmt: skip

RULES = CONDITIONS + DOCUMENTS
