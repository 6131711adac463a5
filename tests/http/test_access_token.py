"""Signed tokens: what is accepted, what is refused and why, and what the learner who has one may do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from joserfc import jwk, jws
from joserfc.util import urlsafe_b64encode

from lrs.http.access import Access
from lrs.http.edge import ROUTES
from lrs.http.error import Refusal
from lrs.http.token import TokenError, Tokens
from tests.http.client import Client
from tests.http.issuer import AUDIENCE, EVERYTHING, POLICY, Issuer, bearing, made
from tests.http.sample import ROOT, agent, fresh, reference, statement, void
from tests.http.system import Limits, System, assemble
from tests.http.world import World, furnished

KINDS = {
    "rsa": ("RS256", made("rsa", "RSA", 2048)),
    "ec": ("ES256", made("ec", "EC", "P-256")),
    "ed": ("Ed25519", made("ed")),
}


@pytest_asyncio.fixture(scope="module")
async def world(system: System, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The module's own edge and tenant."""
    issuer = Issuer(tmp_path_factory.mktemp("keys") / "keys.json")
    issuer.keys |= {kid: key for kid, (_, key) in KINDS.items()}
    issuer.publish()
    return await furnished(issuer, await assemble(system.pool, Limits(), issuer), catalogue=True)


@pytest_asyncio.fixture
async def room(world: World) -> World:
    """The same edge with a tenant of the test's own."""
    return await furnished(world.issuer, world.system)


class Ahead(float):
    """Seconds from when the test runs."""


def told(changed: dict[str, Any]) -> dict[str, Any]:
    """Claims with the instants that they mean."""
    now = time.time()
    return {name: now + value if isinstance(value, Ahead) else value for name, value in changed.items()}


# -- what is accepted ----------------------------------------------------------------------------


@pytest.mark.parametrize("kid", KINDS)
async def test_each_kind_of_key_verifies_its_algorithm(world: World, kid: str) -> None:
    algorithm, _ = KINDS[kid]
    token = world.issuer.sign(world.claims(), kid, alg=algorithm)
    assert (await world.ask(token)).status == 200


async def test_eddsa_is_taken_by_its_older_name(world: World) -> None:
    key = world.issuer.keys["one"]
    registry = jws.JWSRegistry(algorithms=["EdDSA"], strict_check_header=False)
    with pytest.warns(match="EdDSA"):
        token = jws.serialize_compact(
            {"alg": "EdDSA", "kid": "one"}, msgspec.json.encode(world.claims()), key, registry=registry
        )
    assert (await world.ask(token)).status == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["another", AUDIENCE]},
        {"nbf": Ahead(-10)},
        {"nbf": Ahead(20)},
        {"exp": Ahead(-1)},
        {"scope": "statements/read/mine"},
        {"further": {"claims": ["are", "passed", "over"]}},
        {"agent": agent("learner") | {"objectType": "Agent", "name": "L"}},
        {"agent": {"account": {"homePage": "https://example.org", "name": "7"}}},
    ],
    ids=str,
)
async def test_what_is_in_order_is_accepted(world: World, changed: dict[str, Any]) -> None:
    assert (await world.ask(world.issuer.sign(world.claims(**told(changed))))).status == 200


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"iss": "https://else.example.org"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "https://else.example.org"}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": None}, "aud"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"exp": Ahead(-60)}, "expired"),
        ({"exp": 1e300}, "ahead"),
        ({"exp": Ahead(7200)}, "ahead"),
        ({"nbf": Ahead(120)}, "not valid yet"),
        ({"tenant": None}, "tenant"),
        ({"tenant": "default"}, "tenant"),
        ({"client_id": "nobody"}, "client_id"),
        ({"client_id": None}, "client_id"),
        ({"agent": None}, "agent"),
        ({"agent": "learner"}, "agent"),
        ({"agent": {"name": "nobody"}}, "agent"),
        ({"agent": agent("learner") | {"objectType": "Group"}}, "agent"),
        ({"agent": agent("learner") | {"openid": "https://example.org/me"}}, "agent"),
        ({"scope": None}, "scope"),
        ({"scope": ["all"]}, "scope"),
    ],
    ids=str,
)
async def test_claims_that_are_not_in_order_are_401_and_said(
    world: World, changed: dict[str, Any], says: str
) -> None:
    answer = await world.ask(world.issuer.sign(world.claims(**told(changed))))
    assert (answer.status, answer.json["reason"]) == (401, "unauthorized")
    assert says in answer.json["error"]
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Basic ")
    assert 'Bearer realm="xAPI", error="invalid_token"' in challenge


