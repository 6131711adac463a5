"""Scopes: what a credential may do (1.0.3 Part Three 4.2, "OAuth Authorization Scope").

One table says which scopes suffice for which resource; one function says what of the statements is in
sight. A credential that is delegated to one person (a signed token, lrs.http.token) may ask for what
is about that person only, whatever its scopes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lrs.http.error import Refusal, statement_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrs.store.credential import Credential
    from lrs.store.listing import Query
    from lrs.xapi.statement import Statement

SCOPES: Final[Mapping[str, frozenset[str]]] = {
    "statements/write": frozenset(),
    "statements/read/mine": frozenset(),
    "statements/read": frozenset({"statements/read/mine"}),
    "state": frozenset(),
    "define": frozenset(),
    "profile": frozenset(),
    "all/read": frozenset({"statements/read", "statements/read/mine"}),
    "all": frozenset(
        {
            "statements/write",
            "statements/read/mine",
            "statements/read",
            "state",
            "define",
            "profile",
            "all/read",
        }
    ),
    "person": frozenset(),
}
"""Every scope, with the others that it contains. `person`, to export and to erase what is kept of one, is
not the specification's: no other contains it."""

READING: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""

_READ_STATEMENTS: Final = ("statements/read/mine", "statements/read", "all/read", "all")
_READ_EVERYBODY: Final = ("statements/read", "all/read", "all")
_WHOLE: Final = ("all",)

SUFFICIENT: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "statements": (_READ_STATEMENTS, ("statements/write", "all")),
    "state": (("state", "all/read", "all"), ("state", "all")),
    "agent_profile": (("profile", "all/read", "all"), ("profile", "all")),
    "activity_profile": (("profile", "all/read", "all"), ("profile", "all")),
    "agents": (_READ_STATEMENTS, ()),
    # A definition is about nobody, and common to a tenant.
    "activities": (("define", "profile", *_READ_STATEMENTS), ()),
    "progress": (_READ_EVERYBODY, ()),
    "competencies": (_READ_EVERYBODY, ()),
    "outcomes": (_READ_EVERYBODY, ()),
    "digest": (_READ_EVERYBODY, ()),
    "person": (("person",), ("person",)),
    "credentials": (_WHOLE, _WHOLE),
}
"""By resource: any of which scopes suffices to read, and to write. The least stands first."""

ADMINISTRATIVE: Final = frozenset({"credentials"})
"""Resources that only a credential with the admin flag may use, besides its scope."""

_OF_A_PERSON: Final = frozenset(
    {"statements", "state", "agent_profile", "agents", "activities", "progress", "competencies"}
)
"""Resources of which a delegated credential may use what is about its subject, or about nobody."""

_OWN_SCORES: Final = frozenset({"progress", "competencies"})


class _Kind(msgspec.Struct, gc=False):
    objectType: str = "Agent"  # noqa: N815


class _Acted(msgspec.Struct, gc=False):
    actor: _Kind


_acted = msgspec.json.Decoder(_Acted).decode


def require(credential: Credential, resource: str, method: str) -> None:
    """Raise Refusal 403 unless the credential may use a resource by a method."""
    reads, writes = SUFFICIENT[resource]
    wanted = reads if method in READING else writes
    if credential.subject is not None:
        if resource not in _OF_A_PERSON:
            raise forbidden("a token that names an agent may not use this resource")
        if resource in _OWN_SCORES:
            wanted = _READ_STATEMENTS
    if credential.scopes.isdisjoint(wanted):
        has = " ".join(sorted(credential.scopes)) or "none"
        refusal = forbidden(f"this needs the scope {' or '.join(wanted)}; the credential has {has}")
        # RFC 6750 3.1
        refusal.headers["www-authenticate"] = f'Bearer error="insufficient_scope", scope="{wanted[0]}"'
        raise refusal
    if resource in ADMINISTRATIVE and not credential.admin:
        raise forbidden("this needs an admin credential")


def require_subject(credential: Credential, agent: str) -> None:
    """Raise Refusal 403 where a delegated credential asks about another agent (canonical text)."""
    if credential.subject is not None and agent != credential.subject.name:
        raise forbidden("a token is for what is about the agent that it names, not for others", path="agent")


def require_own(credential: Credential, statements: Sequence[Statement], body: bytes) -> None:
    """Raise Refusal 403 for statements, read from a body, that a credential may not write: voids without
    the permission, and of a delegated credential every one whose actor is not its subject."""
    if credential.voids == "none" and any(statement.voids is not None for statement in statements):
        raise forbidden("this credential may not void statements")
    if credential.subject is not None:
        for index, statement in enumerate(statements):
            if statement.actor != credential.subject.name or _by_group(statement):
                raise forbidden(
                    "a token is for statements whose actor is the agent that it names",
                    path=f"{statement_path(body, index)}.actor",
                    index=index,
                )


def defines(credential: Credential) -> bool:
    """Whether what a credential writes has a say in canonical definitions, and in agents' names."""
    return not credential.scopes.isdisjoint(("define", "all"))


def in_sight(credential: Credential, query: Query) -> Query:
    """The query, narrowed to the statements that a credential may read."""
    if credential.subject is not None:
        return msgspec.structs.replace(query, actor=credential.subject.number)
    if credential.scopes.isdisjoint(_READ_EVERYBODY):
        return msgspec.structs.replace(query, authority=credential.authority)
    return query


def sees(credential: Credential, authority: int, actor: int) -> bool:
    """Whether a credential may read a statement of this authority and actor, in the store's numbers."""
    if credential.subject is not None:
        return actor == credential.subject.number
    return authority == credential.authority or not credential.scopes.isdisjoint(_READ_EVERYBODY)


def granted(asked: Iterable[str], *grants: Collection[str]) -> frozenset[str]:
    """Those of the asked scopes that every one of the grants contains; unknown ones are left out."""
    return frozenset(
        scope
        for scope in asked
        if all(scope in grant or any(scope in SCOPES.get(one, ()) for one in grant) for grant in grants)
        and scope in SCOPES
    )


def unknown(scopes: Iterable[str]) -> list[str]:
    """Those that are no scopes."""
    return [scope for scope in scopes if scope not in SCOPES]


def _by_group(statement: Statement) -> bool:
    """Whether the actor is a Group, which has the canonical text of an Agent with its identifier."""
    return _acted(statement.raw).actor.objectType != "Agent"


def forbidden(error: str, **members: Any) -> Refusal:
    """403."""
    return Refusal(403, error, "forbidden", **members)
