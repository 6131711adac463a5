"""Agents as they come in a parameter."""

from __future__ import annotations

from lrs.xapi.explain import explain
from lrs.xapi.kernel import reading
from lrs.xapi.kernel.findings import Column, Finding
from lrs.xapi.rules import TEXTS, Rule
from lrs.xapi.scan import scan
from lrs.xapi.schema import AGENT_OR_GROUP, GROUP
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected, Violation, shorten


def read_agent(text: bytes, version: Version) -> str:
    """The canonical identifier (statement.py) of an Agent or an Identified Group, given as JSON.

    Raises Rejected, with all violations, for anything else; an anonymous group identifies nobody.
    """
    done = scan(text, reading.AGENT, version)
    if done.verdict < 0:
        raise Rejected(explain(text, AGENT_OR_GROUP, version, done, 1, 0))
    what, a, b = done.findings[0].tolist()
    if done.rows[0, Column.FINDINGS_END] == 0 or what != Finding.ACTOR:
        rule = TEXTS[Rule.ONE_IDENTIFIER]
        raise Rejected((Violation("$", shorten(text.decode()), rule.words, GROUP.clause.cite(version)),))
    return done.buffer[a:b].tobytes().decode()
