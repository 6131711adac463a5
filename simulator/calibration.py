"""Service times of the record store's parts, from a calibration file, with what stands behind them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from simulator.compiled import F64
from simulator.engine.state import COMPONENTS, SHAPES, WAITS
from simulator.parameters import Rule, number, one_of, text, yes_or_no
from simulator.rng import sigma
from simulator.scenario import ScenarioError

_ABOUT: dict[str, Rule] = {"measured": yes_or_no, "statement": text, "date": text, "machine": text}
_TIME = number(0, 60_000_000)
_COMPONENT: dict[str, Rule] = {
    "transaction_us": _TIME,
    "request_us": _TIME,
    "statement_us": _TIME,
    "shape": one_of(*SHAPES),
    "cv": number(0, 10),
    "source": text,
}

STANDING = ("edge", "persist", "score", "postgresql")
"""Processes that use a share of a core whatever comes: they look into the log, tell metrics, beat."""
_STANDING: dict[str, Rule] = {**dict.fromkeys(STANDING, number(0, 1)), "source": text}

_SHIPPED = Path(str(resources.files("simulator") / "calibrations"))
ASSUMED = "assumed"
"""The shipped file that counts where none is named; it has every component."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Service times and whether they were measured; `statement` is what every report says of them."""

    file: str
    measured: bool
    statement: str
    date: str
    machine: str
    service: F64
    """A row for each of COMPONENTS: seconds for a transaction, a request, a statement; shape; sigma of a
    lognormal.
    """
    sources: dict[str, str]
    standing: dict[str, float]
    """Cores that each process of a kind uses without any load; of PostgreSQL for each worker."""

    def dearer(self, factor: float) -> Calibration:
        """The same parts where everything takes so many times the processor time; waits stay as they are."""
        working = [place for place, name in enumerate(COMPONENTS) if name not in WAITS]
        service = self.service.copy()
        service[working, :3] *= factor
        standing = {name: cores * factor for name, cores in self.standing.items()}
        return replace(self, service=service, standing=standing)


def load_calibration(path: Path | None = None) -> Calibration:
    """Read a calibration file, or a shipped one by its name; without one, ASSUMED. Raises ScenarioError."""
    path = path or Path(ASSUMED)
    if not path.suffix:
        if path.name not in shipped():
            raise ScenarioError(
                path.name, "(file)", str(path), f"must be a .toml file, or one of {', '.join(shipped())}"
            )
        path = _SHIPPED / f"{path.name}.toml"
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(path.name, "(file)", str(path), error.strerror or "cannot be read") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(path.name, "(file)", str(error), "must be TOML") from None
    about = _section(path.name, data, "about", _ABOUT)
    rows = [_section(path.name, data, name, _COMPONENT) for name in COMPONENTS]
    standing = _section(path.name, data, "standing", _STANDING)
    if data:
        raise ScenarioError(path.name, next(iter(data)), "...", f"no such section; there are {COMPONENTS}")
    service = np.array(
        [
            [
                row["transaction_us"] * 1e-6,
                row["request_us"] * 1e-6,
                row["statement_us"] * 1e-6,
                float(SHAPES.index(row["shape"])),
                sigma(row["cv"]),
            ]
            for row in rows
        ]
    )
    return Calibration(
        path.name,
        about["measured"],
        about["statement"],
        about["date"],
        about["machine"],
        service,
        dict(
            zip(
                (*COMPONENTS, "standing"), (*(row["source"] for row in rows), standing["source"]), strict=True
            )
        ),
        {name: standing[name] for name in STANDING},
    )


def shipped() -> list[str]:
    """The names of the calibrations that come with the package."""
    return sorted(path.stem for path in _SHIPPED.glob("*.toml"))


def written(components: dict[str, dict[str, Any]], standing: dict[str, Any], about: dict[str, Any]) -> str:
    """A calibration file: microseconds for each of COMPONENTS, cores for each of STANDING, what stands
    behind them.

    What is not given stays as the shipped file has it, its source saying so. `load_calibration` reads it.
    """
    assumed = tomllib.loads((_SHIPPED / f"{ASSUMED}.toml").read_text(encoding="utf-8"))
    parts = {"about": about, **{name: components.get(name, assumed[name]) for name in COMPONENTS}}
    sections = []
    for name, section in {**parts, "standing": standing}.items():
        lines = [f"{key} = {_toml(value)}" for key, value in section.items()]
        sections.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(sections) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if value % 1 else f"{value:.1f}"
    return json.dumps(value, ensure_ascii=False)


def _section(file: str, data: dict[str, Any], name: str, rules: dict[str, Rule]) -> dict[str, Any]:
    section = data.pop(name, None)
    if not isinstance(section, dict):
        raise ScenarioError(file, name, section, f"must be a table with {', '.join(rules)}")
    for key in section:
        if key not in rules:
            raise ScenarioError(
                file, f"{name}.{key}", section[key], f"no such key; there are {', '.join(rules)}"
            )
    for key, rule in rules.items():
        broken = rule(section.get(key))
        if broken:
            raise ScenarioError(file, f"{name}.{key}", section.get(key), broken)
    return section
