"""Activity definitions: what is known of an activity from all that was said of it.

(1.0.3 Part Two 2.4.4.1 and Part Three 2.5; IEEE 9274.1.1 4.2.2.3 and 4.1.6.4)
"""

from __future__ import annotations

import msgspec

from lrs.xapi.schema import COMPONENTS

_Members = dict[str, msgspec.Raw]
_members = msgspec.json.Decoder(_Members).decode

_MAPS = ("name", "description", "extensions")
"""Members whose own members add up: languages, and extensions by IRI."""

_INTERACTION = ("interactionType", "correctResponsesPattern", *COMPONENTS)
"""Members that say one thing together, so that a newer interaction replaces an older one whole."""


def merge_definitions(known: bytes | None, fresh: bytes) -> bytes:
    """The definition (JSON) that has what either says, and what `fresh` says where both do.

    Raises ValueError when either is no JSON object.
    """
    new = _members(fresh)
    old = {} if known is None else _members(known)
    if "interactionType" in new:
        for name in _INTERACTION:
            old.pop(name, None)
    for name in _MAPS:
        if name in old and name in new:
            new[name] = msgspec.Raw(msgspec.json.encode({**_members(old[name]), **_members(new[name])}))
    return msgspec.json.encode({**old, **new})
