"""The grammar of multipart/mixed: whatever the pieces are that a body comes in, its parts are the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.http.multipart import LONGEST_HEAD, Begin, End, Malformed, Parser, boundary, head, is_mixed, tail

Part = tuple[Mapping[str, str], bytes]


def read(pieces: Iterable[bytes], named: bytes = b"b") -> list[Part]:
    """The parts of a body that comes in these pieces."""
    parser, parts = Parser(named), []
    headers: Mapping[str, str] | None = None
    body = b""
    for piece in pieces:
        for event in parser.feed(piece):
            if isinstance(event, Begin):
                assert headers is None
                headers, body = event.headers, b""
            elif isinstance(event, End):
                assert headers is not None
                parts.append((headers, body))
                headers = None
            else:
                assert headers is not None
                assert event, "no empty piece"
                body += event
    parser.close()
    return parts


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    """The body in pieces that end at these places."""
    ends = sorted({0, len(body), *(place % (len(body) + 1) for place in places)})
    return [body[a:b] for a, b in itertools.pairwise(ends)]


def written(parts: Iterable[Part], named: str = "b") -> bytes:
    """A body of parts."""
    texts = [head(named, headers, first=number == 0) + body for number, (headers, body) in enumerate(parts)]
    return b"".join(texts) + tail(named)


# Alphabets that nearly make delimiters.
NEARLY = st.lists(
    st.sampled_from([b"\r\n", b"--", b"-", b"b", b"\r", b"\n", b" ", b"x", b"\r\n--b", b"\r\n--bb"])
).map(b"".join)
CONTENT = (NEARLY | st.binary(max_size=60)).filter(
    lambda body: Parser(b"b")._delimiter not in b"\r\n" + body + b"\r\n"
)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "x-experience-api-hash", "a"]), st.sampled_from(["", "1", "a/b; c=d:e"])
)
PARTS = st.lists(st.tuples(HEADERS, CONTENT), min_size=1, max_size=4)


@given(PARTS, st.lists(st.integers(0, 10_000), max_size=40))
@settings(max_examples=200)
def test_what_is_written_is_read_again_in_any_pieces(parts: list[Part], places: list[int]) -> None:
    body = written(parts)
    assert read(cut(body, places)) == parts
    assert read(body[at : at + 1] for at in range(len(body))) == parts


@given(
    NEARLY.map(lambda body: b"--b\r\n\r\n" + body + b"\r\n--b--"), st.lists(st.integers(0, 1000), max_size=20)
)
@settings(max_examples=200)
def test_any_body_is_read_alike_in_any_pieces(body: bytes, places: list[int]) -> None:
    def result(pieces: Iterable[bytes]) -> list[Part] | str:
        try:
            return read(pieces)
        except Malformed as error:
            return str(error)

    assert result([body]) == result(cut(body, places)) == result(body[at : at + 1] for at in range(len(body)))


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"--b\r\n\r\nx\r\n--b--", [({}, b"x")]),
        (b"--b\r\n\r\nx\r\n--b--\r\n", [({}, b"x")]),
        (b"\r\n--b\r\n\r\nx\r\n--b--", [({}, b"x")]),
        (b"preamble\r\n--b\r\n\r\nx\r\n--b--", [({}, b"x")]),
        (b"--b\r\n\r\nx\r\n--b--\r\nepilogue\r\n--b\r\n\r\ny\r\n--b--", [({}, b"x")]),
        (b"--b \t\r\n\r\nx\r\n--b\t\r\n\r\ny\r\n--b--  \r\n", [({}, b"x"), ({}, b"y")]),
        (b"--b\r\nA:1\r\nb-c:  2 \r\n\r\nx\r\n--b--", [({"a": "1", "b-c": "2"}, b"x")]),
        (b"--b\r\nA: 1\r\n  2\r\n\t3\r\n\r\nx\r\n--b--", [({"a": "1 2 3"}, b"x")]),
        (b"--b\r\nA: 1\r\n\r\n\r\n--b--", [({"a": "1"}, b"")]),
        (b"--b\r\nA: 1\r\n\r\n--b--", [({"a": "1"}, b"")]),
        (b"--b\r\n\r\n--b--", [({}, b"")]),
        (b"--b\r\n\r\n\r\n\r\n--b--", [({}, b"\r\n")]),
        (b"--b\r\n\r\nx\r\n--bc\r\n--b-\r\n--b\n\r\n--b--", [({}, b"x\r\n--bc\r\n--b-\r\n--b\n")]),
        (b"--b\r\n\r\n--bc\r\n--b--", [({}, b"--bc")]),
        (b"--b\r\n\r\nx\n--b\r\n--b--", [({}, b"x\n--b")]),
        (b"--b--", []),
        (b"--b" + b" " * 64 + b"\r\n\r\nx\r\n--b--", [({}, b"x")]),
    ],
)
def test_the_grammar(body: bytes, parts: list[Part]) -> None:
    assert read([body]) == parts
    assert read(body[at : at + 1] for at in range(len(body))) == parts


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "has no line --b,"),
        (b"x\n--b\n\nx\n--b--\n", "has no line --b,"),
        (b"Content-Type: application/json\r\n\r\n{}", "has no line --b,"),
        (b"--b" + b" " * 65 + b"\r\n\r\nx\r\n--c--", "has no line --b,"),
        (b"--b\r\n\r\nx", "ends before its last line, --b--"),
        (b"--b\r\n\r\nx\r\n--b", "ends before its last line"),
        (b"--b\r\n\r\nx\r\n--b-", "ends before its last line"),
        (b"--b\r\n\r\nx\r\n--b\r\n", "ends before its last line"),
        (b"--b\r\nA: 1\r\n--b--\r\n\r\n", "malformed header line: '--b--'"),
        (b"--b\r\nA\r\n\r\nx\r\n--b--", "malformed header line: 'A'"),
        (b"--b\r\nA : 1\r\n\r\nx\r\n--b--", "malformed header line"),
        (b"--b\r\n: 1\r\n\r\nx\r\n--b--", "malformed header line"),
        (b"--b\r\n folded\r\n\r\nx\r\n--b--", "malformed header line"),
        (b"--b\r\nA: 1\r\na: 1\r\n\r\nx\r\n--b--", "header a twice"),
        (b"--b\r\nA: " + b"x" * LONGEST_HEAD + b"\r\n\r\nx\r\n--b--", "more than 16384 bytes"),
    ],
)
def test_what_is_malformed_is_told(body: bytes, says: str) -> None:
    for pieces in ([body], [body[at : at + 1] for at in range(len(body))]):
        with pytest.raises(Malformed, match=says):
            read(pieces)


@pytest.mark.parametrize("length", [LONGEST_HEAD - 6, LONGEST_HEAD - 5])
def test_a_head_may_be_as_long_as_it_may_be(length: int) -> None:
    body = b"--b\r\nA: " + b"x" * length + b"\r\n\r\nx\r\n--b--"
    [(headers, _)] = read([body])
    assert read(body[at : at + 7] for at in range(0, len(body), 7)) == [(headers, b"x")]
    assert headers["a"] == "x" * length


@pytest.mark.parametrize(
    ("content_type", "named"),
    [
        ("multipart/mixed; boundary=abc", b"abc"),
        ("Multipart/MIXED;BOUNDARY=abc", b"abc"),
        ('multipart/mixed; boundary="a b=c:/d?"', b"a b=c:/d?"),
        (r'multipart/mixed; boundary="a\bc"', b"abc"),
        ("multipart/mixed; boundary=-------314159265358979323846", b"-------314159265358979323846"),
        ("multipart/mixed; boundary==_(x)?:/'+", b"=_(x)?:/'+"),
        ("multipart/mixed; charset=utf-8; boundary=abc ; q=1;", b"abc"),
        ('multipart/mixed; start="a;boundary=b"; boundary=abc', b"abc"),
        ("multipart/mixed; boundary=" + "x" * 70, b"x" * 70),
    ],
)
def test_the_boundary_that_a_content_type_names(content_type: str, named: bytes) -> None:
    assert is_mixed(content_type.encode())
    assert boundary(content_type) == named


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("multipart/mixed", "must name one boundary, it names 0"),
        ("multipart/mixed;", "it names 0"),
        ("multipart/mixed; boundary=a; boundary=b", "it names 2"),
        ("multipart/mixed; boundary=", "malformed parameter|it names 0"),
        ('multipart/mixed; boundary=""', "none of RFC 2046"),
        ('multipart/mixed; boundary="a "', "none of RFC 2046"),
        ('multipart/mixed; boundary="a', "malformed parameter"),
        ("multipart/mixed; boundary=a b", "malformed parameter"),
        ("multipart/mixed; boundary=a*b", "none of RFC 2046"),
        ("multipart/mixed; boundary=é", "none of RFC 2046"),
        ("multipart/mixed; boundary=" + "x" * 71, "none of RFC 2046"),
        ("multipart/mixed; boundary", "malformed parameter"),
    ],
)
def test_a_content_type_without_one_usable_boundary_is_refused(content_type: str, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        boundary(content_type)


@pytest.mark.parametrize(
    "content_type", [None, b"", b"application/json", b"multipart/form-data; boundary=x", b"multipart/mixedx"]
)
def test_other_content_types_are_not_multipart_mixed(content_type: bytes | None) -> None:
    assert not is_mixed(content_type)
