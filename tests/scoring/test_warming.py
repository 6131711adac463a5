"""After warming nothing is compiled any more."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import numpy as np

import lrs.scoring
from lrs.compilation import stamp
from lrs.scoring.event import decode_events, encode_events
from lrs.scoring.state import State
from lrs.scoring.warming import warm
from tests.scoring.world import histories, world


def compiled() -> dict[str, int]:
    """How many signatures each kernel of the package is compiled for."""
    found = {}
    for module in pkgutil.iter_modules(lrs.scoring.__path__, "lrs.scoring."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if hasattr(value, "nopython_signatures"):
                found[f"{module.name}.{name}"] = len(value.nopython_signatures)
    return found


def test_a_real_batch_after_warming_compiles_nothing() -> None:
    warm()
    before = compiled()
    assert len(before) > 20
    place, state = world(), State()
    said = histories(np.random.default_rng(1), ["warm"] * 20)
    for part in (said[:50], said[50:], []):
        events, pairs = decode_events(encode_events(*place.events(part)))
        state.take(events, pairs, place.tables, place.mapping)
    assert compiled() == before


def test_machine_code_is_stale_as_soon_as_any_source_of_the_package_changes(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("a")
    (tmp_path / "two.py").write_text("b")
    before = stamp(tmp_path.glob("*.py"))
    assert stamp(tmp_path.glob("*.py")) == before
    (tmp_path / "two.py").write_text("c")
    assert stamp(tmp_path.glob("*.py")) != before
    package = Path(lrs.scoring.__path__[0])
    for name in ("score", "progress", "readout"):
        module = importlib.import_module(f"lrs.scoring.{name}")
        caches = [value._cache for value in vars(module).values() if hasattr(value, "nopython_signatures")]
        assert caches
        assert {cache._cache_file._source_stamp for cache in caches} == {stamp(package.glob("*.py"))}
