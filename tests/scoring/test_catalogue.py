"""Catalogues: what is read, and every rule with an error that names line, path, value and rule."""

from __future__ import annotations

from importlib.resources import files

import pytest

from lrs.scoring.catalogue import Aggregator, Counting, EvidenceClass, ModuleKind
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.document import DocumentError
from lrs.scoring.event import MoveOn
from lrs.scoring.fact import Kind
from lrs.scoring.mapping import default_mapping, read_mapping
from lrs.scoring.table import compile_catalogue
from tests.scoring.world import ADL, CATALOGUE, CMI5


def faults(text: str) -> str:
    """The errors of a catalogue text."""
    with pytest.raises(DocumentError) as caught:
        read_catalogue(text, "file.yaml")
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in CATALOGUE
    return CATALOGUE.replace(old, new, 1)


def test_a_catalogue_is_read_as_it_is_written() -> None:
    catalogue = read_catalogue(CATALOGUE)
    assert [competency.half_life_days for competency in catalogue.competencies] == [1096, 540]
    assert [module.id for module in catalogue.modules] == ["m:cmi5", "m:video", "m:free", "m:exam", "m:work"]
    unit = catalogue.modules[0]
    assert (unit.kind, unit.move_on) == (ModuleKind.CMI5, MoveOn.COMPLETED_AND_PASSED)
    assert (unit.passing_score, unit.expected_score) == (6_000, 5_500)
    assert [(item.level, item.evidence, item.weight) for item in unit.items] == [
        (2, EvidenceClass.ASSESSMENT, 256),
        (1, EvidenceClass.ASSESSMENT, 84),
    ]
    assert [(part.module, part.weight) for part in catalogue.courses[1].parts] == [
        ("m:video", 5),
        ("m:exam", 1),
        ("m:work", 1),
    ]
    assert catalogue.counting[EvidenceClass.ASSESSMENT] == Counting(Aggregator.FIRST_ATTEMPT_AND_PASS, 3, 64)
    assert catalogue.counting[EvidenceClass.SELF_CLAIM] == Counting(Aggregator.EARLIEST, 365)
    assert catalogue.agents() == [
        "account:https://example.org both",
        "mbox:mailto:proctor@example.org",
        "openid:https://example.org/boss",
    ]
    assert {item.competency for item in catalogue.items()} == {"c:one", "c:two"}


