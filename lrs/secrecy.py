"""What is shown of texts that may hold a password."""

from __future__ import annotations

import re


def without_password(url: str) -> str:
    """The URL with its password starred out."""
    return re.sub(r"(://[^/?#]*?:)[^/?#]*(@)", r"\1***\2", url) if "://" in url else url
