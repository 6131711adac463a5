"""The keys that verify tokens: what a file of them may hold, and that nothing else verifies."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st
from joserfc import jwk

from lrs.composition import edge
from lrs.http import token as tokens
from lrs.http.token import KeyFile, KeyFileError, Policy, TokenError, Tokens
from lrs.settings import Settings, SettingsError, load
from tests.http.issuer import AUDIENCE, ISSUER, POLICY, Issuer, made

if TYPE_CHECKING:
    from lrs.store.credential import Credentials
    from lrs.store.name import Names

SHARED = jwk.OctKey.import_key("a shared secret of thirty-two by")


def test_a_file_that_changes_is_read_again_and_one_that_breaks_leaves_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_LOOK_AGAIN", 0.0)
    issuer = Issuer(tmp_path / "keys.json")
    issuer.publish()
    file = KeyFile(issuer.path)
    assert file.find("one") is not None
    assert file.find("two") is None
    issuer.keys = {"two": made("two")}
    issuer.publish()
    assert file.find("two") is not None
    assert file.find("one") is None, "a key that was taken out verifies nothing more"
    for broken in (b"", b"{", b'{"keys": []}'):
        issuer.path.write_bytes(broken)
        assert file.find("two") is not None
    issuer.path.unlink()
    assert file.find("two") is not None


def test_keys_come_as_a_set_alone_or_as_pem() -> None:
    one, two = made("one"), made("two", "EC", "P-256")
    public = [key.as_dict(private=False) for key in (one, two)]
    assert set(tokens.read_keys(msgspec.json.encode({"keys": public}))) == {"one", "two"}
    assert set(tokens.read_keys(msgspec.json.encode(public[0]))) == {"one"}
    pem = one.as_pem(private=False) + two.as_pem(private=False)
    assert set(tokens.read_keys(pem)) == {one.thumbprint(), two.thumbprint()}


def test_keys_of_a_set_for_other_uses_are_passed_over() -> None:
    keys = [
        made("one"),
        made("two", use="enc"),
        made("three", "EC", "P-384"),
        made("four", "RSA", 2048, alg="RS512"),
    ]
    listed = [key.as_dict(private=False) for key in keys] + [{"kty": "new", "kid": "five"}]
    assert set(tokens.read_keys(msgspec.json.encode({"keys": listed}))) == {"one"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"keys": 1}',
        b'{"keys": [1]}',
        b'{"keys": []}',
        b'{"kty": "RSA", "n": "AQAB"}',
        b'{"kty": "oct", "k": "AAAA", "kid": "one"}',
        pytest.param(msgspec.json.encode(made("one").as_dict(private=True)), id="a private key"),
        pytest.param(
            msgspec.json.encode({"keys": [made("one").as_dict(private=False), SHARED.as_dict()]}),
            id="a shared secret among them",
        ),
        pytest.param(made("one").as_pem(private=True), id="a private key as PEM"),
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_a_file_of_anything_else_stops_the_start(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(text)
    with pytest.raises(KeyFileError):
        KeyFile(path)


@pytest.mark.filterwarnings("ignore:Key size")
def test_a_key_that_can_be_broken_stops_the_start() -> None:
    short = made("one", "RSA", 1024).as_pem(private=False)
    with pytest.raises(KeyFileError, match="2048"):
        tokens.read_keys(short)


def test_a_policy_with_a_scope_that_is_none_stops_the_start() -> None:
    with pytest.raises(ValueError, match="joy"):
        Policy(ISSUER, AUDIENCE, 3600, 30, frozenset({"state", "joy"}))


# -- tokens that were changed --------------------------------------------------------------------


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokens, str]:
    """A token, and what verifies it."""
    issuer = Issuer(tmp_path_factory.mktemp("keys") / "keys.json")
    issuer.publish()
    verifier = Tokens(KeyFile(issuer.path), POLICY, cast("Credentials", None), cast("Names", None))
    return verifier, issuer.sign(issuer.claims("platform", "default"))


@bounded(max_examples=60)
@given(place=st.integers(0, 10_000), letter=st.sampled_from("AZaz09-_.=\x00é"))
def test_no_letter_of_what_is_signed_can_be_another_one(
    signed: tuple[Tokens, str], place: int, letter: str
) -> None:
    verifier, token = signed
    place %= token.rindex(".")
    changed = token[:place] + letter + token[place + 1 :]
    if changed == token:
        verifier._verified(token.encode())
    else:
        with pytest.raises(TokenError):
            verifier._verified(changed.encode())


@bounded(max_examples=60)
@given(st.binary(max_size=60))
def test_no_bytes_at_all_are_more_than_refused(signed: tuple[Tokens, str], text: bytes) -> None:
    with pytest.raises(TokenError):
        signed[0]._verified(text)


# -- settings ------------------------------------------------------------------------------------


def test_keys_need_an_issuer_and_an_audience() -> None:
    with pytest.raises(SettingsError, match="LRS_TOKEN_ISSUER and LRS_TOKEN_AUDIENCE"):
        load({"LRS_TOKEN_KEYS": "keys.json", "LRS_TOKEN_ISSUER": ISSUER})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"token_keys": Path("nowhere.json")}, "LRS_TOKEN_KEYS = 'nowhere.json': .* No such file"),
        ({"token_scopes": "statements/wriet"}, "LRS_TOKEN_SCOPES: .*statements/wriet"),
    ],
)
def test_what_an_edge_cannot_verify_by_stops_its_start(
    tmp_path: Path, wrong: dict[str, Any], told: str
) -> None:
    issuer = Issuer(tmp_path / "keys.json")
    issuer.publish()
    right = Settings(token_keys=issuer.path, token_issuer=ISSUER, token_audience=AUDIENCE)
    with pytest.raises(SettingsError, match=told):
        edge._tokens(msgspec.structs.replace(right, **wrong), cast("Credentials", None), cast("Names", None))


async def test_an_edge_verifies_by_the_keys_that_are_set(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path / "keys.json")
    issuer.publish()
    nothing = cast("Credentials", None), cast("Names", None)
    assert edge._tokens(Settings(), *nothing) is None
    settings = Settings(token_keys=issuer.path, token_issuer=ISSUER, token_audience=AUDIENCE)
    found = edge._tokens(settings, *nothing)
    assert found is not None
    found._verified(issuer.sign(issuer.claims("platform", "default")).encode())
    with pytest.raises(TokenError, match="expired"):
        await found.credential(
            issuer.sign(issuer.claims("platform", "default", exp=time.time() - 60)).encode(), time.time()
        )
