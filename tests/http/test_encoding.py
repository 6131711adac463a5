"""Compressed answers: for whom, of what, and what becomes of their entity tags."""

from __future__ import annotations

import gzip
import json
import uuid

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.http.document_resource import RESOURCES
from lrs.http.encoding import CODINGS, LEAST, choose
from lrs.store.document import Kind
from tests.http.client import Answer, Client
from tests.http.sample import statement
from tests.http.system import System
from tests.http.wire import connection, head, served

PROFILE = {resource.kind: resource.path for resource in RESOURCES}[Kind.ACTIVITY_PROFILE]
LONG = json.dumps({"text": "क" * 50_000, "numbers": list(range(5000))}, ensure_ascii=False).encode()
SUFFIXES = ("", *(f"-{coding}" for coding in CODINGS))


def place() -> dict[str, object]:
    """The parameters of a document that nobody has."""
    return {"activityId": "https://example.org/a", "profileId": uuid.uuid4().hex}


def unpacked(answer: Answer) -> bytes:
    """The body as it was before it was compressed."""
    coding = answer.headers.get("content-encoding")
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(answer.body)
    return gzip.decompress(answer.body) if coding == "gzip" else answer.body


async def stored(lrs: Client, data: bytes, content_type: str = "application/json") -> dict[str, object]:
    """A document's parameters, once it is there."""
    where = place()
    made = {"content-type": content_type, "if-none-match": "*"}
    assert (await lrs.request("PUT", PROFILE, where, data, dict(made))).status == 204
    return where


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("br, deflate", None),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip; q=0.1 , zstd ; q=0.9", "zstd"),
        ("gzip;q=0", None),
        ("gzip;q=0, *", "zstd"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *;q=0.5", "gzip"),
        ("identity;q=1, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("gzip;q=2", None),
        ("gzip;level=9", None),
        ("gzip zstd", None),
    ],
)
def test_the_coding_is_the_one_that_is_liked_most(accepted: str | None, coding: str | None) -> None:
    assert choose(accepted) == coding


@given(st.text(max_size=40))
@settings(max_examples=50)
def test_any_accept_encoding_chooses_something(text: str) -> None:
    assert choose(text) in (None, *CODINGS)


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_list_is_compressed_and_says_so(lrs: Client, coding: str) -> None:
    await lrs.post([statement(about=f"page/{n}") for n in range(500)])
    plain = await lrs.get()
    packed = await lrs.get(accept_encoding=coding)
    assert packed.headers["content-encoding"] == coding
    assert "content-length" not in packed.headers
    assert len(packed.body) < len(plain.body) / 5
    assert json.loads(unpacked(packed))["statements"] == plain.json["statements"]
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


async def test_what_is_short_is_not_compressed(lrs: Client) -> None:
    short, long = await stored(lrs, b"1" * (LEAST - 1)), await stored(lrs, b"1" * LEAST)
    for where, packed in ((short, False), (long, True)):
        answer = await lrs.get(where, PROFILE, accept_encoding="gzip")
        assert ("content-encoding" in answer.headers) is packed
        assert ("vary" in answer.headers) is packed


@pytest.mark.parametrize(
    ("content_type", "worthwhile"),
    [
        ("application/json; charset=utf-8", True),
        ("text/plain", True),
        ("TEXT/HTML;charset=utf-8", True),
        ("application/ld+json", True),
        ("image/svg+xml", True),
        ("image/png", False),
        ("application/zip", False),
        ("application/octet-stream", False),
        ("multipart/mixed; boundary=text/plain", False),
    ],
)
async def test_only_text_is_compressed(lrs: Client, content_type: str, worthwhile: bool) -> None:
    where = await stored(lrs, LONG, content_type)
    answer = await lrs.get(where, PROFILE, accept_encoding="gzip")
    assert ("content-encoding" in answer.headers) is worthwhile
    assert unpacked(answer) == LONG


async def test_statements_with_attachments_are_not_compressed(lrs: Client) -> None:
    await lrs.post([statement() for _ in range(50)])
    answer = await lrs.get({"attachments": "true"}, accept_encoding="gzip")
    assert "content-encoding" not in answer.headers


async def test_head_has_the_headers_of_the_compressed_answer(lrs: Client) -> None:
    where = await stored(lrs, LONG)
    get, head_ = [
        await lrs.request(method, PROFILE, where, headers={"accept-encoding": "zstd"})
        for method in ("GET", "HEAD")
    ]
    assert head_.headers == get.headers
    assert head_.body == b""


@pytest.mark.parametrize("coding", [None, *CODINGS])
@pytest.mark.parametrize("suffix", SUFFIXES)
async def test_the_tag_of_any_form_names_the_document(lrs: Client, coding: str | None, suffix: str) -> None:
    where = await stored(lrs, LONG)
    tags = {}
    for liked in (None, *CODINGS):
        answer = await lrs.request("GET", PROFILE, where, headers={"accept-encoding": liked})
        assert unpacked(answer) == LONG
        tags["" if liked is None else f"-{liked}"] = answer.headers["etag"]
    assert len(set(tags.values())) == len(tags)
    assert tags[suffix] == tags[""][:-1] + suffix + '"'
    seen = {"if-none-match": tags[suffix], "accept-encoding": coding}
    answer = await lrs.request("GET", PROFILE, where, headers=dict(seen))
    assert (answer.status, answer.headers["etag"], answer.body) == (304, tags[suffix], b"")
    assert answer.headers["vary"] == "Accept-Encoding"
    changed = await lrs.request("PUT", PROFILE, where, b"{}", {"if-match": tags[suffix]})
    assert changed.status == 204
    again = await lrs.request("PUT", PROFILE, where, b"[]", {"if-match": tags[suffix]})
    assert again.status == 412


async def test_a_compressed_answer_goes_over_the_wire_in_chunks(system: System, lrs: Client) -> None:
    where = await stored(lrs, LONG)
    query = f"activityId={where['activityId']}&profileId={where['profileId']}"
    async with served(system.edge) as server, connection(server.port) as wire:
        await wire.send(head(lrs, f"GET {PROFILE}?{query}", "Accept-Encoding: gzip"))
        top = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in top.lower()
        body = b""
        while size := int(await wire.reader.readline(), 16):
            body += (await wire.reader.readexactly(size + 2))[:-2]
        assert gzip.decompress(body) == LONG
