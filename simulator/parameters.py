"""The parameters of a scenario: name, type, unit, meaning and rule of each, and nothing else.

Every section of a scenario file is one class here, every key one field. `simulator.scenario` reads files into
these classes; docs/simulator.md repeats the table, and a test holds the two together.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Rule = Callable[[Any], str | None]
"""Gives None for a good value, else the rule that the value breaks."""


MOST_NAMES = 64
"""Names in a table of weights, and faults of one kind, at most."""


def number(low: float, high: float) -> Rule:
    def rule(value: Any) -> str | None:
        good = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"must be a number from {low:g} to {high:g}"

    return rule


def whole(low: int, high: int) -> Rule:
    def rule(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
        return None if good else f"must be a whole number from {low} to {high}"

    return rule


def one_of(*names: str) -> Rule:
    return lambda value: None if value in names else f"must be one of {', '.join(names)}"


def yes_or_no(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "must be a non-empty string"


def weights(value: Any) -> str | None:
    good = isinstance(value, dict) and value and all(number(0, 1e12)(v) is None for v in value.values())
    if not good or sum(value.values()) <= 0:
        return "must be a table of names to numbers >= 0, with a sum above 0"
    if len(value) > MOST_NAMES:
        return f"must have at most {MOST_NAMES} names"
    return None


def names(value: Any) -> str | None:
    good = isinstance(value, dict) and value and all(isinstance(v, str) and v for v in value.values())
    return None if good else "must be a table of names to names"


def series(length: int | None = None) -> Rule:
    def rule(value: Any) -> str | None:
        good = isinstance(value, list) and value and all(number(0, 1e12)(v) is None for v in value)
        if not good or sum(value) <= 0 or (length is not None and len(value) != length):
            size = "" if length is None else f"{length} "
            return f"must be a list of {size}numbers >= 0, with a sum above 0"
        return None

    return rule


def clock(value: Any) -> str | None:
    """A time of day, HH:MM."""
    if isinstance(value, str) and len(value) == 5 and value[2] == ":":
        hours, minutes = value[:2], value[3:]
        if hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60:
            return None
    return "must be a time of day such as 09:30"


def date(value: Any) -> str | None:
    """A day, YYYY-MM-DD."""
    try:
        datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        return "must be a date such as '2026-04-02'"
    return None


def seconds_of(clock_text: str) -> float:
    """Seconds since midnight of a time of day, HH:MM."""
    return int(clock_text[:2]) * 3600.0 + int(clock_text[3:]) * 60.0


def p(rule: Rule, unit: str, meaning: str) -> Any:
    """A field of a section: its rule, its unit (empty for a plain number) and what it means."""
    return field(metadata={"rule": rule, "unit": unit, "meaning": meaning})


_SHARE = number(0, 1)


@dataclass(frozen=True, slots=True)
class Population:
    """Who the learners are."""

    learners: int = p(whole(1, 1_000_000_000), "learners", "registered learners")
    kinds: Mapping[str, float] = p(weights, "", "weights of central, state and local organisations")
    states: Mapping[str, float] = p(weights, "", "weights of states and union territories (ISO 3166-2:IN)")
    state_language: Mapping[str, str] = p(names, "", "home language (BCP 47) of each state")
    home_language: float = p(_SHARE, "", "share of learners who learn in their state's language, not English")
    cadres: Mapping[str, float] = p(weights, "", "weights of cadres")
    roles: int = p(whole(1, 100_000), "roles", "number of distinct roles (Zipf 1)")
    mobile: float = p(_SHARE, "", "share of learners who use the mobile application")
    connectivity: Mapping[str, float] = p(weights, "", "weights of good, patchy and offline connections")


@dataclass(frozen=True, slots=True)
class Calendar:
    """When they learn."""

    start: str = p(date, "", "first day of the period")
    days: int = p(whole(1, 31), "days", "length of the period whose behaviour is generated")
    day_weights: Sequence[float] = p(series(), "", "weight of each day of the period for starting a course")
    hourly: Sequence[float] = p(series(24), "", "weight of each hour of the day for starting to learn")


@dataclass(frozen=True, slots=True)
class Learning:
    """What they do."""

    participation: float = p(_SHARE, "", "share of learners who start a course in the period")
    participation_by_kind: Mapping[str, float] = p(weights, "", "relative participation by organisation")
    enrolments: float = p(number(1, 40), "", "mean courses started by a participant (geometric, at least 1)")
    completion: float = p(_SHARE, "", "share of enrolments that mean to go to the end")
    courses: int = p(whole(1, 60_000), "courses", "courses in the catalogue")
    zipf: float = p(number(0, 3), "", "Zipf exponent of course popularity")
    hot_course_share: float = p(_SHARE, "", "share of enrolments that go to the first course, beyond Zipf")
    modules: float = p(number(2, 30), "", "mean modules of a course (geometric, at least 2)")
    module_minutes: float = p(number(0.5, 240), "min", "mean length of a module")
    module_cv: float = p(number(0, 3), "", "coefficient of variation of a module's length (lognormal)")
    video: float = p(_SHARE, "", "share of modules that are videos; the others are cmi5 content")
    heartbeat_s: float = p(number(5, 3600), "s", "a running video says how far it is, this often")
    interactions: float = p(number(0, 60), "1/min", "pauses, seeks and steps a minute of learning")
    questions: int = p(whole(1, 100), "", "questions of an assessment")
    question_s: float = p(number(1, 600), "s", "mean time for a question")
    pass_rate: float = p(_SHARE, "", "probability to pass an assessment, at each attempt")
    attempts: int = p(whole(1, 10), "", "attempts at an assessment at most")
    session_items: float = p(number(1, 40), "", "mean modules in one sitting (geometric, at least 1)")
    same_day: float = p(_SHARE, "", "probability that the next sitting is on the same day")
    gap_minutes: float = p(number(1, 720), "min", "mean pause between two sittings of one day (exponential)")


@dataclass(frozen=True, slots=True)
class Live:
    """A live event that everybody watches at once (share 0: none)."""

    share: float = p(_SHARE, "", "share of all learners who join")
    day: int = p(whole(0, 30), "", "day of the period, from 0")
    at: str = p(clock, "", "when it begins")
    ramp_s: float = p(number(1, 7200), "s", "mean time by which people come late (exponential)")
    minutes: float = p(number(1, 300), "min", "how long it lasts")
    leave_s: float = p(number(0, 3600), "s", "mean time by which people leave after its end (exponential)")


@dataclass(frozen=True, slots=True)
class Client:
    """What stands between a learner and the record store."""

    web_batch: int = p(
        whole(1, 255), "statements", "the web player sends when it has this many, or at the end"
    )
    mobile_batch: int = p(whole(1, 255), "statements", "statements in one request of the mobile application")
    mobile_sync_s: float = p(
        number(1, 86400), "s", "the mobile application sends this often when it is online"
    )
    block_minutes: float = p(number(1, 1440), "min", "connections come and go in blocks of this length")
    patchy_down: float = p(_SHARE, "", "probability that a patchy connection is down in a block")
    offline_down: float = p(_SHARE, "", "probability that an offline learner's connection is down in a block")
    hold_hours: float = p(number(1, 72), "h", "after this long everybody finds a connection")
    reconnect_s: float = p(
        number(0, 3600), "s", "mean time by which clients spread when a connection is back"
    )
    spacing_s: float = p(number(0.001, 60), "s", "pause between two requests of a backlog")
    repeat: float = p(_SHARE, "", "share of mobile requests sent twice because the answer was lost")
    shuffle: float = p(_SHARE, "", "share of backlogs sent newest first")
    skewed: float = p(_SHARE, "", "share of mobile devices with a wrong clock")
    skew_hours: float = p(number(0, 48), "h", "largest error of a wrong clock (uniform, either way)")
    timeout_s: float = p(number(0.05, 600), "s", "the client gives up an attempt after this long")
    retry: str = p(one_of("none", "at-once", "fixed", "backoff"), "", "what it does when an attempt fails")
    retry_s: float = p(number(0.001, 3600), "s", "pause before a repetition; the first one of a backoff")
    retry_limit: int = p(whole(0, 100), "", "repetitions at most; then the statements are given up")
    reads: float = p(number(0, 10), "", "progress reads for each statement request")
    newcomers: float = p(_SHARE, "", "share of requests whose learner the record store does not know yet")


@dataclass(frozen=True, slots=True)
class System:
    """The record store: its parts, their number and their settings."""

    log: str = p(one_of("postgresql", "kafka"), "", "what keeps the statement log")
    shared_cores: int = p(whole(0, 1024), "cores", "all parts share these; 0: each tier has its own")
    edge_cores: int = p(whole(1, 1024), "cores", "cores of the edges, when not shared")
    worker_cores: int = p(whole(1, 1024), "cores", "cores of the workers, when not shared")
    postgresql_cores: int = p(whole(1, 1024), "cores", "cores of PostgreSQL, when not shared")
    brokers: int = p(whole(1, 64), "brokers", "Kafka brokers of two cores each, when the log is Kafka")
    edges: int = p(whole(1, 256), "processes", "edge processes")
    partitions: int = p(whole(1, 1024), "partitions", "partitions of the log")
    persist_workers: int = p(whole(1, 256), "processes", "persist processes")
    score_workers: int = p(whole(1, 256), "processes", "score processes")
    connections: int = p(whole(1, 4096), "connections", "database connections for reads, of all edges")
    inflight: int = p(whole(1, 500_000), "requests", "requests that all edges work on before they answer 503")
    linger_ms: float = p(
        number(0, 1000), "ms", "a frame waits this long for company, while others are on their way"
    )
    flights: int = p(whole(1, 1024), "frames", "frames of an edge on their way to the log at once")
    edge_turn: int = p(
        whole(1, 1_000_000), "requests", "an edge sees a durable frame after so many that wait, at most"
    )
    append_max: int = p(whole(1, 1_000_000), "statements", "statements of one frame at most")
    persist_max: int = p(whole(1, 1_000_000), "statements", "statements of one persist transaction at most")
    score_max: int = p(whole(1, 1_000_000), "statements", "statements of one score transaction at most")
    poll_ms: float = p(
        number(0, 10_000), "ms", "a worker looks into the log this often while it finds something"
    )
    poll_idle_ms: float = p(number(0, 10_000), "ms", "and this often when it does not")
    pace_ms: float = p(
        number(0, 10_000), "ms", "a partition's batches begin this far apart, unless one is full"
    )
    pace_rate: float = p(
        number(0, 1e9), "1/s", "where so many statements a second come to a partition, or more"
    )
    turns: int = p(
        whole(1, 64), "turns", "a stage's transaction goes so often from its worker to PostgreSQL and back"
    )
    lease_s: float = p(number(0.1, 600), "s", "a dead worker's partitions are taken over after this long")
    rebalance_s: float = p(number(0, 600), "s", "a partition stands still this long when it changes hands")
    election_s: float = p(
        number(0.1, 600), "s", "a lost broker's partitions have a new leader after this long"
    )
    shared_row: float = p(
        _SHARE, "", "share of a score transaction under the lock of a row all partitions write"
    )


@dataclass(frozen=True, slots=True)
class Run:
    """Which part of the period is run through the record store."""

    day: int = p(whole(0, 30), "", "day of the period, from 0")
    begin: str = p(clock, "", "from this time of day")
    hours: float = p(number(0.01, 72), "h", "for this long")
    load: float = p(number(0.0001, 1_000_000), "", "each request stands for this many")


@dataclass(frozen=True, slots=True)
class Slo:
    """What the record store promises."""

    ack_p99_s: float = p(number(0.0001, 3600), "s", "99 % of requests acknowledged within")
    queryable_p99_s: float = p(
        number(0.0001, 86400), "s", "99 % of statements queryable after an edge took them within"
    )
    scored_p99_s: float = p(number(0.0001, 86400), "s", "99 % of statements scored after acceptance within")
    given_up: float = p(_SHARE, "", "share of statements that clients give up, at most")


@dataclass(frozen=True, slots=True)
class Cost:
    """What it costs."""

    core_hour_inr: float = p(number(0, 10_000), "INR", "price of a core for an hour")
    gb_month_inr: float = p(number(0, 10_000), "INR", "price of a gigabyte of storage for a month")
    statement_bytes: float = p(
        number(1, 1_000_000), "B", "storage of a statement with everything derived from it"
    )


SECTIONS: dict[str, type] = {
    "population": Population,
    "calendar": Calendar,
    "learning": Learning,
    "live": Live,
    "client": Client,
    "system": System,
    "run": Run,
    "slo": Slo,
    "cost": Cost,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong: what, when, for how long and how badly."""

    kind: str
    at: str
    seconds: float
    source: str
    state: str = ""
    stage: str = ""
    index: int = 0
    factor: float = 1.0


FAULTS: dict[str, dict[str, tuple[Rule, str]]] = {
    "state-outage": {"state": (text, "which state has no network")},
    "broker-loss": {"index": (whole(0, 63), "which broker")},
    "database-down": {},
    "slow-database": {"factor": (number(0.001, 1), "its speed, as a share of the ordinary")},
    "slow-disk": {"factor": (number(1, 1000), "how many times longer a flush takes")},
    "worker-loss": {
        "stage": (one_of("persist", "score"), "whose worker"),
        "index": (whole(0, 255), "which worker"),
    },
    "edge-loss": {"index": (whole(1, 255), "how many edges")},
    "deploy": {"stage": (one_of("edge", "persist", "score"), "whose processes, one after the other")},
    "poison": {"factor": (number(0, 1), "share of statements that fail alone in persist")},
}
"""The keys of each kind of fault besides kind, at, seconds and source."""
