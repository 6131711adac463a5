"""The record of one accepted statement: its exact bytes, and what later stages ask of it.

Whoever holds a Statement never parses its JSON again. Identifiers are in canonical text:

agents
    ``mbox:mailto:a@example.org`` (the domain in lower case), ``mbox_sha1sum:`` and 40 digits in lower
    case, ``openid:`` and the URI, ``account:`` and the home page, one space, the name. A home page is an
    IRI and has no space, so that no two agents share a text.
activities and verbs
    their IRIs, compared as simple strings (RFC 3987 5.3.1).
UUIDs
    16 bytes in network order.
"""

from __future__ import annotations

import enum

import msgspec


class ObjectKind(enum.IntEnum):
    """What a statement is about. The numbers are stored: they never change."""

    ACTIVITY = 0
    AGENT = 1
    GROUP = 2
    STATEMENT_REF = 3
    SUB_STATEMENT = 4


class Given(enum.IntFlag):
    """What the sender wrote, so that a renderer knows what to add, to overwrite or to mend.

    The bits are stored beside the statement: they never change.
    """

    ID = 1
    TIMESTAMP = 2
    STORED = 4
    AUTHORITY = 8
    VERSION = 16
    SINGLE_CONTEXT_ACTIVITY = 32
    """Somewhere one context activity stands without an array; it is returned in one."""


class Attachment(msgspec.Struct, frozen=True, gc=False):
    """The metadata of one attachment (1.0.3 Part Two 2.4.11). ``length`` is in octets."""

    sha2: str
    content_type: str
    length: int
    usage_type: str
    has_file_url: bool


class Statement(msgspec.Struct, frozen=True, gc=False):
    """One valid statement."""

    raw: bytes
    """The exact bytes, with the white space inside them, without what stood around them."""
    digest: bytes
    """16 bytes; equal for two statements of one id iff they are the same statement (canonical.py)."""
    given: int
    """Bits of Given."""
    id: bytes | None
    timestamp: int | None
    """Microseconds since 1970-01-01T00:00Z, truncated; None where the sender gave none."""
    verb: str
    actor: str | None
    """None for an anonymous group."""
    object_kind: ObjectKind
    object_activity: str | None
    agents_direct: tuple[str, ...]
    """Besides the actor: object, members of groups that are actor or object (filter ``agent``)."""
    agents_related: tuple[str, ...]
    """All further agents: authority as sent, context, SubStatement (filter ``related_agents``)."""
    activities_related: tuple[str, ...]
    """All context activities, and the activities of a SubStatement (filter ``related_activities``)."""
    parents: tuple[str, ...]
    groupings: tuple[str, ...]
    categories: tuple[str, ...]
    registration: bytes | None
    ref: bytes | None
    """The statement that the object refers to, when it is a StatementRef."""
    voids: bytes | None
    """The same, when the verb is ``voided``."""
    success: bool | None
    completion: bool | None
    score_scaled: float | None
    score_raw: float | None
    score_min: float | None
    score_max: float | None
    duration_ms: int | None
    """None also where it has years or months, which have no length, or exceeds 2^53 ms."""
    progress: float | None
    """0 to 1, from the result extension of cmi5 (percent) or of the video profile."""
    move_on: str | None
    mastery_score: float | None
    launch_mode: str | None
    session: str | None
    """This and the three before: the cmi5 context extensions of that name, where of the right type."""
    definitions: tuple[tuple[str, bytes], ...]
    """(activity, exact bytes of its definition) wherever the statement defines one."""
    names: tuple[tuple[str, str], ...]
    """(agent, its name) wherever an identified agent or group is named."""
    version_sent: str | None
    attachments: tuple[Attachment, ...]

    @property
    def has_id(self) -> bool:
        return bool(self.given & Given.ID)

    @property
    def has_timestamp(self) -> bool:
        return bool(self.given & Given.TIMESTAMP)

    @property
    def has_stored(self) -> bool:
        return bool(self.given & Given.STORED)

    @property
    def has_authority(self) -> bool:
        return bool(self.given & Given.AUTHORITY)

    @property
    def has_version(self) -> bool:
        return bool(self.given & Given.VERSION)
