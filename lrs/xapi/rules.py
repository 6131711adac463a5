"""Every rule a body can break: its words, and where the specification says so.

One table for both versions and both paths through the validator. A rule without a clause of its own is
cited from the object it stands in (schema.py).
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from lrs.xapi.version import Version


class Rule(enum.IntEnum):
    """The rules' numbers, as the kernels answer them; 0 is none."""

    # The body as JSON: the first breach ends the reading.
    ENCODING = 1
    BYTE_ORDER_MARK = enum.auto()
    SYNTAX = enum.auto()
    TRUNCATED = enum.auto()
    TRAILING = enum.auto()
    NOT_A_NUMBER = enum.auto()
    CONTROL_CHARACTER = enum.auto()
    SURROGATE = enum.auto()
    DUPLICATE = enum.auto()
    DEPTH = enum.auto()
    TOO_MANY_VALUES = enum.auto()
    TOO_MANY_STATEMENTS = enum.auto()
    # Objects and types.
    TYPE = enum.auto()
    UNKNOWN = enum.auto()
    MISSING = enum.auto()
    OBJECT_TYPE = enum.auto()
    EMPTY = enum.auto()
    # Strings of a format.
    IRI = enum.auto()
    URI = enum.auto()
    MAILTO = enum.auto()
    SHA1 = enum.auto()
    UUID = enum.auto()
    LANGUAGE = enum.auto()
    DURATION = enum.auto()
    TIMESTAMP = enum.auto()
    VERSION = enum.auto()
    MEDIA_TYPE = enum.auto()
    SHA2 = enum.auto()
    INTERACTION_TYPE = enum.auto()
    NUL = enum.auto()
    # Numbers.
    COUNT = enum.auto()
    NUMBER_RANGE = enum.auto()
    SCALED_RANGE = enum.auto()
    MIN_MAX = enum.auto()
    RAW_RANGE = enum.auto()
    # What several members say together.
    ONE_IDENTIFIER = enum.auto()
    ANONYMOUS_MEMBERS = enum.auto()
    AUTHORITY_GROUP = enum.auto()
    VOIDED_OBJECT = enum.auto()
    ONLY_ABOUT_ACTIVITY = enum.auto()
    NEEDS_INTERACTION_TYPE = enum.auto()
    COMPONENT_LIST = enum.auto()
    DISTINCT_COMPONENTS = enum.auto()
    SIGNATURE_TYPE = enum.auto()
    REPEATED_ID = enum.auto()
    # The two paths disagree: our mistake, told as such, never an acceptance.
    UNEXPLAINED = enum.auto()


class Clause(NamedTuple):
    """Where a rule stands: a section of 1.0.3 Part Two (or "Part Three …") and one of IEEE 9274.1.1."""

    v1: str
    v2: str

    def cite(self, version: Version) -> str:
        if version is Version.V2_0_0:
            return f"IEEE 9274.1.1 {self.v2}"
        return f"1.0.3 {self.v1}" if self.v1.startswith("Part") else f"1.0.3 Part Two {self.v1}"


class Text(NamedTuple):
    """``words`` may have one ``{}`` for what was expected; ``clause`` None is that of the object."""

    words: str
    clause: Clause | None = None


_JSON = Clause("Part One 3.0", "4.2.1")
_FORMAT = Clause("2.2", "4.2.1")
_TYPES = Clause("4.3", "4.2.7")
_INTERACTION = Clause("2.4.4.1", "4.2.2.3")
_SCORE = Clause("2.4.5.1", "4.2.2.4")
_AGENT = Clause("2.4.2.3", "4.2.2.1")

