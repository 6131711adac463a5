"""The schema as arrays, for the kernels: shapes, forms, keys and fixed texts by number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lrs.xapi import schema
from lrs.xapi.schema import Form, Shape

KEYS = 64
"""Member names have codes below this, one bit each; extensions of interest have codes from here on."""


def _reachable() -> tuple[list[Form], list[Shape]]:
    """All forms and shapes, ANYTHING first: nodes that no rule speaks of have form 0."""
    forms: list[Form] = [schema.ANYTHING, schema.TEXT]
    shapes: list[Shape] = []
    waiting: list[Form] = [schema.STATEMENT_FORM, schema.AGENT_OR_GROUP]
    while waiting:
        form = waiting.pop(0)
        if form in forms:
            continue
        forms.append(form)
        if form.of is not None:
            waiting.append(form.of)
        for shape in form.shapes:
            if shape not in shapes:
                shapes.append(shape)
                waiting += [member.form for member in shape.members.values()]
    return forms, shapes


FORMS, SHAPES = _reachable()
OBJECT_TYPES = tuple(dict.fromkeys(shape.object_type for shape in SHAPES if shape.object_type is not None))
NAMES = tuple(dict.fromkeys(name for shape in SHAPES for name in shape.members))
assert len(NAMES) < KEYS
CODE = {name: code for code, name in enumerate(NAMES)} | {
    key: KEYS + place for place, key in enumerate(schema.EXTENSION_KEYS)
}


def _bits(names: Sequence[str]) -> np.uint64:
    return np.uint64(sum(1 << CODE[name] for name in names))


def _texts(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Texts end to end, and where each begins (and the last ends)."""
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *(len(text) for text in encoded)], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends


FORM = {form: number for number, form in enumerate(FORMS)}
SHAPE = {shape: number for number, shape in enumerate(SHAPES)}

FORM_KIND = np.array([form.kind for form in FORMS], np.int8)
FORM_FORMAT = np.array([form.format for form in FORMS], np.int8)
FORM_OF = np.array([FORM[form.of] if form.of else -1 for form in FORMS], np.int16)
FORM_LEAST = np.array([form.least for form in FORMS], np.int8)
FORM_UNORDERED = np.array([form.unordered for form in FORMS], np.bool_)
FORM_DISTINCT = np.array([form.distinct for form in FORMS], np.bool_)
FORM_TYPED = np.array([any(s.object_type for s in form.shapes) for form in FORMS], np.bool_)
FORM_DEFAULT = np.full(len(FORMS), -1, np.int16)
"""The shape where no objectType is given; -1: one must be given."""
FORM_SHAPE = np.full((len(FORMS), len(OBJECT_TYPES)), -1, np.int16)
"""[form, objectType] -> shape; -1: not allowed here."""
FORMAT_RULE = np.array([schema.FORMAT_RULES[format] for format in schema.Format], np.int64)

for _form in FORMS:
    if _form.default is not None:
        FORM_DEFAULT[FORM[_form]] = SHAPE[_form.default]
    for _shape in _form.shapes:
        if _shape.object_type is None:
            FORM_DEFAULT[FORM[_form]] = SHAPE[_shape]
        else:
            FORM_SHAPE[FORM[_form], OBJECT_TYPES.index(_shape.object_type)] = SHAPE[_shape]

MEMBER_FORM = np.full((2, len(SHAPES), KEYS), -1, np.int16)
"""[is 2.0, shape, key] -> form; -1: no such member."""
MEMBER_PLACE = np.zeros((len(SHAPES), KEYS), np.int8)
IGNORED = np.zeros((len(SHAPES), KEYS), np.bool_)
REQUIRED = np.zeros(len(SHAPES), np.uint64)

for _shape in SHAPES:
    for _name, _member in _shape.members.items():
        _at = SHAPE[_shape], CODE[_name]
        MEMBER_FORM[1][_at] = FORM[_member.form]
        if not _member.since_2_0:
            MEMBER_FORM[0][_at] = FORM[_member.form]
        MEMBER_PLACE[_at] = _member.place
        IGNORED[_at] = _member.ignored
    REQUIRED[SHAPE[_shape]] = _bits([name for name, member in _shape.members.items() if member.required])

IDENTIFIER_BITS = _bits(schema.IDENTIFIERS)
COMPONENT_BITS = _bits(list(schema.COMPONENTS))
INTERACTION_BITS = COMPONENT_BITS | _bits(["correctResponsesPattern"])
COMPONENTS_OF = np.array(
    [
        _bits([name for name, types in schema.COMPONENTS.items() if interaction in types])
        for interaction in schema.INTERACTION_TYPES
    ],
    np.uint64,
)
"""[interaction type] -> the component lists it has."""

OBJECT_TYPE_TEXT, OBJECT_TYPE_AT = _texts(OBJECT_TYPES)
INTERACTION_TEXT, INTERACTION_AT = _texts(schema.INTERACTION_TYPES)
VOIDED_TEXT = np.frombuffer(schema.VOIDED.encode(), np.uint8)
SIGNATURE_TEXT = np.frombuffer(schema.SIGNATURE.encode(), np.uint8)
SIGNATURE_TYPE_TEXT = np.frombuffer(schema.SIGNATURE_TYPE.encode(), np.uint8)

FNV_START, FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
SLOTS = 256


def fnv(text: bytes) -> int:
    """FNV-1a, 64 bits (Fowler, Noll, Vo): tells a key from the others of its object."""
    digest = int(FNV_START)
    for byte in text:
        digest = ((digest ^ byte) * int(FNV_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return digest


_KEYS = list(CODE)
KEY_TEXT, KEY_AT = _texts(_KEYS)
KEY_CODE = np.array([CODE[key] for key in _KEYS], np.int16)
KEY_SLOTS = np.full(SLOTS, -1, np.int16)
"""Open addressing by the hash's upper 8 bits: the place of a key in KEY_CODE and KEY_AT."""

for _place, _key in enumerate(_KEYS):
    _slot = fnv(_key.encode()) >> 56
    while KEY_SLOTS[_slot] >= 0:
        _slot = (_slot + 1) % SLOTS
    KEY_SLOTS[_slot] = _place
