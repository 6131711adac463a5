"""Merging of activity definitions and documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrs.xapi.definition import merge_definitions
from lrs.xapi.document import merge

TYPE, OTHER = "https://example.org/type", "https://example.org/other"


def merged(*definitions: dict[str, Any]) -> Any:
    """What is known after these, one after the other."""
    known: bytes | None = None
    for definition in definitions:
        known = merge_definitions(known, json.dumps(definition, ensure_ascii=False).encode())
    assert known is not None
    return json.loads(known)


def test_languages_add_up_and_the_newer_text_of_one_wins() -> None:
    first = {"name": {"en": "Old", "hi": "पुराना"}, "description": {"en": "About"}}
    assert merged(first, {"name": {"en": "New", "fr": "réunion"}}) == {
        "name": {"en": "New", "hi": "पुराना", "fr": "réunion"},
        "description": {"en": "About"},
    }


def test_extensions_add_up_and_a_value_is_replaced_whole() -> None:
    first = {"extensions": {"e:a": {"x": 1}, "e:b": None}}
    assert merged(first, {"extensions": {"e:a": {"y": 2}}}) == {"extensions": {"e:a": {"y": 2}, "e:b": None}}


def test_other_members_are_those_of_the_newer_where_it_has_them() -> None:
    assert merged({"type": TYPE, "moreInfo": TYPE}, {"type": OTHER}) == {"type": OTHER, "moreInfo": TYPE}


def test_a_newer_interaction_replaces_an_older_one_whole() -> None:
    choices = {"interactionType": "choice", "choices": [{"id": "a"}], "correctResponsesPattern": ["a"]}
    scale = {"interactionType": "likert", "scale": [{"id": "1"}]}
    assert merged(choices | {"type": TYPE}, scale) == scale | {"type": TYPE}
    assert merged(choices, {"type": TYPE}) == choices | {"type": TYPE}


def test_numbers_and_texts_keep_their_bytes() -> None:
    known = merge_definitions(b'{"extensions":{"e:a":1.50}}', b'{"extensions":{"e:b":1e400}}')
    assert known == b'{"extensions":{"e:a":1.50,"e:b":1e400}}'


LANGUAGES = st.dictionaries(st.sampled_from(["en", "hi", "ta", "fr-CA"]), st.text(max_size=5), max_size=3)
DEFINITIONS = st.fixed_dictionaries(
    {},
    optional={
        "name": LANGUAGES,
        "description": LANGUAGES,
        "type": st.sampled_from([TYPE, OTHER]),
        "extensions": st.dictionaries(st.sampled_from(["e:a", "e:b"]), st.integers(0, 9), max_size=2),
    },
)


@given(first=DEFINITIONS, second=DEFINITIONS, third=DEFINITIONS)
def test_merging_is_associative_and_the_same_again_changes_nothing(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> None:
    assert merged(first, merged(second, third)) == merged(merged(first, second), third)
    assert merged(first, second, second) == merged(first, second)


OBJECTS = st.dictionaries(
    st.text(max_size=3),
    st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5),
    max_size=4,
)


@given(existing=OBJECTS, posted=OBJECTS)
def test_documents_are_merged_one_level_deep(existing: dict[str, Any], posted: dict[str, Any]) -> None:
    both = merge(json.dumps(existing).encode(), json.dumps(posted).encode())
    assert json.loads(both) == {**existing, **posted}


@pytest.mark.parametrize(
    "bad", [b"", b"[]", b"1", b'{"a":1}{', b'{"a":"\xff"}', b'\xef\xbb\xbf{"a":1}', b'{"a":' * 99_999]
)
def test_what_is_no_json_object_is_not_merged(bad: bytes) -> None:
    with pytest.raises(ValueError, match="existing document is no JSON object"):
        merge(bad, b"{}")
    with pytest.raises(ValueError, match="posted document is no JSON object"):
        merge(b"{}", bad)
