# ruff: noqa: E501 (one rule a line)
"""What format=exact gives back: every byte that was sent, and what the LRS assigned: one row a way to write.

A row is a fragment of a statement; it is found in the answer as it stands, or as `comes` says where the
specification demands a change. (1.0.3 Part Three 2.1.3, Part Two 2.2; IEEE 9274.1.1 4.1.6.1)
"""

from __future__ import annotations

from dataclasses import dataclass

from lrs.xapi.version import Version
from tests.conformance.statement import BOTH


@dataclass(frozen=True, slots=True)
class Row:
    """`member`: a member of the statement, as text."""

    says: str
    member: str
    comes: str = ""
    versions: tuple[Version, ...] = BOTH


def _extension(value: str) -> str:
    return '"result":{"extensions":{"http://example.org/x":' + value + "}}"


RULES: tuple[Row, ...] = (
    Row("white space", '"result" :\t{ "success"\n: true }'),
    Row("the order of members", '"context":{"platform":"p","language":"en","revision":"r"}'),
    Row("a number as it was written", '"result":{"score":{"raw":1.0,"max":1e2,"min":-0.0,"scaled":0.12123434}}'),
    Row("a number beyond what a double holds, in an extension", _extension("12345678901234567890.000000000000000001")),
    Row("null in an extension", _extension("null")),
    Row("empty values in an extension", _extension('["",{},[]]')),
    Row("a deep extension", _extension('{"":{" ":[[[{"a":false}]]]}}')),
    Row("escapes in a string", '"result":{"response":"\\u0041\\/\\n\\ud83d\\ude00\\\\"}'),
    Row("letters of any script", '"result":{"response":"मिशन कर्मयोगी 🎓"}'),
    Row("NUL in a text", '"result":{"response":"a\\u0000b"}'),
    Row("a time with its zone and all its digits", '"timestamp":"2024-03-01T17:30:00.123456789+05:30"'),
    Row("a duration with all its digits", '"result":{"duration":"PT16559.14159S"}'),
    Row("all languages", '"object":{"id":"http://example.org/o","definition":{"name":{"en":"a","hi":"क","x-any":"b"}}}'),
    Row("an id in capitals", '"id":"ID"'),
    Row("a version", '"version":"1.0.7"'),
    Row("a mailbox in any case", '"actor":{"mbox":"mailto:Meera@Example.ORG"}'),
    Row("an empty list of context activities", '"context":{"contextActivities":{"parent":[]}}'),
    Row("a context activity in an array", '"context":{"contextActivities":{"parent":[ {"id":"http://example.org/p"} ]}}'),
    Row("a single context activity, which comes in an array", '"context":{"contextActivities":{"parent":{"id":"http://example.org/p"}}}',
        '"context":{"contextActivities":{"parent":[{"id":"http://example.org/p"}]}}'),
    Row("one of a SubStatement, too", '"object":{"objectType":"SubStatement","actor":{"mbox":"mailto:a@b.c"},"verb":{"id":"a:b"},"object":{"id":"a:c"},"context":{"contextActivities":{"other":{"id":"a:d"}}}}',
        '"contextActivities":{"other":[{"id":"a:d"}]}'),
)  # fmt: skip
