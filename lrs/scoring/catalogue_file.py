"""The YAML form of a catalogue: reading and checking it, with errors that name line, path and rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lrs.scoring.catalogue import (
    COUNTING,
    LEVELS,
    TRUSTED,
    Aggregator,
    Catalogue,
    Competency,
    Counting,
    Course,
    EvidenceClass,
    Item,
    Module,
    ModuleKind,
    Part,
    Requirement,
    Role,
)
from lrs.scoring.decay import HORIZON_UNITS, WEIGHT_ONE, capacity
from lrs.scoring.document import Document, Node
from lrs.scoring.event import MOVE_ON, NONE, ONE, MoveOn

FORMAT: Final = 1

_DOMAINS: Final = {domain: domain for domain in ("behavioural", "functional", "domain")}
_CLASSES: Final = {
    evidence.name.lower(): evidence for evidence in EvidenceClass if evidence is not EvidenceClass.SELF_CLAIM
}
_AGGREGATORS: Final = {aggregator.name.lower(): aggregator for aggregator in Aggregator}
_KINDS: Final = {kind.name.lower(): kind for kind in ModuleKind}
_WEIGHTLESS: Final = (EvidenceClass.COMPLETION, EvidenceClass.SELF_CLAIM)

MAX_HALF_LIFE: Final = 36_525
MAX_WINDOW: Final = 3_653
MAX_PARTS: Final = 1_000


def read_catalogue(text: str, name: str = "catalogue") -> Catalogue:
    """The catalogue in a YAML text; `name` stands in errors. Raises DocumentError with every fault."""
    document = Document(text, name)
    reader = _Reader()
    catalogue = reader.catalogue(document.root)
    document.close()
    reader.check(catalogue)
    document.close()
    return catalogue


class _Reader:
    """Reads once, and remembers where everything stood for the rules about the whole."""

    def __init__(self) -> None:
        self._ids: dict[str, Node] = {}
        self._items: list[tuple[Item, Node]] = []
        self._requirements: list[tuple[Requirement, Node]] = []
        self._parts: list[tuple[Part, Node]] = []
        self._modules: list[Module] = []

    def catalogue(self, root: Node) -> Catalogue:
        top = root.fields(("format", "competencies", "courses"), ("roles", "authorities", "counting"))
        if "format" in top:
            top["format"].integer(FORMAT, FORMAT)

        def entries(key: str) -> Iterable[Node]:
            return top[key].items() if key in top else ()

        competencies = tuple(self._competency(node) for node in entries("competencies"))
        courses = tuple(self._course(node) for node in entries("courses"))
        roles = tuple(self._role(node) for node in entries("roles"))
        return Catalogue(
            competencies,
            tuple(self._modules),
            courses,
            roles,
            _authorities(top["authorities"]) if "authorities" in top else {},
            {**COUNTING, **(_counting(top["counting"]) if "counting" in top else {})},
        )

    def _id(self, node: Node) -> str:
        iri = node.iri()
        if iri in self._ids:
            node.fault(f"id repeated; it stands at line {self._ids[iri].line} already")
        self._ids.setdefault(iri, node)
        return iri

    def _competency(self, node: Node) -> Competency:
        entry = node.fields(("id", "domain", "name", "half_life_days"))
        half_life = 1
        if "half_life_days" in entry:
            half_life = entry["half_life_days"].integer(1, MAX_HALF_LIFE)
            if capacity(half_life) < HORIZON_UNITS:
                entry["half_life_days"].fault(
                    "too short: in 20 years an accumulator would hold fewer than 2^20 full scores;"
                    f" the shortest that does not overflow is {_shortest_half_life()} days"
                )
        return Competency(
            self._id(entry["id"]) if "id" in entry else "",
            entry["domain"].choice(_DOMAINS, "domain") if "domain" in entry else "",
            _names(entry),
            half_life,
        )

    def _course(self, node: Node) -> Course:
        entry = node.fields(("id", "name", "modules"), ("develops",))
        course = self._id(entry["id"]) if "id" in entry else ""
        parts: list[Part] = []
        used: set[str] = set()
        for module in entry["modules"].items() if "modules" in entry else ():
            part = self._part(module)
            if part.module in used:
                module.fault("the course has this module already")
            used.add(part.module)
            parts.append(part)
        if "modules" in entry and not 1 <= len(parts) <= MAX_PARTS:
            entry["modules"].fault(f"a course has 1 to {MAX_PARTS} modules")
        items = self._develops(entry, EvidenceClass.COMPLETION)
        for item, place in self._items[len(self._items) - len(items) :]:
            if item.evidence is not EvidenceClass.COMPLETION:
                place.fault("what a course develops is evidence of class completion")
        return Course(course, _names(entry), tuple(parts), items)

    def _part(self, node: Node) -> Part:
        if "use" in (members := node.members()):
            entry = node.fields(("use",), ("weight",))
            part = Part(members["use"].iri(), _part_weight(entry))
            self._parts.append((part, members["use"]))
            return part
        entry = node.fields(
            ("id", "name", "kind", "move_on"),
            ("weight", "passing_score", "expected_score", "evidence", "develops"),
        )
        evidence = (
            entry["evidence"].choice(_CLASSES, EvidenceClass.COMPLETION) if "evidence" in entry else None
        )
        module = Module(
            self._id(entry["id"]) if "id" in entry else "",
            _names(entry),
            entry["kind"].choice(_KINDS, ModuleKind.PLAIN) if "kind" in entry else ModuleKind.PLAIN,
            entry["move_on"].choice(MOVE_ON, MoveOn.NONE) if "move_on" in entry else MoveOn.NONE,
            entry["passing_score"].fixed(0, 1, ONE) if "passing_score" in entry else NONE,
            entry["expected_score"].fixed(0, 1, ONE) if "expected_score" in entry else NONE,
            self._develops(entry, evidence),
        )
        self._modules.append(module)
        return Part(module.id, _part_weight(entry))

    def _develops(self, entry: dict[str, Node], evidence: EvidenceClass | None) -> tuple[Item, ...]:
        items: list[Item] = []
        seen: set[tuple[str, int, EvidenceClass]] = set()
        for node in entry["develops"].items() if "develops" in entry else ():
            fields = node.fields(("competency", "level"), ("evidence", "weight"))
            own = (
                fields["evidence"].choice(_CLASSES, EvidenceClass.COMPLETION)
                if "evidence" in fields
                else evidence
            )
            if own is None:
                node.fault("evidence is missing, here and on the module")
                own = EvidenceClass.COMPLETION
            weight = WEIGHT_ONE
            if "weight" in fields:
                weight = round(fields["weight"].fixed(0.01, 16, 100) * WEIGHT_ONE / 100)
            item = Item(
                fields["competency"].iri() if "competency" in fields else "",
                fields["level"].integer(1, LEVELS) if "level" in fields else 1,
                own,
                weight,
            )
            key = (item.competency, item.level, item.evidence)
            if key in seen:
                node.fault("this competency, level and class stand here already: double weight")
            seen.add(key)
            items.append(item)
            self._items.append((item, fields.get("competency", node)))
        return tuple(items)

    def _role(self, node: Node) -> Role:
        entry = node.fields(("id", "name", "requires"))
        requirements: list[Requirement] = []
        for place in entry["requires"].items() if "requires" in entry else ():
            fields = place.fields(("competency", "level"))
            requirement = Requirement(
                fields["competency"].iri() if "competency" in fields else "",
                fields["level"].integer(1, LEVELS) if "level" in fields else 1,
            )
            if requirement.competency in {known.competency for known in requirements}:
                place.fault("the role requires this competency already")
            requirements.append(requirement)
            self._requirements.append((requirement, fields.get("competency", place)))
        return Role(self._id(entry["id"]) if "id" in entry else "", _names(entry), tuple(requirements))

    def check(self, catalogue: Catalogue) -> None:
        """The rules about the catalogue as a whole."""
        competencies = {competency.id for competency in catalogue.competencies}
        modules = {module.id for module in catalogue.modules}
        highest: dict[str, int] = {}
        for item, node in self._items:
            if item.competency not in competencies:
                node.fault("no such competency")
            if item.evidence in TRUSTED and not catalogue.authorities.get(item.evidence):
                node.fault(
                    f"no authority is trusted for {item.evidence.name.lower()} evidence: it would never count"
                )
            elif item.evidence not in _WEIGHTLESS:
                highest[item.competency] = max(highest.get(item.competency, 0), item.level)
        for part, node in self._parts:
            if part.module not in modules:
                node.fault("no such module")
        for requirement, node in self._requirements:
            if requirement.competency not in competencies:
                node.fault("no such competency")
            elif highest.get(requirement.competency, 0) < requirement.level:
                node.fault(
                    f"level {requirement.level} is unreachable: the highest level that is assessed anywhere"
                    f" is {highest.get(requirement.competency, 0)} (completions alone never reach a level)"
                )


def _part_weight(entry: dict[str, Node]) -> int:
    return entry["weight"].integer(1, 1_000) if "weight" in entry else 1


def _names(entry: dict[str, Node]) -> dict[str, str]:
    names = (
        {language: node.text() for language, node in entry["name"].members().items()}
        if "name" in entry
        else {}
    )
    if "name" in entry and "en" not in names:
        entry["name"].fault("a name in English (en) is missing")
    return names


def _counting(node: Node) -> dict[EvidenceClass, Counting]:
    counting: dict[EvidenceClass, Counting] = {}
    for name, place in node.members().items():
        if name not in _CLASSES:
            place.fault(f"no such evidence class; there are {', '.join(_CLASSES)}")
            continue
        default = COUNTING[_CLASSES[name]]
        entry = place.fields((), ("aggregator", "window_days", "pass_weight"))
        counting[_CLASSES[name]] = Counting(
            entry["aggregator"].choice(_AGGREGATORS, default.aggregator)
            if "aggregator" in entry
            else default.aggregator,
            entry["window_days"].integer(1, MAX_WINDOW) if "window_days" in entry else default.window_days,
            entry["pass_weight"].fixed(0, 1, WEIGHT_ONE) if "pass_weight" in entry else default.pass_weight,
        )
    return counting


def _authorities(node: Node) -> dict[EvidenceClass, tuple[str, ...]]:
    trusted = {evidence.name.lower(): evidence for evidence in TRUSTED}
    authorities: dict[EvidenceClass, tuple[str, ...]] = {}
    for name, place in node.members().items():
        if name not in trusted:
            place.fault(f"no class that needs trust; there are {', '.join(trusted)}")
            continue
        agents = [_agent(entry) for entry in place.items()]
        if len(set(agents)) < len(agents):
            place.fault("an authority is repeated")
        authorities[trusted[name]] = tuple(sorted(set(agents)))
    return authorities


def _agent(node: Node) -> str:
    """An agent's canonical text, from its one inverse functional identifier as in xAPI."""
    members = node.fields((), ("mbox", "mbox_sha1sum", "openid", "account"))
    if len(members) != 1:
        node.fault("must have exactly one of mbox, mbox_sha1sum, openid, account")
        return ""
    ((kind, value),) = members.items()
    if kind == "account":
        account = value.fields(("homePage", "name"))
        if len(account) != 2:
            return ""
        return f"account:{account['homePage'].iri()} {account['name'].text()}"
    if kind == "mbox":
        mailbox, at, domain = value.iri().rpartition("@")
        if not (mailbox.startswith("mailto:") and at and domain):
            value.fault("must be mailto: and an address")
        return f"mbox:{mailbox}@{domain.lower()}"
    if kind == "mbox_sha1sum":
        digits = value.text().lower()
        if len(digits) != 40 or any(digit not in "0123456789abcdef" for digit in digits):
            value.fault("must be 40 hexadecimal digits")
        return f"mbox_sha1sum:{digits}"
    return f"openid:{value.iri()}"


def _shortest_half_life() -> int:
    return next(days for days in range(1, MAX_HALF_LIFE) if capacity(days) >= HORIZON_UNITS)
