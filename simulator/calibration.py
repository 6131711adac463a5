"""Service times of the record store's parts, from a calibration file, with what stands behind them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from simulator.compiled import F64
from simulator.engine.state import COMPONENTS, SHAPES
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


def load_calibration(path: Path | None = None) -> Calibration:
    """Read a calibration file; without one, the shipped one, which is assumed. Raises ScenarioError."""
    if path is None:
        path = Path(str(resources.files("simulator") / "calibrations" / "assumed.toml"))
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(path.name, "(file)", str(path), error.strerror or "cannot be read") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(path.name, "(file)", str(error), "must be TOML") from None
    about = _section(path.name, data, "about", _ABOUT)
    rows = [_section(path.name, data, name, _COMPONENT) for name in COMPONENTS]
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
        dict(zip(COMPONENTS, (row["source"] for row in rows), strict=True)),
    )


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
