"""A frame: the record of the statement log. One or more whole requests of one tenant.

A frame keeps each statement's exact bytes beside the fields that later stages need, in columns, so
that nobody parses the JSON twice and persist can work on whole arrays. The format is frozen:

- the record is a MessagePack array: version, dictionary, fields, statements. Readers accept this
  version and the one before it, and an unknown one stops the worker (`UnknownFrame`): it is not
  poison, but a program that is too old;
- the fields are a MessagePack array, zstd-compressed as one: names once each, and the columns one
  after the other in `COLUMNS` order, little-endian;
- the statements' bytes are compressed one by one with the dictionary that the frame names, so that
  they can be copied into the store as they are;
- an empty record is a tick: it only moves the partition's time on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import msgspec
import numpy as np
import zstandard

from lrs.xapi.version import Version

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lrs.xapi.statement import Statement

VERSION: Final = 1

ABSENT: Final = np.iinfo(np.int64).min
"""A timestamp that the sender did not give."""

# Flags of a statement, kept with it in the store for ever. The lowest byte is `lrs.xapi.Given`:
# what the sender wrote.
VERSION_2: Final = 1 << 8
VOIDS: Final = 1 << 9
REFERS: Final = 1 << 10
VOIDS_ANYONES: Final = 1 << 11
"""The voiding statement's sender may void other authorities' statements, too."""
HAS_REGISTRATION: Final = 1 << 12
HAS_SUCCESS: Final = 1 << 13
SUCCESS: Final = 1 << 14
HAS_COMPLETION: Final = 1 << 15
COMPLETION: Final = 1 << 16
CMI5: Final = 1 << 17
"""The statement has the cmi5 category: it is a cmi5-defined statement."""
CMI5_MOVE_ON: Final = 1 << 18
"""The statement has the cmi5 category moveOn: it can satisfy an assignable unit."""
VIDEO: Final = 1 << 19
"""The statement has the category of the xAPI video profile."""
NOT_NORMAL: Final = 1 << 20
"""cmi5 launch mode Browse or Review: the session counts for nothing."""
DEFINES_NOTHING: Final = 1 << 21
"""Its sender may not define: definitions and agents' names are the statement's own, nobody else's."""
OBJECT_KIND_SHIFT: Final = 24
"""From this bit on: `lrs.xapi.ObjectKind`."""

CATEGORIES: Final[Mapping[str, int]] = {
    "https://w3id.org/xapi/cmi5/context/categories/cmi5": CMI5,
    "https://w3id.org/xapi/cmi5/context/categories/moveon": CMI5_MOVE_ON,
    "https://w3id.org/xapi/video": VIDEO,
}
"""The category activities that are flagged, by IRI."""

MOVE_ON: Final = ("", "Passed", "Completed", "CompletedAndPassed", "CompletedOrPassed", "NotApplicable")
"""cmi5 10.2.4 moveOn by number; 0: not given, or not one of them."""
_MOVE_ON_NUMBER: Final = {name: number for number, name in enumerate(MOVE_ON)}

UUID_DTYPE: Final = np.dtype("V16")

COLUMNS: Final[tuple[tuple[str, np.dtype[Any]], ...]] = (
    ("id", UUID_DTYPE),
    ("digest", UUID_DTYPE),
    ("registration", UUID_DTYPE),  # zeros without HAS_REGISTRATION
    ("timestamp", np.dtype("<i8")),  # µs since 1970, or ABSENT
    ("duration", np.dtype("<i8")),  # ms; -1: none
    ("verb", np.dtype("<u4")),  # place in `verbs`
    ("actor", np.dtype("<u4")),  # place in `agents`, plus one; 0: an anonymous group
    ("object", np.dtype("<u4")),  # place in `activities`, plus one; 0: not an activity
    ("flags", np.dtype("<u4")),
    ("scaled", np.dtype("<i4")),  # 10^-4; NONE: none
    ("progress", np.dtype("<i4")),  # 10^-4; NONE: none
    ("mastery", np.dtype("<i4")),  # 10^-4; NONE: none
    ("move_on", np.dtype("<u1")),
    ("session", np.dtype("<u4")),  # session_number; 0: none
    ("request", np.dtype("<u4")),  # the request it came in
    ("size", np.dtype("<u4")),  # of its compressed bytes
)

NONE: Final = np.iinfo(np.int32).min

