"""Credentials in the store: what is kept of a secret, and what a rotation and an older program do."""

from __future__ import annotations

import asyncpg
import pytest

from lrs.store.credential import (
    LONGEST_OVERLAP,
    ROOT_TENANT,
    Credential,
    CredentialError,
    Credentials,
    Draft,
    KeyTaken,
    NoCredential,
    matches,
)
from lrs.store.name import Names
from lrs.store.tenant import TenantError, Tenants


@pytest.fixture
def credentials(pool: asyncpg.Pool) -> Credentials:
    """The credentials of a store of the test's own."""
    return Credentials(pool, Names(pool))


class Checking:
    """Compares secrets, and counts."""

    def __init__(self) -> None:
        self.checked = 0

    async def __call__(self, secret: str, salt: bytes, stored: bytes) -> bool:
        self.checked += 1
        return matches(secret, salt, stored)


async def verified(credentials: Credentials, key: str, secret: str) -> Credential | None:
    """The credential, if the secret is its own."""
    return await credentials.verify(key, secret, Checking())


async def test_the_store_has_no_secret_in_it(pool: asyncpg.Pool, credentials: Credentials) -> None:
    key, secret = await credentials.create(ROOT_TENANT, Draft(["all"]))
    await credentials.rotate(ROOT_TENANT, key, 60)
    row = await pool.fetchrow("select c::text as text from credential c where key = $1", key)
    assert row is not None
    assert secret not in row["text"]
    assert secret.encode().hex() not in row["text"]


async def test_two_credentials_of_one_secret_have_nothing_in_common(
    pool: asyncpg.Pool, credentials: Credentials
) -> None:
    for key in ("one", "two"):
        await credentials.ensure(ROOT_TENANT, key, "the same")
    rows = await pool.fetch("select secret, salt from credential")
    assert len({row["secret"] for row in rows}) == len({row["salt"] for row in rows}) == 2


async def test_an_unknown_key_costs_as_much_as_a_wrong_secret(credentials: Credentials) -> None:
    key, secret = await credentials.create(ROOT_TENANT, Draft(["all"]))
    unknown, wrong = Checking(), Checking()
    assert await credentials.verify("nobody", secret, unknown) is None
    assert await credentials.verify(key, "wrong", wrong) is None
    assert unknown.checked == wrong.checked == 1


async def test_a_rotation_keeps_everything_but_the_secret(credentials: Credentials) -> None:
    key, old = await credentials.create(ROOT_TENANT, Draft(["state"], voiding="none", admin=True))
    before = await verified(credentials, key, old)
    new = await credentials.rotate(ROOT_TENANT, key)
    assert before is not None
    assert await verified(credentials, key, new) == before
    assert await verified(credentials, key, old) is None


async def test_the_old_secret_lasts_as_long_as_the_overlap_says(
    pool: asyncpg.Pool, credentials: Credentials
) -> None:
    key, old = await credentials.create(ROOT_TENANT, Draft(["all"]))
    new = await credentials.rotate(ROOT_TENANT, key, 60)
    found = await verified(credentials, key, old)
    assert found is not None
    assert 0 < found.lasts <= 60
    again = await verified(credentials, key, new)
    assert again is not None
    assert again.lasts > 1e9
    await pool.execute("update credential set old_until = now() where key = $1", key)
    assert await verified(credentials, key, old) is None


async def test_who_is_ensured_again_has_one_secret_and_his_authority(credentials: Credentials) -> None:
    await credentials.ensure(ROOT_TENANT, "root", "one", admin=True)
    before = await verified(credentials, "root", "one")
    await credentials.rotate(ROOT_TENANT, "root", 60)
    await credentials.revoke(ROOT_TENANT, "root")
    await credentials.ensure(ROOT_TENANT, "root", "two", admin=True)
    assert await verified(credentials, "root", "one") is None
    assert await verified(credentials, "root", "two") == before
    assert before is not None
    assert before.admin


async def test_an_overlap_has_bounds(credentials: Credentials) -> None:
    key, secret = await credentials.create(ROOT_TENANT, Draft(["all"]))
    for overlap in (-1.0, LONGEST_OVERLAP + 1, float("nan"), float("inf")):
        with pytest.raises(CredentialError, match="overlap"):
            await credentials.rotate(ROOT_TENANT, key, overlap)
    assert await verified(credentials, key, secret) is not None


async def test_a_key_is_one_credentials_in_the_whole_store(
    pool: asyncpg.Pool, credentials: Credentials
) -> None:
    other = await Tenants(pool).create("other")
    key, secret = await credentials.create(ROOT_TENANT, Draft(["all"], "shared"))
    with pytest.raises(KeyTaken):
        await credentials.create(other, Draft(["all"], key))
    for act in (credentials.rotate, credentials.revoke):
        with pytest.raises(NoCredential):
            await act(other, key)
    with pytest.raises(KeyTaken, match="another tenant"):
        await credentials.ensure(other, key, "mine")
    found = await verified(credentials, key, secret)
    assert found is not None
    assert found.tenant == ROOT_TENANT


async def test_what_an_older_program_writes_is_a_credential(
    pool: asyncpg.Pool, credentials: Credentials
) -> None:
    await credentials.ensure(ROOT_TENANT, "new", "secret")
    await pool.execute(
        "insert into credential (tenant, key, secret, salt, authority, scopes, voiding)"
        " select tenant, 'old', secret, salt, authority, scopes, voiding from credential"
    )
    found = await verified(credentials, "old", "secret")
    assert found is not None
    assert not found.admin


async def test_tenants_have_names_of_their_own(pool: asyncpg.Pool) -> None:
    tenants = Tenants(pool)
    number = await tenants.create("कर्मयोगी")
    assert await tenants.number("कर्मयोगी") == number
    for name in ("कर्मयोगी", "", "a\nb", "x" * 201):
        with pytest.raises(TenantError):
            await tenants.create(name)
    with pytest.raises(TenantError):
        await tenants.number("nobody's")
    assert [(one.name, one.credentials) for one in await tenants.all()] == [("default", 0), ("कर्मयोगी", 0)]
