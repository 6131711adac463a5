"""Signed statements: which signatures are taken, and how the others are refused."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from lrs.xapi.reader import read_statements
from lrs.xapi.signature import MOST_CERTIFICATES, check_signature
from lrs.xapi.statement import Statement
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "RS256": hashes.SHA256(),
    "RS384": hashes.SHA384(),
    "RS512": hashes.SHA512(),
}

SIGNED: dict[str, Any] = {
    "id": "3a0b8b36-2f0e-4b3a-9d51-1d1f3d7c0b11",
    "actor": {"mbox": "mailto:learner@example.org", "name": "Learner"},
    "verb": {"id": "https://example.org/passed", "display": {"en": "passed"}},
    "object": {"id": "https://example.org/course", "definition": {"name": {"en": "Course"}}},
    "result": {"score": {"scaled": 0.5}, "duration": "PT1.239S"},
    "timestamp": "2026-01-02T03:04:05.678Z",
}


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with a key and a certificate of it."""

    key: Key
    certificate: x509.Certificate

    @property
    def der(self) -> str:
        """The certificate as x5c has it."""
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()


def holder(name: str, issuer: Holder | None = None, key: Key | None = None, days: int = 30) -> Holder:
    """A holder whose certificate is the issuer's, or their own."""
    key = key or rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(
        issuer_name=subject if issuer is None else issuer.certificate.subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=start,
        not_valid_after=start + datetime.timedelta(days=days),
    ).sign(key if issuer is None else issuer.key, hashes.SHA256())
    return Holder(key, made)


@cache
def chain() -> tuple[Holder, Holder, Holder]:
    """Signer, authority, root; their certificates have expired, which is not asked."""
    root = holder("Root")
    authority = holder("Authority", root)
    return holder("Signer", authority), authority, root


def encoded(data: bytes) -> bytes:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(payload: object, header: object | None = None, key: Key | None = None) -> bytes:
    """A JWS made by hand, so that any mistake can be made."""
    header = {"alg": "RS256"} if header is None else header
    key = key or chain()[0].key
    assert isinstance(key, rsa.RSAPrivateKey)
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    text = encoded(head) + b"." + encoded(content)
    algorithm = header.get("alg") if isinstance(header, dict) else None
    made = key.sign(text, padding.PKCS1v15(), HASHES.get(str(algorithm), HASHES["RS256"]))
    return text + b"." + encoded(made)


def x5c(*holders: Holder, **more: Any) -> dict[str, Any]:
    """A header with certificates."""
    return {"alg": "RS256", "x5c": [each.der for each in holders], **more}


def statement(version: Version = Version.V1_0_3, **changes: Any) -> Statement:
    """The statement with its signature attached."""
    attachment = {
        "usageType": "http://adlnet.gov/expapi/attachments/signature",
        "display": {"en": "signature"},
        "contentType": "application/octet-stream",
        "length": 1,
        "sha2": "0" * 64,
    }
    body = {**SIGNED, "attachments": [attachment], **changes}
    [read] = read_statements(json.dumps(body).encode(), version)
    return read


def check(data: bytes, of: Statement | None = None, version: Version = Version.V1_0_3) -> None:
    """Check a signature of the statement."""
    check_signature(data, of or statement(version), version, path="$[7].attachments[0]", index=7, id="x")


def refusal(data: bytes, of: Statement | None = None) -> str:
    """The rule and the value of the refusal."""
    with pytest.raises(Rejected) as caught:
        check(data, of)
    [violation] = caught.value.violations
    assert violation.path == "$[7].attachments[0]"
    assert (violation.index, violation.id) == (7, "x")
    assert violation.clause == "1.0.3 Part Two 2.6"
    assert len(violation.value) <= 201
    return f"{violation.rule}: {violation.value}"


@pytest.mark.parametrize("version", Version)
@pytest.mark.parametrize("algorithm", HASHES)
def test_a_signature_of_each_algorithm_with_a_chain_of_three_is_taken(
    algorithm: str, version: Version
) -> None:
    check(sign(SIGNED, x5c(*chain(), alg=algorithm)), version=version)


