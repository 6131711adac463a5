"""Cross-origin requests: which pages in a browser may talk to this server (Fetch standard 3.2).

Credentials come in a header that the page sets itself, never in a cookie, so that any origin may be
allowed. Nothing outside the interfaces is: no page is to read the metrics of a server behind a firewall.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lrs.http.call import Call

ANY: Final = "*"

EXPOSED: Final = (
    "ETag, Last-Modified, Retry-After, WWW-Authenticate, X-Experience-API-Consistent-Through, "
    "X-Experience-API-Version, X-LRS-Position"
)
"""Headers of an answer that a page may read, besides those that it always may."""

_INTERFACES: Final = ("/xapi/", "/api/")
_LASTS: Final = "7200"
"""Seconds for which a browser need not ask again; none believes more."""

_NAMES: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(\s*,\s*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_LONGEST: Final = 1000


class Cors:
    """The headers that let a page in."""

    def __init__(self, origins: str) -> None:
        """`origins`: `*`, or origins (scheme://host[:port]) separated by commas; empty is none."""
        self._any = origins.strip() == ANY
        self._origins = frozenset(origin.strip().lower() for origin in origins.split(",") if origin.strip())

    def headers(self, call: Call) -> dict[str, str]:
        """What every answer to a page has; nothing for a request that no page made."""
        origin = call.header(b"origin")
        if origin is None or not call.path.startswith(_INTERFACES):
            return {}
        if self._any:
            return {"access-control-allow-origin": ANY, "access-control-expose-headers": EXPOSED}
        if origin.lower() not in self._origins:
            return {"vary": "Origin"}
        return {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": EXPOSED,
            "vary": "Origin",
        }

    def preflight(self, call: Call, methods: Iterable[str]) -> dict[str, str]:
        """What the answer to OPTIONS has besides: methods and headers that a page may send."""
        if b"access-control-request-method" not in call.headers or not (
            self._any or (call.header(b"origin") or "").lower() in self._origins
        ):
            return {}
        allowed = {"access-control-allow-methods": ", ".join(methods), "access-control-max-age": _LASTS}
        wanted = (call.header(b"access-control-request-headers") or "")[:_LONGEST]
        # A header that means nothing here does no harm, so that each that is asked for is allowed.
        if _NAMES.fullmatch(wanted):
            allowed["access-control-allow-headers"] = wanted
        return allowed
