"""What the database in memory answers to each named query: a module for the queries of a few files.

An answer is a coroutine function of the transaction and the query's arguments, which returns rows, or
a command's status. What it does stands in the order of the SQL: first what is read in the statement's
snapshot, then locks, then what is looked at anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from lrs.store.sql import queries
from tests.histories.database import Answer

_One = TypeVar("_One", bound=Callable[..., Any])

_ANSWERS: dict[str, Answer] = {}
_NAMES: dict[str, str] = {}


def answers(file: str, name: str) -> Callable[[_One], _One]:
    """Marks the answer to a named query."""

    def mark(answer: _One) -> _One:
        text = queries(file)[name]
        _ANSWERS[text], _NAMES[text] = answer, f"{file}.{name}"
        return answer

    return mark


def answers_text(text: str) -> Callable[[_One], _One]:
    """Marks the answer to a query without a name."""

    def mark(answer: _One) -> _One:
        _ANSWERS[text], _NAMES[text] = answer, " ".join(text.split()[:6])
        return answer

    return mark


def all_answers() -> Mapping[str, Answer]:
    """Every answer by the text of its query."""
    from tests.histories.answers import derived, lease, log, name, outcome, statement  # noqa: F401

    return _ANSWERS


def name_of(text: str) -> str:
    """What a query is called: its file and its name; any other text is what it is."""
    return _NAMES.get(text, text)
