"""Formats of strings against regular expressions and the standard library."""

from __future__ import annotations

import datetime
import re
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.xapi.kernel.time import NO_LENGTH, NO_TIME, read_duration
from lrs.xapi.render import format_uuid
from lrs.xapi.text import as_buffer, is_iri, is_language_tag, parse_uuid
from lrs.xapi.timestamp import format_timestamp, format_timestamps, parse_timestamp
from lrs.xapi.version import Version, negotiate
from tests.xapi import reference

# RFC 5646 2.1, transcribed.
_LANGTAG = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
    r"(?P<extensions>(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*)(?:-x(?:-[a-z0-9]{1,8})+)?"
)
_PRIVATE = re.compile(r"x(?:-[a-z0-9]{1,8})+")
_IRREGULAR = {
    *("en-gb-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux", "i-mingo"),
    *("i-navajo", "i-pwn", "i-tao", "i-tay", "i-tsu", "sgn-be-fr", "sgn-be-nl", "sgn-ch-de"),
}


def _is_well_formed(tag: str) -> bool:
    tag = tag.lower()
    if tag in _IRREGULAR or _PRIVATE.fullmatch(tag):
        return True
    match = _LANGTAG.fullmatch(tag)
    if match is None:
        return False
    variants = match["variants"].split("-")[1:]
    singletons = re.findall(r"-([0-9a-wy-z])(?=-)", match["extensions"])
    return len(set(variants)) == len(variants) and len(set(singletons)) == len(singletons)


_SUBTAGS = st.sampled_from(
    [
        *(
            "en",
            "zh",
            "cmn",
            "hans",
            "DE",
            "419",
            "1901",
            "rozaj",
            "biske",
            "a",
            "b",
            "x",
            "i",
            "1",
            "u",
            "co",
        ),
        *("abcdefgh", "abcdefghi", "abcd", "1abc", "abc", "", "klingon", "sgn", "be", "fr", "é"),
    ]
)


@given(st.lists(_SUBTAGS, min_size=1, max_size=7).map("-".join))
@settings(max_examples=1500)
def test_language_tags_are_those_of_the_grammar(tag: str) -> None:
    assert is_language_tag(tag) == _is_well_formed(tag)


_DURATION = re.compile(
    r"P(?!$)(?:\d+(?:[.,]\d+)?W|"
    r"(?:\d+(?:[.,]\d+)?Y)?(?:\d+(?:[.,]\d+)?M)?(?:\d+(?:[.,]\d+)?D)?"
    r"(?:T(?!$)(?:\d+(?:[.,]\d+)?H)?(?:\d+(?:[.,]\d+)?M)?(?:\d+(?:[.,]\d+)?S)?)?)",
    re.ASCII,
)


@given(st.lists(st.sampled_from([*"PTYMDWHS", "1", "59", "0.5", "1,25", "-"]), max_size=9).map("".join))
@settings(max_examples=1500)
def test_durations_are_those_of_the_grammar(text: str) -> None:
    text = f"P{text}"
    allowed = _DURATION.fullmatch(text) is not None
    if re.search(r"[.,]\d+[A-Z].", text):  # only the last number may have a fraction
        allowed = False
    buffer, size = as_buffer(text)
    assert (read_duration(buffer, 0, size) != NO_TIME) == allowed


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        *(("PT1H30M", 5_400_000), ("P4W", 2_419_200_000), ("P1DT0.5H", 88_200_000), ("PT0.0019S", 1)),
        *(("PT16559.14S", 16_559_140), ("P1Y", NO_LENGTH), ("P2M", NO_LENGTH), ("P0Y", NO_LENGTH)),
        *(("PT9007199254740S", 9_007_199_254_740_000), ("PT9007199254741S", NO_LENGTH)),
        *(
            ("P" + "9" * 400 + "D", NO_LENGTH),
            ("PT" + "0" * 400 + "1S", 1000),
            ("PT0." + "9" * 400 + "S", 999),
        ),
    ],
)
def test_durations_have_a_length_unless_it_depends_on_the_calendar(text: str, milliseconds: int) -> None:
    buffer, size = as_buffer(text)
    assert read_duration(buffer, 0, size) == milliseconds