TEXTS: dict[Rule, Text] = {
    Rule.ENCODING: Text("must be well-formed UTF-8", Clause("Part Three 1.4", "4.1.3")),
    Rule.BYTE_ORDER_MARK: Text("must not begin with a byte order mark (RFC 8259 8.1)", _JSON),
    Rule.SYNTAX: Text("must be JSON (RFC 8259)", _JSON),
    Rule.TRUNCATED: Text("ends before its JSON is complete (RFC 8259)", _JSON),
    Rule.TRAILING: Text("must be one JSON value, with nothing after it (RFC 8259)", _JSON),
    Rule.NOT_A_NUMBER: Text("must be JSON, which has no NaN and no Infinity (RFC 8259 6)", _JSON),
    Rule.CONTROL_CHARACTER: Text("must be JSON: a control character in a string is escaped", _JSON),
    Rule.SURROGATE: Text("must not escape half a surrogate pair (RFC 8259 8.2)", _JSON),
    Rule.DUPLICATE: Text("must not have one member twice", _FORMAT),
    Rule.DEPTH: Text("must not be nested deeper than {} levels (a limit of this LRS)", _JSON),
    Rule.TOO_MANY_VALUES: Text(
        "must not have more than {} JSON values and names (a limit of this LRS)", _JSON
    ),
    Rule.TOO_MANY_STATEMENTS: Text(
        "must not have more than {} statements (a limit of this LRS)", Clause("Part Three 2.1.2", "4.1.6.1")
    ),
    Rule.TYPE: Text("must be {}", _FORMAT),
    Rule.UNKNOWN: Text("is no member of {}; names are case-sensitive", _FORMAT),
    Rule.MISSING: Text("is missing, and {} must have it"),
    Rule.OBJECT_TYPE: Text("must be {}; values are case-sensitive", _FORMAT),
    Rule.EMPTY: Text("must not be empty"),
    Rule.IRI: Text("must be an IRI with a scheme (RFC 3987)", _FORMAT),
    Rule.URI: Text("must be a URI with a scheme (RFC 3986)", _AGENT),
    Rule.MAILTO: Text("must be a mailto IRI, mailto:name@domain", _AGENT),
    Rule.SHA1: Text("must be a SHA-1 hash, 40 hexadecimal digits", _AGENT),
    Rule.UUID: Text("must be a UUID in its standard string form (RFC 4122)", Clause("4.4", "4.2.7")),
    Rule.LANGUAGE: Text("must be a language tag (RFC 5646)", Clause("4.2", "4.2.7")),
    Rule.DURATION: Text(
        "must be an ISO 8601 duration, as PT1H30M or P4W; weeks stand alone", Clause("4.6", "4.2.7")
    ),
    Rule.TIMESTAMP: Text("must be {}; an offset of -00:00 is not allowed", Clause("4.5", "4.2.7")),
    Rule.VERSION: Text("must be {}", Clause("2.4.10", "4.2.4.3")),
    Rule.MEDIA_TYPE: Text("must be an internet media type (RFC 2046)", Clause("2.4.11", "4.2.2.6")),
    Rule.SHA2: Text("must be a SHA-2 hash in hexadecimal digits", Clause("2.4.11", "4.2.2.6")),
    Rule.INTERACTION_TYPE: Text(
        "must be one of true-false, choice, fill-in, long-fill-in, matching, performance, sequencing, "
        "likert, numeric, other; values are case-sensitive",
        _INTERACTION,
    ),
    Rule.NUL: Text("must not contain the character NUL: it identifies something", _FORMAT),
    Rule.COUNT: Text("must be an integer, 0 or more, of at most 18 digits", Clause("2.4.11", "4.2.2.6")),
    Rule.NUMBER_RANGE: Text("must be within the range of an IEEE 754 double", _SCORE),
    Rule.SCALED_RANGE: Text("must be between -1 and 1", _SCORE),
    Rule.MIN_MAX: Text("must be less than max", _SCORE),
    Rule.RAW_RANGE: Text("must not be below min or above max", _SCORE),
    Rule.ONE_IDENTIFIER: Text("must have exactly one of mbox, mbox_sha1sum, openid, account", _AGENT),
    Rule.ANONYMOUS_MEMBERS: Text(
        "must have an identifier, or members: an anonymous group lists at least one",
        Clause("2.4.2.2", "4.2.2.1"),
    ),
    Rule.AUTHORITY_GROUP: Text(
        "must be, as an authority that is a group, anonymous, of exactly two agents, one by account (OAuth)",
        Clause("2.4.9", "4.2.4.2"),
    ),
    Rule.VOIDED_OBJECT: Text(
        "must be a StatementRef, since the verb is http://adlnet.gov/expapi/verbs/voided",
        Clause("2.3.2", "4.2.5"),
    ),
    Rule.ONLY_ABOUT_ACTIVITY: Text(
        "is allowed only where the object is an Activity", Clause("2.4.6", "4.2.2.5")
    ),
    Rule.NEEDS_INTERACTION_TYPE: Text("is allowed only beside interactionType", _INTERACTION),
    Rule.COMPONENT_LIST: Text("is no component list of interactionType {}", _INTERACTION),
    Rule.DISTINCT_COMPONENTS: Text("must not have the id of another component in the list", _INTERACTION),
    Rule.SIGNATURE_TYPE: Text(
        "must be application/octet-stream, since the attachment is a signature", Clause("2.6", "4.2.2.6")
    ),
    Rule.REPEATED_ID: Text(
        "must not be the id of another statement of the batch", Clause("Part Three 2.1.2", "4.1.6.1")
    ),
    Rule.UNEXPLAINED: Text("was refused by a rule that could not be told; please report it", _FORMAT),
}
