"""An issuer of signed tokens, with keys of its own."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from joserfc import jwk, jws

from lrs.http.token import KeyFile, Policy, Tokens
from lrs.store.credential import Credentials
from lrs.store.name import Names
from tests.http.client import Client
from tests.http.sample import agent

ISSUER: Final = "https://learning.example.org"
AUDIENCE: Final = "https://lrs.example.org"
POLICY: Final = Policy(
    ISSUER,
    AUDIENCE,
    3600.0,
    30.0,
    frozenset({"statements/write", "statements/read/mine", "state", "profile"}),
)
EVERYTHING: Final = jws.JWSRegistry(
    algorithms=["RS256", "ES256", "Ed25519", "HS256", "RS512", "none"], strict_check_header=False
)
"""What may be signed with here, also what must be refused there."""

Pair = jwk.RSAKey | jwk.ECKey | jwk.OKPKey


def made(kid: str, kind: str = "OKP", size: str | int = "Ed25519", **members: str) -> Pair:
    """A fresh private key."""
    return jwk.generate_key(kind, size, {"kid": kid, **members})  # type: ignore[call-overload]


@dataclass(slots=True)
class Issuer:
    """Signs what it is told to. `keys`: private ones, whose public halves stand in the file at `path`."""

    path: Path
    keys: dict[str, Pair] = field(default_factory=lambda: {"one": made("one")})

    def publish(self) -> None:
        """Write the public keys."""
        listed = [key.as_dict(private=False) for key in self.keys.values()]
        self.path.write_bytes(msgspec.json.encode({"keys": listed}))

    def verifier(self, credentials: Credentials, names: Names, policy: Policy = POLICY) -> Tokens:
        """What accepts its tokens."""
        return Tokens(KeyFile(self.path), policy, credentials, names)

    def claims(self, client_id: str, tenant: str, /, **changed: Any) -> dict[str, Any]:
        """Claims that are accepted; a change to None leaves one out."""
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "exp": time.time() + 600,
            "tenant": tenant,
            "client_id": client_id,
            "agent": agent("learner"),
            "scope": "statements/write statements/read/mine state profile",
        } | changed
        return {name: value for name, value in claims.items() if value is not None}

    def sign(self, claims: dict[str, Any] | bytes, kid: str = "one", **header: Any) -> str:
        """A token."""
        payload = claims if isinstance(claims, bytes) else msgspec.json.encode(claims)
        named = {"alg": "Ed25519", "kid": kid, "typ": "at+jwt"} | header
        key = self.keys[kid] if kid in self.keys else self.keys["one"]
        protected = {name: value for name, value in named.items() if value is not None}
        return jws.serialize_compact(protected, payload, key, registry=EVERYTHING)


def bearing(client: Client, token: str) -> Client:
    """The client with a token in the place of its credential."""
    return Client(
        client.application,
        client.key,
        client.secret,
        client.tenant,
        client.version,
        {"authorization": f"Bearer {token}"},
    )
