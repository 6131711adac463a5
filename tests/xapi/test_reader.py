"""Bodies to statements: what is read out, and that both paths come to one verdict."""

from __future__ import annotations

import json
import os
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrs.xapi.explain import walk
from lrs.xapi.reader import read_statements
from lrs.xapi.rules import TEXTS, Rule
from lrs.xapi.schema import STATEMENT_FORM
from lrs.xapi.statement import Given, Statement
from lrs.xapi.version import Version
from lrs.xapi.violation import MOST, Rejected, Violation
from tests.conformance.statement import BASE, changed
from tests.conformance.statement_allowed import ALLOWED
from tests.conformance.statement_refused import REFUSED
from tests.xapi import reference
from tests.xapi.statements import mutate_bytes, mutate_value, statements, write

FUZZ_EXAMPLES = int(os.environ.get("LRS_FUZZ_EXAMPLES", "3000"))
VERSIONS = st.sampled_from(Version)
MINIMAL = b'{"actor":{"mbox":"mailto:a@b"},"verb":{"id":"a:"},"object":{"id":"a:"}}'


def _fields(statement: Statement) -> dict[str, Any]:
    fields = {name: getattr(statement, name) for name in Statement.__struct_fields__}
    fields["definitions"] = sorted(
        (a, json.dumps(json.loads(d), sort_keys=True)) for a, d in fields["definitions"]
    )
    # Findings come in the order of the document, the reference's in that of the specification.
    for name in ("agents_direct", "agents_related", "activities_related", "names"):
        fields[name] = sorted(fields[name])
    return fields


def _verdict(body: bytes, version: Version) -> list[Statement] | tuple[Violation, ...]:
    try:
        return read_statements(body, version)
    except Rejected as refusal:
        violations = refusal.violations
    assert 1 <= len(violations) <= MOST
    assert not any(v.rule == TEXTS[Rule.UNEXPLAINED].words for v in violations), body
    return violations


