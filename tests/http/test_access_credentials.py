"""Credentials over HTTP: one that administers makes, shows, rotates and revokes those of its tenant."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from lrs.http.access import Access
from lrs.http.credentials import PATH
from tests.http.client import Answer, Client
from tests.http.sample import fresh, statement
from tests.http.system import System
from tests.http.test_access import access_status


@pytest_asyncio.fixture
async def admin(system: System, alone: Client) -> Client:
    """An admin of the test's own tenant."""
    return await system.client(alone.tenant, admin=True)


async def ask(client: Client, method: str, body: Any = None, key: str | None = None) -> Answer:
    """A request to the resource."""
    sent = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
    return await client.request(method, PATH, None if key is None else {"key": key}, sent)


async def made(admin: Client, **draft: Any) -> Client:
    """A client with a new credential."""
    answer = await ask(admin, "POST", {"scopes": ["all"]} | draft)
    assert answer.status == 200, answer
    assert answer.headers["cache-control"] == "no-store"
    return dataclasses.replace(admin, **answer.json)


async def test_a_credential_that_was_made_works_and_is_shown_without_its_secret(admin: Client) -> None:
    client = await made(admin, scopes=["statements/write", "statements/read/mine"], voiding="none")
    assert (await client.post(statement())).status == 200
    assert (await client.get()).status == 200
    answer = await ask(admin, "GET", key=client.key)
    [one] = answer.json["credentials"]
    assert one["scopes"] == ["statements/write", "statements/read/mine"]
    assert (one["voiding"], one["admin"], one["expires"], one["revoked"]) == ("none", False, None, None)
    assert one["authority"]["account"]["name"] == client.key
    assert client.secret.encode() not in (await ask(admin, "GET")).body
    assert {one["key"] for one in (await ask(admin, "GET")).json["credentials"]} >= {admin.key, client.key}


async def test_a_credential_keeps_its_authority_through_rotation(admin: Client) -> None:
    client = await made(admin, key=f"player-{fresh()}")
    [before] = (await client.post(statement())).json
    answer = await ask(admin, "PUT", key=client.key)
    assert answer.status == 200
    rotated = dataclasses.replace(client, secret=answer.json["secret"])
    assert rotated.secret != client.secret
    [after] = (await rotated.post(statement())).json
    authorities = {
        (await admin.get({"statementId": id_})).json["authority"]["account"]["name"]
        for id_ in (before, after)
    }
    assert authorities == {client.key}


@pytest.mark.parametrize("overlap", [0, 600])
async def test_the_old_secret_is_valid_for_the_overlap_or_not_at_all(
    system: System, admin: Client, overlap: int
) -> None:
    client = await made(admin)
    answer = await ask(admin, "PUT", {"overlap": overlap}, client.key)
    access = Access(system.credentials)
    assert await access_status(access, client.key, answer.json["secret"]) == 200
    assert await access_status(access, client.key, client.secret) == (200 if overlap else 401)
    [one] = (await ask(admin, "GET", key=client.key)).json["credentials"]
    assert (one["old_until"] is not None) == (overlap > 0)
    await ask(admin, "PUT", key=client.key)
    assert await access_status(Access(system.credentials), client.key, client.secret) == 401
    assert await access_status(Access(system.credentials), client.key, answer.json["secret"]) == 401


async def test_a_revoked_credential_is_over_for_ever(system: System, admin: Client) -> None:
    client = await made(admin)
    for _ in range(2):
        assert (await ask(admin, "DELETE", key=client.key)).status == 204
    assert await access_status(Access(system.credentials), client.key, client.secret) == 401
    assert (await ask(admin, "PUT", key=client.key)).status == 404
    assert (await ask(admin, "POST", {"key": client.key, "scopes": ["all"]})).status == 409
    [one] = (await ask(admin, "GET", key=client.key)).json["credentials"]
    assert one["revoked"] is not None


