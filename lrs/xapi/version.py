"""The versions of xAPI that are spoken, and their negotiation."""

from __future__ import annotations

import enum
import re


class Version(enum.Enum):
    """A version of xAPI; the value is what the LRS answers in X-Experience-API-Version."""

    V1_0_3 = "1.0.3"
    V2_0_0 = "2.0.0"


_PATTERN = re.compile(r"([12])\.0(\.(0|[1-9][0-9]{0,8}))?")


def negotiate(header: str | None) -> Version | None:
    """The version for a value of the request header X-Experience-API-Version.

    ``1.0`` and ``1.0.x`` are 1.0.3, ``2.0`` and ``2.0.x`` are 2.0.0; anything else, or no header, is
    None, which the LRS answers with 400 (1.0.3 Part Three 3.3; IEEE 9274.1.1 4.1.6).
    """
    match = _PATTERN.fullmatch(header.strip(" \t")) if header is not None else None
    if match is None:
        return None
    return Version.V1_0_3 if match[1] == "1" else Version.V2_0_0