def cut(text: str, place: int, by: str) -> str:
    """A token with another part in one place."""
    parts = text.split(".")
    parts[place] = by
    return ".".join(parts)


def encoded(content: object) -> str:
    """A part of a token."""
    return jws.serialize_compact({"alg": "HS256"}, msgspec.json.encode(content), SHARED, ["HS256"]).split(
        "."
    )[1]


def oddly(world: World, header: dict[str, Any]) -> str:
    """A token whose signature is good, with a header that the library itself would not write."""
    signed = f"{encoded(header)}.{encoded(world.claims())}"
    raw = jws.JWSRegistry.algorithms["Ed25519"].sign(signed.encode(), world.issuer.keys["one"])
    return f"{signed}.{urlsafe_b64encode(raw).decode()}"


SHARED = jwk.OctKey.import_key("a shared secret of thirty-two by")

FORGERIES: dict[str, Callable[[World], str]] = {
    "nothing": lambda _: "",
    "no token": lambda _: "abc",
    "two parts": lambda world: world.issuer.sign(world.claims()).rpartition(".")[0],
    "no signature": lambda world: cut(world.issuer.sign(world.claims()), 2, ""),
    "another's signature": lambda world: cut(
        world.issuer.sign(world.claims()), 2, world.issuer.sign(world.claims(iss="x")).split(".")[2]
    ),
    "another payload": lambda world: cut(
        world.issuer.sign(world.claims()), 1, encoded(world.claims(agent=agent("boss")))
    ),
    "alg none": lambda world: cut(
        cut(world.issuer.sign(world.claims()), 0, encoded({"alg": "none", "kid": "one"})), 2, ""
    ),
    "no alg": lambda world: cut(world.issuer.sign(world.claims()), 0, encoded({"kid": "one"})),
    "alg is a number": lambda world: cut(
        world.issuer.sign(world.claims()), 0, encoded({"alg": 1, "kid": "one"})
    ),
    "no kid": lambda world: oddly(world, {"alg": "Ed25519"}),
    "unknown kid": lambda world: cut(
        world.issuer.sign(world.claims()), 0, encoded({"alg": "Ed25519", "kid": "two"})
    ),
    "HS256 with the public key as the secret": lambda world: jws.serialize_compact(
        {"alg": "HS256", "kid": "rsa"},
        msgspec.json.encode(world.claims()),
        jwk.OctKey.import_key(KINDS["rsa"][1].as_pem(private=False).replace(b"-----", b"")),
        registry=EVERYTHING,
    ),
    "RS512": lambda world: world.issuer.sign(world.claims(), "rsa", alg="RS512"),
    "the alg of another key": lambda world: cut(
        world.issuer.sign(world.claims()), 0, encoded({"alg": "RS256", "kid": "one"})
    ),
    "a critical header that is unknown": lambda world: oddly(
        world, {"alg": "Ed25519", "kid": "one", "crit": ["exp2"], "exp2": 1}
    ),
    "the same kid, another key": lambda world: Issuer(Path()).sign(world.claims()),
    "claims that are no object": lambda world: world.issuer.sign(b"[]"),
    "claims that are no JSON": lambda world: world.issuer.sign(b"\xff"),
    "too long": lambda world: world.issuer.sign(world.claims(more="x" * 9000)),
    "a header without a bottom": lambda world: cut(world.issuer.sign(world.claims()), 0, "W1tb" * 1500),
    "parts of nothing": lambda _: "..",
}


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.filterwarnings("ignore:.*none.*")
async def test_what_is_not_signed_by_the_key_that_it_names_is_401(world: World, name: str) -> None:
    answer = await world.ask(FORGERIES[name](world))
    assert (answer.status, answer.json["reason"]) == (401, "unauthorized"), answer


