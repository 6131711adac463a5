"""Attachments as statements name them (1.0.3 Part Two 2.4.11; IEEE 9274.1.1 4.2.2.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from lrs.xapi.statement import Attachment

if TYPE_CHECKING:
    from hashlib import _Hash


class _Attachment(msgspec.Struct, rename="camel"):
    sha2: str
    content_type: str
    length: int
    usage_type: str
    file_url: str | None = None


class _Object(msgspec.Struct):
    attachments: list[_Attachment] = []


class _Statement(msgspec.Struct):
    object: _Object
    attachments: list[_Attachment] = []


_decode_attachment = msgspec.json.Decoder(_Attachment).decode
_decode_statement = msgspec.json.Decoder(_Statement).decode

_FUNCTIONS: dict[int, Callable[[], _Hash]] = {
    56: hashlib.sha224,
    64: hashlib.sha256,
    96: hashlib.sha384,
    128: hashlib.sha512,
}


def read_attachment(text: bytes) -> Attachment:
    """The metadata of one valid attachment (JSON)."""
    return _attachment(_decode_attachment(text))


def named_attachments(statement: bytes) -> Iterator[tuple[str, Attachment]]:
    """The attachments of a valid statement (JSON) and of its SubStatement, each with its place in it,
    as ``attachments[0]`` or ``object.attachments[1]``."""
    read = _decode_statement(statement)
    for where, attachments in (("", read.attachments), ("object.", read.object.attachments)):
        for place, sent in enumerate(attachments):
            yield f"{where}attachments[{place}]", _attachment(sent)


def hash_of(sha2: str) -> _Hash:
    """A fresh hash of the function that made this SHA-2 (hexadecimal): its length says which.

    Raises ValueError for any other text.
    """
    function = _FUNCTIONS.get(len(sha2))
    if function is None or not all(digit in "0123456789abcdefABCDEF" for digit in sha2):
        raise ValueError(f"{sha2[:140]!r} is no SHA-2 in hexadecimal digits")
    return function()


def _attachment(sent: _Attachment) -> Attachment:
    return Attachment(sent.sha2, sent.content_type, sent.length, sent.usage_type, sent.file_url is not None)
