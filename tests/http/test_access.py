"""Basic credentials: who has none, wrong ones, expired ones or revoked ones gets 401 and nothing else."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import time

import pytest

from lrs.http.access import Access
from lrs.http.error import Refusal
from tests.http.client import Client, basic
from tests.http.sample import shortened, statement
from tests.http.system import System


def encoded(text: bytes) -> str:
    """A Basic header of any bytes."""
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic YQ",
        "Bearer abc",
        "Basic " + "A" * 100_000,
        encoded(b""),
        encoded(b":"),
        encoded(b"no colon"),
        encoded(b"\xff\xfe:\x80"),
        encoded(b"key\x00:secret"),
        encoded(b"' or 1=1 --:x"),
        encoded(b"a:" + b"b" * 50_000),
        "Digest username=x",
        "\xe9\xff",
    ],
    ids=shortened,
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/xapi/statements"),
        ("POST", "/xapi/statements"),
        ("PUT", "/xapi/statements"),
        ("GET", "/xapi/statements/more/abc"),
        ("GET", "/api/v1/progress"),
        ("GET", "/api/v1/competencies"),
    ],
)
async def test_missing_and_malformed_credentials_get_401(
    lrs: Client, header: str | None, method: str, path: str
) -> None:
    query = {"statementId": "00000000-0000-4000-8000-000000000000"} if method == "PUT" else None
    answer = await lrs.request(method, path, query, b"{}", {"authorization": header})
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert answer.json["reason"] == "unauthorized"
    if path.startswith("/xapi"):
        assert answer.headers["x-experience-api-version"] == "1.0.3"


async def test_a_wrong_secret_and_an_unknown_key_look_alike(lrs: Client) -> None:
    wrong = await dataclasses.replace(lrs, secret="wrong").get()
    unknown = await dataclasses.replace(lrs, key="unknown").get()
    assert wrong.status == unknown.status == 401
    assert wrong.body == unknown.body
    assert (await lrs.get()).status == 200


async def test_the_scheme_is_not_case_sensitive(lrs: Client) -> None:
    header = basic(lrs.key, lrs.secret).replace("Basic", "bAsIc")
    assert (await lrs.get(authorization=header)).status == 200


async def test_a_secret_may_have_colons_and_any_letters(system: System, alone: Client) -> None:
    await system.credentials.ensure(alone.tenant, "कुंजी", "a:b:ग")
    assert (await dataclasses.replace(alone, key="कुंजी", secret="a:b:ग").get()).status == 200


async def test_an_expired_credential_is_refused_even_while_it_is_remembered(
    system: System, alone: Client
) -> None:
    client = await system.client(alone.tenant)
    expire = "update credential set expires = now() + make_interval(secs => $2) where key = $1"
    await system.pool.execute(expire, client.key, 1.0)
    assert (await client.get()).status == 200
    async with asyncio.timeout(10):
        while (await client.get()).status == 200:
            await asyncio.sleep(0.1)
    assert (await client.get()).status == 401


async def access_answers(access: Access, client: Client) -> bool:
    """Whether the credential is let in."""
    return await access_status(access, client.key, client.secret) == 200


async def access_status(access: Access, key: str, secret: str) -> int:
    """The status that a request with these credentials would get."""
    try:
        await access.credential(basic(key, secret).encode())
    except Refusal as refusal:
        return refusal.status
    return 200


async def test_a_revoked_credential_is_refused_once_it_is_forgotten(system: System, alone: Client) -> None:
    access = Access(system.credentials, known_for=0.5)
    assert await access_answers(access, alone)
    await system.pool.execute("update credential set revoked = now() where key = $1", alone.key)
    async with asyncio.timeout(10):
        while await access_answers(access, alone):
            await asyncio.sleep(0.05)


async def test_a_credential_is_verified_once_however_many_requests_come_with_it(
    system: System, alone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = 0
    verify = system.credentials.verify

    async def counting(*arguments: object) -> object:
        nonlocal verified
        verified += 1
        return await verify(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(system.credentials, "verify", counting)
    access = Access(system.credentials)
    assert all(await asyncio.gather(*(access_answers(access, alone) for _ in range(50))))
    assert await access_answers(access, alone)
    assert verified == 1


async def test_a_flood_of_wrong_ones_keeps_nobody_waiting_whose_credential_is_known(
    system: System, alone: Client
) -> None:
    access = Access(system.credentials)
    assert await access_answers(access, alone)

    flood = asyncio.gather(*(access_status(access, alone.key, f"wrong-{number}") for number in range(60)))
    await asyncio.sleep(0)
    started = time.perf_counter()
    assert await access_answers(access, alone)
    known = time.perf_counter() - started
    statuses = await flood
    assert set(statuses) == {401, 503}, "few wait, the others are sent away"
    assert known < (time.perf_counter() - started) / 5


async def test_a_refused_request_writes_nothing(system: System, alone: Client) -> None:
    await dataclasses.replace(alone, secret="wrong").post(statement())
    assert await system.count(alone.tenant) == 0