def test_a_signature_without_certificates_is_taken() -> None:
    check(sign(SIGNED))


@pytest.mark.parametrize("count", [1, 2])
def test_a_chain_need_not_come_to_its_root(count: int) -> None:
    check(sign(SIGNED, x5c(*chain()[:count])))


def test_a_certificate_of_ones_own_is_taken() -> None:
    alone = holder("Alone")
    check(sign(SIGNED, x5c(alone), alone.key))


def test_a_payload_of_megabytes_is_taken() -> None:
    large = {**SIGNED, "result": {"response": "x" * 3_000_000}}
    check(sign(large, x5c(*chain())), statement(result=large["result"]))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "RS256", "typ": "JWT", "kid": "1"},
        {"alg": "RS256", "custom": [1]},
        {"alg": "RS256", "b64": True},
    ],
)
def test_other_header_parameters_do_not_matter(header: object) -> None:
    check(sign(SIGNED, header))


@pytest.mark.parametrize(
    "payload",
    [
        dict(reversed(SIGNED.items())),
        {name: value for name, value in SIGNED.items() if name != "id"},
        SIGNED | {"authority": {"mbox": "mailto:a@example.org"}, "version": "1.0.0"},
        SIGNED | {"stored": "2026-01-02T03:04:06Z"},
        SIGNED | {"timestamp": "2026-01-02T08:34:05.678+05:30"},
        SIGNED | {"verb": {"id": "https://example.org/passed"}},
        SIGNED | {"object": {"id": "https://example.org/course", "objectType": "Activity"}},
        SIGNED | {"result": {"duration": "PT1.239S", "score": {"scaled": 5e-1}}},
    ],
    ids=["order", "id", "authority", "stored", "zone", "display", "definition", "number"],
)
def test_what_does_not_count_in_a_comparison_does_not_count_here(payload: object) -> None:
    check(sign(payload, x5c(*chain())))


def test_a_duration_counts_to_a_hundredth_of_a_second_in_2_0_only() -> None:
    payload = SIGNED | {"result": {"score": {"scaled": 0.5}, "duration": "PT1.23S"}}
    check(sign(payload), version=Version.V2_0_0)
    assert "must have the statement that it is attached to as its payload" in refusal(sign(payload))


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (
            SIGNED | {"result": {"score": {"scaled": 0.6}}},
            "the statement that it is attached to as its payload",
        ),
        (SIGNED | {"actor": {"mbox": "mailto:other@example.org"}}, "the statement that it is attached to"),
        (SIGNED | {"id": "3a0b8b36-2f0e-4b3a-9d51-1d1f3d7c0b12"}, "the id of the statement"),
        (SIGNED | {"verb": {}}, "a valid statement as its payload: $.verb.id"),
        ([SIGNED], "one statement as its payload, not an array"),
        ([], "one statement as its payload, not an array"),
        ([SIGNED, SIGNED], "a valid statement as its payload"),
        (b"", "a valid statement as its payload"),
        (b"{", "a valid statement as its payload"),
        (b"\xff", "a valid statement as its payload"),
        (b"1", "a valid statement as its payload"),
    ],
)
def test_the_payload_is_the_statement(payload: object, says: str) -> None:
    assert says in refusal(sign(payload, x5c(*chain())))


GOOD = sign(SIGNED)
HEAD, PAYLOAD, SIGNATURE = GOOD.split(b".")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"..",
        b"no signature",
        HEAD + b"." + PAYLOAD,
        GOOD + b".x",
        b" " + GOOD,
        b"=" + GOOD,
        b"\xff" + GOOD,
        HEAD + b".~." + SIGNATURE,
        HEAD + b"." + PAYLOAD + b"=." + SIGNATURE,
        encoded(b"{") + b"." + PAYLOAD + b"." + SIGNATURE,
        encoded(b"{}") + b"." + PAYLOAD + b"." + SIGNATURE,
        encoded(b"1") + b"." + PAYLOAD + b"." + SIGNATURE,
        encoded(b"[" * 90_000) + b"." + PAYLOAD + b"." + SIGNATURE,
        encoded(b'{"alg":"RS256","a":"' + b"x" * 100_000 + b'"}') + b"." + PAYLOAD + b"." + SIGNATURE,
        json.dumps({"payload": PAYLOAD.decode(), "signatures": []}).encode(),
    ],
    ids=range(17),
)
def test_what_is_no_compact_jws_is_refused(data: bytes) -> None:
    assert refusal(data).startswith("must be a JWS in compact form")


