"""Secrets: read from files of their own, put where they are used, and never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit


def without_password(url: str) -> str:
    """The URL with its password starred out."""
    return re.sub(r"(://[^/?#]*?:)[^/?#]*(@)", r"\1***\2", url) if "://" in url else url


def with_password(url: str, password: str) -> str:
    """The URL, which names a user and no password, with this one."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))


def with_files_read(
    environment: Mapping[str, str], files: Mapping[str, str], errors: list[str]
) -> dict[str, str]:
    """The variables; for each of `files` (a variable that names a file, the variable for its content) that
    is given, its content instead, but for a line break at the end. What is wrong becomes a line of `errors`.
    """
    found = {key: text for key, text in environment.items() if key not in files}
    for key, content in sorted(files.items()):
        if not environment.get(key):
            continue
        if content in environment:
            errors.append(f"{content} and {key}: give one of them")
            continue
        try:
            text = Path(environment[key]).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            errors.append(f"{key} = {environment[key]!r}: cannot be read: {why}")
            continue
        found[content] = text.removesuffix("\n").removesuffix("\r")
        if not found[content]:
            errors.append(f"{key} = {environment[key]!r}: the file is empty")
    return found
