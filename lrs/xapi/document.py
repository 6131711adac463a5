"""Documents: how one is merged into another (1.0.3 Part Three 2.2; IEEE 9274.1.1 4.1.3)."""

from __future__ import annotations

import msgspec

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_anything = msgspec.json.Decoder(msgspec.Raw).decode


def is_json(content_type: str) -> bool:
    """Whether a Content-Type is that of JSON, whatever its parameters."""
    return content_type.partition(";")[0].strip().lower() == "application/json"


def check_json(data: bytes) -> None:
    """Raise ValueError, which says why, unless it is JSON in UTF-8."""
    try:
        data.decode()
        _anything(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def merge(existing: bytes, posted: bytes) -> bytes:
    """The JSON object with the members of both, those of `posted` where both have one.

    Members are replaced whole and keep their bytes. Raises ValueError when either is no JSON object.
    """
    return msgspec.json.encode({**_object(existing, "the existing"), **_object(posted, "the posted")})


def _object(data: bytes, whose: str) -> dict[str, msgspec.Raw]:
    try:
        check_json(data)
        return _members(data)
    except ValueError as error:
        raise ValueError(f"{whose} document is no JSON object: {error}") from None
