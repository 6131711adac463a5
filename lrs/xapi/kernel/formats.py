# ruff: noqa: SIM109, SIM110 (plain loops and comparisons are what numba compiles best)
"""What strings must look like: IRIs, UUIDs, language tags, times. The one home of these rules.

All kernels take a buffer of UTF-8 and the span [a, b) of the text in it.
"""

from __future__ import annotations

import numpy as np
from numba import boolean, int64, uint8

from lrs.xapi.kernel import PLACES, TEXTS, inner, kernel
from lrs.xapi.kernel.tables import INTERACTION_AT, INTERACTION_TEXT, OBJECT_TYPE_AT, OBJECT_TYPE_TEXT, _texts
from lrs.xapi.kernel.time import NO_TIME, read_duration, read_timestamp
from lrs.xapi.schema import Format

_ONE, _TWO = np.uint64(1), np.uint64(2)
ALPHA, DIGIT, HEX, SCHEME, IRI_CHARACTER, TOKEN = 1, 2, 4, 8, 16, 32

CLASSES = np.zeros(256, np.uint8)
"""What a byte may be part of (bits above)."""
for _byte in range(128):
    _c = chr(_byte)
    CLASSES[_byte] |= ALPHA * _c.isalpha()
    CLASSES[_byte] |= DIGIT * _c.isdigit()
    CLASSES[_byte] |= HEX * (_c in "0123456789abcdefABCDEF")
    CLASSES[_byte] |= SCHEME * (_c.isalnum() or _c in "+-.")
    CLASSES[_byte] |= IRI_CHARACTER * (_c.isalnum() or _c in "-._~:/?#[]@!$&'()*+,;=%")
    CLASSES[_byte] |= TOKEN * (_c.isalnum() or _c in "!#$%&'*+-.^_`|~")
CLASSES[128:] = IRI_CHARACTER

LONGEST_TAG = 255

# RFC 5646 2.1: tags from before the grammar, kept valid.
_IRREGULAR = (
    *("en-gb-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux", "i-mingo"),
    *("i-navajo", "i-pwn", "i-tao", "i-tay", "i-tsu", "sgn-be-fr", "sgn-be-nl", "sgn-ch-de"),
)
IRREGULAR_TEXT, IRREGULAR_AT = _texts(_IRREGULAR)


@inner(boolean(uint8[::1], int64, int64, TEXTS))
def equals(buf, a, b, text):  # type: ignore[no-untyped-def]
    if b - a != text.size:
        return False
    for i in range(text.size):
        if buf[a + i] != text[i]:
            return False
    return True


@inner(int64(uint8[::1], int64, int64, TEXTS, PLACES, boolean))
def place_among(buf, a, b, texts, at, fold_case):  # type: ignore[no-untyped-def]
    """Which of the texts it is; -1: none. With fold_case, ASCII capitals count as small letters."""
    for t in range(at.size - 1):
        if at[t + 1] - at[t] == b - a:
            i = 0
            while i < b - a:
                c = buf[a + i]
                if fold_case and 65 <= c <= 90:
                    c += 32
                if c != texts[at[t] + i]:
                    break
                i += 1
            if i == b - a:
                return t
    return -1


@inner("boolean(uint8[::1], int64, int64, int64)")
def all_of(buf, a, b, classes):  # type: ignore[no-untyped-def]
    for i in range(a, b):
        if CLASSES[buf[i]] & classes == 0:
            return False
    return True


@inner("boolean(uint8[::1], int64, int64)")
def is_iri(buf, a, b):  # type: ignore[no-untyped-def]
    """RFC 3987 with a scheme: characters and percent-encoding are checked, not what a scheme asks for."""
    if a == b or CLASSES[buf[a]] & ALPHA == 0:
        return False
    i, end = np.uint64(a), np.uint64(b)
    while i < end and CLASSES[buf[i]] & SCHEME:
        i += _ONE
    if i == end or buf[i] != 58:  # ":"
        return False
    while i < end:
        c = buf[i]
        if CLASSES[c] & IRI_CHARACTER == 0:
            return False
        i += _ONE
        if c == 37 and (i + _ONE >= end or not all_of(buf, i, i + _TWO, HEX)):  # "%"
            return False
        if c == 0xC2 and buf[i] < 0xA0:  # U+0080 to U+009F are control characters
            return False
    return True


@inner("boolean(uint8[::1], int64, int64)")
def is_uri(buf, a, b):  # type: ignore[no-untyped-def]
    """RFC 3986: an IRI of ASCII only."""
    for i in range(a, b):
        if buf[i] >= 128:
            return False
    return is_iri(buf, a, b)


@inner("boolean(uint8[::1], int64, int64)")
def is_mailto(buf, a, b):  # type: ignore[no-untyped-def]
    """``mailto:`` and one address (RFC 6068), whose local part and domain are not looked into."""
    if b - a < 10 or not is_iri(buf, a, b):
        return False
    for i, c in enumerate(b"mailto:"):
        if buf[a + i] != c:
            return False
    at = 0
    for i in range(a + 7, b):
        c = buf[i]
        if c == 64:  # "@"
            if at:
                return False
            at = i
        elif c == 63 or c == 35 or c == 44 or c == 59 or (at and c == 47):  # "?", "#", ",", ";", "/"
            return False
    return a + 7 < at < b - 1


@inner("boolean(uint8[::1], int64, int64)")
def is_uuid(buf, a, b):  # type: ignore[no-untyped-def]
    if b - a != 36:
        return False
    for i in range(36):
        c = buf[a + i]
        if i == 8 or i == 13 or i == 18 or i == 23:
            if c != 45:
                return False
        elif CLASSES[c] & HEX == 0:
            return False
    return True


