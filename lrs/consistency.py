"""What settings must be to each other; the rule of a single one is its type's, in `lrs.settings`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lrs.secrecy import without_password

if TYPE_CHECKING:
    from lrs.settings import Settings

_PAIRS = (("admin_key", "admin_secret"), ("kafka_sasl", "kafka_user"), ("kafka_certificate", "kafka_key"))
"""Settings of which one is of no use without the other."""

_AT_LEAST = (
    ("max_bytes_in_flight", "max_body", "the longest body"),
    ("max_attachments", "max_attachment", "the longest attachment"),
)
"""Settings of which the first must not be less than the second, and what could never come in else."""


def contradictions(settings: Settings) -> list[str]:
    """A line for each rule that is broken: names, values, rule."""
    errors = [
        f"{_variable(one)} and {_variable(other)}: give both, or neither"
        for one, other in _PAIRS
        if bool(getattr(settings, one)) != bool(getattr(settings, other))
    ]
    for more, less, what in _AT_LEAST:
        if getattr(settings, more) < getattr(settings, less):
            errors.append(
                f"{_variable(more)} = {getattr(settings, more)}: must be at least {_variable(less)} ="
                f" {getattr(settings, less)}, or {what} could never come in"
            )
    if settings.token_keys is not None and not (settings.token_issuer and settings.token_audience):
        errors.append("LRS_TOKEN_KEYS: needs LRS_TOKEN_ISSUER and LRS_TOKEN_AUDIENCE, too")
    if settings.on_kafka and not all(_SERVER.fullmatch(server) for server in settings.brokers.split(",")):
        errors.append(f"LRS_LOG = {settings.log!r}: must be 'kafka://host:port,host:port,…'")
    if settings.kafka_intake and not settings.on_kafka:
        errors.append("LRS_KAFKA_INTAKE: needs the log on Kafka (LRS_LOG)")
    if not settings.kafka_tls and (settings.kafka_ca or settings.kafka_certificate):
        errors.append("LRS_KAFKA_CA and LRS_KAFKA_CERTIFICATE: need LRS_KAFKA_TLS")
    if not settings.embedded:
        errors.extend(_store_url(settings.store))
    if settings.store_password and not _lacks_password(settings.store):
        errors.append("LRS_STORE_PASSWORD: LRS_STORE must be a URL that names a user and no password")
    return errors


_SERVER = re.compile(r"[^\s,/:@]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}")


def _store_url(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return [f"LRS_STORE = {without_password(url)!r}: {error}"]
    if not parts.path.strip("/"):
        return [
            f"LRS_STORE = {without_password(url)!r}: must name a database: postgresql://user@host:port/database"
        ]
    return []


def _lacks_password(url: str) -> bool:
    user, _, host = url.partition("://")[2].partition("/")[0].rpartition("@")
    return bool(user and host) and ":" not in user


def _variable(name: str) -> str:
    return f"LRS_{name.upper()}"
