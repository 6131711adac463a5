"""The kernels' formats, for texts of Python: one rule, two ways to ask."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lrs.xapi.kernel import formats
from lrs.xapi.schema import Format
from lrs.xapi.version import Version


def as_buffer(text: str) -> tuple[npt.NDArray[np.uint8], int]:
    """A buffer for the kernels, with some NUL after the text, and the text's length in octets."""
    encoded = text.encode()
    buffer = np.zeros(len(encoded) + 8, np.uint8)
    buffer[: len(encoded)] = np.frombuffer(encoded, np.uint8)
    return buffer, len(encoded)


def fits(text: str, format: Format, version: Version) -> bool:
    """Whether a text without lone surrogates has this format."""
    buffer, size = as_buffer(text)
    return bool(formats.fits(buffer, 0, size, format, version is Version.V2_0_0))


def is_iri(text: str) -> bool:
    """Whether it is an IRI with a scheme (RFC 3987): its characters, not what its scheme asks for."""
    return _is_encodable(text) and fits(text, Format.IRI, Version.V1_0_3)


def is_language_tag(text: str) -> bool:
    """Whether it is a well-formed language tag (RFC 5646 2.2.9)."""
    return _is_encodable(text) and fits(text, Format.LANGUAGE, Version.V1_0_3)


def parse_uuid(text: str) -> bytes | None:
    """16 bytes in network order from the standard string form, capitals or not; None for other texts."""
    if not _is_encodable(text) or not fits(text, Format.UUID, Version.V1_0_3):
        return None
    return bytes.fromhex(text.replace("-", ""))


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
