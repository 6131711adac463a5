"""The rules on statements, each by its row; and that each row is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from lrs.xapi.explain import walk
from lrs.xapi.kernel import reading
from lrs.xapi.reader import read_statements
from lrs.xapi.rules import TEXTS, Rule
from lrs.xapi.scan import ALL_RULES, scan
from lrs.xapi.schema import STATEMENT_FORM
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected
from tests.conformance.statement import BASE, Allowed, Refused, changed
from tests.conformance.statement_allowed import ALLOWED
from tests.conformance.statement_refused import REFUSED

SCORE_RULES = (Rule.SCALED_RANGE, Rule.MIN_MAX, Rule.RAW_RANGE)
STATEMENT_RULES = [rule for rule in Rule if Rule.TYPE <= rule < Rule.REPEATED_ID]


SWITCHES = [rule for rule in STATEMENT_RULES if rule is not Rule.NUMBER_RANGE]
"""All but the one without which there would be no number to hold."""


def _rows(table: Sequence[Allowed | Refused]) -> list[object]:
    return [
        pytest.param(row, version, id=f"{version.value} {row.says}")
        for row in table
        for version in row.versions
    ]


def _without(rule: Rule) -> npt.NDArray[np.uint8]:
    on = ALL_RULES.copy()
    on[rule] = 0
    return on


@pytest.mark.parametrize(("row", "version"), _rows(ALLOWED))
def test_is_allowed(row: Allowed, version: Version) -> None:
    body = json.dumps(changed(row.change)).encode()
    (statement,) = read_statements(body, version)
    assert statement.raw == body
    assert walk(body, STATEMENT_FORM, version) == []


@pytest.mark.parametrize(("row", "version"), _rows(REFUSED))
def test_is_refused_at_its_path(row: Refused, version: Version) -> None:
    body = json.dumps([BASE | {"id": "0" * 8 + BASE["id"][8:]}, changed(row.change)]).encode()
    with pytest.raises(Rejected) as refusal:
        read_statements(body, version)
    path = row.path.replace("$", "$[1]", 1)
    words = TEXTS[row.rule].words.split("{}")[0]
    told = [v for v in refusal.value.violations if v.path == path and v.rule.startswith(words)]
    assert told, refusal.value
    assert told[0].index == 1
    assert told[0].clause.startswith("IEEE 9274.1.1 " if version is Version.V2_0_0 else "1.0.3 Part ")


@pytest.mark.parametrize("rule", SWITCHES, ids=lambda rule: rule.name)
def test_a_rule_that_is_switched_off_lets_a_row_of_this_table_through(rule: Rule) -> None:
    on = _without(rule)
    let_through = 0
    for row in REFUSED:
        if row.rule is rule:
            body = json.dumps(changed(row.change)).encode()
            for version in row.versions:
                accepted = scan(body, reading.STATEMENT, version, on=on).verdict > 0
                if accepted and rule in SCORE_RULES:
                    accepted = bool(read_statements(body, version, on=on))
                assert accepted == (not walk(body, STATEMENT_FORM, version, on)), row.says
                let_through += accepted
    assert let_through > 0


def test_every_rule_has_its_words_and_its_row() -> None:
    assert set(TEXTS) == set(Rule)
    assert set(STATEMENT_RULES) == {row.rule for row in REFUSED}