async def test_a_credential_expires_when_it_is_told(system: System, admin: Client) -> None:
    over = await made(admin, expires="2020-01-01T00:00:00Z")
    later = await made(admin, expires="2999-01-01T00:00:00+05:30")
    assert await access_status(Access(system.credentials), over.key, over.secret) == 401
    assert await access_status(Access(system.credentials), later.key, later.secret) == 200


@pytest.mark.parametrize(
    ("draft", "says"),
    [
        (b"", "credential"),
        (b"{", "credential"),
        ([], "object"),
        ({}, "scopes"),
        ({"scopes": []}, "$.scopes"),
        ({"scopes": ["joy"]}, "joy"),
        ({"scopes": ["ALL"]}, "ALL"),
        ({"scopes": "all"}, "scopes"),
        ({"scopes": ["all"], "voiding": "most"}, "voiding"),
        ({"scopes": ["all"], "admin": "yes"}, "admin"),
        ({"scopes": ["all"], "key": "a:b"}, "colon"),
        ({"scopes": ["all"], "key": "a\nb"}, "printable"),
        ({"scopes": ["all"], "key": "a\x00b"}, "printable"),
        ({"scopes": ["all"], "key": "a" * 201}, "200"),
        ({"scopes": ["all"], "expires": "tomorrow"}, "expires"),
        ({"scopes": ["all"], "expires": "2999-01-01T00:00:00"}, "offset"),
        ({"scopes": ["all"], "secret": "mine"}, "secret"),
    ],
    ids=ascii,
)
async def test_what_is_no_credential_to_make_is_400(admin: Client, draft: Any, says: str) -> None:
    answer = await ask(admin, "POST", draft)
    assert (answer.status, answer.json["reason"]) in ((400, "invalid"), (400, "malformed"))
    assert says in answer.json["error"]
    assert len((await ask(admin, "GET")).json["credentials"]) == 2


@pytest.mark.parametrize(
    ("method", "query", "body", "status"),
    [
        ("GET", {"key": "nobody"}, None, 404),
        ("PUT", {"key": "nobody"}, None, 404),
        ("DELETE", {"key": "nobody"}, None, 404),
        ("PUT", None, None, 400),
        ("DELETE", None, None, 400),
        ("DELETE", {"key": ""}, None, 400),
        ("GET", {"key": "a\x00"}, None, 400),
        ("GET", {"name": "x"}, None, 400),
        ("PUT", {"key": "nobody"}, {"overlap": -1}, 400),
        ("PUT", {"key": "nobody"}, {"overlap": 1e9}, 400),
        ("PUT", {"key": "nobody"}, {"for": 1}, 400),
        ("POST", {"key": "nobody"}, {"scopes": ["all"]}, 400),
    ],
    ids=ascii,
)
async def test_what_is_no_request_to_it_is_refused(
    admin: Client, method: str, query: dict[str, str] | None, body: Any, status: int
) -> None:
    sent = b"" if body is None else msgspec.json.encode(body)
    assert (await admin.request(method, PATH, query, sent)).status == status


async def test_who_does_not_administer_gets_403_whatever_his_scopes(system: System, alone: Client) -> None:
    admin_without_all = await system.client(alone.tenant, "all/read", "statements/write", admin=True)
    for client in (alone, admin_without_all):
        for method, body in (("GET", None), ("POST", {"scopes": ["all"]}), ("PUT", None), ("DELETE", None)):
            answer = await ask(client, method, body, None if method in ("GET", "POST") else client.key)
            assert (answer.status, answer.json["reason"]) == (403, "forbidden")


async def test_no_admin_reaches_into_another_tenant(system: System, admin: Client) -> None:
    other = await system.tenant()
    for method in ("GET", "PUT", "DELETE"):
        assert (await ask(admin, method, key=other.key)).status == 404
    assert other.key.encode() not in (await ask(admin, "GET")).body
    assert (await ask(admin, "POST", {"key": other.key, "scopes": ["all"]})).status == 409
    assert (await other.get()).status == 200