def test_the_digest_follows_the_content_and_not_the_form() -> None:
    digest = read_catalogue(CATALOGUE).digest
    assert read_catalogue(CATALOGUE + "# a comment\n").digest == digest
    assert read_catalogue(changed("weight: 3", "weight: 4")).digest != digest
    assert read_catalogue(changed("{en: One}", "{en: Won}")).digest != digest
    assert read_catalogue(changed("window_days: 2}", "window_days: 3}")).digest != digest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: $: nothing: the document is empty"),
        ("a: [", "not YAML"),
        ("a: &x 1\nb: *x\n", "line 2: $: *x: aliases are not allowed"),
        ("[" * 100_000, "line 1: $: a value: nested deeper than 32 levels"),
        ("format: \x00", "not YAML"),
        ("- 1", "line 1: $: a list: must be a mapping"),
        (changed("format: 1", "format: 2"), "line 2: $.format: '2': must be a whole number from 1 to 1"),
        (
            changed("format: 1", "format: 1\ncolour: red"),
            "line 3: $.colour: 'red': unknown key; allowed are auth",
        ),
        (
            changed("format: 1", "format: 1\nformat: 1"),
            "$.format: '1': key repeated; it stands at line 2 already",
        ),
        (changed("competencies:", "competences:"), "line 2: $: a mapping: competencies is missing"),
        (
            changed('"c:two", domain: functional', '"c:one", domain: functional'),
            "id repeated; it stands at line 4",
        ),
        (
            changed("domain: functional", "domain: other"),
            "$.competencies[1].domain: 'other': must be one of behav",
        ),
        (
            changed('id: "c:one"', 'id: "one"'),
            "line 4: $.competencies[0].id: 'one': must be an IRI with a scheme",
        ),
        (changed('id: "c:one"', 'id: "c:a b"'), "must be an IRI with a scheme"),
        (changed('id: "c:one"', "id: 7"), "must be a text that is not empty"),
        (
            changed("{en: One}", "{hi: एक}"),
            "$.competencies[0].name: a mapping: a name in English (en) is missing",
        ),
        (
            changed("half_life_days: 540", "half_life_days: 532"),
            "line 5: $.competencies[1].half_life_days: '532': too short: in 20 years an accumulator would"
            " hold fewer than 2^20 full scores; the shortest that does not overflow is 533 days",
        ),
        (changed("half_life_days: 540", "half_life_days: 1e3"), "must be a whole number"),
        (
            changed("kind: video", "kind: film"),
            "$.courses[0].modules[1].kind: 'film': must be one of cmi5, video",
        ),
        (changed("move_on: Passed", "move_on: passed"), "must be one of Passed, Completed"),
        (changed("passing_score: 0.6", "passing_score: 60"), "'60': must be a number from 0 to 1"),
        (changed("passing_score: 0.6", "passing_score: 0.60001"), "must be a multiple of 1/10000"),
        (changed("passing_score: 0.6", "passing_score: .nan"), "must be a number from 0 to 1"),
        (changed("weight: 3", "weight: 0"), "'0': must be a whole number from 1 to 1000"),
        (changed("level: 2}", "level: 6}"), "'6': must be a whole number from 1 to 5"),
        (
            changed('"c:one", level: 2', '"c:none", level: 2'),
            "develops[0].competency: 'c:none': no such competency",
        ),
        (
            changed('use: "m:video"', 'use: "m:film"'),
            "$.courses[1].modules[0].use: 'm:film': no such module",
        ),
        (changed('"m:free"', '"m:video"'), "id repeated"),
        (
            changed("      - id: m:exam", '      - {use: "m:video"}\n      - id: m:exam'),
            "has this module already",
        ),
        (changed("        evidence: assessment\n", ""), "evidence is missing, here and on the module"),
        (
            changed('{competency: "c:two", level: 1, weight: 0.33}', '{competency: "c:one", level: 2}'),
            "this competency, level and class stand here already: double weight",
        ),
        (
            changed("level: 3, weight: 2", "level: 3, evidence: assessment"),
            "what a course develops is evidence of class completion",
        ),
        (
            changed("  proctored: [", "  workplaces: ["),
            "$.authorities.workplaces: a list: no class that needs trust; there are proctored, workplace",
        ),
        (
            CATALOGUE[: CATALOGUE.index("authorities:")],
            "no authority is trusted for proctored evidence: it would never count",
        ),
        (
            changed('{mbox: "mailto:proctor@EXAMPLE.org"}', "{}"),
            "must have exactly one of mbox, mbox_sha1sum",
        ),
        (changed("mailto:proctor@EXAMPLE.org", "https:proctor"), "must be mailto: and an address"),
        (
            changed('{mbox: "mailto:proctor@EXAMPLE.org"}', "{mbox_sha1sum: 0xg}"),
            "must be 40 hexadecimal digits",
        ),
        (
            changed("  assessment: {window", "  exams: {window"),
            "$.counting.exams: a mapping: no such evidence class",
        ),
        (changed("pass_weight: 0.25", "pass_weight: 2"), "'2': must be a number from 0 to 1"),
        (
            changed("window_days: 5", "window_days: 5, aggregator: best"),
            "must be one of first_attempt_and_pass",
        ),
    ],
)
def test_each_rule_has_an_error_that_names_line_path_value_and_rule(text: str, expected: str) -> None:
    found = faults(text)
    assert expected in found
    assert found.startswith("file.yaml, line ")


ROLE = 'roles: [{id: "r:x", name: {en: X}, requires: [{competency: "%s", level: %d}]}]\n'