# What an agent or activity is to a statement, besides actor and object.
DIRECT: Final = 1
RELATED: Final = 2
PARENT: Final = 3
GROUPING: Final = 4

RELATION: Final = np.dtype([("row", "<u4"), ("name", "<u4"), ("kind", "<u1")])


class UnknownFrame(Exception):
    """A frame of a version that this program does not read, or one with an unknown dictionary."""


@dataclass(frozen=True, slots=True)
class Request:
    """One accepted request on its way into a frame.

    `ids` are the statements' ids, given or assigned; `received`: µs since 1970 by the edge's clock,
    for the path's own latency and nothing else.
    """

    authority: int
    version: Version
    received: int
    statements: Sequence[Statement]
    ids: Sequence[bytes]
    voids_anyones: bool = False
    defines: bool = True
    """Whether its definitions of activities have a say in the canonical ones."""


class _Wire(msgspec.Struct, array_like=True):
    version: int
    dictionary: int
    fields: bytes
    raw: bytes


class _Fields(msgspec.Struct, array_like=True):
    tenant: int
    rows: int
    authorities: list[int]
    received: list[int]
    agents: list[str]
    activities: list[str]
    verbs: list[str]
    columns: bytes
    agent_relations: bytes
    activity_relations: bytes
    refs: list[tuple[int, bytes]]
    definitions: list[tuple[int, bytes]]


class _Head(msgspec.Struct, array_like=True):
    version: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame read back: per statement one entry in each of `columns` (see `COLUMNS`)."""

    tenant: int
    dictionary: int
    rows: int
    authorities: list[int]
    received: list[int]
    agents: list[str]
    activities: list[str]
    verbs: list[str]
    columns: Mapping[str, NDArray[Any]]
    agent_relations: NDArray[Any]
    activity_relations: NDArray[Any]
    refs: list[tuple[int, bytes]]
    definitions: list[tuple[int, bytes]]
    raw: bytes

    def raws(self) -> list[bytes]:
        """Each statement's compressed bytes."""
        ends = np.cumsum(self.columns["size"], dtype=np.int64).tolist()
        raw, start, found = self.raw, 0, []
        for end in ends:
            found.append(raw[start:end])
            start = end
        return found


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Wire).decode
_decode_fields = msgspec.msgpack.Decoder(_Fields).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_fields_compressor = zstandard.ZstdCompressor(level=1, write_checksum=True)


class _Table:
    """Names numbered in the order in which they are first met."""

    __slots__ = ("names", "numbers")

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []

    def number(self, name: str) -> int:
        number = self.numbers.get(name)
        if number is None:
            number = self.numbers[name] = len(self.names)
            self.names.append(name)
        return number


def _scaled(value: float | None) -> int:
    return NONE if value is None else round(min(max(value, -1.0), 1.0) * 10_000)


def session_number(session: str) -> int:
    """32 bits for a session id, never 0. Sessions are told apart within one registration only."""
    return crc32(session.encode()) or 1


def _score(statement: Statement) -> float | None:
    """The score as a share: as sent, or else where the raw score lies between its bounds."""
    if statement.score_scaled is not None:
        return statement.score_scaled
    raw, low, high = statement.score_raw, statement.score_min, statement.score_max
    if raw is None or low is None or high is None or not high > low:
        return None
    share = (raw - low) / (high - low)
    return share if math.isfinite(share) else None


