"""Scenario files: TOML, composable, each value with its source; errors name file, key, value and rule.

A file may say `extends = ["base", "other.toml"]`: names of shipped scenarios or paths beside the file. They
are laid one over the other in that order, the file itself last. Single values are replaced; faults add up.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from simulator import parameters
from simulator.parameters import FAULTS, MOST_NAMES, SECTIONS, Fault, clock, number, text

SOURCES = ("published:", "measured:", "derived:", "assumed", "chosen")
"""How a source begins: a published figure, a measurement, a computation from those, a guess, a what-if."""


class ScenarioError(ValueError):
    """A scenario file breaks a rule. The text names file, key, value and rule."""

    def __init__(self, file: str, key: str, value: object, rule: str) -> None:
        shown = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."
        super().__init__(f"{file}: {key} = {shown}: {rule}")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a value comes from: the file that set it last, and what that file says of it."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """All parameters of a run."""

    name: str
    title: str
    question: str
    population: parameters.Population
    calendar: parameters.Calendar
    learning: parameters.Learning
    live: parameters.Live
    client: parameters.Client
    system: parameters.System
    run: parameters.Run
    slo: parameters.Slo
    cost: parameters.Cost
    faults: tuple[Fault, ...]
    sources: Mapping[str, Source]

    def value(self, key: str) -> Any:
        """The value of `section.key`."""
        section, _, name = key.partition(".")
        return getattr(getattr(self, section), name)

    def but(self, **changes: Any) -> Scenario:
        """The same scenario with other values, each named `section__key`; the rules are checked again."""
        values, sources = _flatten(self), dict(self.sources)
        for key, value in changes.items():
            name = key.replace("__", ".")
            if name not in values:
                raise ScenarioError("command line", name, value, "no such parameter")
            values[name] = value
            sources[name] = Source("command line", "chosen: for this run")
        return _build(self.name, self.title, self.question, values, sources, self.faults)


def shipped() -> list[str]:
    """The names of the scenarios that come with the package."""
    folder = resources.files("simulator") / "scenarios"
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml"))


def load(names: Sequence[str], settings: Sequence[str] = ()) -> Scenario:
    """Read scenarios (shipped names or paths), lay them one over the other, then apply `key=value` settings.

    Raises ScenarioError; the rules are checked on the whole, so a fragment need not be complete.
    """
    layer = _Layer()
    for name in names:
        layer.add(name, Path.cwd(), ())
    scenario = layer.scenario("+".join(Path(n).name.removesuffix(".toml") for n in names))
    changes = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ScenarioError("command line", "--set", setting, "must be section.key=value")
        try:
            changes[key.strip().replace(".", "__")] = tomllib.loads(f"v = {value}")["v"]
        except tomllib.TOMLDecodeError:
            changes[key.strip().replace(".", "__")] = value.strip()
    return scenario.but(**changes) if changes else scenario


class _Layer:
    """Scenario files laid one over the other."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, Source] = {}
        self.faults: list[Fault] = []
        self.seen: set[str] = set()
        self.head = {"title": "", "question": ""}

    def add(self, name: str, beside: Path, chain: tuple[str, ...]) -> None:
        path = _find(name, beside)
        identity = str(path)
        if identity in chain:
            raise ScenarioError(Path(identity).name, "extends", name, "a scenario must not extend itself")
        if identity in self.seen:
            return
        self.seen.add(identity)
        file = Path(identity).name
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ScenarioError(file, "(file)", str(error), "must be TOML") from None
        parents = data.pop("extends", [])
        if not isinstance(parents, list) or not all(isinstance(x, str) for x in parents):
            raise ScenarioError(file, "extends", parents, "must be a list of names or paths")
        for parent in parents:
            self.add(parent, path.parent, (*chain, identity))
        for key in self.head:
            if key in data:
                if text(data[key]) is not None:
                    raise ScenarioError(file, key, data[key], "must be a non-empty string")
                self.head[key] = data.pop(key)
        for number_, fault in enumerate(_tables(file, data.pop("fault", []))):
            self.faults.append(_fault(file, f"fault[{number_}]", fault))
        for section, keys in data.items():
            self._section(file, section, keys)

    def _section(self, file: str, section: str, keys: Any) -> None:
        if section not in SECTIONS:
            raise ScenarioError(
                file, section, "...", f"no such section; there are {', '.join(SECTIONS)}, fault"
            )
        if not isinstance(keys, dict):
            raise ScenarioError(file, section, keys, "must be a table")
        known = {f.name: f for f in dataclasses.fields(SECTIONS[section])}
        for key, entry in keys.items():
            name = f"{section}.{key}"
            if key not in known:
                raise ScenarioError(file, name, entry, f"no such key; there are {', '.join(known)}")
            if not isinstance(entry, dict) or set(entry) != {"value", "source"}:
                raise ScenarioError(file, name, entry, "must be { value = ..., source = '...' }")
            if not isinstance(entry["source"], str) or not entry["source"].startswith(SOURCES):
                raise ScenarioError(
                    file, f"{name}.source", entry["source"], f"must begin with {_or(SOURCES)}"
                )
            broken = known[key].metadata["rule"](entry["value"])
            if broken:
                raise ScenarioError(file, name, entry["value"], broken)
            self.values[name] = entry["value"]
            self.sources[name] = Source(file, entry["source"])

    def scenario(self, name: str) -> Scenario:
        for key, value in self.head.items():
            if not value:
                raise ScenarioError(f"{name}.toml", key, value, "is missing")
        return _build(
            name, self.head["title"], self.head["question"], self.values, self.sources, tuple(self.faults)
        )


