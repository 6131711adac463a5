"""Named queries: every SQL text of the product stands in a file of `lrs/store/queries`.

A file holds blocks, each headed by `-- name: some_name`; what stands between two heads is one
query, whose comments stay with it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\s*$", re.MULTILINE)


@cache
def queries(file: str) -> Mapping[str, str]:
    """The queries of `lrs/store/queries/<file>.sql` by name.

    Raises ValueError when a name stands twice, or text stands before the first name.
    """
    text = resources.files("lrs.store").joinpath("queries", f"{file}.sql").read_text("utf-8")
    parts = _HEAD.split(text)
    if any(line.strip() and not line.startswith("--") for line in parts[0].splitlines()):
        raise ValueError(f"{file}.sql: a statement stands before the first '-- name:' line")
    found: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in found:
            raise ValueError(f"{file}.sql: the name {name!r} stands twice")
        found[name] = body.strip()
    return MappingProxyType(found)
