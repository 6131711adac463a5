"""Requests, and records of an intake's topic, that must be refused, whatever else goes on, and leave nothing
behind."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from lrs.demo.client import basic

_JSON: Final = {"Content-Type": "application/json"}
_STATEMENTS: Final = "/xapi/statements"
_NESTED: Final = 500
INVALID: Final = "invalid"


@dataclass(frozen=True)
class Hostile:
    """A request, and the status that it must get. A header of None replaces an ordinary one by nothing.

    `reason`: why an intake refuses the same body as a record; empty where that is no record's business.
    `cut`: the client sends half of the body and hangs up; there is no answer.
    """

    name: str
    status: int
    method: str = "POST"
    path: str = _STATEMENTS
    body: bytes | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    reason: str = ""
    cut: bool = False


def hostile_id(seed: int, number: int, place: int) -> str:
    """The id of a statement that must never be stored."""
    return f"{number:08x}-{place:04x}-4bad-8bad-{seed % (1 << 48):012x}"


@dataclass(frozen=True)
class Occasion:
    """What a hostile request is made of: the plan's seed, the request's number, and a statement that was
    acknowledged, for another one under its id; None while there is none."""

    seed: int
    number: int
    known: bytes | None

    def statement(self, place: int = 0, **more: Any) -> dict[str, Any]:
        """A statement that would be good but for what is done to it."""
        return {
            "id": hostile_id(self.seed, self.number, place),
            "actor": {"mbox": "mailto:hostile@example.org"},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/experienced"},
            "object": {"id": "https://lrs.example.org/hostile"},
            **more,
        }

    @property
    def body(self) -> bytes:
        """The statement as JSON."""
        return msgspec.json.encode(self.statement())


def hostile(occasion: Occasion) -> Hostile:
    """The hostile request of an occasion: one kind after the other, by its number."""
    kinds = (*_BODIES, *_REQUESTS)
    return kinds[occasion.number % len(kinds)](occasion)


def hostile_record(occasion: Occasion) -> Hostile:
    """The hostile record of an occasion: what is wrong with it is in its body, or its version."""
    return _BODIES[occasion.number % len(_BODIES)](occasion)


def _posted(name: str, status: int, body: bytes, reason: str = "", **headers: str | None) -> Hostile:
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    return Hostile(name, status, body=body, headers={**_JSON, **given}, reason=reason)


def _no_json(on: Occasion) -> Hostile:
    return _posted("no JSON", 400, on.body[:-2], INVALID)


def _broken_rule(on: Occasion) -> Hostile:
    good = on.statement()
    bad = on.statement(1, actor={"mbox": "nobody"})
    return _posted("broken rule in a batch", 400, msgspec.json.encode([good, bad]), INVALID)


def _no_version(on: Occasion) -> Hostile:
    return _posted("no version", 400, on.body, X_Experience_API_Version=None)


def _wrong_secret(on: Occasion) -> Hostile:
    return _posted("wrong secret", 401, on.body, Authorization=basic("nobody", f"wrong {on.number}"))


def _no_resource(_: Occasion) -> Hostile:
    return Hostile("no such resource", 404, path="/xapi/nothing", body=b"{}", headers={**_JSON})


def _no_method(_: Occasion) -> Hostile:
    return Hostile("no such method", 405, method="DELETE")


def _unknown_coding(on: Occasion) -> Hostile:
    return _posted("unknown coding", 415, on.body, Content_Encoding="x-unknown")


def _unknown_parameter(_: Occasion) -> Hostile:
    return Hostile("unknown parameter", 400, method="GET", path=f"{_STATEMENTS}?colour=red")


def _nested(on: Occasion) -> Hostile:
    deep = b'{"deep":' * _NESTED + b"0" + b"}" * _NESTED
    return _posted("nested too deep", 400, on.body[:-1] + b"," + deep[1:], INVALID)


def _twice(on: Occasion) -> Hostile:
    twice = on.body[:-1] + b',"timestamp":"2026-01-01T00:00:00Z"' * 2 + b"}"
    return _posted("duplicate key", 400, twice, INVALID)


def _other_version(on: Occasion) -> Hostile:
    return _posted("unknown version", 400, on.body, "version", X_Experience_API_Version="3.1")


def _without_data(on: Occasion) -> Hostile:
    attachment = {
        "usageType": "https://lrs.example.org/certificate",
        "display": {"en": "certificate"},
        "contentType": "application/pdf",
        "length": 4,
        "sha2": f"{on.number:064x}",
    }
    body = msgspec.json.encode(on.statement(attachments=[attachment]))
    return _posted("attachment without data", 400, body, "attachment")


def _damaged(on: Occasion) -> Hostile:
    packed = bytearray(gzip.compress(on.body))
    packed[len(packed) // 2] ^= 0xFF
    return _posted("damaged coding", 400, bytes(packed), Content_Encoding="gzip")


def _cut(on: Occasion) -> Hostile:
    return Hostile("half a body", 0, body=on.body, headers={**_JSON}, cut=True)


def _conflict(on: Occasion) -> Hostile:
    if on.known is None:
        return _no_json(on)
    other = {**msgspec.json.decode(on.known), "verb": {"id": f"https://lrs.example.org/other/{on.number}"}}
    other.pop("result", None)
    return _posted("another statement under a known id", 409, msgspec.json.encode(other), "conflict")


_BODIES: Final = (_conflict, _no_json, _broken_rule, _other_version, _nested, _twice, _without_data)
_REQUESTS: Final = (
    *(_no_version, _wrong_secret, _no_resource, _no_method),
    *(_unknown_coding, _unknown_parameter, _damaged, _cut),
)
