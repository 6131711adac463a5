"""docker-compose.yml as a model: of the Compose specification what the file uses, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from msgspec import Meta

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yml"

Duration = Annotated[str, Meta(pattern=r"^\d+(ms|s|m|h)$")]
Memory = Annotated[str, Meta(pattern=r"^\d+[MGmg]$")]
Published = Annotated[str, Meta(pattern=r"^(\d{1,3}(\.\d{1,3}){3}:)?\d+:\d+$")]
Mount = Annotated[str, Meta(pattern=r"^[^:]+:/[^:]*(:ro)?$")]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A name that is not a field's is an error."""


class Condition(_Strict, frozen=True):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Healthcheck(_Strict, frozen=True):
    test: list[str] = []
    interval: Duration = "30s"
    timeout: Duration = "30s"
    retries: int = 3
    start_period: Duration = "0s"
    disable: bool = False


class Limits(_Strict, frozen=True):
    cpus: Annotated[str, Meta(pattern=r"^\d+(\.\d+)?$")]
    memory: Memory


class Resources(_Strict, frozen=True):
    limits: Limits


class Deploy(_Strict, frozen=True):
    resources: Resources
    replicas: int = 1


class Service(_Strict, frozen=True):
    image: str
    deploy: Deploy
    build: str | None = None
    command: list[str] = []
    environment: dict[str, str] = {}
    depends_on: dict[str, Condition] = {}
    healthcheck: Healthcheck | None = None
    volumes: list[Mount] = []
    ports: list[Published] = []
    secrets: list[str] = []
    tmpfs: list[str] = []
    cap_drop: list[str] = []
    security_opt: list[str] = []
    restart: Annotated[str, Meta(pattern=r"^(no|always|unless-stopped|on-failure(:\d+)?)$")] = "no"
    stop_grace_period: Duration = "10s"
    shm_size: Memory = "64m"
    read_only: bool = False
    init: bool = False

    @property
    def ours(self) -> bool:
        """Whether it runs our image."""
        return self.build is not None

    @property
    def ends(self) -> bool:
        """Whether it is a job, which ends when its work is done."""
        return self.restart.startswith("on-failure")

    @property
    def mounts(self) -> dict[str, str]:
        """What is mounted: the place inside, and the volume or path."""
        return {mount.split(":")[1]: mount.split(":")[0] for mount in self.volumes}


class Secret(_Strict, frozen=True):
    file: str


class Compose(_Strict, frozen=True):
    name: str
    services: dict[str, Service]
    secrets: dict[str, Secret]
    volumes: dict[str, None]


def read() -> Compose:
    """The file; extensions (`x-…`) are only anchors. Raises ValidationError with the path of an error."""
    raw: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return msgspec.convert({name: value for name, value in raw.items() if name[:2] != "x-"}, Compose)


def seconds(duration: str) -> float:
    """`30s` -> 30."""
    number = float(duration.rstrip("msh"))
    return number * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[duration.lstrip("0123456789")]