@given(VERSIONS.flatmap(lambda v: st.tuples(st.just(v), statements(v))), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_a_valid_statement_is_accepted_and_read_out_as_the_reference_reads_it(
    given: tuple[Version, dict[str, Any]], rng: random.Random
) -> None:
    version, value = given
    raw = write(value, rng).encode()
    (statement,) = read_statements(b"\n " + raw + b"\t", version)
    assert walk(raw, STATEMENT_FORM, version) == []
    assert statement.raw == raw
    assert _fields(statement) == _fields(reference.read(raw, version))


@given(VERSIONS, st.lists(statements(Version.V1_0_3), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_a_batch_is_read_as_its_statements_one_by_one(
    version: Version, values: list[dict[str, Any]], rng: random.Random
) -> None:
    raws = [write(value, rng).encode() for value in values]
    batch = read_statements(b" [ " + b" ,\n".join(raws) + b" ] ", version)
    assert batch == [statement for raw in raws for statement in read_statements(raw, version)]


@given(VERSIONS, statements(Version.V2_0_0), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_both_paths_agree_on_statements_with_a_mistake(
    version: Version, value: dict[str, Any], rng: random.Random
) -> None:
    body = json.dumps(mutate_value(value, rng)).encode()
    verdict = _verdict(body, version)
    violations = walk(body, STATEMENT_FORM, version)
    assert violations == ([] if isinstance(verdict, list) else list(verdict))


@pytest.mark.timeout(300 + FUZZ_EXAMPLES // 50)
def test_fuzz_ends_in_statements_or_in_rejected() -> None:
    rng = random.Random(20241122)
    seeds = [*(changed(row.change) for row in ALLOWED), *(changed(row.change) for row in REFUSED)]
    outcomes = {True: 0, False: 0}
    for example in range(FUZZ_EXAMPLES):
        version = rng.choice(list(Version))
        value = json.loads(json.dumps(rng.choice(seeds)))
        if example % 2:
            value = mutate_value(value, rng)
        value = [value] if example % 3 == 0 else value
        body = (write(value, rng) if example % 5 == 0 else json.dumps(value)).encode()
        if example % 4 >= 2:
            body = mutate_bytes(body, rng)
        verdict = _verdict(body, version)
        accepted = isinstance(verdict, list)
        outcomes[accepted] += 1
        if accepted:
            decoded = json.loads(body.decode())
            assert len(verdict) == (len(decoded) if isinstance(decoded, list) else 1)
            assert walk(body, STATEMENT_FORM, version) == []
    assert min(outcomes.values()) > FUZZ_EXAMPLES // 50


def test_an_empty_batch_is_allowed() -> None:
    assert read_statements(b" [ ] ", Version.V1_0_3) == []


def test_a_batch_must_not_repeat_an_id_in_any_case() -> None:
    one, two = changed({}), changed({"id": BASE["id"].upper()})
    with pytest.raises(Rejected) as refusal:
        read_statements(json.dumps([one, two]).encode(), Version.V1_0_3)
    (violation,) = refusal.value.violations
    assert (violation.path, violation.index, violation.id) == ("$[1].id", 1, BASE["id"].upper())


def test_more_statements_than_allowed_are_refused() -> None:
    body = b"[" + b",".join([MINIMAL] * 4) + b"]"
    assert len(read_statements(body, Version.V1_0_3, max_statements=4)) == 4
    with pytest.raises(Rejected, match="more than 3 statements"):
        read_statements(body, Version.V1_0_3, max_statements=3)


WRONG: dict[str, Any] = {
    "id": "x",
    "actor": {},
    "verb": {"id": "y", "display": {"a12345": 1}},
    "Object": {},
}


def test_all_violations_of_a_statement_are_told_up_to_a_bound() -> None:
    with pytest.raises(Rejected) as refusal:
        read_statements(json.dumps(WRONG).encode(), Version.V1_0_3)
    assert {v.path for v in refusal.value.violations} == {
        *("$.id", "$.actor", "$.verb.id", "$.verb.display.a12345", "$.Object", "$.object")
    }
    with pytest.raises(Rejected) as refusal:
        read_statements(json.dumps(WRONG | {f"x{n}": n for n in range(30)}).encode(), Version.V1_0_3)
    assert len(refusal.value.violations) == MOST


@pytest.mark.parametrize("before", [0, 1, 2, 150])
@pytest.mark.parametrize("space", ["", " \n"])
@pytest.mark.parametrize(
    "wrong", [WRONG, changed({"result.score": {"scaled": 2}}), [], None, "x"], ids=lambda w: type(w).__name__
)
def test_the_first_statement_that_is_wrong_is_told_of_alone(before: int, space: str, wrong: object) -> None:
    values = [*[json.loads(MINIMAL)] * before, wrong, wrong]
    between = f"{space},{space}"
    body = f"{space}[{space}{between.join(map(json.dumps, values))}{space}]{space}".encode()
    with pytest.raises(Rejected) as refusal:
        read_statements(body, Version.V1_0_3)
    told = refusal.value.violations
    assert {v.index for v in told} == {before}
    assert all(v.path.startswith(f"$[{before}]") for v in told)
    alone = walk(json.dumps([wrong]).encode(), STATEMENT_FORM, Version.V1_0_3)
    assert [v.rule for v in told] == [v.rule for v in alone]


def test_a_long_value_is_told_shortened() -> None:
    with pytest.raises(Rejected) as refusal:
        read_statements(json.dumps(changed({"verb.id": "x" * 10_000})).encode(), Version.V1_0_3)
    assert len(refusal.value.violations[0].value) < 300


def test_what_only_the_kernels_refuse_is_told_and_not_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrs.xapi.explain.walk", lambda *_: [])
    with pytest.raises(Rejected, match="could not be told"):
        read_statements(b'{"actor":1}', Version.V1_0_3)


def test_large_statements_are_read() -> None:
    languages = {f"en-x-{number:05}": "text " * 20 for number in range(5_000)}
    keys = {f"http://example.org/{number}": number for number in range(20_000)}
    body = json.dumps(changed({"object.definition.name": languages, "context.extensions": keys})).encode()
    (statement,) = read_statements(body, Version.V1_0_3)
    assert statement.raw == body
    assert statement.digest == reference.read(body, Version.V1_0_3).digest


def test_so_many_values_that_memory_would_suffer_are_refused() -> None:
    body = MINIMAL[:-1] + b',"result":{"extensions":{"a:":[' + b"0," * (1 << 19) + b"0]}}}"
    with pytest.raises(Rejected, match="more than 524288 JSON values"):
        read_statements(body, Version.V1_0_3)


def test_numbers_in_extensions_are_kept_whatever_their_size() -> None:
    number = "1" * 400 + ".5e-1234567890123456789012"
    body = json.dumps(changed({"context.extensions": {"a:": "?"}})).replace('"?"', number).encode()
    (statement,) = read_statements(body, Version.V2_0_0)
    assert number.encode() in statement.raw


def test_a_statement_knows_what_its_sender_gave() -> None:
    (all_given,) = read_statements(json.dumps(BASE).encode(), Version.V1_0_3)
    assert all_given.given == sum(Given)
    assert all_given.has_id
    assert all_given.has_timestamp
    assert all_given.has_stored
    assert all_given.has_authority
    assert all_given.has_version
    (nothing_given,) = read_statements(MINIMAL, Version.V1_0_3)
    assert nothing_given.given == 0
    assert nothing_given.timestamp is None


def test_what_a_cmi5_course_says_is_read_out() -> None:
    cmi5 = "https://w3id.org/xapi/cmi5/context/extensions/"
    extensions = {
        cmi5 + "moveon": "Passed",
        cmi5 + "masteryscore": 0.8,
        cmi5 + "launchmode": "Normal",
        cmi5 + "sessionid": "s-1",
    }
    (statement,) = read_statements(
        json.dumps(changed({"context.extensions": extensions})).encode(), Version.V1_0_3
    )
    assert (statement.move_on, statement.mastery_score) == ("Passed", 0.8)
    assert (statement.launch_mode, statement.session) == ("Normal", "s-1")
    assert (statement.progress, statement.duration_ms) == (0.8, 5_400_000)
    assert (statement.score_scaled, statement.score_raw, statement.score_min, statement.score_max) == (
        0.5,
        5,
        0,
        10,
    )
    assert statement.groupings == ("http://example.org/programme",)
    wrong = {cmi5 + "moveon": 1, cmi5 + "masteryscore": "0.8", cmi5 + "launchmode": None}
    (statement,) = read_statements(
        json.dumps(changed({"context.extensions": wrong})).encode(), Version.V1_0_3
    )
    assert (statement.move_on, statement.mastery_score, statement.launch_mode) == (None, None, None)


def test_a_statement_is_a_value() -> None:
    one, two = (read_statements(MINIMAL, Version.V1_0_3)[0] for _ in range(2))
    assert one == two
    assert msgspec.structs.asdict(one)["raw"] == MINIMAL
