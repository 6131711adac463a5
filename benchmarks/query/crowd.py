"""Statements of a crowd: one agent has half of all, the others some dozens each."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from lrs.demo.phrase import activity, mention, new_uuid, verb

BUSY: Final = "busy"
"""The name of the agent that has half of all statements."""

WORDS: Final = ("completed", "passed", "failed", "initialized", "terminated")
ROOT: Final = "https://lrs.example.org/"


@dataclass(frozen=True)
class Crowd:
    """Who and what the statements are about, for so many statements."""

    statements: int

    @property
    def learners(self) -> int:
        """Learners beside the busy one."""
        return max(self.statements // 60, 10)

    @property
    def activities(self) -> int:
        """Activities; a third of all statements are about the first hundredth of them."""
        return max(self.statements // 400, 100)

    def learner(self, rng: Random) -> dict[str, Any]:
        """One of the learners that are not busy."""
        return agent(f"learner-{rng.randrange(self.learners)}")

    def teacher(self, rng: Random) -> dict[str, Any]:
        """An instructor of some thousand statements."""
        return agent(f"teacher-{rng.randrange(max(self.statements // 2000, 5))}")

    def course(self, rng: Random) -> str:
        """A course: the parent of many statements' activities."""
        return f"{ROOT}course/{rng.randrange(max(self.activities // 20, 5))}"

    def thing(self, rng: Random) -> str:
        """An activity."""
        most = self.activities // 100 if rng.random() < 1 / 3 else self.activities
        return f"{ROOT}module/{rng.randrange(most)}"

    def registration(self, rng: Random) -> str:
        """A registration of about ten statements."""
        return str(uuid.UUID(int=(1 << 100) + rng.randrange(max(self.statements // 10, 1))))

    def statement(self, rng: Random) -> dict[str, Any]:
        """One statement, with an id."""
        actor = agent(BUSY) if rng.random() < 0.5 else self.learner(rng)
        iri = self.thing(rng)
        return {
            "id": new_uuid(rng),
            "actor": actor,
            "verb": verb(rng.choice(WORDS)),
            "object": activity(iri, {"en": f"Module {iri[-6:]}"}, "lesson"),
            "result": {"score": {"scaled": rng.randrange(100) / 100}, "duration": f"PT{rng.randrange(900)}S"},
            "context": {
                "registration": self.registration(rng),
                "instructor": self.teacher(rng),
                "contextActivities": {"parent": mention(self.course(rng))},
            },
            "timestamp": f"2026-0{rng.randrange(1, 10)}-15T10:{rng.randrange(60):02d}:00Z",
        }


def agent(name: str) -> dict[str, Any]:
    """An agent by account."""
    return {"objectType": "Agent", "name": name, "account": {"homePage": ROOT, "name": name}}


def identifier(of: dict[str, Any]) -> str:
    """The agent's canonical text."""
    return f"account:{of['account']['homePage']} {of['account']['name']}"