_FIRST = datetime.datetime.fromisoformat("0001-01-03")
_LAST = datetime.datetime.fromisoformat("9999-12-29")


@given(
    st.datetimes(_FIRST, _LAST),
    st.one_of(st.none(), st.integers(-1439, 1439).filter(lambda minutes: minutes != 0), st.just(0)),
    st.integers(0, 6),
)
@settings(max_examples=500)
def test_timestamps_are_read_as_by_the_standard_library(
    moment: datetime.datetime, offset: int | None, digits: int
) -> None:
    text = moment.replace(microsecond=0).isoformat()
    if digits:
        text += f".{moment.microsecond:06d}"[: digits + 1]
    if offset is not None:
        text += (
            "Z"
            if offset == 0
            else f"{'+' if offset > 0 else '-'}{abs(offset) // 60:02}:{abs(offset) % 60:02}"
        )
    expected = reference.instant(text)
    assert parse_timestamp(text) == expected
    assert parse_timestamp(text, Version.V2_0_0) == (None if offset is None else expected)
    basic = re.sub(r"[-:](?=\d\d)", "", text[:19]) + text[19:].replace(":", "")
    assert parse_timestamp(basic) == expected
    assert parse_timestamp(format_timestamp(expected)) == expected


def test_a_leap_second_is_the_first_of_the_next_minute() -> None:
    assert parse_timestamp("2016-12-31T23:59:60.5Z") == parse_timestamp("2017-01-01T00:00:00.5Z")


def test_an_instant_is_written_with_six_digits_in_utc() -> None:
    assert format_timestamp(1_709_294_400_000_001) == "2024-03-01T12:00:00.000001Z"
    assert format_timestamp(0) == "1970-01-01T00:00:00.000000Z"
    with pytest.raises(OverflowError):
        format_timestamp(10**18)


def test_many_timestamps_are_written_like_one() -> None:
    instants = [0, -1, 999_999, 1_709_294_400_000_000, 1_709_294_400_000_001, -62_135_596_800_000_000]
    assert format_timestamps(instants) == [format_timestamp(instant) for instant in instants]
    assert format_timestamps([]) == []


@given(st.uuids())
def test_uuids_go_to_bytes_and_back(value: uuid.UUID) -> None:
    assert parse_uuid(str(value)) == parse_uuid(str(value).upper()) == value.bytes
    assert format_uuid(value.bytes) == str(value)


@pytest.mark.parametrize("text", ["", "x", "é" * 18, "\ud800", "0" * 36, "0" * 32])
def test_other_texts_are_no_uuids(text: str) -> None:
    assert parse_uuid(text) is None


_IRI = re.compile(
    r"[a-z][a-z0-9+.-]*:(?:[a-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9a-f]{2}|[^\x00-\x9f])*",
    re.IGNORECASE | re.ASCII,
)


@given(st.text(st.sampled_from('ab:1/%4F#?[]@!+.-_~ <>"{}|\\^`\0\x7f\x85\xa0क😀'), max_size=8))
@settings(max_examples=1500)
def test_iris_are_those_of_the_grammar(text: str) -> None:
    assert is_iri(text) == (_IRI.fullmatch(text) is not None)
    assert is_iri(f"a:{text}") == (_IRI.fullmatch(f"a:{text}") is not None)


@pytest.mark.parametrize(
    ("header", "version"),
    [
        *(
            ("1.0", Version.V1_0_3),
            ("1.0.0", Version.V1_0_3),
            ("1.0.3", Version.V1_0_3),
            (" 1.0.9 ", Version.V1_0_3),
        ),
        *(("2.0", Version.V2_0_0), ("2.0.0", Version.V2_0_0), ("2.0.7", Version.V2_0_0)),
        *(
            (None, None),
            ("", None),
            ("0.95", None),
            ("1.1.0", None),
            ("1", None),
            ("3.0.0", None),
            ("1.0.x", None),
        ),
    ],
)
def test_the_version_is_negotiated_by_the_header(header: str | None, version: Version | None) -> None:
    assert negotiate(header) is version
