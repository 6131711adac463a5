"""multipart/mixed as a test writes it, by hand, and as it reads an answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.http.client import STATEMENTS, Answer, Client

BOUNDARY = "-------314159265358979323846"
CONTENT_TYPE = f"multipart/mixed; boundary={BOUNDARY}"


@dataclass(frozen=True, slots=True)
class Part:
    """One part; the names of its headers as they are sent."""

    headers: Mapping[str, str]
    body: bytes


def sha256(data: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def attachment(data: bytes, **members: Any) -> dict[str, Any]:
    """What a statement says of an attachment; a member of None is left out."""
    described = {
        "usageType": "https://example.org/attachment",
        "display": {"en": "an attachment"},
        "contentType": "text/plain",
        "length": len(data),
        "sha2": sha256(data),
        **members,
    }
    return {name: value for name, value in described.items() if value is not None}


def first(content: Any) -> Part:
    """The part with the statements: bytes as they are, everything else as JSON."""
    text = content if isinstance(content, bytes) else msgspec.json.encode(content)
    return Part({"Content-Type": "application/json"}, text)


def part(data: bytes, **headers: str | None) -> Part:
    """The part with an attachment's data; header names with underscores, None for left out."""
    given = {
        "Content-Type": "text/plain",
        "Content-Transfer-Encoding": "binary",
        "X-Experience-API-Hash": sha256(data),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return Part({name: value for name, value in given.items() if value is not None}, data)


def written(parts: Sequence[Part], boundary: str = BOUNDARY) -> bytes:
    """The body with these parts."""
    lines = []
    for each in parts:
        lines.append(f"--{boundary}\r\n".encode())
        lines += [f"{name}: {value}\r\n".encode() for name, value in each.headers.items()]
        lines += [b"\r\n", each.body, b"\r\n"]
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


async def post(client: Client, *parts: Part, **headers: str) -> Answer:
    """POST statements with attachments."""
    return await client.request(
        "POST", STATEMENTS, None, written(parts), {"content-type": CONTENT_TYPE, **headers}
    )


def read(answer: Answer) -> list[Part]:
    """The parts of an answer; header names in lower case."""
    assert answer.status == 200, answer
    assert int(answer.headers["content-length"]) == len(answer.body)
    found = re.fullmatch(r"multipart/mixed; boundary=(\w+)", answer.headers["content-type"])
    assert found is not None
    mark = f"--{found[1]}".encode()
    head, *texts, last = (b"\r\n" + answer.body).split(b"\r\n" + mark)
    assert (head, last) == (b"", b"--\r\n")
    parts = []
    for text in texts:
        lines, _, body = text.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        pairs = (line.split(": ", 1) for line in lines.decode().split("\r\n"))
        parts.append(Part({name.lower(): value for name, value in pairs}, body))
    assert parts[0].headers == {"content-type": "application/json"}
    return parts
