"""The program that runs in a history's processes, put together as `lrs.composition` does, and the
store that it finds: tenant 1 with a catalogue in force."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec

from lrs.log.inbox import Inbox
from lrs.log.kafka import KafkaLog
from lrs.log.port import EVIDENCE, STATEMENTS
from lrs.log.postgres import PostgresLog, Ring
from lrs.scoring.catalogue_file import read_catalogue
from lrs.scoring.mapping import default_mapping
from lrs.scoring.table import compile_catalogue
from lrs.store.catalogue import InForce
from lrs.store.dictionary import SHIPPED, Dictionaries
from lrs.store.evidence import EvidenceWriter
from lrs.store.lease import Leases
from lrs.store.name import Names
from lrs.store.statement import StatementStore
from lrs.store.term import key
from lrs.stream.intake import Intake, Sender
from lrs.stream.persist import Persist
from lrs.stream.score import Score
from tests.histories import inbox
from tests.histories.answers import all_answers
from tests.histories.answers.name import Name
from tests.histories.kafka import Written
from tests.histories.plan import AUTHORITIES
from tests.store.path import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.histories.database import Answer, Database
    from tests.histories.plan import Plan
    from tests.histories.world import World

PARTITIONS = 2
OUTCOMES = "outcomes"
"""The topic to which the journal of outcomes is published."""

TENANT = 1


def _dictionaries() -> Dictionaries:
    made = Dictionaries()
    made.add(SHIPPED, shipped())
    return made


def shipped() -> bytes:
    """The dictionary that comes with the program."""
    return resources.files("lrs.store").joinpath("dictionary-1.zdict").read_bytes()


DICTIONARIES = _dictionaries()
"""Never changes, so that every process may have the same."""

COMPRESS = DICTIONARIES.compressor()


class Program:
    """How the parts are put together; a mistake is a subclass that does it wrong."""

    def answers(self) -> Mapping[str, Answer]:
        """What the database answers."""
        return all_answers()

    def statement_log(self, world: World, pool: Any) -> Any:
        """The log of statements."""
        if world.plan.kafka:
            brokers: Any = world.brokers
            return KafkaLog(pool, brokers, STATEMENTS, brokers.topics[STATEMENTS].described)
        return PostgresLog(pool, STATEMENTS, PARTITIONS, Ring())

    def evidence_log(self, pool: Any) -> PostgresLog:
        """The log of learning events."""
        return PostgresLog(pool, EVIDENCE, PARTITIONS, Ring())

    def leases(self, pool: Any, stage: str, worker: str) -> Leases:
        """What a worker holds."""
        return Leases(pool, stage, worker)

    def writer(self, pool: Any, log: PostgresLog, names: Names) -> EvidenceWriter:
        """What writes the evidence log."""
        return EvidenceWriter(log, names, DICTIONARIES)

    def statements(self, names: Names) -> StatementStore:
        """What writes statements."""
        return StatementStore(names, DICTIONARIES)

    persist_type: Callable[..., Persist] = Persist

    def persist(self, world: World, pool: Any, log: PostgresLog) -> Persist:
        """The stage that stores."""
        names = Names(pool)
        writer = self.writer(pool, log, names)
        return self.persist_type(
            pool, names, self.statements(names), writer,
            max_records=4, max_statements=8, claims=world.plan.kafka,
        )  # fmt: skip

    intake_type: Callable[..., Intake] = Intake

    def intake(self, world: World, pool: Any) -> tuple[Intake, Inbox]:
        """The stage that takes statements from the inbox, and the inbox."""
        brokers: Any = world.brokers
        read = Inbox(
            brokers, inbox.TOPIC, brokers.topics[inbox.TOPIC].described, inbox.REJECTED, inbox.LONGEST
        )

        async def sender() -> Sender:
            return Sender(TENANT, intake_authority(world.plan), world.plan.voids, True)

        stage = self.intake_type(
            pool, read, self.statement_log(world, pool), DICTIONARIES, sender,
            max_records=4, max_statements=4, frame_statements=3, frame_bytes=1 << 20,
        )  # fmt: skip
        return stage, read

    def score(self, pool: Any) -> Score:
        """The stage that scores."""
        return Score(pool, Names(pool), max_records=4, max_statements=8)


def topics() -> dict[str, Written]:
    """The topics on the brokers, empty."""
    return {
        STATEMENTS: Written(7, PARTITIONS, 1_000_000),
        inbox.TOPIC: Written(inbox.TOPIC_NUMBER, PARTITIONS, 1_000_000),
        inbox.REJECTED: Written(9, 1, inbox.LONGEST),
        OUTCOMES: Written(10, PARTITIONS, 1_000_000),
    }


def intake_authority(plan: Plan) -> int:
    """As whom statements of the inbox are taken: the first one may void whatever anybody said."""
    return 1 if plan.voids == "any" else 2


def furnish(database: Database) -> None:
    """Fill an empty database as the program finds it."""
    tables, numbers = _furnished()
    database.tables = {name: dict(rows) for name, rows in tables.items()}
    database.numbers = dict(numbers)


@functools.cache
def _furnished() -> tuple[dict[str, dict[Any, Any]], dict[str, int]]:
    catalogue, mapping = read_catalogue(CATALOGUE), default_mapping()
    tables: dict[str, dict[Any, Any]] = {
        "log_topic": {topic: str(uuid5(NAMESPACE_DNS, topic)) for topic in (STATEMENTS, EVIDENCE)},
        "log_head": {
            (topic, partition): (0, 0) for topic in (STATEMENTS, EVIDENCE) for partition in range(PARTITIONS)
        },
        "dictionary": {SHIPPED: shipped()},
        "catalogue": {(TENANT, 1): (catalogue.digest, CATALOGUE, True)},
    }
    agents = [f"mbox:mailto:authority{number}@example.org" for number in range(1, AUTHORITIES + 1)]
    named = {"activity": catalogue.iris(), "agent": [*agents, *catalogue.agents()], "verb": mapping.verbs()}
    for table, names in named.items():
        unique = list(dict.fromkeys(names))
        tables[table] = {
            (TENANT, UUID(bytes=key(name))): Name(number, name) for number, name in enumerate(unique, 1)
        }
    tables["authority"] = {
        (TENANT, number): (number, msgspec.json.encode({"mbox": agent[5:]}))
        for number, agent in enumerate(agents, 1)
    }
    return tables, {table: len(tables[table]) for table in named}


@functools.cache
def in_force() -> InForce:
    """The catalogue, compiled for the numbers that it has in every history."""
    tables, _ = _furnished()
    catalogue, mapping = read_catalogue(CATALOGUE), default_mapping()

    def numbers(kind: str, names: list[str]) -> dict[str, int]:
        return {name: tables[kind][TENANT, UUID(bytes=key(name))].number for name in names}

    compiled = compile_catalogue(
        catalogue, numbers("activity", catalogue.iris()), numbers("agent", catalogue.agents())
    )
    return InForce(1, catalogue, compiled, mapping.compile(numbers("verb", mapping.verbs())))
