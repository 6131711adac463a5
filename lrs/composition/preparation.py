"""What a store needs before the first process starts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import asyncpg
import structlog

from lrs import durability
from lrs.composition.month import ensure_months
from lrs.composition.store import connected, opened_logs, store_url
from lrs.settings import Settings, SettingsError
from lrs.store.credential import EVERYTHING, ROOT_TENANT, Credentials, KeyTaken
from lrs.store.migration import Migration, migrate
from lrs.store.name import Names

log = structlog.get_logger("lrs.composition")

DEMONSTRATION = "demonstration"
"""Key of the credential that the demonstration uses."""


@dataclass(frozen=True)
class Login:
    """A key and its secret, which is known only when it is made."""

    key: str
    secret: str


async def migrate_store(settings: Settings) -> list[Migration]:
    """Refuse a store that may lose what it acknowledged, then apply what it lacks."""
    connection = await asyncpg.connect(store_url(settings))
    try:
        await durability.require(connection)
        return await migrate(connection)
    finally:
        await connection.close()


async def prepare(settings: Settings) -> Login | None:
    """Everything a store needs before the first process starts; the root credential if one was made."""
    for migration in await migrate_store(settings):
        log.info("migrated", number=migration.number, name=migration.name)
    async with connected(settings, 2, "preparation") as pool:
        async with opened_logs(pool, settings):
            pass  # they are made
        await ensure_months(pool)
        credentials = Credentials(pool, Names(pool))
        await _ensure_root(credentials, settings)
        if not settings.admin_key and not await credentials.any(ROOT_TENANT):
            return await _issue(credentials, "root", EVERYTHING, admin=True)
    return None


async def provide(settings: Settings) -> None:
    """What processes that are started one by one find in a migrated store: tables for the statements of
    these months, and the root credential that the settings name."""
    async with connected(settings, 2, "preparation") as pool:
        await ensure_months(pool)
        await _ensure_root(Credentials(pool, Names(pool)), settings)


async def _ensure_root(credentials: Credentials, settings: Settings) -> None:
    if settings.admin_key:
        key, secret = settings.admin_key, settings.admin_secret
        try:
            await credentials.ensure(ROOT_TENANT, key, secret, EVERYTHING, admin=True)
        except KeyTaken as error:
            raise SettingsError([f"LRS_ADMIN_KEY: {error}"]) from None


async def issue_demonstration(settings: Settings) -> Login:
    """A credential for the demonstration, with a new secret each time."""
    async with connected(settings, 2, "preparation") as pool:
        return await _issue(Credentials(pool, Names(pool)), DEMONSTRATION, ("all",))


async def _issue(
    credentials: Credentials, key: str, scopes: tuple[str, ...], *, admin: bool = False
) -> Login:
    login = Login(key, secrets.token_urlsafe(24))
    await credentials.ensure(ROOT_TENANT, login.key, login.secret, scopes, admin=admin)
    return login