async def test_where_no_keys_are_set_every_token_is_401(system: System, world: World) -> None:
    client = bearing(world.platform, world.issuer.sign(world.claims()))
    plain = Client(system.edge, client.key, client.secret, client.tenant, client.version, client.headers)
    answer = await plain.get()
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert "Bearer" not in answer.headers["www-authenticate"]


# -- what follows from it ------------------------------------------------------------------------


async def test_what_a_learner_writes_is_vouched_for_by_the_issuers_authority(room: World) -> None:
    learner = room.learner()
    [id_] = (await learner.post(statement())).json
    stored = (await room.platform.get({"statementId": id_})).json
    assert stored["authority"]["account"]["name"] == room.platform.key


async def test_a_learner_writes_only_what_is_his_own_doing(room: World) -> None:
    learner = room.learner()
    own = statement(id=fresh())
    for others in (
        statement("another"),
        statement(agent("learner") | {"objectType": "Group", "member": [agent("another")]}),
        statement({"objectType": "Group", "member": [agent("learner")]}),
    ):
        answer = await learner.post([own, others])
        assert (answer.status, answer.json["path"], answer.json["index"]) == (403, "$[1].actor", 1)
    assert (await learner.put(statement("another", id=fresh()))).status == 403
    assert await room.system.count(room.platform.tenant) == 0
    assert (await learner.post([own, statement(agent("learner") | {"name": "L"})])).status == 200


async def test_a_learner_voids_nothing_since_the_authority_is_everybodys(room: World) -> None:
    learner = room.learner()
    target = statement("another", id=fresh())
    await room.learner("another").post(target)
    voiding = void(target["id"]) | {"actor": agent("learner")}
    assert (await learner.post(voiding)).status == 403
    assert (await learner.post(statement(object=reference(target["id"])))).status == 200
    assert (await room.platform.get({"statementId": target["id"]})).status == 200


async def test_a_learner_reads_only_what_he_did(room: World) -> None:
    learner = room.learner()
    own, others = (
        statement(id=fresh()),
        statement("another", object=agent("learner") | {"objectType": "Agent"}, id=fresh()),
    )
    by_platform = statement(id=fresh())
    gone = statement("another", id=fresh())
    await learner.post(own)
    await room.platform.post([others, by_platform, gone, void(gone["id"])])
    mine = {own["id"], by_platform["id"]}
    assert set(await learner.ids()) == mine
    assert set(await learner.ids(agent=agent("learner"))) == mine
    assert set(await learner.ids(agent=agent("learner"), related_agents="true")) == mine
    assert await learner.ids(agent=agent("another")) == []
    assert set(await learner.ids(limit="1")) == mine
    assert (await learner.get({"statementId": by_platform["id"]})).status == 200
    for query in ({"statementId": others["id"]}, {"voidedStatementId": gone["id"]}):
        assert (await learner.get(query)).status == 404
    link = (await room.platform.get({"limit": "2"})).json["more"]
    assert {one["id"] for one in (await learner.more(link)).json["statements"]} <= mine


async def test_a_learner_has_the_documents_that_are_about_him(room: World) -> None:
    learner = room.learner()
    for resource, query in (
        ("state", {"activityId": ROOT + "page", "stateId": "s"}),
        ("agent_profile", {"profileId": "p"}),
    ):
        own, others = query | {"agent": agent("learner")}, query | {"agent": agent("another")}
        condition: dict[str, str | None] = {"if-none-match": "*"}
        assert (await learner.request("PUT", ROUTES[resource], own, b"{}", condition)).status == 204
        assert (await learner.get(own, ROUTES[resource])).body == b"{}"
        for method in ("GET", "PUT", "POST", "DELETE"):
            answer = await learner.request(method, ROUTES[resource], others, b"{}", condition)
            assert (answer.status, answer.json["path"]) == (403, "agent")
    about = {"activityId": ROOT + "page", "profileId": "p"}
    assert (await learner.get(about, ROUTES["activity_profile"])).status == 403


async def test_a_learner_sees_his_own_progress_and_no_one_elses(world: World) -> None:
    learner = world.learner()
    for name in ("progress", "competencies"):
        assert (await learner.get({"agent": agent("learner")}, ROUTES[name])).status == 200
        assert (await learner.get({"agent": agent("another")}, ROUTES[name])).status == 403
    assert (await learner.get({"agent": agent("another")}, ROUTES["agents"])).status == 403
    assert (await learner.get({"agent": agent("learner")}, ROUTES["agents"])).status == 200
    assert (await learner.get(path=ROUTES["credentials"])).status == 403


