"""The invitation: three commands that a newcomer can paste into a shell."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from lrs.demo import phrase as say
from lrs.scoring.catalogue import Catalogue, ModuleKind
from lrs.scoring.event import MoveOn

NEWCOMER: Final = {"objectType": "Agent", "mbox": "mailto:newcomer@example.org"}
"""The learner of the commands."""


@dataclass(frozen=True)
class Command:
    """A command line for a shell, and what it does."""

    title: str
    line: str


def invitation(address: str, key: str, secret: str, catalogue: Catalogue, statement: UUID) -> list[Command]:
    """Commands that send a statement of this id, read it back, and read the learner's progress."""
    login = shlex.quote(f"{key}:{secret}")
    version = "-H 'X-Experience-API-Version: 2.0.0'"
    sent = shlex.quote(_completion(catalogue, statement))
    agent = shlex.quote("agent=" + msgspec.json.encode(NEWCOMER).decode())
    return [
        Command(
            "send a statement",
            f"curl -s -u {login} {version} -H 'Content-Type: application/json'"
            f" -d {sent} {address}/xapi/statements",
        ),
        Command(
            "read it back",
            f"curl -s -u {login} {version} '{address}/xapi/statements?statementId={statement}'",
        ),
        Command(
            "read the learner's progress",
            f"curl -s -u {login} -G --data-urlencode {agent} {address}/api/v1/progress",
        ),
    ]


def _completion(catalogue: Catalogue, statement: UUID) -> str:
    """A statement of the newcomer, who has completed something that completion alone satisfies."""
    module = next(
        (
            module
            for module in catalogue.modules
            if module.kind is not ModuleKind.CMI5 and module.move_on is MoveOn.COMPLETED
        ),
        catalogue.modules[0],
    )
    words = {
        "id": str(statement),
        "actor": NEWCOMER,
        "verb": say.verb("completed"),
        "object": {"id": module.id},
        "result": {"completion": True},
    }
    return msgspec.json.encode(words).decode()
