"""Signed tokens: short-lived credentials for learners' browsers (RFC 6750, RFC 7519, RFC 9068).

A platform component that has a credential issues a token for one agent; the token is that credential,
delegated: its tenant and its authority, some of its scopes, and nothing but what is about the agent.
The keys are public ones, in a file that is read again when it has changed. docs/http.md lists the
claims.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc import jwk, jws
from joserfc.errors import JoseError

from lrs.http.scope import granted, unknown
from lrs.store.credential import Credential, Subject
from lrs.xapi.agent import read_agent
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

if TYPE_CHECKING:
    from lrs.store.credential import Credentials
    from lrs.store.name import Names

log = structlog.get_logger("lrs.http")

LONGEST: Final = 8192
"""Bytes of a token."""

_LOOK_AGAIN: Final = 1.0
"""Seconds between two looks at the key file."""

_LEAST_RSA_BITS: Final = 2048

ALGORITHMS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("RSA", ""): ("RS256",),
    ("EC", "P-256"): ("ES256",),
    ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
}
"""Which algorithms verify by a key of which type and curve. `EdDSA` is the older name of `Ed25519`."""

_PEM: Final = re.compile(rb"-----BEGIN ([A-Z ]+)-----.*?-----END \1-----\n?", re.DOTALL)


class KeyFileError(ValueError):
    """A key file has no usable key, or one that must not be there."""


class TokenError(Exception):
    """A token is not accepted; the message says why."""


class _Registry(jws.JWSRegistry):
    """Knows the three algorithms by every name; the key says which of them it is for."""

    max_header_length = LONGEST
    max_payload_length = LONGEST

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name]


_registry = _Registry(strict_check_header=False)


@dataclass(frozen=True, slots=True)
class Key:
    """A public key. `tenant`: the only one whose tokens it verifies, empty for any."""

    key: jwk.Key
    algorithms: tuple[str, ...]
    tenant: str


def read_keys(text: bytes) -> dict[str, Key]:
    """The keys of a JWK Set, a JWK (RFC 7517) or PEM blocks, by `kid`; without one it is the key's
    thumbprint (RFC 7638). Keys of a set for other algorithms or uses are passed over. Raises KeyFileError.
    """
    blocks = [match[0] for match in _PEM.finditer(text)]
    try:
        found = [_read_pem(block) for block in blocks] if blocks else _read_jwks(text)
    except (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError) as error:
        raise KeyFileError(f"not a file of public keys: {error}") from None
    keys = dict(one for one in found if one is not None)
    if not keys:
        raise KeyFileError("no key for RS256, ES256 or EdDSA")
    return keys


def _read_jwks(text: bytes) -> list[tuple[str, Key] | None]:
    content = msgspec.json.decode(text, type=dict[str, Any])
    listed: list[dict[str, Any]] = content.get("keys", [content])
    if any(one["kty"] == "oct" for one in listed):
        raise KeyFileError("a secret key: only public ones belong here")
    return [
        _key(jwk.import_key(one), str(one.get("tenant", "")))
        for one in listed
        if one["kty"] in ("RSA", "EC", "OKP")
    ]


def _read_pem(block: bytes) -> tuple[str, Key] | None:
    # A private key and a certificate are refused here.
    read = load_pem_public_key(block)
    if isinstance(read, RSAPublicKey):
        return _key(jwk.import_key(block, "RSA"), "")
    return _key(jwk.import_key(block, "EC" if isinstance(read, EllipticCurvePublicKey) else "OKP"), "")


def _key(key: jwk.Key, tenant: str) -> tuple[str, Key] | None:
    if key.is_private:
        raise KeyFileError("a secret key: only public ones belong here")
    algorithms = ALGORITHMS.get((key.key_type, str(key.get("crv", ""))), ())
    if key.alg is not None:
        algorithms = tuple(name for name in algorithms if name == key.alg)
    if not algorithms or key.get("use", "sig") != "sig":
        return None
    if isinstance(key, jwk.RSAKey) and key.public_key.key_size < _LEAST_RSA_BITS:
        raise KeyFileError(f"an RSA key of less than {_LEAST_RSA_BITS} bits")
    return key.kid or key.thumbprint(), Key(key, algorithms, tenant)


class KeyFile:
    """The public keys of a file, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        """Raises KeyFileError and OSError: a start without keys is a mistake."""
        self._path = path
        self._looked = time.monotonic()
        self._stamp = self._stamped()
        self._keys = read_keys(path.read_bytes())

    def _stamped(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def find(self, kid: str) -> Key | None:
        """The key of this id. A file that became unreadable leaves the keys as they were."""
        now = time.monotonic()
        if now >= self._looked + _LOOK_AGAIN:
            self._looked = now
            self._look()
        return self._keys.get(kid)

    def _look(self) -> None:
        try:
            stamp = self._stamped()
            if stamp != self._stamp:
                self._stamp = stamp
                self._keys = read_keys(self._path.read_bytes())
                log.info("token keys read", file=str(self._path), keys=len(self._keys))
        except (OSError, KeyFileError) as error:
            log.warning("token keys not read, the former stay", file=str(self._path), error=str(error))


class _Header(msgspec.Struct):
    alg: str
    kid: str


class _Claims(msgspec.Struct):
    iss: str
    aud: str | list[str]
    exp: float
    tenant: str
    client_id: str
    agent: msgspec.Raw
    scope: str
    nbf: float | None = None


class _Agent(msgspec.Struct):
    objectType: str = "Agent"  # noqa: N815


_read_claims = msgspec.json.Decoder(_Claims).decode
_read_kind = msgspec.json.Decoder(_Agent).decode


@dataclass(frozen=True, slots=True)
class Policy:
    """Which tokens are accepted: from whom, for whom, for how many seconds at most, with what leeway of
    clocks in seconds, and with which scopes at most."""

    issuer: str
    audience: str
    lifetime: float
    leeway: float
    scopes: frozenset[str]

    def __post_init__(self) -> None:
        if wrong := unknown(self.scopes):
            raise ValueError(f"LRS_TOKEN_SCOPES: no scopes: {', '.join(sorted(wrong))}")


class Tokens:
    """Turns tokens into credentials."""

    def __init__(self, keys: KeyFile, policy: Policy, credentials: Credentials, names: Names) -> None:
        self._keys, self._policy = keys, policy
        self._credentials, self._names = credentials, names

    async def credential(self, token: bytes, now: float) -> Credential:
        """What a token allows at an instant (s since 1970); raises TokenError."""
        key, payload = self._verified(token)
        try:
            claims = _read_claims(payload)
        except msgspec.DecodeError as error:
            raise TokenError(f"its claims are not as they must be: {error}") from None
        self._check(claims, now)
        agent = _subject(claims.agent)
        issued = await self._credentials.live(claims.client_id)
        if (
            issued is None
            or issued.tenant_name != claims.tenant
            or key.tenant not in ("", issued.tenant_name)
        ):
            raise TokenError("client_id names no credential of its tenant that is in force")
        [number] = await self._names.numbers("agent", issued.tenant, [agent])
        return dataclasses.replace(
            issued,
            # One agent's Idempotency-Key is not another one's. No credential's own key has a line break.
            key=f"{issued.key}\n{agent}",
            scopes=granted(claims.scope.split(), self._policy.scopes, issued.scopes),
            # Its authority is that of every token of the issuer: "own" would be everybody's.
            voids="none",
            admin=False,
            lasts=min(issued.lasts, claims.exp + self._policy.leeway - now),
            subject=Subject(agent, number),
        )

    def _verified(self, token: bytes) -> tuple[Key, bytes]:
        """The key that signed a token, and its payload."""
        if len(token) > LONGEST:
            raise TokenError(f"it is longer than {LONGEST} bytes")
        try:
            signed = jws.extract_compact(token, registry=_registry)
            header = msgspec.convert(signed.headers(), _Header)
        except (JoseError, ValueError, RecursionError):
            raise TokenError("it is no signed token with alg and kid") from None
        key = self._keys.find(header.kid)
        if key is None:
            raise TokenError("its kid names no key that is known here")
        if header.alg not in key.algorithms:
            raise TokenError(f"its alg is not that of its key, which is for {key.algorithms[0]}")
        try:
            genuine = jws.validate_compact(signed, key.key, registry=_registry)
        except (JoseError, ValueError):
            genuine = False
        if not genuine:
            raise TokenError("its signature is not that of its key")
        return key, signed.payload

    def _check(self, claims: _Claims, now: float) -> None:
        policy = self._policy
        if claims.iss != policy.issuer:
            raise TokenError("iss is not the issuer that is trusted here")
        audience = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        if policy.audience not in audience:
            raise TokenError("aud does not name this LRS")
        if now >= claims.exp + policy.leeway:
            raise TokenError("it has expired")
        if claims.exp > now + policy.lifetime + policy.leeway:
            raise TokenError(f"exp is farther ahead than {policy.lifetime:g} s")
        if claims.nbf is not None and now < claims.nbf - policy.leeway:
            raise TokenError("it is not valid yet")


def _subject(agent: msgspec.Raw) -> str:
    """The canonical text of the agent that a token names."""
    try:
        if _read_kind(agent).objectType != "Agent":
            raise TokenError("agent must be an Agent")
        return read_agent(bytes(agent), Version.V2_0_0)
    except (Rejected, msgspec.DecodeError):
        raise TokenError("agent must be an Agent with one identifier, as in a statement") from None