async def test_a_token_never_has_more_scopes_than_the_policy_and_its_issuer(room: World) -> None:
    greedy = room.learner(scope="all define statements/read joy statements/read/mine")
    assert (await greedy.get()).status == 200
    answer = await greedy.post(statement())
    assert (answer.status, answer.json["reason"]) == (403, "forbidden")
    assert "statements/write" in answer.headers["www-authenticate"]
    reader = await room.system.client(room.platform.tenant, "all/read")
    token = room.issuer.sign(room.issuer.claims(reader.key, room.name))
    assert (await bearing(reader, token).post(statement())).status == 403
    assert (await bearing(reader, token).get()).status == 200


async def test_a_learners_definition_stays_in_its_statement(room: World) -> None:
    one = {"id": ROOT + "lesson", "definition": {"name": {"en": "Made up"}}}
    assert (await room.learner().post(statement(object=one))).status == 200
    answer = await room.platform.get({"activityId": one["id"]}, ROUTES["activities"])
    assert "definition" not in answer.json


async def test_one_idempotency_key_of_two_learners_is_two_keys(room: World) -> None:
    first = await room.learner("one").post(statement("one"), idempotency_key="k")
    second = await room.learner("two").post(statement("two"), idempotency_key="k")
    assert first.status == second.status == 200
    assert first.json != second.json
    again = await room.learner("one", nbf=1).post(statement("one"), idempotency_key="k")
    assert again.json == first.json, "another token of the same agent is the same sender"


async def test_a_token_ends_with_its_time_even_while_it_is_remembered(room: World) -> None:
    learner = room.learner(exp=time.time() - POLICY.leeway + 1.5)
    assert (await learner.get()).status == 200
    async with asyncio.timeout(10):
        while (await learner.get()).status == 200:
            await asyncio.sleep(0.1)


async def test_a_token_ends_with_the_credential_that_it_is_issued_for(room: World) -> None:
    await room.system.credentials.revoke(room.platform.tenant, room.platform.key)
    assert (await room.learner().get()).status == 401


async def test_a_token_is_verified_once_however_many_requests_come_with_it(
    room: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified = 0
    verify = Tokens._verified

    def counting(self: Tokens, token: bytes) -> Any:
        nonlocal verified
        verified += 1
        return verify(self, token)

    monkeypatch.setattr(Tokens, "_verified", counting)
    learner = room.learner()
    await asyncio.gather(*(learner.get() for _ in range(20)))
    assert (await learner.get()).status == 200
    assert verified == 1


async def test_many_tokens_at_once_are_not_taken_for_a_flood_of_secrets(room: World) -> None:
    learners = [room.learner(f"learner-{number}") for number in range(100)]
    answers = await asyncio.gather(*(learner.get({"limit": "1"}) for learner in learners))
    assert {answer.status for answer in answers} == {200}


async def test_what_is_remembered_is_bounded(room: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrs.http.access._MOST", 10)
    access = Access(room.system.credentials, room.issuer.verifier(room.system.credentials, room.system.names))
    for number in range(40):
        await access.credential(f"Bearer {room.issuer.sign(room.claims(nbf=number))}".encode())
        with pytest.raises(Refusal):
            await access.credential(f"Bearer wrong-{number}".encode())
    assert len(access._known) <= 10
    assert len(access._wrong) <= 10


async def test_a_key_is_for_one_tenant_if_the_file_says_so(room: World, tmp_path: Path) -> None:
    issuer = Issuer(
        tmp_path / "keys.json", {"one": made("one", tenant="another"), "two": made("two", tenant=room.name)}
    )
    issuer.publish()
    verifier = issuer.verifier(room.system.credentials, room.system.names)
    with pytest.raises(TokenError, match="tenant"):
        await verifier.credential(issuer.sign(room.claims(), "one").encode(), time.time())
    found = await verifier.credential(issuer.sign(room.claims(), "two").encode(), time.time())
    assert found.tenant == room.platform.tenant
