"""The body as JSON: what is refused, where it is told, and that Python's own parser agrees."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings

from lrs.xapi.kernel import reading
from lrs.xapi.kernel.layout import DEPTH
from lrs.xapi.reader import read_statements
from lrs.xapi.rules import TEXTS, Rule
from lrs.xapi.scan import scan
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected
from tests.xapi.statements import JSON, mutate_bytes, write

V1 = Version.V1_0_3


@pytest.mark.parametrize(
    ("rule", "body", "path", "offset"),
    [
        (Rule.TRUNCATED, b"", "$", 0),
        (Rule.TRUNCATED, b" \n", "$", 2),
        (Rule.TRUNCATED, b'{"actor": {"mbox"', "$.actor.mbox", 17),
        (Rule.TRUNCATED, b'[{"a": 1}, {"b": "x', "$[1].b", 19),
        (Rule.TRUNCATED, b"[{}", "$[1]", 3),
        (Rule.BYTE_ORDER_MARK, b"\xef\xbb\xbf{}", "$", 0),
        (Rule.TRAILING, b"{} x", "$", 3),
        (Rule.TRAILING, b"[] []", "$", 3),
        (Rule.TRAILING, b"{}\0", "$", 2),
        (Rule.SYNTAX, b"{'a': 1}", "$", 1),
        (Rule.SYNTAX, b'{"a": 1,}', "$", 8),
        (Rule.SYNTAX, b'{"a" 1}', "$.a", 5),
        (Rule.SYNTAX, b"[{},]", "$[1]", 4),
        (Rule.SYNTAX, b"[{} {}]", "$[1]", 4),
        (Rule.SYNTAX, b'{"a": 01}', "$", 7),
        (Rule.SYNTAX, b'{"a": 1.}', "$.a", 8),
        (Rule.SYNTAX, b'{"a": +1}', "$.a", 6),
        (Rule.SYNTAX, b'{"a": tru}', "$.a", 6),
        (Rule.SYNTAX, b'{"a": "\\x"}', "$.a", 8),
        (Rule.SYNTAX, b'{"a": "\\u12g4"}', "$.a", 7),
        (Rule.NOT_A_NUMBER, b'{"a": [1, NaN]}', "$.a", 10),
        (Rule.NOT_A_NUMBER, b'{"a": Infinity}', "$.a", 6),
        (Rule.NOT_A_NUMBER, b'{"a": -Infinity}', "$.a", 7),
        (Rule.CONTROL_CHARACTER, b'{"a": "\n"}', "$.a", 7),
        (Rule.ENCODING, b'{"a": "\xff"}', "$.a", 7),
        (Rule.ENCODING, b'{"a": "\xc0\x80"}', "$.a", 7),
        (Rule.ENCODING, b'{"a": "\xed\xa0\x80"}', "$.a", 7),
        (Rule.ENCODING, b'{"a": "\xf4\x90\x80\x80"}', "$.a", 7),
        (Rule.ENCODING, b'{"a": "\\n\xe0\x80\x80"}', "$.a", 9),
        (Rule.SURROGATE, b'{"a": "\\ud800"}', "$.a", 7),
        (Rule.SURROGATE, b'{"a": "\\udc00\\ud800"}', "$.a", 7),
        (Rule.SURROGATE, b'{"a": "\\ud800\\u0041"}', "$.a", 7),
        (Rule.DUPLICATE, b'{"actor": {"a": 1, "b": 2, "a": 3}}', "$.actor.a", 10),
        (Rule.DUPLICATE, b'{"x y": 1, "x\\u0020y": 2}', '$["x y"]', 0),
    ],
)
def test_a_body_that_is_not_json_is_refused_with_byte_and_path(
    rule: Rule, body: bytes, path: str, offset: int
) -> None:
    with pytest.raises(Rejected) as refusal:
        read_statements(body, V1)
    (violation,) = refusal.value.violations
    assert violation.rule == f"{TEXTS[rule].words}; at byte {offset}"
    assert violation.path == path


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_a_body_nested_without_end_is_refused(opening: bytes) -> None:
    with pytest.raises(Rejected, match=f"nested deeper than {DEPTH} levels"):
        read_statements(opening * 100_000, V1)


def test_nesting_up_to_the_limit_is_read() -> None:
    inner = "[" * (DEPTH - 3) + "]" * (DEPTH - 3)
    one = '{"actor":{"mbox":"mailto:a@b"},"verb":{"id":"a:"},"object":{"id":"a:"},"result":%s}'
    one %= '{"extensions":{"a:":%s}}'
    assert read_statements((one % inner).encode(), V1)
    with pytest.raises(Rejected, match="nested deeper"):
        read_statements((one % f"[{inner}]").encode(), V1)


@pytest.mark.parametrize("body", [b"1", b'"x"', b"null", b"true", b"[1]", b"[[]]"])
def test_only_objects_are_statements(body: bytes) -> None:
    with pytest.raises(Rejected, match="must be a statement, a JSON object"):
        read_statements(body, V1)


def test_a_duplicate_among_many_keys_is_found() -> None:
    keys = [f'"k{number}":0' for number in range(5_000)]
    random.Random(1).shuffle(keys)
    with pytest.raises(Rejected) as refusal:
        read_statements(("{" + ",".join([*keys, '"k77":1']) + "}").encode(), V1)
    assert refusal.value.violations[0].path == "$.k77"


class _RefusedJsonError(ValueError):
    pass


def _strict(body: bytes) -> Any:
    """Python's parser, made to refuse what it lets through."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) != len(found):
            raise _RefusedJsonError
        return dict(found)

    def constant(name: str) -> Any:
        raise _RefusedJsonError(name)

    text = body.decode()
    value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant, parse_int=str, parse_float=str)
    json.dumps(value, ensure_ascii=False).encode()  # fails on lone surrogates
    return value


def _accepts(body: bytes) -> bool:
    verdict = scan(body, reading.AGENT, V1).verdict
    return verdict >= 0 or -verdict >= Rule.TYPE


def _strictly_accepts(body: bytes) -> bool:
    try:
        _strict(body)
    except ValueError:
        return False
    return not body.startswith(b"\xef\xbb\xbf")


@given(JSON)
@settings(max_examples=200)
def test_json_is_told_from_what_is_not_as_by_pythons_parser(value: Any) -> None:
    rng = random.Random(json.dumps(value))
    body = write(value, rng).encode()
    assert _accepts(body)
    for _ in range(20):
        broken = mutate_bytes(body, rng)
        assert _accepts(broken) == _strictly_accepts(broken), broken
