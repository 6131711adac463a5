"""The check of mutants, on a few of them; `make mutation` tries all."""

from __future__ import annotations

import pytest

from lrs.xapi.rules import Rule
from tests.mutants import RULES, survivors


@pytest.mark.timeout(240)
def test_a_rule_that_is_switched_off_is_missed_and_one_that_no_statement_breaks_is_not() -> None:
    found = {rule: survived for rule, survived, _ in survivors([Rule.IRI, Rule.UNEXPLAINED])}
    assert found == {Rule.IRI: False, Rule.UNEXPLAINED: True}


def test_there_are_rules_enough() -> None:
    assert len(RULES) >= 20