def _or(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " or " + names[-1]


def _find(name: str, beside: Path) -> Path:
    if name.endswith(".toml"):
        path = beside / name
        if path.is_file():
            return path.resolve()
        raise ScenarioError(name, "(file)", str(path), "no such file")
    if name not in shipped():
        raise ScenarioError(name, "(name)", name, f"no such scenario; there are {', '.join(shipped())}")
    return Path(str(resources.files("simulator") / "scenarios" / f"{name}.toml"))


def _tables(file: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(x, dict) for x in value):
        raise ScenarioError(file, "fault", value, "must be written as [[fault]] tables")
    return value


def _fault(file: str, name: str, data: dict[str, Any]) -> Fault:
    kind = data.get("kind")
    if kind not in FAULTS:
        raise ScenarioError(file, f"{name}.kind", kind, f"must be one of {', '.join(FAULTS)}")
    rules = {key: rule for key, (rule, _) in FAULTS[kind].items()}
    rules |= {"at": clock, "seconds": number(0.1, 172_800), "source": text}
    for key, value in data.items():
        if key != "kind" and key not in rules:
            raise ScenarioError(
                file, f"{name}.{key}", value, f"no such key of {kind}; it has {', '.join(rules)}"
            )
    for key, rule in rules.items():
        broken = rule(data.get(key))
        if broken:
            raise ScenarioError(file, f"{name}.{key}", data.get(key), broken)
    if not data["source"].startswith(SOURCES):
        raise ScenarioError(file, f"{name}.source", data["source"], f"must begin with {_or(SOURCES)}")
    return Fault(**data)


def _flatten(scenario: Scenario) -> dict[str, Any]:
    return {
        f"{section}.{f.name}": getattr(getattr(scenario, section), f.name)
        for section, cls in SECTIONS.items()
        for f in dataclasses.fields(cls)
    }


def _build(
    name: str,
    title: str,
    question: str,
    values: Mapping[str, Any],
    sources: Mapping[str, Source],
    faults: tuple[Fault, ...],
) -> Scenario:
    sections = {}
    for section, cls in SECTIONS.items():
        keys = {}
        for f in dataclasses.fields(cls):
            key = f"{section}.{f.name}"
            if key not in values:
                raise ScenarioError(f"{name}.toml", key, None, "is missing; extend 'base' to have all values")
            broken = f.metadata["rule"](values[key])
            if broken:
                raise ScenarioError(sources[key].file, key, values[key], broken)
            keys[f.name] = values[key]
        sections[section] = cls(**keys)
    scenario = Scenario(name, title, question, **sections, faults=faults, sources=dict(sources))
    _check_together(scenario)
    return scenario


def _check_together(s: Scenario) -> None:
    """The rules that join several values."""

    def must(good: bool, key: str, value: object, rule: str) -> None:
        if not good:
            source = s.sources.get(key)
            raise ScenarioError(source.file if source else s.name, key, value, rule)

    calendar, run = s.calendar, s.run
    must(
        len(calendar.day_weights) == calendar.days,
        "calendar.day_weights",
        calendar.day_weights,
        f"must have one weight for each of calendar.days = {calendar.days}",
    )
    must(run.day < calendar.days, "run.day", run.day, f"must be below calendar.days = {calendar.days}")
    must(s.live.day < calendar.days, "live.day", s.live.day, f"must be below calendar.days = {calendar.days}")
    for key, wanted in (
        ("population.kinds", {"central", "state", "local"}),
        ("population.connectivity", {"good", "patchy", "offline"}),
        ("learning.participation_by_kind", set(s.population.kinds)),
        ("population.state_language", set(s.population.states)),
    ):
        must(set(s.value(key)) == wanted, key, s.value(key), f"must name exactly {', '.join(sorted(wanted))}")
    kinds, by_kind = s.population.kinds, s.learning.participation_by_kind
    mean = sum(kinds[k] * by_kind[k] for k in kinds) / sum(kinds.values())
    largest = max(by_kind.values()) / mean * s.learning.participation
    must(
        largest <= 1,
        "learning.participation_by_kind",
        dict(by_kind),
        f"with learning.participation = {s.learning.participation} one kind would exceed 1 ({largest:.3f})",
    )
    must(len(s.faults) <= MOST_NAMES, "fault", len(s.faults), f"at most {MOST_NAMES} faults")
    for fault in s.faults:
        if fault.state:
            must(fault.state in s.population.states, "fault.state", fault.state, "no such state")
        if fault.kind == "broker-loss":
            must(s.system.log == "kafka", "fault.kind", fault.kind, "needs system.log = 'kafka'")
            must(s.system.brokers > 1, "system.brokers", s.system.brokers, "broker-loss needs a second one")
            must(fault.index < s.system.brokers, "fault.index", fault.index, "no such broker")
        if fault.kind == "worker-loss":
            workers = s.system.persist_workers if fault.stage == "persist" else s.system.score_workers
            must(
                fault.index < workers,
                "fault.index",
                fault.index,
                f"there are {workers} {fault.stage} workers",
            )
