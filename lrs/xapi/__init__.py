"""xAPI statements: read, checked against the specification, compared and rendered. Pure.

Both versions, 1.0.3 and 2.0.0 (IEEE 9274.1.1). Rules are in rules.py (words and clauses), schema.py
(objects and members) and kernel/formats.py (strings); what makes two statements the same is in
kernel/canonical.py.
"""

from lrs.xapi.agent import read_agent
from lrs.xapi.reader import read_statements
from lrs.xapi.render import (
    activities_in,
    format_uuid,
    render_canonical,
    render_exact,
    render_ids,
    with_one_language,
)
from lrs.xapi.statement import Attachment, Given, ObjectKind, Statement
from lrs.xapi.text import is_iri, is_language_tag, parse_uuid
from lrs.xapi.timestamp import format_timestamp, parse_timestamp
from lrs.xapi.version import Version, negotiate
from lrs.xapi.violation import Rejected, TooMany, Violation

__all__ = [
    "Attachment",
    "Given",
    "ObjectKind",
    "Rejected",
    "Statement",
    "TooMany",
    "Version",
    "Violation",
    "activities_in",
    "format_timestamp",
    "format_uuid",
    "is_iri",
    "is_language_tag",
    "negotiate",
    "parse_timestamp",
    "parse_uuid",
    "read_agent",
    "read_statements",
    "render_canonical",
    "render_exact",
    "render_ids",
    "with_one_language",
]
