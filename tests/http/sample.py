"""Statements to send: small, valid, each part of which a test may replace."""

from __future__ import annotations

import uuid
from typing import Any

ROOT = "https://example.org/"


def fresh() -> str:
    """A statement id that nobody has."""
    return str(uuid.uuid4())


def agent(name: str) -> dict[str, Any]:
    """An agent by mailbox."""
    return {"mbox": f"mailto:{name}@example.org"}


def activity(name: str) -> dict[str, Any]:
    """An activity without a definition."""
    return {"id": ROOT + name}


def reference(to: str) -> dict[str, Any]:
    """A StatementRef."""
    return {"objectType": "StatementRef", "id": to}


def statement(
    actor: str | dict[str, Any] = "learner",
    verb: str | dict[str, Any] = "experienced",
    about: str = "page",
    **members: Any,
) -> dict[str, Any]:
    """A statement; actor and verb by name or as they are. `members` are added, or replace the object."""
    return {
        "actor": agent(actor) if isinstance(actor, str) else actor,
        "verb": {"id": f"{ROOT}verb/{verb}"} if isinstance(verb, str) else verb,
        "object": activity(about),
        **members,
    }


def void(target: str, **members: Any) -> dict[str, Any]:
    """A statement that voids another one."""
    voided = {"id": "http://adlnet.gov/expapi/verbs/voided"}
    return {"actor": agent("keeper"), "verb": voided, "object": reference(target), **members}


def shortened(value: object) -> str:
    """A test's name for a parameter of any size."""
    return ascii(value)[:40]
