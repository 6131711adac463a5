"""What a statement may not be: one row a rule, with the path at which the breach is told.

A row changes BASE: ``change`` maps a path to a new value, or to ABSENT. Rows hold in both versions unless
they name one. They are in a table for each kind of rule; a rule's words and clause are in
lrs/xapi/rules.py.
"""

from __future__ import annotations

from tests.conformance.statement import Refused
from tests.conformance.statement_refused_agent import AGENTS
from tests.conformance.statement_refused_form import FORMS
from tests.conformance.statement_refused_text import TEXTS
from tests.conformance.statement_refused_value import VALUES

REFUSED: tuple[Refused, ...] = (*FORMS, *AGENTS, *TEXTS, *VALUES)
