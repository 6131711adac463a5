"""Connections with TLS and SASL: every client of the LRS proves who it is, and whom it talks to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import msgspec
import pytest
from kafka import KafkaProducer
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from lrs.log.brokers import Brokers
from lrs.store.credential import ROOT_TENANT, Credentials
from lrs.store.name import Names
from tests.kafka.test_intake import make_topics, said, settings_for, working
from tests.kafka.test_topics import lrs
from tests.stream.processes import until

if TYPE_CHECKING:
    from tests.kafka.broker import Broker

pytestmark = pytest.mark.kafka


def add_user(broker: Broker, mechanism: str, password: str) -> None:
    """Make the user `lrs` of a SCRAM mechanism."""
    brokers = Brokers(broker.address)
    user = UserScramCredentialUpsertion(
        "lrs", ScramMechanism[mechanism.replace("-", "_")], password=password.encode(), iterations=4096
    )
    brokers.ask(lambda client: client.alter_user_scram_credentials([user]))
    brokers.close()


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_a_record_goes_its_way_over_encrypted_connections(
    broker: Broker, database: str, pool: asyncpg.Pool, mechanism: str
) -> None:
    if mechanism != "PLAIN":
        await asyncio.to_thread(add_user, broker, mechanism, "secret")
    settings = msgspec.structs.replace(
        settings_for(broker, database),
        log=f"kafka://{broker.secure_address}",
        kafka_tls=True,
        kafka_ca=broker.certificate,
        kafka_sasl=mechanism,
        kafka_user="lrs",
        kafka_password="secret",
    )
    await Credentials(pool, Names(pool)).ensure(ROOT_TENANT, "platform", "secret")
    await asyncio.to_thread(make_topics, settings)

    def produce() -> None:
        producer = KafkaProducer(bootstrap_servers=broker.address)
        producer.send(settings.kafka_inbox, msgspec.json.encode(said(1))).get(20)
        producer.close()

    async def stored() -> bool:
        return bool(await pool.fetchval("select count(*) from statement"))

    async with working(settings):
        await asyncio.to_thread(produce)
        await until(stored, 40)


async def test_whoever_cannot_prove_it_is_refused(broker: Broker) -> None:
    right = {
        "log": f"kafka://{broker.secure_address}",
        "kafka_tls": "true",
        "kafka_ca": str(broker.certificate),
        "kafka_sasl": "PLAIN",
        "kafka_user": "lrs",
        "kafka_password": "secret",
    }
    without_ca = {name: value for name, value in right.items() if name != "kafka_ca"}
    answers = await asyncio.gather(
        *(
            asyncio.to_thread(lrs, broker, "topics", "plan", **settings)
            for settings in (right, right | {"kafka_password": "guess"}, without_ca)
        )
    )
    assert [answer.returncode for answer in answers] == [0, 1, 1], [answer.stderr for answer in answers]
    assert all("do not answer" in answer.stderr for answer in answers[1:])
