"""multipart/mixed: the grammar of RFC 2046 5.1, read as it comes and written. Pure.

Lines end with CRLF. What stands before the first delimiter and after the last is thrown away. A line that
begins like a delimiter and goes on otherwise belongs to the part that it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

MEDIA_TYPE: Final = "multipart/mixed"

LONGEST_HEAD: Final = 1 << 14
"""Bytes of a part's header fields."""

_LONGEST_BOUNDARY: Final = 70
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]*[0-9A-Za-z'()+_,\-./:=?]", re.ASCII)
_TOKEN: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(rf';[ \t]*(?:({_TOKEN})=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))[ \t]*)?')
_NAME: Final = re.compile(_TOKEN)
_REST: Final = re.compile(rb"(--)|[ \t]{0,64}\r\n")
"""What follows the boundary in a delimiter's line."""
_REST_BEGUN: Final = re.compile(rb"-?|[ \t]{0,64}\r?")


class Malformed(ValueError):
    """It is no multipart/mixed; the text says why."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A part begins; its header fields, by names in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """The part ends."""


Event: TypeAlias = Begin | bytes | End
"""A part is a Begin, some bytes, an End."""


def is_mixed(content_type: bytes | None) -> bool:
    """Whether a Content-Type is multipart/mixed, whatever its parameters."""
    if content_type is None or content_type[:1] not in b"mM":
        return False
    return content_type.partition(b";")[0].strip().lower() == MEDIA_TYPE.encode()


def boundary(content_type: str) -> bytes:
    """The boundary that a Content-Type names; raises Malformed. One that is not quoted may have all
    characters of a boundary but the space, more than RFC 2045 5.1 allows: there are such senders."""
    kind, _, _ = content_type.partition(";")
    place, found = len(kind), []
    while place < len(content_type):
        read = _PARAMETER.match(content_type, place)
        if read is None:
            raise Malformed(f"Content-Type has a malformed parameter: {content_type[place : place + 100]!r}")
        place = read.end()
        if (read[1] or "").lower() == "boundary":
            found.append(read[3] if read[2] is None else re.sub(r"\\(.)", r"\1", read[2]))
    if len(found) != 1:
        raise Malformed(f"Content-Type must name one boundary, it names {len(found)}")
    [named] = found
    if len(named) > _LONGEST_BOUNDARY or not _BOUNDARY.fullmatch(named):
        raise Malformed(
            f"the boundary {named[:100]!r} is none of RFC 2046 5.1.1: 1 to {_LONGEST_BOUNDARY} letters,"
            " digits, '()+_,-./:=? and spaces inside"
        )
    return named.encode()


class Parser:
    """Reads one body. Feed it piece by piece, taking all events of each, then close it."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter may stand at the very beginning, where no CRLF comes before it.
        self._buffer = bytearray(b"\r\n")
        self._read: Callable[[], Iterator[Event]] = self._preamble
        self._skip = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete; raises Malformed."""
        self._buffer += data
        going_on = True
        while going_on:
            # Each state says whether it left the buffer to another one.
            state = self._read
            yield from state()
            going_on = self._read != state

    def close(self) -> None:
        """The body has ended; raises Malformed when it has not come to its last delimiter."""
        if self._read == self._preamble:
            raise Malformed(f"the body has no line --{self._boundary}, as Content-Type says")
        if self._read != self._epilogue:
            raise Malformed(f"the body ends before its last line, --{self._boundary}--")

    @property
    def _boundary(self) -> str:
        return self._delimiter[4:].decode()

    def _preamble(self) -> Iterator[Event]:
        for _ in self._until_delimiter():
            pass
        yield from ()

    def _head(self) -> Iterator[Event]:
        # The buffer begins with the CRLF of the delimiter's line, so that a head may be empty; the CRLF
        # of the empty line stays there, since with the next delimiter it makes a part of no bytes.
        end = self._buffer.find(b"\r\n\r\n")
        if (len(self._buffer) - 3 if end < 0 else end) > LONGEST_HEAD:
            raise Malformed(f"a part has more than {LONGEST_HEAD} bytes of header fields")
        if end >= 0:
            headers = _fields(bytes(self._buffer[2:end]).decode("latin-1"))
            del self._buffer[: end + 2]
            self._skip = 2
            self._read = self._body
            yield Begin(headers)

    def _body(self) -> Iterator[Event]:
        yield from self._until_delimiter()
        if self._read != self._body:
            yield End()

    def _epilogue(self) -> Iterator[Event]:
        self._buffer.clear()
        yield from ()

    def _until_delimiter(self) -> Iterator[bytes]:
        """The bytes before the next delimiter, as far as they are there; behind it the state changes."""
        while True:
            at = self._buffer.find(self._delimiter)
            if at < 0:
                # The delimiter's beginning may be there already.
                yield from self._take(len(self._buffer) - len(self._delimiter) + 1)
                return
            after = at + len(self._delimiter)
            rest = _REST.match(self._buffer, after)
            if rest is not None:
                # The match points into the buffer, which is about to change.
                closes = rest.start(1) >= 0
                # Of the line its CRLF stays, see _head.
                behind = rest.end() - at - (0 if closes else 2)
                yield from self._take(at)
                del self._buffer[:behind]
                self._skip = 0
                self._read = self._epilogue if closes else self._head
                return
            if _REST_BEGUN.fullmatch(self._buffer, after):
                yield from self._take(at)
                return
            yield from self._take(at + 2)

    def _take(self, count: int) -> Iterator[bytes]:
        """The first bytes of the buffer, without those that are no part of the body."""
        if count > 0 and count >= self._skip:
            taken = bytes(self._buffer[self._skip : count])
            del self._buffer[:count]
            self._skip = 0
            if taken:
                yield taken


def _fields(text: str) -> dict[str, str]:
    """Header fields (RFC 5322 2.2), unfolded."""
    found: dict[str, str] = {}
    last = ""
    for line in text.split("\r\n") if text else ():
        if line[:1] in (" ", "\t") and last:
            found[last] = f"{found[last]} {line.strip()}".strip()
            continue
        name, colon, value = line.partition(":")
        last = name.lower()
        if not colon or not _NAME.fullmatch(name):
            raise Malformed(f"a part has a malformed header line: {line[:100]!r}")
        if last in found:
            raise Malformed(f"a part has the header {name} twice")
        found[last] = value.strip()
    return found


def head(boundary: str, headers: Mapping[str, str], *, first: bool = False) -> bytes:
    """What stands before a part's bytes."""
    lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return ("" if first else "\r\n").encode() + "\r\n".join(lines).encode("latin-1")


def tail(boundary: str) -> bytes:
    """What stands behind the last part's bytes."""
    return f"\r\n--{boundary}--\r\n".encode()