def encode(
    tenant: int,
    requests: Iterable[Request],
    dictionary: int,
    compress: Callable[[bytes], bytes],
    fresh_definition: Callable[[str, bytes], bool] = lambda _iri, _definition: True,
) -> bytes:
    """The frame of these requests; `compress` compresses one statement with the dictionary.

    `fresh_definition(iri, definition)` says whether a definition is worth sending: one that went
    the same way a moment ago need not go again.
    """
    agents, activities, verbs = _Table(), _Table(), _Table()
    authorities: list[int] = []
    received: list[int] = []
    rows: list[tuple[Any, ...]] = []
    agent_relations: list[tuple[int, int, int]] = []
    activity_relations: list[tuple[int, int, int]] = []
    refs: list[tuple[int, bytes]] = []
    definitions: list[tuple[int, bytes]] = []
    raws: list[bytes] = []
    row = 0
    zeros = bytes(16)
    for number, request in enumerate(requests):
        authorities.append(request.authority)
        received.append(request.received)
        base = VERSION_2 if request.version is Version.V2_0_0 else 0
        if request.voids_anyones:
            base |= VOIDS_ANYONES
        if not request.defines:
            base |= DEFINES_NOTHING
        for statement, statement_id in zip(request.statements, request.ids, strict=True):
            flags = base | statement.given | statement.object_kind << OBJECT_KIND_SHIFT
            if statement.ref is not None:
                flags |= REFERS
                refs.append((row, statement.ref))
                if statement.voids is not None:
                    flags |= VOIDS
            if statement.registration is not None:
                flags |= HAS_REGISTRATION
            if statement.success is not None:
                flags |= HAS_SUCCESS | (SUCCESS if statement.success else 0)
            if statement.completion is not None:
                flags |= HAS_COMPLETION | (COMPLETION if statement.completion else 0)
            for category in statement.categories:
                flags |= CATEGORIES.get(category, 0)
            if statement.launch_mode is not None and statement.launch_mode != "Normal":
                flags |= NOT_NORMAL
            for name in statement.agents_direct:
                agent_relations.append((row, agents.number(name), DIRECT))
            for name in statement.agents_related:
                agent_relations.append((row, agents.number(name), RELATED))
            for name in statement.activities_related:
                activity_relations.append((row, activities.number(name), RELATED))
            for name in statement.parents:
                activity_relations.append((row, activities.number(name), PARENT))
            for name in statement.groupings:
                activity_relations.append((row, activities.number(name), GROUPING))
            for iri, definition in statement.definitions:
                if request.defines and fresh_definition(iri, definition):
                    definitions.append((activities.number(iri), definition))
            raw = compress(statement.raw)
            raws.append(raw)
            rows.append(
                (
                    statement_id,
                    statement.digest,
                    statement.registration or zeros,
                    ABSENT if statement.timestamp is None else statement.timestamp,
                    -1 if statement.duration_ms is None else statement.duration_ms,
                    verbs.number(statement.verb),
                    0 if statement.actor is None else agents.number(statement.actor) + 1,
                    0
                    if statement.object_activity is None
                    else activities.number(statement.object_activity) + 1,
                    flags,
                    _scaled(_score(statement)),
                    _scaled(statement.progress),
                    _scaled(statement.mastery_score),
                    _MOVE_ON_NUMBER.get(statement.move_on or "", 0),
                    0 if statement.session is None else session_number(statement.session),
                    number,
                    len(raw),
                )
            )
            row += 1
    columns = b"".join(
        b"".join(values) if dtype is UUID_DTYPE else np.array(values, dtype).tobytes()
        for (_name, dtype), values in zip(COLUMNS, zip(*rows, strict=True), strict=True)
    )
    fields = _Fields(
        tenant,
        row,
        authorities,
        received,
        agents.names,
        activities.names,
        verbs.names,
        columns,
        np.array(agent_relations, RELATION).tobytes(),
        np.array(activity_relations, RELATION).tobytes(),
        refs,
        definitions,
    )
    return _encode(_Wire(VERSION, dictionary, _fields_compressor.compress(_encode(fields)), b"".join(raws)))


def decode(value: bytes) -> Frame:
    """Read a frame. Raises UnknownFrame for another version, ValueError for a damaged one."""
    try:
        version = _decode_head(value).version
    except msgspec.DecodeError as error:
        raise ValueError(f"not a frame: {error}") from error
    if version != VERSION:
        raise UnknownFrame(f"frame version {version}; this program reads version {VERSION}")
    try:
        wire = _decode(value)
        fields = _decode_fields(zstandard.ZstdDecompressor().decompress(wire.fields))
    except (msgspec.DecodeError, zstandard.ZstdError) as error:
        raise ValueError(f"a damaged frame: {error}") from error
    columns: dict[str, NDArray[Any]] = {}
    at = 0
    for name, dtype in COLUMNS:
        columns[name] = np.frombuffer(fields.columns, dtype, fields.rows, at)
        at += dtype.itemsize * fields.rows
    return Frame(
        fields.tenant,
        wire.dictionary,
        fields.rows,
        fields.authorities,
        fields.received,
        fields.agents,
        fields.activities,
        fields.verbs,
        columns,
        np.frombuffer(fields.agent_relations, RELATION),
        np.frombuffer(fields.activity_relations, RELATION),
        fields.refs,
        fields.definitions,
        wire.raw,
    )
