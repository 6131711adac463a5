"""The port of a stage: what the stream shell asks of persist and of score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lrs.log.port import Record


class Stage(Protocol):
    """Turns the records of a topic into rows of the store.

    The shell hands it the records of a partition in order, never two batches of one partition at
    once, but batches of different partitions at once.
    """

    @property
    def name(self) -> str:
        """Names the stage in the store, in logs and in metrics."""

    @property
    def topic(self) -> str:
        """The topic it reads."""

    @property
    def max_records(self) -> int:
        """The most records that one batch may hold."""

    @property
    def max_statements(self) -> int:
        """The most statements that one batch may hold; a single larger record makes a batch."""

    async def process(self, partition: int, epoch: int, records: Sequence[Record]) -> None:
        """Commit what follows from the records, and that they are done, in one transaction.

        The transaction calls `lrs.store.lease.advance` before it writes anything else, so that the
        records are done once, by the partition's owner.

        Raises Fenced when another worker owns the partition. Data errors are the stage's own
        business; any other error (connection, serialisation, timeout, disk) stops the worker: the
        records stay in the log, and a restarted worker takes them from the stored offset.
        """


class StageObserver(Protocol):
    """Is told what a stage does: the place for metrics and logs."""

    def batch_done(
        self, stage: str, partition: int, records: int, statements: int, seconds: float, newest_us: int
    ) -> None:
        """A batch was committed after `seconds`; its newest record has the instant `newest_us`."""

    def assigned(self, stage: str, partitions: Sequence[int]) -> None:
        """The worker owns these partitions from now on, and no other."""


class Unobserved:
    """An observer that looks away."""

    def batch_done(
        self, stage: str, partition: int, records: int, statements: int, seconds: float, newest_us: int
    ) -> None:
        """Do nothing."""

    def assigned(self, stage: str, partitions: Sequence[int]) -> None:
        """Do nothing."""