def test_a_role_may_only_ask_for_what_can_be_reached() -> None:
    assert read_catalogue(CATALOGUE + ROLE % ("c:one", 4)).roles[0].requirements[0].level == 4
    assert "level 5 is unreachable: the highest level that is assessed anywhere is 4" in faults(
        CATALOGUE + ROLE % ("c:one", 5)
    )
    assert "$.roles[0].requires[0].competency: 'c:none': no such competency" in faults(
        CATALOGUE + ROLE % ("c:none", 1)
    )
    twice = ROLE.replace("}]}]", '}, {competency: "c:one", level: 1}]}]') % ("c:one", 1)
    assert "the role requires this competency already" in faults(CATALOGUE + twice)


def test_every_fault_is_named_at_once_in_the_order_of_lines() -> None:
    text = (
        changed("format: 1", "format: 2").replace("kind: video", "kind: film").replace("level: 4", "level: 9")
    )
    lines = [line.split(":")[0] for line in faults(text).splitlines()]
    assert lines == ["file.yaml, line 2", "file.yaml, line 21", "file.yaml, line 37"]


def test_the_demonstrations_catalogue_is_in_order() -> None:
    text = files("lrs.demo").joinpath("catalogue.yaml").read_text(encoding="utf-8")
    catalogue = read_catalogue(text, "catalogue.yaml")
    assert len(catalogue.roles) == 3
    assert 4 <= len(catalogue.courses) <= 6
    assert all(3 <= len(course.parts) <= 6 for course in catalogue.courses)
    assert 6 <= len(catalogue.competencies) <= 8
    assert {competency.domain for competency in catalogue.competencies} == {
        "behavioural",
        "functional",
        "domain",
    }
    for group in (catalogue.competencies, catalogue.modules, catalogue.courses, catalogue.roles):
        for thing in group:
            assert thing.names.keys() == {"en", "hi"}
            assert any("\u0900" <= letter <= "\u097f" for letter in thing.names["hi"])
    numbers = {name: place for place, name in enumerate((*catalogue.iris(), *catalogue.agents()))}
    tables = compile_catalogue(catalogue, numbers, numbers)
    assert len(tables.slots) == sum(len(course.parts) for course in catalogue.courses)


def test_the_default_mapping_knows_the_verbs_of_each_profile() -> None:
    mapping = default_mapping()
    numbers = {verb: number for number, verb in enumerate(mapping.verbs())}
    kinds = mapping.compile(numbers).kinds
    cmi5, video = 1, 4

    def kind(verb: str, categories: int = 0) -> int:
        return int(kinds[numbers[verb], categories])

    assert kind(ADL + "passed") == kind(ADL + "passed", cmi5) == Kind.PASSED
    assert kind(CMI5 + "waived", cmi5) == kind(CMI5 + "waived", cmi5 | video) == Kind.WAIVED
    assert kind(CMI5 + "waived") == kind(CMI5 + "waived", video) == 255
    assert kind("https://w3id.org/xapi/video/verbs/seeked") == Kind.SEEKED
    assert {rule.kind for rule in mapping.rules} == set(Kind) - {Kind.NONE}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 0\nrules: []", "must be a whole number from 1 to 255"),
        ('version: 1\nrules: [{verb: "a:b", kind: none}]', "must be one of launched"),
        (
            'version: 1\nrules: [{verb: "a:b", kind: passed, category: scorm}]',
            "must be one of cmi5, moveon, video",
        ),
        (
            'version: 1\nrules:\n- {verb: "a:b", kind: passed}\n- {verb: "a:b", kind: failed}',
            "line 4: $.rules[1]: a mapping: the rule repeats that of line 3",
        ),
        ("version: 1\nrules: [{kind: passed}]", "verb is missing"),
    ],
)
def test_a_mapping_that_breaks_its_rules_is_refused(text: str, expected: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_mapping(text)
    assert expected in str(caught.value)


def test_a_rule_with_a_category_wins_over_one_without() -> None:
    text = 'version: 3\nrules: [{verb: "a:b", kind: passed, category: video}, {verb: "a:b", kind: failed}]'
    table = read_mapping(text).compile({"a:b": 2})
    assert table.version == 3
    assert table.kinds[2].tolist() == [Kind.FAILED] * 4 + [Kind.PASSED] * 4
    assert table.kinds[:2].tolist() == [[0] * 8] * 2
