"""Mapping: which statements become which facts. Versioned data, not code (data/mapping.yaml)."""

from __future__ import annotations

from collections.abc import Mapping as Numbers
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from lrs.scoring.document import Document
from lrs.scoring.event import Flag
from lrs.scoring.fact import Kind

CATEGORY_SHIFT: Final = 5
"""A combination of categories is `(flags >> CATEGORY_SHIFT) & CATEGORY_MASK`: Flag.CMI5, MOVE_ON, VIDEO."""
CATEGORY_MASK: Final = 7
_CATEGORIES: Final[Numbers[str, int]] = {"cmi5": Flag.CMI5, "moveon": Flag.MOVE_ON, "video": Flag.VIDEO}
_KINDS: Final = {kind.name.lower(): kind for kind in Kind if kind is not Kind.NONE}

OTHER_CATEGORY: Final = 255
"""In a table: the verb is mapped, but only with a category that the statement has not."""


@dataclass(frozen=True)
class Rule:
    """Statements with this verb, and this category (a Flag; 0: any), become facts of this kind."""

    verb: str
    category: int
    kind: Kind


@dataclass(frozen=True)
class Mapping:
    """A version of the mapping."""

    version: int
    rules: tuple[Rule, ...]

    def verbs(self) -> list[str]:
        """The IRIs of all verbs that `compile` needs numbers for."""
        return sorted({rule.verb for rule in self.rules})

    def compile(self, verbs: Numbers[str, int]) -> MappingTable:
        """The mapping for one tenant's interned verbs (IRI -> number)."""
        kinds = np.zeros(
            (max((verbs[rule.verb] for rule in self.rules), default=0) + 1, CATEGORY_MASK + 1), np.uint8
        )
        for rule in sorted(self.rules, key=lambda rule: bool(rule.category)):
            row = kinds[verbs[rule.verb]]
            needed = rule.category >> CATEGORY_SHIFT
            for categories in range(CATEGORY_MASK + 1):
                if categories & needed == needed:
                    row[categories] = rule.kind
            if needed:
                row[row == Kind.NONE] = OTHER_CATEGORY
        return MappingTable(self.version, kinds)


@dataclass(frozen=True)
class MappingTable:
    """A mapping compiled for one tenant: kinds[verb, categories]; a verb beyond it is unmapped."""

    version: int
    kinds: npt.NDArray[np.uint8]


def read_mapping(text: str, name: str = "mapping") -> Mapping:
    """A mapping from its YAML. Raises DocumentError with every fault."""
    document = Document(text, name)
    top = document.root.fields(("version", "rules"))
    version = top["version"].integer(1, 255) if "version" in top else 1
    rules: list[Rule] = []
    seen: dict[tuple[str, int], int] = {}
    for node in top["rules"].items() if "rules" in top else ():
        entry = node.fields(("verb", "kind"), ("category",))
        if "verb" not in entry or "kind" not in entry:
            continue
        category = entry["category"].choice(_CATEGORIES, 0) if "category" in entry else 0
        rule = Rule(entry["verb"].iri(), category, entry["kind"].choice(_KINDS, Kind.NONE))
        if (rule.verb, category) in seen:
            node.fault(f"the rule repeats that of line {seen[rule.verb, category]}")
        seen.setdefault((rule.verb, category), node.line)
        rules.append(rule)
    document.close()
    return Mapping(version, tuple(rules))


@cache
def default_mapping() -> Mapping:
    """The mapping that comes with the program."""
    source = files("lrs.scoring").joinpath("data/mapping.yaml")
    return read_mapping(source.read_text(encoding="utf-8"), source.name)
