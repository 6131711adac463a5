"""A real Apache Kafka, as a process of its own; its jars come through Maven, once, into `build/kafka`."""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from lrs import launch
from lrs.log.port import Ends
from tests.kafka.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
LIBRARIES = HERE.parent.parent / "build" / "kafka" / "libs"


START_WITHIN = 180.0
"""Seconds; five are enough on a quiet machine."""


class NoKafka(Exception):
    """There can be no Kafka here; the text says why."""


def missing() -> str | None:
    """Why there can be no Kafka here; None if there can."""
    absent = [program for program in ("java", "mvn", "openssl") if shutil.which(program) is None]
    return f"no Kafka without {' and '.join(absent)}" if absent else None


def fetch_libraries() -> None:
    """Bring Kafka's jars into `build/kafka/libs`; a minute the first time, nothing later. Of several
    processes that want them one brings them, and the others wait.
    """
    LIBRARIES.parent.mkdir(parents=True, exist_ok=True)
    with (LIBRARIES.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if list(LIBRARIES.glob("kafka_2.13-*.jar")):
            return
        subprocess.run(
            [
                "mvn", "--quiet", "--batch-mode", "--file", str(HERE / "pom.xml"),
                "dependency:copy-dependencies", f"-DoutputDirectory={LIBRARIES}",
            ],
            check=True,
        )  # fmt: skip


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Broker:
    """One broker, its own controller, with its data in a directory; it goes on with what is there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port, self._secure_port = free_port(), free_port()
        self._proxied_port, self._proxy_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        controller = free_port()
        settings = (HERE / "server.properties").read_text()
        for name, value in {
            "PORT": str(self._port),
            "SECURE_PORT": str(self._secure_port),
            "PROXIED_PORT": str(self._proxied_port),
            "PROXY_PORT": str(self._proxy_port),
            "KEYSTORE": str(self._keystore()),
            "CONTROLLER_PORT": str(controller),
            "DATA": str(self.data),
        }.items():
            settings = settings.replace(f"@{name}@", value)
        self._settings = directory / "server.properties"
        self._settings.write_text(settings)
        if not (self.data / "meta.properties").exists():
            # A cluster's id is a UUID in base 64.
            identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode().replace("-", "_")
            self._java("kafka.tools.StorageTool", "format", "-t", identity, "-c", str(self._settings))

    @property
    def data(self) -> Path:
        """Where its logs are."""
        return self._directory / "data"

    @property
    def pid(self) -> int | None:
        """Its process while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self._port}"

    @property
    def secure_address(self) -> str:
        """host:port of the listener with TLS and SASL: PLAIN knows the user `lrs` with `secret`."""
        return f"127.0.0.1:{self._secure_port}"

    def proxy(self) -> Proxy:
        """A proxy for the listener that tells its clients to come to the proxy."""
        return Proxy(self._proxy_port, self._proxied_port)

    @property
    def certificate(self) -> Path:
        """Who signed the certificate of the secure listener: itself."""
        return self._directory / "certificate.pem"

    def _keystore(self) -> Path:
        """A key and its certificate in one file."""
        key, store = self._directory / "key.pem", self._directory / "keystore.pem"
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                "-keyout", str(key), "-out", str(self.certificate),
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        store.write_text(key.read_text() + self.certificate.read_text())
        return store

    def _command(self, main: str, *arguments: str) -> list[str]:
        return [shutil.which("java") or "java", "-Xmx400m", "-cp", f"{LIBRARIES}/*", main, *arguments]

    def _java(self, main: str, *arguments: str) -> str:
        done = subprocess.run(self._command(main, *arguments), check=True, capture_output=True, text=True)
        return done.stdout

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._directory / "log").open("ab") as log:
            # Whatever becomes of this process, the kernel asks the broker to stop.
            self._process = subprocess.Popen(
                launch.command(self._command("kafka.Kafka", str(self._settings)), signal.SIGTERM),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever needs it, and ends before it does
            )
        until = time.monotonic() + START_WITHIN
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise RuntimeError(f"Kafka ended with {self._process.returncode}: {self.log()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.1)
        self.stop(signal.SIGKILL)
        raise TimeoutError(f"Kafka does not answer at {self.address}: {self.log()}")

    def log(self) -> str:
        """The end of what it wrote."""
        return (self._directory / "log").read_text()[-4000:]

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End it; SIGKILL for a crash."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal_number)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextmanager
def broker_in(directory: Path) -> Iterator[Broker]:
    """A broker that runs, with its data in a directory that is made. Raises NoKafka where there can
    be none."""
    absent = missing()
    if absent:
        raise NoKafka(absent)
    fetch_libraries()
    directory.mkdir(parents=True, exist_ok=True)
    broker = Broker(directory)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


class KafkaEnds:
    """As much of the port of the log as the stream shell asks of it beside the records."""

    def __init__(self, address: str, topic: str, partitions: int) -> None:
        self._address, self._topic, self._partitions = address, topic, partitions

    @property
    def partitions(self) -> int:
        """How many partitions the topic has."""
        return self._partitions

    async def log_id(self) -> str:
        """One incarnation: these tests re-create nothing."""
        return self._topic

    async def ends(self) -> dict[int, Ends]:
        """What the broker says."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._address)
        await consumer.start()
        try:
            partitions = [TopicPartition(self._topic, number) for number in range(self._partitions)]
            starts = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
        finally:
            await consumer.stop()
        return {each.partition: Ends(starts[each], ends[each], 0) for each in partitions}

    async def trim(self, before: Mapping[int, int]) -> None:
        """Nothing: Kafka forgets by its own retention time."""


def must_be_there() -> bool:
    """Whether a missing Kafka is a failure."""
    return os.environ.get("CI") == "true"
