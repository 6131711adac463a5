"""The settings: one typed struct, read from an optional TOML file and from `LRS_*` variables.

A variable wins over the file, the file over the default. A secret may stand in a file of its own, which
a variable names. The file is `--config FILE`, else the one
that `LRS_CONFIG` names; it is flat: `http_port = 8080` says what `LRS_HTTP_PORT=8080` says. A name
that is unknown or a value that breaks its rule stops the start, with all such errors at once.
`docs/settings.md` describes every field.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from lrs.consistency import contradictions
from lrs.secrecy import with_files_read, without_password

PREFIX = "LRS_"
CONFIG = "LRS_CONFIG"
"""The variable that names the TOML file; the only `LRS_*` variable that is no setting."""

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

Port = Annotated[int, Meta(ge=0, le=65535, description="0 takes a free port")]
Size = Annotated[
    int,
    Meta(ge=1, extra={"unit": "bytes"}, description="bytes, or a number with KB, MB or GB (powers of 1024)"),
]
Seconds = Annotated[float, Meta(ge=0, le=31 * 86400, description="seconds")]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Origins = Annotated[str, Meta(pattern=r"^(\*|(https?://[^\s,/]+(\s*,\s*https?://[^\s,/]+)*)?)$")]
Workers = Annotated[int, Meta(ge=1, le=64)]
TopicName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class SettingsError(Exception):
    """One or more settings are unknown or wrong. `errors` has a line for each: name, value, rule."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set. Sizes are in bytes, times in seconds."""

    store: Annotated[str, Meta(pattern=r"^(embedded$|postgres(ql)?://)")] = "embedded"
    """Where statements and what follows from them are kept: `embedded`, or `postgresql://…`."""

    store_password: str = ""
    """Password of the store's user, where `store` does not say it."""

    data: Path = Path("data")
    """Directory of the embedded PostgreSQL and of what the supervisor notes down."""

    log: Annotated[str, Meta(pattern=r"^(postgresql$|kafka://)")] = "postgresql"
    """Where the statement log is kept: `postgresql`, that is beside the store, or `kafka://host:port,…`."""

    kafka_topic: TopicName = "xapi.statements"
    """Topic of the statement log on Kafka."""

    kafka_tls: bool = False
    """Whether connections to the brokers are encrypted."""

    kafka_ca: Path | None = None
    """PEM file of who signs the brokers' certificates; without it the system's."""

    kafka_certificate: Path | None = None
    """PEM file of a client certificate, where the brokers ask for one."""

    kafka_key: Path | None = None
    """PEM file of the client certificate's key."""

    kafka_sasl: Literal["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = ""
    """SASL mechanism; empty: none."""

    kafka_user: str = ""
    """User for SASL."""

    kafka_password: str = ""
    """Password for SASL."""

    kafka_instance: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]*$", max_length=200)] = ""
    """Name of this machine or pod for static membership of consumer groups; empty: none."""

    kafka_replication: Annotated[int, Meta(ge=1, le=32)] = 3
    """Replicas of each topic that `lrs topics apply` makes; all but one must confirm a record."""

    kafka_retention: Seconds = 604_800.0
    """How long the brokers keep records of the statement log, and of the intake's topics."""

    kafka_intake: str = ""
    """Key of the credential as which statements of the topic `kafka_inbox` are taken; empty: none is."""

    kafka_inbox: TopicName = "xapi.inbox"
    """Topic from which plain JSON statements are taken."""

    kafka_rejected: TopicName = "xapi.rejected"
    """Topic to which records of `kafka_inbox` go that are refused."""

    kafka_outcomes: TopicName = "lrs.outcomes"
    """Topic to which outcomes are published."""

    partitions: Annotated[int, Meta(ge=1, le=256)] = 4
    """Partitions of the statement log and of the evidence log; fixed when the database is made."""

    log_retention: Seconds = 600.0
    """How long a record stays in the log after every stage has passed it."""

    store_grace: Seconds = 60.0
    """How long statements are accepted while the store is away, if the log is on Kafka."""

    http_host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """Address that the edge listens on."""

    http_port: Port = 8080
    """Port that the edge listens on."""

    cors_origins: Origins = "*"
    """Origins (`https://host`, separated by commas) whose pages may call the edge; `*`: all; empty: none."""

    admin_key: Annotated[str, Meta(pattern=r"^[^:\x00-\x1f]*$")] = ""
    """Key (user name) of the root credential that is ensured at start; empty: one is made once."""

    admin_secret: str = ""
    """Secret (password) of the root credential; given exactly when `admin_key` is."""

    token_keys: Path | None = None
    """File of public keys (JWK Set, JWK or PEM) by which signed tokens are verified; without it none are."""

    token_issuer: str = ""
    """The `iss` of the tokens that are accepted; needed with `token_keys`."""

    token_audience: str = ""
    """What the `aud` of tokens must name; needed with `token_keys`."""

    token_lifetime: Annotated[float, Meta(ge=1, le=86400)] = 3600.0
    """Seconds that the `exp` of a token may be ahead at most."""

    token_leeway: Annotated[float, Meta(ge=0, le=300)] = 30.0
    """Seconds by which the issuer's clock may differ."""

    token_scopes: str = "statements/write statements/read/mine state profile"
    """Scopes that a token can have at most."""

    max_body: Size = 16 * MIB
    """The longest request body, as sent and as unpacked; one byte more is refused with 413."""

    max_statements: Annotated[int, Meta(ge=1, le=10_000)] = 10_000
    """The most statements of one request; one more is refused with 413."""

    max_document: Size = 128 * MIB
    """The longest document; one that is merged must fit into `max_body`."""

    max_attachment: Size = 100 * MIB
    """The longest attachment; one byte more is refused with 413."""

    max_attachments: Size = 256 * MIB
    """The most bytes of attachments in one request; one byte more is refused with 413."""

    max_bytes_in_flight: Size = 64 * MIB
    """Bytes of bodies that the edge holds at once; beyond, requests get 503 with Retry-After."""

    max_requests_in_flight: Count = 2048
    """Requests that the edge works on at once; beyond, requests get 503 with Retry-After."""

    disk_floor: Annotated[int, Meta(ge=0, extra={"unit": "bytes"})] = 1 * GIB
    """Free bytes on the store's disk below which writes get 503 while reads go on."""

    read_wait: Annotated[float, Meta(ge=0, le=60)] = 0.2
    """Longest wait of a read for the store to hold what the log held when the request came."""

    frame_wait: Annotated[float, Meta(ge=0, le=1)] = 0.003
    """How long the edge waits for further requests before it appends a frame to the log."""

    frame_statements: Count = 500
    """Statements at which a frame is full; a larger single request is still one frame."""

    frame_bytes: Size = 1 * MIB
    """Bytes at which a frame is full; a larger single request is still one frame."""

    batch_records: Count = 256
    """Log records that a stage takes into one transaction at most."""

    batch_statements: Count = 2000
    """Statements that a stage takes into one transaction at most; a larger record stands alone."""

    persist_workers: Workers = 1
    """Worker processes of the persist stage that `lrs up` starts."""

    score_workers: Workers = 1
    """Worker processes of the score stage that `lrs up` starts."""

    edge_connections: Annotated[int, Meta(ge=2, le=200)] = 8
    """PostgreSQL connections of an edge."""

    worker_connections: Annotated[int, Meta(ge=2, le=200)] = 4
    """PostgreSQL connections of a worker."""

    lease: Annotated[float, Meta(ge=1, le=60)] = 5.0
    """Time after which the partitions of a worker that shows no sign of life go to another one."""

    stop_wait: Annotated[float, Meta(ge=0.5, le=600)] = 4.5
    """How long a stop may take: edges, workers and PostgreSQL finish in turn, or are killed."""

    metrics_host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    """Address that the metrics ports listen on."""

    edge_metrics_port: Port = 0
    """Metrics port of the edge."""

    persist_metrics_port: Port = 0
    """Metrics port of the first persist worker; the next one has the next port."""

    score_metrics_port: Port = 0
    """Metrics port of the first score worker; the next one has the next port."""

    supervisor_metrics_port: Port = 0
    """Metrics port of `lrs up` itself."""

    log_format: Literal["human", "json"] = "human"
    """Form of the program's own log lines."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level of the program's own log lines."""

    catalogue: Path | None = None
    """YAML file of roles, activities and competencies; without it the one of the demonstration."""

    @property
    def embedded(self) -> bool:
        """Whether the store is the PostgreSQL that this program starts itself."""
        return self.store == "embedded"

    @property
    def on_kafka(self) -> bool:
        """Whether the statement log is kept on Kafka."""
        return self.log.startswith("kafka://")

    @property
    def brokers(self) -> str:
        """The brokers of the log on Kafka: host:port, more of them after commas."""
        return self.log.removeprefix("kafka://").rstrip("/")

    def environment(self) -> dict[str, str]:
        """The same settings as variables, for a child process. Contains every secret."""
        return {
            variable(name): str(value)
            for name, value in msgspec.structs.asdict(self).items()
            if value is not None
        }

    def shown(self) -> dict[str, object]:
        """Every setting by name, fit for a log: secrets and passwords are starred out."""
        values = msgspec.structs.asdict(self)
        values["admin_secret"] = "***" if self.admin_secret else ""
        values["kafka_password"] = "***" if self.kafka_password else ""
        values["store_password"] = "***" if self.store_password else ""
        values["store"] = without_password(self.store)
        return values

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.shown().items())})"


