"""The Dockerfile as its stages and their instructions."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field

from tests.deployment.compose import ROOT

FILE = ROOT / "Dockerfile"


@dataclass(slots=True)
class Stage:
    """One stage. `steps`: (instruction, rest of the line) in order."""

    image: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """What follows each of these instructions."""
        return [rest for name, rest in self.steps if name == instruction]

    def last(self, instruction: str) -> str:
        """What holds, of an instruction that overrides the one before."""
        return self.all(instruction)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets."""
        words = [word for rest in self.all("ENV") for word in shlex.split(rest)]
        return dict(word.split("=", 1) for word in words)


def read() -> list[Stage]:
    """The stages in order."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text("utf-8"), flags=re.MULTILINE)
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if not line.strip():
            continue
        instruction, rest = line.split(None, 1)
        if instruction == "FROM":
            image, *named = rest.split()
            stages.append(Stage(image, named[1] if named else ""))
        else:
            stages[-1].steps.append((instruction, rest))
    return stages


def words(exec_form: str) -> list[str]:
    """The words of an instruction in exec form. Raises ValueError for one in shell form."""
    found = json.loads(exec_form)
    assert isinstance(found, list)
    return [str(word) for word in found]
