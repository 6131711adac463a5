"""`python -m tests.kafka lrs up …`: run a command of the LRS with its log on Kafka.

Without LRS_LOG the Kafka is one of its own, from the tests' jars; its data and those of the LRS are
kept under one directory, so that the next run goes on with them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import click

from tests.kafka.broker import broker_in, missing

OTHERWISE = "install it, or name brokers of yours: LRS_LOG=kafka://host:9092"


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("data/kafka"),
    help="Where everything is kept.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def main(directory: Path, command: tuple[str, ...]) -> None:
    """Run COMMAND, which is an LRS, with its log on Kafka; Ctrl-C ends it, and then the Kafka."""
    if os.environ.get("LRS_LOG", "").startswith("kafka://"):
        sys.exit(_run(command, {}))
    absent = missing()
    if absent:
        raise click.ClickException(f"{absent}: {OTHERWISE}")
    click.echo(f"starting Kafka, with its data in {directory}")
    # Ctrl-C reaches the command, too; a request to end is handed on. Here both wait for its end.
    with broker_in(directory.absolute() / "broker") as broker:
        own = {
            "LRS_LOG": f"kafka://{broker.address}",
            "LRS_KAFKA_REPLICATION": "1",
            "LRS_DATA": os.environ.get("LRS_DATA", str(directory.absolute() / "lrs")),
        }
        status = _run(command, own)
    sys.exit(status)


def _run(command: tuple[str, ...], own: dict[str, str]) -> int:
    """Make the topics that are missing, then run the command to its end."""
    environment = os.environ | own
    applied = subprocess.run([sys.executable, "-m", "lrs", "topics", "apply"], env=environment, check=False)
    if applied.returncode:
        return applied.returncode
    process: subprocess.Popen[bytes] | None = None

    def hand_on(number: int, _frame: FrameType | None) -> None:
        if process is not None and number == signal.SIGTERM:
            process.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, hand_on)
    process = subprocess.Popen(command, env=environment)
    return process.wait()


if __name__ == "__main__":
    main()
