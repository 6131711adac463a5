# ruff: noqa: E501 (one rule a line)
"""What a request with attachments is, and what is refused: one row a rule, for both versions.

A body is written from its parts unless a row writes it itself. HELLO are the data of the attachment that
a statement has where a row says nothing else, OTHER those of one that it does not have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.http.mixed import BOUNDARY, CONTENT_TYPE, Part, attachment, first, part, written
from tests.http.sample import statement

HELLO = b"hello\r\n\x00\xff"
OTHER = b"something else"
URL = "https://example.org/file"

Statement = dict[str, Any]


def named(*attachments: dict[str, Any], **members: Any) -> Statement:
    """A statement with these attachments, or with that of HELLO."""
    return statement(attachments=list(attachments) or [attachment(HELLO)], **members)


def inside(*attachments: dict[str, Any]) -> Statement:
    """A statement whose SubStatement has these attachments."""
    return statement(object={"objectType": "SubStatement", **named(*attachments)})


@dataclass(frozen=True, slots=True)
class Row:
    """A POST. `body`: made of the statement; `path`, `rule`: what a refusal says."""

    says: str
    clause: str
    status: int
    body: Callable[[Statement], bytes]
    of: Callable[[], Statement] = named
    content_type: str = CONTENT_TYPE
    path: str = ""
    rule: str = ""


def parts(*attached: Part) -> Callable[[Statement], bytes]:
    """A body of the statement and these parts."""
    return lambda sent: written([first(sent), *attached])


def raw(change: Callable[[bytes], bytes], boundary: str = BOUNDARY) -> Callable[[Statement], bytes]:
    """A good body, changed."""
    return lambda sent: change(written([first(sent), part(HELLO)], boundary))


def headed(
    headers: Mapping[str, str], attached: Sequence[Part] = (part(HELLO),)
) -> Callable[[Statement], bytes]:
    """A body whose first part has these headers."""
    return lambda sent: written([Part(headers, first(sent).body), *attached])


def hashed(function: str) -> dict[str, Any]:
    """The attachment HELLO named by another SHA-2."""
    return attachment(HELLO, sha2=hashlib.new(function, HELLO).hexdigest())


_JSON, _MIXED, _FORMAT, _META = "Part Three 1.5.1", "Part Three 1.5.2", "RFC 2046 5.1", "Part Two 2.4.11"
_HASH, _ENCODING = "part 2, X-Experience-API-Hash", "part 2, Content-Transfer-Encoding"

RULES: tuple[Row, ...] = (
    # What is accepted
    Row("an attachment's data come in a part of their own", _MIXED, 200, parts(part(HELLO))),
    Row("data of no bytes are data", _MIXED, 200, parts(part(b"")), lambda: named(attachment(b""))),
    Row("a request may have no attachments at all", _MIXED, 200, parts(), statement),
    Row("or only ones with a fileUrl", _MIXED, 200, parts(), lambda: named(attachment(HELLO, fileUrl=URL))),
    Row("the data may come with a fileUrl, too", _MIXED, 200, parts(part(HELLO)), lambda: named(attachment(HELLO, fileUrl=URL))),
    Row("some may have a fileUrl and others their data", _MIXED, 200, parts(part(HELLO)), lambda: named(attachment(OTHER, fileUrl=URL), attachment(HELLO))),
    Row("one part serves several attachments of the same data", _MIXED, 200, parts(part(HELLO)), lambda: named(attachment(HELLO), attachment(HELLO, contentType="text/html"))),
    Row("the same data may come twice", _MIXED, 200, parts(part(HELLO), part(HELLO))),
    Row("parts come in any order", _MIXED, 200, parts(part(OTHER), part(HELLO)), lambda: named(attachment(HELLO), attachment(OTHER))),
    Row("a part needs no Content-Type", _MIXED, 200, parts(part(HELLO, Content_Type=None))),
    Row("other headers of a part do not matter", _MIXED, 200, parts(part(HELLO, Content_Disposition="attachment; filename=x"))),
    Row("a SubStatement's attachments come likewise", _META, 200, parts(part(HELLO)), lambda: inside(attachment(HELLO))),
    *(Row(f"the hash may be {name}", _META, 200, parts(part(HELLO, X_Experience_API_Hash=hashed(name)["sha2"])), partial(named, hashed(name))) for name in ("sha224", "sha384", "sha512")),
    Row("the hash may be in capitals", _META, 200, parts(part(HELLO, X_Experience_API_Hash=attachment(HELLO)["sha2"].upper()))),
    Row("or in the statement", _META, 200, parts(part(HELLO)), lambda: named(attachment(HELLO, sha2=attachment(HELLO)["sha2"].upper()))),
    # The hash says which data they are; senders count characters, or bytes before they encode them.
    Row("a length that is not the data's is the sender's word", _META, 200, parts(part(HELLO)), lambda: named(attachment(HELLO, length=1))),
    Row("the first part may say that it is UTF-8", _MIXED, 200, headed({"Content-Type": 'application/json; charset="UTF-8"'})),
    Row("and that it is not encoded", _MIXED, 200, headed({"Content-Type": "application/json", "Content-Transfer-Encoding": "8bit"})),
    # What multipart/mixed is
    Row("a boundary may be quoted", _FORMAT, 200, raw(bytes, "a b:c"), content_type='multipart/mixed; boundary="a b:c"'),
    Row("other parameters do not matter", _FORMAT, 200, raw(bytes, "x"), content_type="multipart/mixed; charset=utf-8; boundary=x"),
    Row("names in the Content-Type may have capitals", _FORMAT, 200, raw(bytes, "x"), content_type="Multipart/Mixed; Boundary=x"),
    Row("a preamble does not matter", _FORMAT, 200, raw(lambda body: b"This is multipart.\r\n" + body)),
    Row("nor one of a line's end", _FORMAT, 200, raw(lambda body: b"\r\n" + body)),
    Row("nor an epilogue", _FORMAT, 200, raw(lambda body: body + b"That was it.")),
    Row("the last line may lack its end", _FORMAT, 200, raw(lambda body: body.removesuffix(b"\r\n"))),
    Row("headers need no space after the colon", _FORMAT, 200, raw(lambda body: body.replace(b": ", b":", 1))),
    Row("header names may have capitals", _FORMAT, 200, raw(lambda body: body.replace(b"X-Experience-API-Hash", b"x-experience-api-hash"))),
    Row("a boundary's line may end in spaces", _FORMAT, 200, raw(lambda body: body.replace(BOUNDARY.encode() + b"\r\n", BOUNDARY.encode() + b" \t\r\n"))),
    *(Row(f"the Content-Type needs one boundary: {given!r}", _FORMAT, 400, parts(part(HELLO)), content_type=given, rule="boundary|parameter")
      for given in ("multipart/mixed", "multipart/mixed;", "multipart/mixed; boundary=", 'multipart/mixed; boundary=""', "multipart/mixed; boundary=a; boundary=b", f"multipart/mixed; boundary={'x' * 71}", 'multipart/mixed; boundary="x')),
    Row("the body has the boundary of the Content-Type", _FORMAT, 400, parts(part(HELLO)), content_type="multipart/mixed; boundary=other", rule="has no line --other"),
    Row("a boundary stands before the first part", _FORMAT, 400, raw(lambda body: body.removeprefix(f"--{BOUNDARY}\r\n".encode()))),
    Row("and before each further one", _FORMAT, 400, raw(lambda body: body.replace(f"\r\n--{BOUNDARY}\r\n".encode(), b"\r\n"))),
    Row("lines end with CRLF", _FORMAT, 400, raw(lambda body: body.replace(b"\r\n", b"\n")), rule="has no line"),
    Row("a body that ends within a part is refused", _FORMAT, 400, raw(lambda body: body[:-60]), rule="ends before its last line"),
    Row("or before its last line", _FORMAT, 400, raw(lambda body: body.removesuffix(f"--{BOUNDARY}--\r\n".encode())), rule="ends before its last line"),
    Row("or after a boundary that is not the last", _FORMAT, 400, raw(lambda body: body.removesuffix(b"--\r\n") + b"\r\n"), rule="ends before its last line"),
    Row("an empty body is refused", _FORMAT, 400, lambda _: b"", rule="has no line"),
    Row("a body without parts is refused", _FORMAT, 400, lambda _: f"--{BOUNDARY}--\r\n".encode(), rule="has no part"),
    Row("a malformed header is refused", _FORMAT, 400, raw(lambda body: body.replace(b"Content-Transfer-Encoding:", b"Content-Transfer-Encoding")), rule="malformed header"),
    Row("a header that stands twice is refused", _FORMAT, 400, raw(lambda body: body.replace(b"Content-Transfer-Encoding: binary", b"Content-Type: a/b")), rule="header Content-Type twice"),
    # The first part
    Row("the first part has a Content-Type", _MIXED, 400, headed({}), rule="first part must have a Content-Type"),
    *(Row(f"and it is not {given}", _MIXED, 400, headed({"Content-Type": given}), rule="Content-Type must be application/json")
      for given in ("text/plain", "application/jsonp", "application/octet-stream", "multipart/mixed")),
    Row("the first part is UTF-8", _MIXED, 400, headed({"Content-Type": "application/json; charset=latin-1"}), rule="UTF-8"),
    Row("and it is not encoded", _MIXED, 400, headed({"Content-Type": "application/json", "Content-Transfer-Encoding": "base64"}), path="part 1, Content-Transfer-Encoding"),
    Row("the first part is JSON", _MIXED, 400, lambda _: written([first(b"statement"), part(HELLO)])),
    Row("its statements are valid", _MIXED, 400, parts(part(HELLO)), lambda: named(verb={}), path="$.verb.id"),
    Row("all statements stand in the first part", _MIXED, 400, parts(first(statement()), part(HELLO)), path=_ENCODING),
    Row("the attachment's part does not come first", _MIXED, 400, lambda sent: written([part(HELLO), first(sent)]), rule="Content-Type must be application/json"),
    # The parts of data
    Row("a part has a hash", _MIXED, 400, parts(part(HELLO, X_Experience_API_Hash=None)), path=_HASH, rule="must be given"),
    Row("it is one that the statements name", _MIXED, 400, parts(part(OTHER)), path=_HASH, rule="must be the sha2 of an attachment"),
    Row("and the data's", _MIXED, 400, parts(part(OTHER, X_Experience_API_Hash=attachment(HELLO)["sha2"])), path=_HASH, rule="must be the SHA-2 of the part"),
    Row("one byte more is other data", _MIXED, 400, parts(part(HELLO + b"\n", X_Experience_API_Hash=attachment(HELLO)["sha2"])), path=_HASH),
    Row("a hash that is none is refused", _MIXED, 400, parts(part(HELLO, X_Experience_API_Hash="x")), path=_HASH),
    Row("a hash by another function is refused", _MIXED, 400, parts(part(HELLO, X_Experience_API_Hash=hashed("sha512")["sha2"])), path=_HASH),
    Row("a second copy must be the data, too", _MIXED, 400, parts(part(HELLO), part(OTHER, X_Experience_API_Hash=attachment(HELLO)["sha2"])), path="part 3, X-Experience-API-Hash"),
    Row("no part may be superfluous", _MIXED, 400, parts(part(HELLO), part(OTHER)), path="part 3, X-Experience-API-Hash"),
    Row("nor where the statement has no attachment", _MIXED, 400, parts(part(HELLO)), statement, path=_HASH),
    Row("a part says its encoding", _MIXED, 400, parts(part(HELLO, Content_Transfer_Encoding=None)), path=_ENCODING, rule="must be binary"),
    *(Row(f"which is not {given}", _MIXED, 400, parts(part(HELLO, Content_Transfer_Encoding=given)), path=_ENCODING, rule="must be binary") for given in ("base64", "quoted-printable", "8bit", "7bit")),
    Row("an attachment without data needs a fileUrl", _JSON, 400, parts(), path="$.attachments[0]", rule="must have a fileUrl"),
    Row("each does", _JSON, 400, parts(part(HELLO)), lambda: named(attachment(HELLO), attachment(OTHER)), path="$.attachments[1]", rule="must have a fileUrl"),
    Row("a SubStatement's does", _JSON, 400, parts(), lambda: inside(attachment(HELLO)), path="$.object.attachments[0]", rule="must have a fileUrl"),
    # JSON alone
    Row("in JSON an attachment may have a fileUrl", _JSON, 200, lambda sent: first(sent).body, lambda: named(attachment(HELLO, fileUrl=URL)), "application/json"),
    Row("in JSON it must", _JSON, 400, lambda sent: first(sent).body, content_type="application/json", path="$.attachments[0]", rule="must have a fileUrl"),
    Row("a SubStatement's must, too", _JSON, 400, lambda sent: first(sent).body, lambda: inside(attachment(HELLO)), "application/json", path="$.object.attachments[0]"),
    *(Row(f"{given} is not taken", _JSON, 400, parts(part(HELLO)), content_type=f"{given}; boundary={BOUNDARY}", rule="Content-Type must be application/json") for given in ("multipart/form-data", "multipart/related", "multipart/mixed2")),
)  # fmt: skip
