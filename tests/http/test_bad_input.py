"""Bad bodies and parameters: a clear 4xx, nothing left behind, and what is odd but valid is kept."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tests.http.client import Client
from tests.http.sample import ROOT, agent, fresh, shortened, statement
from tests.http.system import System

GOOD = msgspec.json.encode(statement())


def within(extension: bytes) -> bytes:
    """A statement whose result has an extension of this JSON."""
    return GOOD[:-1] + b',"result":{"extensions":{"https://example.org/x":' + extension + b"}}}"


BODIES: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \r\n\t ",
    "a scalar": b"1",
    "null": b"null",
    "a string": b'"statement"',
    "an array of arrays": b"[[" + GOOD + b"]]",
    "an array of null": b"[" + GOOD + b",null]",
    "truncated": GOOD[:-1],
    "truncated in a string": GOOD[:20],
    "two values": GOOD + GOOD,
    "trailing": GOOD + b"]",
    "trailing comma": b"[" + GOOD + b",]",
    "a comment": b"/* */" + GOOD,
    "single quotes": GOOD.replace(b'"', b"'"),
    "deep arrays": b"[" * 100_000,
    "deep closed arrays": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep extension": within(b"[" * 100_000 + b"]" * 100_000),
    "duplicate key": GOOD[:-1] + b',"actor":{"mbox":"mailto:b@example.org"}}',
    "duplicate key, escaped": GOOD[:-1] + b',"a\\u0063tor":{"mbox":"mailto:b@example.org"}}',
    "duplicate key in an extension": within(b'{"a":1,"a":1}'),
    "invalid UTF-8": GOOD.replace(b"learner", b"lear\xffner"),
    "overlong UTF-8": within(b'"\xc0\xaf"'),
    "UTF-8 surrogate": within(b'"\xed\xa0\x80"'),
    "beyond Unicode": within(b'"\xf4\x90\x80\x80"'),
    "UTF-8 cut off": within(b'"\xe0\xa4"'),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "lone high surrogate": within(b'"\\ud800"'),
    "lone low surrogate": within(b'"\\udc00x"'),
    "surrogates the wrong way round": within(b'"\\udc00\\ud800"'),
    "NaN": within(b"NaN"),
    "Infinity": within(b"[-Infinity]"),
    "plus": within(b"+1"),
    "leading zero": within(b"01"),
    "bare fraction": within(b".5"),
    "hexadecimal": within(b"0x1F"),
    "control character": within(b'"a\nb"'),
    "NUL byte": within(b'"a\x00b"'),
    "NUL between": GOOD[:-1] + b"\x00}",
    "bad escape": within(b'"\\x41"'),
    "NUL in a mailbox": GOOD.replace(b"learner", b"lear\\u0000ner"),
    "NUL in a verb": GOOD.replace(b"verb/", b"verb/\\u0000"),
    "NUL in an activity": GOOD.replace(b"page", b"pa\\u0000ge"),
    "NUL in an account": msgspec.json.encode(
        statement({"account": {"homePage": ROOT, "name": "a\x00b"}})
    ),
    "score beyond a double": GOOD[:-1] + b',"result":{"score":{"raw":1e400}}}',
    "scaled out of range": GOOD[:-1] + b',"result":{"score":{"scaled":1.0000001}}}',
    "a number as a string": GOOD[:-1] + b',"result":{"score":{"raw":"1"}}}',
    "unknown member": GOOD[:-1] + b',"actors":[]}',
    "null member": GOOD[:-1] + b',"result":null}',
    "version 0.9": GOOD[:-1] + b',"version":"0.9"}',
    "offset -00:00": GOOD[:-1] + b',"timestamp":"2026-01-01T00:00:00-00:00"}',
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
async def test_a_bad_body_is_refused_with_a_reason_and_stores_nothing(
    lrs: Client, system: System, name: str
) -> None:
    before = await system.count(lrs.tenant)
    id_ = fresh()
    body = BODIES[name]
    answers = [await lrs.post(body), await lrs.put(body, {"statementId": id_})]
    answers.append(await lrs.post(b"[" + GOOD + b"," + body + b"]"))
    for answer in answers:
        assert answer.status == 400, answer
        refusal = answer.json
        assert refusal["error"]
        assert refusal["reason"] in ("invalid", "malformed")
        assert len(answer.body) < 20_000, "a refusal is short"
    assert answers[0].json["path"].startswith("$")
    assert (await lrs.get({"statementId": id_})).status == 404
    assert await system.count(lrs.tenant) == before


ODD: dict[str, bytes] = {
    "400 digits": within(b"-" + b"1234567890" * 40 + b"." + b"7" * 400 + b"e-99999"),
    "a number beyond a double": within(b"1e99999"),
    "integers beyond 64 bits": within(b"[18446744073709551616,-9223372036854775809]"),
    "NUL in text": within(b'"a\\u0000b"'),
    "null, empty and false": within(b'[null,"",{},[],false]'),
    "surrogate pairs": within(b'"\\ud83d\\ude00\\uD83D\\uDE00"'),
    "noncharacters": within(b'"\\uffff\xef\xbf\xbf"'),
    "white space everywhere": b"\t" + GOOD.replace(b'":', b'" :\r\n '),
    "escaped names": GOOD.replace(b'"actor"', b'"\\u0061ctor"'),
    "SQL": within(b'"\'; drop table statement; --"'),
    "a shell": within(b'"$(rm -rf /) `id` | ; & > \\\\x"'),
    "a format string": within(b'"%s%n{0}${jndi:ldap://x}"'),
    "a text of 300 kB": within(b'"' + b"a" * 300_000 + b'"'),
    "10,000 keys": within(b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(10_000)) + b"}"),
}


@pytest.mark.parametrize("name", ODD)
async def test_what_is_odd_but_valid_comes_back_as_it_was(lrs: Client, name: str) -> None:
    body = ODD[name]
    answer = await lrs.post(body)
    assert answer.status == 200, answer
    found = await lrs.get({"statementId": answer.json[0]})
    assert found.body.startswith(body.strip()[:-1])


async def test_metacharacters_in_identifiers_are_only_characters(alone: Client) -> None:
    names = ["'; drop table agent; --", '"$(id)"', "%s%n", "\\", "a\tb", "*", "आशा", "a" * 5000]
    for name in names:
        account = {"account": {"homePage": "https://example.org/", "name": name}}
        [id_] = (await alone.post(statement(account, context={"platform": name}))).json
        assert await alone.ids(agent=account) == [id_]
        assert (await alone.get({"statementId": id_})).json["actor"] == account


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/json, text/plain",
        "application/jsonx",
        "application/json; charset=utf-16",
        "application/json; charset=ebcdic",
        'application/json; charset="iso-8859-1"',
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
        "application/\x80",
    ],
)
async def test_a_body_that_is_announced_as_something_else_is_refused(
    alone: Client, system: System, content_type: str | None
) -> None:
    answer = await alone.request("POST", "/xapi/statements", None, GOOD, {"content-type": content_type})
    assert (answer.status, answer.json["reason"]) == (400, "malformed")
    assert await system.count(alone.tenant) == 0


@pytest.mark.parametrize(
    "content_type",
    ["APPLICATION/JSON", "application/json;charset=UTF-8", 'application/json ; charset="utf-8"'],
)
async def test_json_may_be_announced_in_many_ways(lrs: Client, content_type: str) -> None:
    assert (await lrs.post(GOOD, content_type=content_type)).status == 200


def bad_queries() -> Iterator[tuple[bytes, str | None]]:
    """(query, path of the refusal)."""
    for name in ("agent", "verb", "activity", "registration", "since", "until", "limit", "format"):
        for value in (b"", b"%00", b"%FF%FE"[:3] + b"x", b"%27%3B--", b"1e3", b"-1", b"null", b"[]", b"{}"):
            yield name.encode() + b"=" + value, name
    for flag, setting in itertools.product(
        ("ascending", "related_agents", "related_activities", "attachments"), ("", "True", "1", "yes", "\x00")
    ):
        yield f"{flag}={setting}".encode(), flag
    for unknown in ("StatementId", "Limit", "AGENT", "method", "a" * 5000, "", "%00"):
        yield unknown.encode() + b"=x", None
    for repeated in (b"limit=1&limit=1", b"limit=%", b"limit=%1", b"limit=%zz", b"%ff=1", b"agent=%ed%a0%80"):
        yield repeated, None
    yield b"limit=" + b"9" * 5000, "limit"
    yield "limit=²".encode(), "limit"
    yield b"since=2026-01-01T00:00:00-00:00", "since"
    yield b"since=2026-13-01T00:00:00Z", "since"
    yield b"since=2026-01-01T00:00:00+05:30", "since"  # + is a space
    yield b"statementId=" + b"0" * 36, "statementId"
    yield b"voidedStatementId=%7B00000000-0000-4000-8000-000000000000%7D", "voidedStatementId"
    yield b'agent={"mbox":"mailto:a@example.org","mbox":"mailto:a@example.org"}', None
    yield b"agent=" + b"[" * 100_000, None
    yield b"verb=" + b"x" * 100_000, "verb"


@pytest.mark.parametrize(("query", "path"), list(bad_queries()), ids=shortened)
async def test_a_bad_query_is_refused(lrs: Client, query: bytes, path: str | None) -> None:
    answer = await lrs.get(query)
    assert answer.status == 400, answer
    assert answer.through
    assert len(answer.body) < 20_000
    if path not in (None, "agent"):
        assert answer.json.get("path", path) == path


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "GZIP", "identity", ""])
async def test_a_packed_body_is_unpacked(lrs: Client, coding: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    packed = packers.get(coding.lower().removeprefix("x-"), bytes)(GOOD)
    parts = [packed[:7], b"", packed[7:40], packed[40:]]
    for body in (packed, parts):
        answer = await lrs.request("POST", "/xapi/statements", None, body, {"content-encoding": coding})
        assert answer.status == 200, answer
        found = await lrs.get({"statementId": answer.json[0]})
        assert found.body.startswith(GOOD[:-1])


BADLY_PACKED: dict[str, tuple[str, Callable[[], bytes], int]] = {
    "not packed": ("gzip", lambda: GOOD, 400),
    "nothing": ("gzip", lambda: b"", 400),
    "cut": ("gzip", lambda: gzip.compress(GOOD)[:-1], 400),
    "something behind it": ("gzip", lambda: gzip.compress(GOOD) + b"x", 400),
    "two of them": ("gzip", lambda: gzip.compress(GOOD) * 2, 400),
    "another checksum": ("gzip", lambda: gzip.compress(GOOD)[:-8] + bytes(8), 400),
    "packed twice": ("gzip", lambda: gzip.compress(gzip.compress(GOOD)), 400),
    "packed otherwise": ("deflate", lambda: gzip.compress(GOOD), 400),
    "unknown": ("br", lambda: GOOD, 415),
    "two codings": ("gzip, gzip", lambda: gzip.compress(GOOD), 415),
    "not ASCII": ("\xff", lambda: GOOD, 415),
    "bomb of text": ("gzip", lambda: gzip.compress(b'{"a":"' + b" " * (64 << 20)), 413),
    "bomb of zeros": ("deflate", lambda: zlib.compress(bytes(64 << 20)), 413),
    "bomb in a bomb": ("gzip", lambda: gzip.compress(gzip.compress(bytes(1 << 30), 9)), 400),
    "empty blocks": (
        "gzip",
        lambda: b"\x1f\x8b\x08" + bytes(7) + b"\x00\x00\x00\xff\xff" * (1 << 18),
        413,
    ),
}


@pytest.mark.parametrize("name", BADLY_PACKED)
async def test_a_badly_packed_body_and_a_bomb_are_refused(alone: Client, system: System, name: str) -> None:
    coding, packed, status = BADLY_PACKED[name]
    answer = await alone.request("POST", "/xapi/statements", None, packed(), {"content-encoding": coding})
    assert answer.status == status, answer
    assert system.admission.bytes == system.admission.requests == 0
    assert await system.count(alone.tenant) == 0


@pytest.mark.parametrize("parts", [False, True])
async def test_one_byte_over_the_limit_is_413_and_the_limit_itself_is_not(
    system: System, alone: Client, parts: bool
) -> None:
    limit = 1 << 20
    padded = GOOD[:-1] + b" " * (limit - len(GOOD)) + b"}"

    def body(whole: bytes) -> Any:
        return _split(whole) if parts else whole

    answer = await alone.request("POST", "/xapi/statements", None, body(padded))
    assert answer.status == 200
    answer = await alone.request("POST", "/xapi/statements", None, body(padded + b" "))
    assert (answer.status, answer.json["reason"], answer.json["limit"]) == (413, "too_large", limit)
    assert await system.count(alone.tenant) == 1
    assert system.admission.bytes == 0


def _split(whole: bytes) -> list[bytes]:
    return [whole[start : start + 50_000] for start in range(0, len(whole), 50_000)]


@pytest.mark.parametrize("length", ["1", "99999", "0"])
async def test_a_content_length_that_is_not_the_bodys_is_refused(alone: Client, length: str) -> None:
    answer = await alone.post(GOOD, content_length=length)
    assert (answer.status, answer.json["reason"]) == (400, "malformed")
    assert await alone.ids() == []


async def test_a_path_of_any_characters_is_404(lrs: Client) -> None:
    for path in (
        "/",
        "",
        "*",
        "/xapi",
        "/xapi/statements/",
        "/xapi/Statements",
        "/\ufffd\x00",
        "/" + "a" * 9999,
    ):
        answer = await lrs.request("GET", path)
        assert (answer.status, answer.json["reason"]) == (404, "malformed")
        assert len(answer.body) < 1000


async def test_an_error_is_told_with_path_value_rule_and_clause(lrs: Client) -> None:
    bad = statement({"mbox": "nobody"}, about="x", result={"score": {"scaled": 2}}, id="no-uuid")
    refusal = (await lrs.post(bad)).json
    assert {one["path"] for one in refusal["violations"]} == {
        "$.actor.mbox",
        "$.id",
        "$.result.score.scaled",
    }
    for one in (refusal, *refusal["violations"]):
        assert {"path", "value", "rule", "clause", "index"} <= one.keys()
    assert (await lrs.get({"agent": agent("a") | {"x": 1}})).json["path"] == "$.x"
