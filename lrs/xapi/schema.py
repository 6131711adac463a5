"""The shape of a statement: its objects, their members and the form of each value, as data.

The explaining path walks these records; the kernels run on the arrays made of them at the end, so that
there is one place for each of these rules. Sources: 1.0.3 Part Two 2.4 and 4; IEEE 9274.1.1 4.2.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from lrs.xapi.rules import Clause, Rule


class Kind(enum.IntEnum):
    """What sort of JSON value a form asks for."""

    ANYTHING = 0
    STRING = enum.auto()
    BOOLEAN = enum.auto()
    NUMBER = enum.auto()
    COUNT = enum.auto()
    OBJECT = enum.auto()
    ARRAY = enum.auto()
    ONE_OR_MANY = enum.auto()
    LANGUAGE_MAP = enum.auto()
    EXTENSIONS = enum.auto()


class Format(enum.IntEnum):
    """What a string must look like."""

    TEXT = 0
    IDENTIFIER = enum.auto()
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
    OBJECT_TYPE = enum.auto()


FORMAT_RULES: dict[Format, Rule] = {
    Format.TEXT: Rule.TYPE,
    Format.IDENTIFIER: Rule.NUL,
    Format.OBJECT_TYPE: Rule.OBJECT_TYPE,
    **{f: Rule[f.name] for f in Format if f.name in Rule.__members__},
}


class Place(enum.IntEnum):
    """What a value is to the statement: how an agent or activity is found later, what is read out.

    INHERIT takes the parent's; what is RELATED stays so inside. From VERB on, the value is read out.
    """

    INHERIT = 0
    ACTOR = enum.auto()
    DIRECT = enum.auto()
    RELATED = enum.auto()
    PARENT = enum.auto()
    GROUPING = enum.auto()
    CATEGORY = enum.auto()
    MEMBER = enum.auto()
    RESULT = enum.auto()
    CONTEXT = enum.auto()
    VERB = enum.auto()
    ID = enum.auto()
    TIMESTAMP = enum.auto()
    STORED = enum.auto()
    VERSION = enum.auto()
    REGISTRATION = enum.auto()
    REF = enum.auto()
    SUCCESS = enum.auto()
    COMPLETION = enum.auto()
    DURATION = enum.auto()


@dataclass(frozen=True, eq=False)
class Form:
    """What a value must be. An OBJECT has one of the shapes, ``default`` where it has no objectType."""

    kind: Kind
    format: Format = Format.TEXT
    shapes: tuple[Shape, ...] = ()
    default: Shape | None = None
    of: Form | None = None
    least: int = 0
    unordered: bool = False
    distinct: bool = False


@dataclass(frozen=True, eq=False)
class Member:
    form: Form
    place: Place = Place.INHERIT
    required: bool = False
    ignored: bool = False
    """Not a part of the statement when two are compared."""
    since_2_0: bool = False


@dataclass(frozen=True, eq=False)
class Shape:
    """An object: ``name`` for errors, ``object_type`` where it says what it is."""

    name: str
    clause: Clause
    members: dict[str, Member] = field(default_factory=dict)
    object_type: str | None = None


def _string(format: Format) -> Form:
    return Form(Kind.STRING, format)


def _object(*shapes: Shape, default: Shape | None = None) -> Form:
    return Form(Kind.OBJECT, shapes=shapes, default=default)


ANYTHING = Form(Kind.ANYTHING)
TEXT = _string(Format.TEXT)
_IDENTIFIER = _string(Format.IDENTIFIER)
_IRI = _string(Format.IRI)
_URI = _string(Format.URI)
_MAILTO = _string(Format.MAILTO)
_SHA1 = _string(Format.SHA1)
_UUID = _string(Format.UUID)
_LANGUAGE = _string(Format.LANGUAGE)
_DURATION = _string(Format.DURATION)
_TIMESTAMP = _string(Format.TIMESTAMP)
_VERSION = _string(Format.VERSION)
_MEDIA_TYPE = _string(Format.MEDIA_TYPE)
_SHA2 = _string(Format.SHA2)
_INTERACTION_TYPE = _string(Format.INTERACTION_TYPE)
_OBJECT_TYPE = Member(_string(Format.OBJECT_TYPE))
_BOOLEAN = Form(Kind.BOOLEAN)
_NUMBER = Form(Kind.NUMBER)
_COUNT = Form(Kind.COUNT)
_LANGUAGE_MAP = Form(Kind.LANGUAGE_MAP)
_EXTENSIONS = Form(Kind.EXTENSIONS)

IDENTIFIERS = ("mbox", "mbox_sha1sum", "openid", "account")

_ACCOUNT = Shape(
    "an account",
    Clause("2.4.2.4", "4.2.2.1"),
    {"homePage": Member(_IRI, required=True), "name": Member(_IDENTIFIER, required=True)},
)
_AGENT_MEMBERS = {
    "objectType": _OBJECT_TYPE,
    "name": Member(TEXT),
    "mbox": Member(_MAILTO),
    "mbox_sha1sum": Member(_SHA1),
    "openid": Member(_URI),
    "account": Member(_object(_ACCOUNT)),
}
AGENT = Shape("an Agent", Clause("2.4.2.1", "4.2.2.1"), _AGENT_MEMBERS, "Agent")
_MEMBERS = Form(Kind.ARRAY, of=_object(AGENT, default=AGENT), unordered=True)
GROUP = Shape(
    "a Group",
    Clause("2.4.2.2", "4.2.2.1"),
    {**_AGENT_MEMBERS, "member": Member(_MEMBERS, Place.MEMBER)},
    "Group",
)
AUTHORITY_GROUP = Shape(
    "an authority that is a Group", Clause("2.4.9", "4.2.4.2"), dict(GROUP.members), "Group"
)
AGENT_OR_GROUP = _object(AGENT, GROUP, default=AGENT)

VERB = Shape(
    "a verb",
    Clause("2.4.3", "4.2.2.2"),
    {"id": Member(_IRI, Place.VERB, required=True), "display": Member(_LANGUAGE_MAP, ignored=True)},
)

COMPONENTS: dict[str, tuple[str, ...]] = {
    "choices": ("choice", "sequencing"),
    "scale": ("likert",),
    "source": ("matching",),
    "target": ("matching",),
    "steps": ("performance",),
}
"""Component list -> the interaction types that have it."""
INTERACTION_TYPES = (
    *("true-false", "choice", "fill-in", "long-fill-in", "matching"),
    *("performance", "sequencing", "likert", "numeric", "other"),
)
_COMPONENT = Shape(
    "an interaction component",
    Clause("2.4.4.1", "4.2.2.3"),
    {"id": Member(_IDENTIFIER, required=True), "description": Member(_LANGUAGE_MAP)},
)
_COMPONENT_LIST = Form(Kind.ARRAY, of=_object(_COMPONENT), distinct=True)
DEFINITION = Shape(
    "an activity definition",
    Clause("2.4.4.1", "4.2.2.3"),
    {
        "name": Member(_LANGUAGE_MAP),
        "description": Member(_LANGUAGE_MAP),
        "type": Member(_IRI),
        "moreInfo": Member(_IRI),
        "interactionType": Member(_INTERACTION_TYPE),
        "correctResponsesPattern": Member(Form(Kind.ARRAY, of=TEXT)),
        **{name: Member(_COMPONENT_LIST) for name in COMPONENTS},
        "extensions": Member(_EXTENSIONS),
    },
)
ACTIVITY = Shape(
    "an Activity",
    Clause("2.4.4.1", "4.2.2.3"),
    {
        "objectType": _OBJECT_TYPE,
        "id": Member(_IRI, required=True),
        "definition": Member(_object(DEFINITION), ignored=True),
    },
    "Activity",
)
STATEMENT_REF = Shape(
    "a StatementRef",
    Clause("2.4.4.3", "4.2.2.3"),
    {"objectType": _OBJECT_TYPE, "id": Member(_UUID, Place.REF, required=True)},
    "StatementRef",
)

SCORE = Shape(
    "a score",
    Clause("2.4.5.1", "4.2.2.4"),
    {name: Member(_NUMBER) for name in ("scaled", "raw", "min", "max")},
)
RESULT = Shape(
    "a result",
    Clause("2.4.5", "4.2.2.4"),
    {
        "score": Member(_object(SCORE)),
        "success": Member(_BOOLEAN, Place.SUCCESS),
        "completion": Member(_BOOLEAN, Place.COMPLETION),
        "response": Member(TEXT),
        "duration": Member(_DURATION, Place.DURATION),
        "extensions": Member(_EXTENSIONS),
    },
)

_ACTIVITIES = Form(Kind.ONE_OR_MANY, of=_object(ACTIVITY, default=ACTIVITY))
_CONTEXT_ACTIVITIES = Shape(
    "contextActivities",
    Clause("2.4.6.2", "4.2.2.5"),
    {
        "parent": Member(_ACTIVITIES, Place.PARENT),
        "grouping": Member(_ACTIVITIES, Place.GROUPING),
        "category": Member(_ACTIVITIES, Place.CATEGORY),
        "other": Member(_ACTIVITIES, Place.RELATED),
    },
)
_RELEVANT_TYPES = Member(Form(Kind.ARRAY, of=_IRI, least=1))
_CONTEXT_AGENT = Shape(
    "a contextAgent",
    Clause("2.4.6", "4.2.2.5"),
    {
        "objectType": _OBJECT_TYPE,
        "agent": Member(_object(AGENT, default=AGENT), required=True),
        "relevantTypes": _RELEVANT_TYPES,
    },
    "contextAgent",
)
_CONTEXT_GROUP = Shape(
    "a contextGroup",
    Clause("2.4.6", "4.2.2.5"),
    {
        "objectType": _OBJECT_TYPE,
        "group": Member(_object(GROUP), required=True),
        "relevantTypes": _RELEVANT_TYPES,
    },
    "contextGroup",
)
CONTEXT = Shape(
    "a context",
    Clause("2.4.6", "4.2.2.5"),
    {
        "registration": Member(_UUID, Place.REGISTRATION),
        "instructor": Member(AGENT_OR_GROUP, Place.RELATED),
        "team": Member(_object(GROUP), Place.RELATED),
        "contextActivities": Member(_object(_CONTEXT_ACTIVITIES)),
        "revision": Member(TEXT),
        "platform": Member(TEXT),
        "language": Member(_LANGUAGE),
        "statement": Member(_object(STATEMENT_REF)),
        "extensions": Member(_EXTENSIONS),
        "contextAgents": Member(Form(Kind.ARRAY, of=_object(_CONTEXT_AGENT)), Place.RELATED, since_2_0=True),
        "contextGroups": Member(Form(Kind.ARRAY, of=_object(_CONTEXT_GROUP)), Place.RELATED, since_2_0=True),
    },
)

SIGNATURE = "http://adlnet.gov/expapi/attachments/signature"
SIGNATURE_TYPE = "application/octet-stream"
ATTACHMENT = Shape(
    "an attachment",
    Clause("2.4.11", "4.2.2.6"),
    {
        "usageType": Member(_IRI, required=True),
        "display": Member(_LANGUAGE_MAP, required=True),
        "description": Member(_LANGUAGE_MAP),
        "contentType": Member(_MEDIA_TYPE, required=True),
        "length": Member(_COUNT, required=True),
        "sha2": Member(_SHA2, required=True),
        "fileUrl": Member(_IRI),
    },
)
_ATTACHMENTS = Form(Kind.ARRAY, of=_object(ATTACHMENT))

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
_BODY = {
    "actor": Member(AGENT_OR_GROUP, Place.ACTOR, required=True),
    "verb": Member(_object(VERB), required=True),
    "result": Member(_object(RESULT), Place.RESULT),
    "context": Member(_object(CONTEXT), Place.CONTEXT),
    "timestamp": Member(_TIMESTAMP, Place.TIMESTAMP),
    "attachments": Member(_ATTACHMENTS, ignored=True),
}
_THINGS = (ACTIVITY, AGENT, GROUP, STATEMENT_REF)
SUB_STATEMENT = Shape(
    "a SubStatement",
    Clause("2.4.4.3", "4.2.2.3"),
    {
        "objectType": _OBJECT_TYPE,
        **_BODY,
        "object": Member(_object(*_THINGS, default=ACTIVITY), Place.DIRECT, required=True),
    },
    "SubStatement",
)
STATEMENT = Shape(
    "a statement",
    Clause("2.4", "4.2.2"),
    {
        "id": Member(_UUID, Place.ID, ignored=True),
        **_BODY,
        "object": Member(_object(*_THINGS, SUB_STATEMENT, default=ACTIVITY), Place.DIRECT, required=True),
        "stored": Member(_TIMESTAMP, Place.STORED, ignored=True),
        "authority": Member(_object(AGENT, AUTHORITY_GROUP, default=AGENT), Place.RELATED, ignored=True),
        "version": Member(_VERSION, Place.VERSION, ignored=True),
    },
)
STATEMENT_FORM = _object(STATEMENT)

CMI5_PROGRESS = "https://w3id.org/xapi/cmi5/result/extensions/progress"
VIDEO_PROGRESS = "https://w3id.org/xapi/video/extensions/progress"
_CMI5 = "https://w3id.org/xapi/cmi5/context/extensions/"
EXTENSION_KEYS = (
    *(CMI5_PROGRESS, VIDEO_PROGRESS),
    *(_CMI5 + "moveon", _CMI5 + "masteryscore", _CMI5 + "launchmode", _CMI5 + "sessionid"),
)
"""The extensions that later stages ask for."""
