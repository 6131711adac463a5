"""Signed statements: what is asked of the signature that comes with one (1.0.3 Part Two 2.6).

A signature is a JWS (RFC 7515) in compact form whose payload is the statement, before the signature was
attached. Whether the payload is that statement is the question that also decides whether two statements
of one id are the same (kernel/canonical.py): what an LRS sets, and attachments, do not count.

Certificates (x5c) tell mistakes, not strangers: the signature must be made with the first one's key, and
each must be issued by the next. Which roots to trust, and whether a certificate has expired, is for
whoever reads the statement. Without certificates nobody says which key to verify with.
"""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import CompactSignature

from lrs.xapi.reader import read_statements
from lrs.xapi.rules import Clause
from lrs.xapi.schema import SIGNATURE
from lrs.xapi.statement import Attachment, Statement
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected, Violation, shorten

ALGORITHMS: Final = ("RS256", "RS384", "RS512")

MOST_CERTIFICATES: Final = 10

_CLAUSE: Final = Clause("2.6", "4.2.2.6")


class _Registry(jws.JWSRegistry):
    """The three algorithms, with room for certificates and for any statement. Header parameters that are
    not known are ignored unless they are critical (RFC 7515 4)."""

    max_header_length = 1 << 17
    max_payload_length = 1 << 30
    max_signature_length = 1 << 12

    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)
        # A payload that is not base64url (RFC 7797) is no payload of a compact JWS here.
        del self.header_registry["b64"]


_REGISTRY: Final = _Registry()


class _Broken(Exception):
    """A rule is broken: its words, and what breaks it."""

    def __init__(self, rule: str, value: object) -> None:
        super().__init__(rule)
        self.rule, self.value = rule, shorten(str(value))


def signs(attachment: Attachment) -> bool:
    """Whether an attachment is a signature of its statement."""
    return attachment.usage_type == SIGNATURE


def check_signature(
    data: bytes, statement: Statement, version: Version, *, path: str, index: int, id: str | None = None
) -> None:
    """Whether these data of an attachment sign the statement that it is attached to.

    Raises Rejected with one violation, which has this `path`, `index` and `id`, when they do not.
    """
    try:
        signature = _read(data)
        _check_payload(signature.payload, statement, version)
        _check_certificates(signature)
    except _Broken as broken:
        violation = Violation(path, broken.value, broken.rule, _CLAUSE.cite(version), index, id)
        raise Rejected((violation,)) from None


def _read(data: bytes) -> CompactSignature:
    """The JWS, not verified, with a header that may be."""
    try:
        signature = jws.extract_compact(data, registry=_REGISTRY)
    except (JoseError, ValueError, RecursionError) as error:
        raise _Broken(
            "must be a JWS in compact form, three texts in base64url with a dot between (RFC 7515 7.1)",
            _told(error),
        ) from None
    header = signature.headers()
    if not isinstance(header, dict):
        raise _Broken("must have a JWS header that is a JSON object (RFC 7515 4)", header)
    if header["alg"] not in ALGORITHMS:
        raise _Broken("must be signed with RS256, RS384 or RS512", header["alg"])
    if header.get("b64", True) is not True:
        raise _Broken("must have its payload in base64url", f"b64: {header['b64']}")
    try:
        _REGISTRY.check_header(header)
    except JoseError as error:
        raise _Broken("must have a JWS header that is understood (RFC 7515 4)", _told(error)) from None
    return signature


def _check_payload(payload: bytes, statement: Statement, version: Version) -> None:
    try:
        read = read_statements(payload, version, max_statements=1)
    except Rejected as error:
        raise _Broken("must have a valid statement as its payload", _told(error)) from None
    if len(read) != 1 or payload.lstrip()[:1] == b"[":
        raise _Broken("must have one statement as its payload, not an array", payload[:200].decode())
    [signed] = read
    if signed.digest != statement.digest:
        raise _Broken(
            "must have the statement that it is attached to as its payload",
            payload[:200].decode(errors="replace"),
        )
    if signed.id is not None and statement.id is not None and signed.id != statement.id:
        raise _Broken("must have the id of the statement that it is attached to", signed.id.hex())


def _check_certificates(signature: CompactSignature) -> None:
    texts = signature.headers().get("x5c")
    if texts is None:
        return
    if not 0 < len(texts) <= MOST_CERTIFICATES:
        raise _Broken(f"must have 1 to {MOST_CERTIFICATES} certificates in x5c", len(texts))
    chain = [_certificate(place, text) for place, text in enumerate(texts)]
    for place, (certificate, issuer) in enumerate(pairwise(chain)):
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
            raise _Broken(
                "must have each certificate in x5c issued by the next (RFC 7515 4.1.6)",
                f"x5c[{place}]: {_told(error)}",
            ) from None
    try:
        key = chain[0].public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _Broken("must have a first certificate with an RSA key", _told(error)) from None
    if not isinstance(key, RSAPublicKey):
        raise _Broken("must have a first certificate with an RSA key", type(key).__name__)
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        verified = jws.validate_compact(signature, RSAKey.import_key(pem), registry=_REGISTRY)
    except JoseError as error:
        raise _Broken("must be verified by the first certificate's key", _told(error)) from None
    if not verified:
        raise _Broken("must be verified by the first certificate's key", chain[0].subject.rfc4514_string())


def _certificate(place: int, text: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _Broken(
            "must have certificates in x5c, DER in base64 (RFC 7515 4.1.6)", f"x5c[{place}]: {_told(error)}"
        ) from None


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