@inner("boolean(uint8[::1], int64, int64)")
def is_language_tag(buf, a, b):  # type: ignore[no-untyped-def]
    """RFC 5646 2.1 and 2.2.9: well-formed, no variant and no singleton twice; no registry.

    Above LONGEST_TAG octets a tag is refused; RFC 5646 4.4.1 wants room for 35.
    """
    if b - a > LONGEST_TAG:
        return False
    stage = 0  # 0 language, 1 extlang, 2 script, 3 region, 4 variant, 5 in an extension, 6 private use
    extlangs = 0
    singletons = 0
    bare = False  # a singleton without a subtag so far
    variants = a
    i = a
    while i <= b:
        j = i
        while j < b and buf[j] != 45:
            j += 1
        n = j - i
        if n == 0 or n > 8 or not all_of(buf, i, j, ALPHA | DIGIT):
            return False
        alpha = all_of(buf, i, j, ALPHA)
        c = buf[i] | 32
        if stage == 6:
            bare = False
        elif n == 1 and c == 120 and not bare:  # "x"
            stage, bare = 6, True
        elif stage == 0:
            if not alpha or n < 2:
                return place_among(buf, a, b, IRREGULAR_TEXT, IRREGULAR_AT, True) >= 0
            stage = 1 if n <= 3 else 2
        elif n == 1:
            bit = 1 << (c - 48 if c < 58 else c - 87)
            if bare or singletons & bit:
                return place_among(buf, a, b, IRREGULAR_TEXT, IRREGULAR_AT, True) >= 0
            singletons |= bit
            stage, bare = 5, True
        elif stage == 5:
            bare = False
        elif stage == 1 and n == 3 and alpha and extlangs < 3:
            extlangs += 1
        elif stage <= 2 and n == 4 and alpha:
            stage = 3
        elif stage <= 3 and ((n == 2 and alpha) or (n == 3 and all_of(buf, i, j, DIGIT))):
            stage = 4
            variants = j + 1
        elif n >= 5 or (n == 4 and CLASSES[buf[i]] & DIGIT):
            if stage < 4:
                stage = 4
                variants = i
            before = variants
            while before < i:
                k = 0
                while k <= n and buf[before + k] | 32 == (buf[i + k] | 32 if k < n else 45):
                    k += 1
                if k > n:
                    return False
                while buf[before] != 45:
                    before += 1
                before += 1
        else:
            return place_among(buf, a, b, IRREGULAR_TEXT, IRREGULAR_AT, True) >= 0
        i = j + 1
    return not bare


@inner("boolean(uint8[::1], int64, int64, boolean)")
def is_version(buf, a, b, v2):  # type: ignore[no-untyped-def]
    """1.0 and 1.0.x; under 2.0 also 2.0 and 2.0.x."""
    if b - a < 3 or not (buf[a] == 49 or (v2 and buf[a] == 50)) or buf[a + 1] != 46 or buf[a + 2] != 48:
        return False
    return b - a == 3 or (b - a > 4 and buf[a + 3] == 46 and all_of(buf, a + 4, b, DIGIT))


@inner("boolean(uint8[::1], int64, int64)")
def is_media_type(buf, a, b):  # type: ignore[no-untyped-def]
    """RFC 2046: type "/" subtype, and after ";" parameters, of which only "=" is asked."""
    slash = a
    while slash < b and CLASSES[buf[slash]] & TOKEN:
        slash += 1
    if slash == a or slash == b or buf[slash] != 47:
        return False
    end = slash + 1
    while end < b and CLASSES[buf[end]] & TOKEN:
        end += 1
    if end == slash + 1:
        return False
    while end < b and (buf[end] == 32 or buf[end] == 9):
        end += 1
    if end == b:
        return True
    has_value = False
    for i in range(end, b):
        if (buf[i] < 32 and buf[i] != 9) or buf[i] == 127:
            return False
        has_value |= buf[i] == 61
    return buf[end] == 59 and has_value


@kernel("boolean(uint8[::1], int64, int64, int64, boolean)")
def fits(buf, a, b, form, v2):  # type: ignore[no-untyped-def]
    """Whether the text has this Format under this version."""
    if form == Format.TEXT:
        return True
    if form == Format.IRI:
        return is_iri(buf, a, b)
    if form == Format.LANGUAGE:
        return is_language_tag(buf, a, b)
    if form == Format.UUID:
        return is_uuid(buf, a, b)
    if form == Format.MAILTO:
        return is_mailto(buf, a, b)
    if form == Format.TIMESTAMP:
        return read_timestamp(buf, a, b, v2) != NO_TIME
    if form == Format.DURATION:
        return read_duration(buf, a, b) != NO_TIME
    if form == Format.URI:
        return is_uri(buf, a, b)
    if form == Format.SHA1:
        return b - a == 40 and all_of(buf, a, b, HEX)
    if form == Format.SHA2:
        return (b - a == 64 or b - a == 56 or b - a == 96 or b - a == 128) and all_of(buf, a, b, HEX)
    if form == Format.VERSION:
        return is_version(buf, a, b, v2)
    if form == Format.MEDIA_TYPE:
        return is_media_type(buf, a, b)
    if form == Format.INTERACTION_TYPE:
        return place_among(buf, a, b, INTERACTION_TEXT, INTERACTION_AT, False) >= 0
    if form == Format.OBJECT_TYPE:
        return place_among(buf, a, b, OBJECT_TYPE_TEXT, OBJECT_TYPE_AT, False) >= 0
    for i in range(a, b):  # IDENTIFIER
        if buf[i] == 0:
            return False
    return True
