"""Documents: YAML read with the place of every value, so that an error can name it.

A document is read as nodes; a node's methods return the value asked for, or note a fault and return
a neutral value, so that one reading finds every fault. Anchors and aliases are refused: they buy
little and a small file can mean gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn, TypeVar

import yaml

T = TypeVar("T")

MAX_FAULTS: Final = 50
MAX_DEPTH: Final = 32
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a document."""

    line: int
    path: str
    value: str
    rule: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.value}: {self.rule}"


class DocumentError(Exception):
    """A document that breaks its rules; `faults` has all of them (the first MAX_FAULTS)."""

    def __init__(self, name: str, faults: Iterable[Fault]) -> None:
        self.name = name
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line)[:MAX_FAULTS])
        super().__init__("\n".join(f"{name}, {fault}" for fault in self.faults))


class Document:
    """A YAML text being read. `root` is its top node; `close` raises what was found wrong."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.faults: list[Fault] = []
        self.root = Node(self, self._compose(text), "$")

    def _compose(self, text: str) -> yaml.Node:
        depth = 0
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                line = event.start_mark.line + 1 if event.start_mark else 1
                if isinstance(event, yaml.AliasEvent):
                    self.fail(line, "$", f"*{event.anchor}", "aliases are not allowed")
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
                    event, yaml.CollectionEndEvent
                )
                if depth > MAX_DEPTH:
                    self.fail(line, "$", "a value", f"nested deeper than {MAX_DEPTH} levels")
            node = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.fail(line, "$", "not YAML", error.problem or str(error))
        except yaml.YAMLError as error:
            self.fail(1, "$", "not YAML", str(error).splitlines()[0])
        if node is None:
            self.fail(1, "$", "nothing", "the document is empty")
        return node

    def fail(self, line: int, path: str, value: str, rule: str) -> NoReturn:
        """Give up at once."""
        raise DocumentError(self.name, [*self.faults, Fault(line, path, value, rule)])

    def close(self) -> None:
        """Raise DocumentError if anything was wrong."""
        if self.faults:
            raise DocumentError(self.name, self.faults)


class Node:
    """A value of a document and where it stands."""

    def __init__(self, document: Document, node: yaml.Node, path: str) -> None:
        self._document = document
        self._node = node
        self.path = path
        self.line = node.start_mark.line + 1

    def fault(self, rule: str) -> None:
        """Note that this value breaks a rule."""
        self._document.faults.append(Fault(self.line, self.path, self._shown(), rule))

    def _shown(self) -> str:
        if isinstance(self._node, yaml.ScalarNode):
            text = repr(self._node.value)
            return text if len(text) <= 80 else text[:77] + "..."
        return "a mapping" if isinstance(self._node, yaml.MappingNode) else "a list"

    def fields(self, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Node]:
        """The members of a mapping with fixed keys."""
        required = tuple(required)
        allowed = {*required, *optional}
        members = self.members()
        for key, node in members.items():
            if key not in allowed:
                node.fault(f"unknown key; allowed are {', '.join(sorted(allowed))}")
        for key in required:
            if key not in members:
                self.fault(f"{key} is missing")
        return {key: node for key, node in members.items() if key in allowed}

    def members(self) -> dict[str, Node]:
        """The members of a mapping with text keys."""
        if not isinstance(self._node, yaml.MappingNode):
            self.fault("must be a mapping")
            return {}
        members: dict[str, Node] = {}
        for key, value in self._node.value:
            name = Node(self._document, key, self.path).text()
            node = Node(self._document, value, f"{self.path}.{name}")
            if name in members:
                node.fault(f"key repeated; it stands at line {members[name].line} already")
            members[name] = node
        return members

    def items(self) -> list[Node]:
        """The entries of a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            self.fault("must be a list")
            return []
        return [
            Node(self._document, node, f"{self.path}[{place}]") for place, node in enumerate(self._node.value)
        ]

    def text(self) -> str:
        """A text that is not empty."""
        if not self._is("str") or not self._node.value.strip():
            self.fault("must be a text that is not empty")
            return ""
        return str(self._node.value)

    def integer(self, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        number = (
            int(self._node.value) if self._is("int") and self._node.value.lstrip("+-").isdecimal() else None
        )
        if number is None or not low <= number <= high:
            self.fault(f"must be a whole number from {low} to {high}")
            return low
        return number

    def fixed(self, low: float, high: float, unit: int) -> int:
        """A number in [low, high] that is a whole multiple of 1/unit; that multiple."""
        number: Decimal | None = None
        if self._is("int") or self._is("float"):
            try:
                number = Decimal(self._node.value)
            except InvalidOperation:
                number = None
        if number is None or not math.isfinite(number) or not low <= number <= high:
            self.fault(f"must be a number from {low:g} to {high:g}")
            return 0
        if number * unit != int(number * unit):
            self.fault(f"must be a multiple of 1/{unit}")
        return int(number * unit)

    def choice(self, choices: Mapping[str, T], default: T) -> T:
        """One of some words; `default` is the neutral value."""
        value = str(self._node.value) if isinstance(self._node, yaml.ScalarNode) else ""
        if value not in choices:
            self.fault(f"must be one of {', '.join(choices)}")
            return default
        return choices[value]

    def iri(self) -> str:
        """An IRI: a scheme and no blanks (the rule for identifiers in xAPI, RFC 3987)."""
        text = self.text()
        scheme, colon, rest = text.partition(":")
        plain = scheme[:1].isalpha() and all(c.isalnum() or c in "+-." for c in scheme) and scheme.isascii()
        if text and not (
            colon and rest and plain and not any(c.isspace() or c in '<>"{}|\\^`' for c in text)
        ):
            self.fault("must be an IRI with a scheme")
        return text

    def _is(self, kind: str) -> bool:
        return isinstance(self._node, yaml.ScalarNode) and self._node.tag == _TAG + kind