def variable(name: str) -> str:
    """The variable of a field: `http_port` -> `LRS_HTTP_PORT`."""
    return PREFIX + name.upper()


SECRET = {"admin_secret", "kafka_password", "store", "store_password"}
"""Settings that may hold a secret: a file may be named for each, `LRS_ADMIN_SECRET_FILE` and so on."""

_TYPES = get_type_hints(Settings, include_extras=True)
_SIZE = re.compile(r"^(\d+) ?([KMG])B$", re.IGNORECASE)
_UNITS = {"K": KIB, "M": MIB, "G": GIB}


def load(environment: Mapping[str, str], config: Path | None = None, **given: object) -> Settings:
    """Settings from the file, the variables and `given` (command-line options; None is not given).

    Raises SettingsError with every error found, so that one start shows them all.
    """
    errors: list[str] = []
    values: dict[str, Any] = {}
    named = config or (Path(environment[CONFIG]) if environment.get(CONFIG) else None)
    if named is not None:
        for name, value in _file(named, errors).items():
            _take(values, errors, name, value, f"{named}: {name}", strict=True)
    files = {f"{variable(name)}_FILE": variable(name) for name in SECRET}
    for key, text in with_files_read(environment, files, errors).items():
        if key.startswith(PREFIX) and key != CONFIG:
            _take(values, errors, key.removeprefix(PREFIX).lower(), text, key, strict=False)
    for name, value in given.items():
        if value is not None:
            _take(values, errors, name, value, f"--{name.replace('_', '-')}", strict=False)
    if not errors:
        settings = Settings(**values)
        errors = contradictions(settings)
        if not errors:
            return settings
    raise SettingsError(errors)


