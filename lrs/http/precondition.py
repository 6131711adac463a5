"""Entity tags and the conditions that a request makes with them (RFC 9110 13; 1.0.3 Part Three 3.1;
IEEE 9274.1.1 4.1.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lrs.http.encoding import same
from lrs.http.error import Refusal

if TYPE_CHECKING:
    from lrs.http.call import Call

CLAUSE: Final = "1.0.3 Part Three 3.1; IEEE 9274.1.1 4.1.4"

_TAG: Final = re.compile(r'(W/)?"([^"]*)"|([0-9a-fA-F]{40})')
"""An entity tag; the quotes may be left out, as clients of before 1.0.3 do."""


def entity_tag(sha1: bytes) -> str:
    """The tag of a document: its SHA-1 in hexadecimal, as 1.0.3 asks."""
    return f'"{sha1.hex()}"'


def conditional(call: Call) -> bool:
    """Whether the request makes a condition."""
    return b"if-match" in call.headers or b"if-none-match" in call.headers


def require(call: Call, tag: str | None) -> bool:
    """Check the request's conditions on what there is now; `tag` is None where there is nothing.

    False when a reader has that already (304). Raises Refusal 412.
    """
    wanted = call.header(b"if-match")
    if wanted is not None and not _among(wanted, tag, weak=False):
        raise _failed("If-Match", wanted, "there is none" if tag is None else f"its tag is {tag or 'none'}")
    unwanted = call.header(b"if-none-match")
    if unwanted is not None and _among(unwanted, tag, weak=True):
        if call.method in ("GET", "HEAD"):
            return False
        raise _failed("If-None-Match", unwanted, f"its tag is {tag or 'none'}")
    return True


def _among(header: str, tag: str | None, *, weak: bool) -> bool:
    if tag is None or header == "*":
        return tag is not None
    return any(
        (weak or not found[1]) and same(found[2] or found[3]) == tag.strip('"')
        for found in _TAG.finditer(header)
    )


def _failed(name: str, value: str, state: str) -> Refusal:
    return Refusal(
        412,
        f"{name} {value[:200]} does not hold for the document: {state}",
        "precondition",
        path=name,
        value=value[:200],
        rule="a request is carried out only if its condition holds",
        clause=CLAUSE,
    )