@pytest.mark.parametrize(
    "value", ["none", "HS256", "PS256", "ES256", "EdDSA", "rs256", "", None, 1, ["RS256"], {}]
)
def test_only_three_algorithms_are_taken(value: object) -> None:
    assert refusal(sign(SIGNED, {"alg": value})).startswith("must be signed with RS256, RS384 or RS512")


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (b'"alg"', "a JWS header that is a JSON object"),
        (b'["alg"]', "a JWS header that is a JSON object"),
        ({"alg": "RS256", "crit": ["exp"], "exp": 1}, "a JWS header that is understood"),
        ({"alg": "RS256", "crit": "alg"}, "a JWS header that is understood"),
        ({"alg": "RS256", "crit": ["b64"], "b64": True}, "a JWS header that is understood"),
        ({"alg": "RS256", "crit": ["b64"], "b64": False}, "its payload in base64url"),
        ({"alg": "RS256", "x5c": "x"}, "a JWS header that is understood"),
        ({"alg": "RS256", "x5c": [1]}, "a JWS header that is understood"),
    ],
)
def test_the_header_is_understood(header: object, says: str) -> None:
    assert says in refusal(sign(SIGNED, header))


def elliptic() -> Holder:
    """A holder whose key is none of RSA."""
    return holder("Elliptic", key=ec.generate_private_key(ec.SECP256R1()))


@pytest.mark.parametrize(
    ("certificates", "says"),
    [
        (list, "1 to 10 certificates"),
        (lambda: [chain()[0].der] * (MOST_CERTIFICATES + 1), "1 to 10 certificates"),
        (lambda: ["x"], "certificates in x5c, DER in base64 (RFC 7515 4.1.6): x5c[0]"),
        (lambda: [chain()[0].der, ""], "certificates in x5c, DER in base64 (RFC 7515 4.1.6): x5c[1]"),
        (lambda: [chain()[0].der[:-8]], "certificates in x5c"),
        (lambda: [chain()[0].der.replace("M", "-")], "certificates in x5c"),
        (lambda: [chain()[0].der, chain()[2].der], "issued by the next (RFC 7515 4.1.6): x5c[0]"),
        (lambda: [each.der for each in (chain()[0], chain()[1], holder("Root"))], "x5c[1]"),
        (lambda: [chain()[0].der, chain()[2].der, chain()[1].der], "issued by the next"),
        (lambda: [each.der for each in reversed(chain())], "issued by the next"),
        (lambda: [chain()[1].der, chain()[2].der], "verified by the first certificate's key: CN=Authority"),
        (lambda: [holder("Signer").der], "verified by the first certificate's key: CN=Signer"),
        (lambda: [elliptic().der], "a first certificate with an RSA key"),
    ],
)
def test_certificates_link_and_the_first_verifies(certificates: Callable[[], list[str]], says: str) -> None:
    assert says in refusal(sign(SIGNED, {"alg": "RS256", "x5c": certificates()}))


def test_a_signature_that_was_changed_is_refused() -> None:
    head, payload, made = sign(SIGNED, x5c(*chain())).split(b".")
    changed = encoded(bytes(256))
    assert "verified by the first certificate's key" in refusal(b".".join((head, payload, changed)))
    other = sign(SIGNED, x5c(*chain(), kid="1")).split(b".")[0]
    assert "verified by the first certificate's key" in refusal(b".".join((other, payload, made)))