def _file(path: Path, errors: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        errors.append(f"{path}: not a readable TOML file: {error}")
        return {}


def _take(
    values: dict[str, Any], errors: list[str], name: str, value: Any, source: str, *, strict: bool
) -> None:
    """Convert one value by its field's type and put it in `values`, or a line into `errors`."""
    if name not in _TYPES:
        errors.append(f"{source}: no such setting{_similar(name)}")
        return
    try:
        values[name] = msgspec.convert(_bytes(name, value), _TYPES[name], strict=strict, dec_hook=_path)
    except (msgspec.ValidationError, TypeError) as error:
        # The value of a setting that may hold a password is not repeated.
        shown = "***" if name in SECRET else repr(value)
        errors.append(f"{source} = {shown}: {_rule(name, error)}")


def _path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path) and str(value):
        return Path(value).expanduser()
    raise TypeError("Expected a path")


def _bytes(name: str, value: Any) -> Any:
    """`16MB` -> 16777216 for a setting in bytes; anything else is left to its type's rule."""
    found = _SIZE.match(value) if isinstance(value, str) and _in_bytes(name) else None
    return int(found[1]) * _UNITS[found[2].upper()] if found else value


def _in_bytes(name: str) -> bool:
    return any(
        isinstance(part, Meta) and part.extra == {"unit": "bytes"}
        for part in getattr(_TYPES[name], "__metadata__", ())
    )


def _rule(name: str, error: Exception) -> str:
    if name == "store":
        return "must be 'embedded' or 'postgresql://…'"
    if name == "log":
        return "must be 'postgresql' or 'kafka://…'"
    if get_origin(_TYPES[name]) is Literal:
        return f"must be one of {', '.join(get_args(_TYPES[name]))}"
    text = str(error).replace("`", "").split(" - at ")[0]
    return text + (", or a number with KB, MB or GB" if _in_bytes(name) else "")


def _similar(name: str) -> str:
    near = get_close_matches(name, _TYPES, n=1)
    return f"; did you mean {near[0]} ({variable(near[0])})?" if near else ""
