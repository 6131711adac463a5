"""What clients do with a request of each kind, and which answers are right."""

from __future__ import annotations

import gzip
import math
import random
import socket
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlsplit

import gevent
import msgspec
from locust import FastHttpUser

from loadtests.bodies import Fresh
from loadtests.hostile import Occasion, hostile, hostile_record
from loadtests.plan import Agenda, agent
from loadtests.producer import REASON_HEADER, VERSION_HEADER, NotAcknowledged, Producer, record_key
from loadtests.scenario import WRITING, Kind
from loadtests.tally import INTERVALS, QUERYABLE, Fate, Latency, Tally
from lrs.demo.client import basic

BUSY: Final = (429, 503)
AGAIN: Final = (0, 429, 502, 503, 504)
"""Without a final answer: whoever sends the same bytes again stores nothing twice."""

SAMPLES: Final = 2.0
"""Records a second, in the mean of the run, of which it is asked when they can be queried."""
_SOON: Final = 0.01
_COARSE: Final = 0.2
"""It is asked again after so many seconds, or after that share of what has passed, whichever is longer."""

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_STATEMENTS: Final = "/xapi/statements"
_STATE: Final = "/xapi/activities/state"
_ACTIVITY: Final = "https://lrs.example.org/load/activity"
_JSON: Final = {"Content-Type": "application/json"}


class GaveUp(Exception):
    """No final answer came before the client lost patience."""


class Wrong(Exception):
    """An answer was not what it must be; the text says which."""


class Exchanges:
    """The requests of one process, while they last."""

    def __init__(
        self, user: FastHttpUser, agenda: Agenda, tally: Tally, of: int, producer: Producer | None = None
    ) -> None:
        """`of`: the number of processes; a request's place in the tally is its number over it. With a
        `producer` statements go to an intake."""
        options = user.environment.parsed_options
        self._user, self._agenda, self.tally, self._of = user, agenda, tally, of
        self._authorization = basic(options.key or "", options.secret or "")
        self._common = {"X-Experience-API-Version": "1.0.3", "Authorization": self._authorization}
        self._known: list[int] = []
        """Requests whose statements were acknowledged."""
        self._under_way = 0
        self._producer = producer
        self._sampled = math.ceil(agenda.writes / (SAMPLES * agenda.plan.seconds)) or 1
        """One in so many records is a sample."""
        self._kinds: dict[Kind, Callable[[int, float], None]] = {
            "send": self._send,
            "again": self._send_again,
            "progress": self._progress,
            "competencies": self._competencies,
            "list": self._list,
            "statement": self._statement,
            "document": self._document,
            "hostile": self._hostile,
        }

    def carry_out(self, number: int, due: float) -> None:
        """Do one request that was due at `due`, on the clock of `time.perf_counter`."""
        tally, began = self.tally, time.perf_counter()
        tally.lag.add(began - due)
        tally.held += self._under_way >= self._user.concurrency
        self._under_way += 1
        tally.outstanding = max(tally.outstanding, self._under_way)
        kind = self._agenda.request(number)
        interval = self._interval(number)
        interval.due += 1
        try:
            self._kinds[kind.kind](number, due)
            fate = Fate.DONE
            if kind.kind in WRITING:
                tally.statements += kind.statements
                interval.statements += kind.statements
                if self._producer is None:
                    self._known.append(number)
        except GaveUp:
            fate = Fate.IN_DOUBT
        except Wrong as wrong:
            fate = Fate.WRONG
            tally.problem(f"{kind.name}: {wrong}")
        begin = due - float(self._agenda.due[number])
        tally.fates[number // self._of] = fate
        tally.spans.note(number // self._of, began - begin, time.perf_counter() - begin)
        self._under_way -= 1
        if self._producer is not None and fate is Fate.DONE and self._is_sample(number):
            self._until_queryable(number, due)

    # -- one request -------------------------------------------------------------------------------

    def _answered(
        self,
        number: int,
        due: float,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str | None] | None = None,
        *,
        counts: bool = True,
        unready: tuple[int, ...] = (),
    ) -> Any:
        """The final answer, by as many attempts as it takes. Raises GaveUp.

        `counts`: it is the one for which the latency from the due time counts. `unready` are statuses that
        stand for "not yet".
        """
        name = self._agenda.request(number).name
        latency, interval = self.tally.latency.setdefault(name, Latency()), self._interval(number)
        sent = {key: value for key, value in {**self._common, **(headers or {})}.items() if value is not None}
        pause, patience = _FIRST_PAUSE, due + self._agenda.plan.give_up
        while True:
            started = time.perf_counter()
            with self._user.client.request(
                method, path, name=name, data=body, headers=sent, catch_response=True
            ) as answer:
                ended = time.perf_counter()
                final = answer.status_code not in AGAIN and answer.status_code not in unready
                if final:
                    answer.success()
                else:
                    answer.failure(f"status {answer.status_code}")
            latency.service.add(ended - started)
            interval.latency.service.add(ended - started)
            if final:
                break
            self._not_final(answer)
            told = (answer.headers or {}).get("Retry-After", "") if answer.status_code in BUSY else ""
            least = float(told) if told.isdigit() else 0.0
            wait = max(least, pause) * random.uniform(1.0, 1.5)
            if ended + wait > patience:
                break
            gevent.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE)
        if counts:
            self._count(number, ended - due)
        if not final:
            raise GaveUp
        return answer

    def _count(self, number: int, intended: float) -> None:
        """Count a latency from the due time."""
        name = self._agenda.request(number).name
        self.tally.latency.setdefault(name, Latency()).intended.add(intended)
        self._interval(number).latency.intended.add(intended)
        self._user.environment.events.request.fire(
            request_type="INTENDED",
            name=name,
            response_time=intended * 1000,
            response_length=0,
            exception=None,
            context={},
        )

    def _not_final(self, answer: Any) -> None:
        if answer.status_code in BUSY:
            self.tally.busy += 1
            self.tally.problem(f"busy: {answer.status_code} {_shown(answer)}")
        elif answer.status_code in AGAIN:
            self.tally.broken += 1
            self.tally.problem(f"broken: {answer.status_code} {getattr(answer, 'error', '')!r:.120}")

    def _interval(self, number: int) -> Any:
        plan = self._agenda.plan
        place = int(self._agenda.due[number] / plan.seconds * INTERVALS)
        return self.tally.intervals[min(place, INTERVALS - 1)]

    # -- statements --------------------------------------------------------------------------------

    def _send(self, number: int, due: float) -> None:
        self._store(number, due, self._agenda.sending(number).body)

    def _send_again(self, number: int, due: float) -> None:
        body = self._agenda.sending(number).body
        other = gevent.spawn(self._store, number, due, body, counts=False)
        try:
            self._store(number, due, body)
        finally:
            other.join()
        other.get()
        self._store(number, due, body, counts=False)

    def _store(self, number: int, due: float, body: Fresh, *, counts: bool = True) -> None:
        if self._producer is not None:
            self._produce(number, due, body.content, {}, counts=counts)
            return
        content = body.content
        headers: dict[str, str | None] = {**_JSON}
        if self._agenda.request(number).gzip:
            content, headers["Content-Encoding"] = gzip.compress(content, 1), "gzip"
        answer = must(
            self._answered(number, due, "POST", _STATEMENTS, content, headers, counts=counts),
            200,
        )
        if msgspec.json.decode(answer.content) != body.ids:
            raise Wrong("acknowledged other ids than were sent")
        self.tally.position(answer.headers.get("X-LRS-Position", ""))

    # -- records of an intake's topic --------------------------------------------------------------

    def _produce(
        self, number: int, due: float, value: bytes, headers: dict[str, str], *, counts: bool = True
    ) -> None:
        assert self._producer is not None
        key = record_key(self._agenda.plan.seed, number)
        kind = self._agenda.request(number)
        try:
            sent, ended = self._producer.put(key, value, {VERSION_HEADER: "1.0.3", **headers}, gzip=kind.gzip)
        except NotAcknowledged as error:
            self.tally.broken += 1
            self.tally.problem(f"broken: {error}")
            raise GaveUp from error
        self.tally.latency.setdefault(kind.name, Latency()).service.add(ended - sent)
        self._interval(number).latency.service.add(ended - sent)
        if counts:
            self._count(number, ended - due)

    def _is_sample(self, number: int) -> bool:
        return self._agenda.request(number).kind in WRITING and number % self._sampled == 0

    def _until_queryable(self, number: int, due: float) -> None:
        """Ask for a statement of a record until it is there: intended latency from when the record was due,
        service from its acknowledgement. What never comes counts with the time for which it was awaited."""
        acknowledged = time.perf_counter()
        id_ = self._agenda.sending(number).body.ids[-1]
        sent = {**self._common}
        while True:
            with self._user.client.get(
                f"{_STATEMENTS}?statementId={id_}", name=QUERYABLE, headers=sent, catch_response=True
            ) as answer:
                answer.success()
            now = time.perf_counter()
            there = answer.status_code == 200
            if there or now - due > self._agenda.plan.give_up:
                break
            gevent.sleep(max(_SOON, _COARSE * (now - acknowledged)))
        latency = self.tally.latency.setdefault(QUERYABLE, Latency())
        latency.intended.add(now - due)
        latency.service.add(now - acknowledged)
        if there:
            self._known.append(number)
        else:
            self.tally.problem(f"{QUERYABLE}: still not after {self._agenda.plan.give_up:g} s")

    # -- reading -----------------------------------------------------------------------------------

    def _progress(self, number: int, due: float) -> None:
        self._about(number, due, "/api/v1/progress")

    def _competencies(self, number: int, due: float) -> None:
        self._about(number, due, "/api/v1/competencies")

    def _about(self, number: int, due: float, path: str) -> None:
        who = agent(self._agenda.learner(number))
        answer = must(self._answered(number, due, "GET", f"{path}?agent={_parameter(who)}"), 200)
        told = msgspec.json.decode(answer.content)["agent"]["account"]
        if told != who["account"]:
            raise Wrong(f"told about {told}, not {who['account']}")

    def _list(self, number: int, due: float) -> None:
        who = agent(self._agenda.learner(number))
        path = f"{_STATEMENTS}?limit=25&agent={_parameter(who)}"
        answer = must(self._answered(number, due, "GET", path), 200)
        told = {
            statement["actor"]["account"]["name"]
            for statement in msgspec.json.decode(answer.content)["statements"]
        }
        if told - {who["account"]["name"]}:
            raise Wrong(f"a list about {who['account']} has statements of {sorted(told)}")

    def _statement(self, number: int, due: float) -> None:
        """Read one's own write; a store that is behind has time until the client loses patience."""
        if not self._known:
            self._list(number, due)
            return
        id_ = self._agenda.sending(self._known[number % len(self._known)]).body.ids[0]
        path = f"{_STATEMENTS}?statementId={id_}"
        answer = must(self._answered(number, due, "GET", path, unready=(404,)), 200)
        if msgspec.json.decode(answer.content)["id"] != id_:
            raise Wrong(f"asked for {id_}, got another statement")

    # -- documents ---------------------------------------------------------------------------------

    def _document(self, number: int, due: float) -> None:
        """Write a state, read it, replace it by its ETag, and be refused with the one that it had before."""
        who = _parameter(agent(self._agenda.learner(number)))
        path = (
            f"{_STATE}?activityId={quote(_ACTIVITY, safe='')}&agent={who}"
            f"&stateId=load-{self._agenda.plan.seed}-{number}"
        )
        first = msgspec.json.encode({"number": number, "page": 1, "answers": ["a"] * (number % 100)})
        second = msgspec.json.encode({"number": number, "page": 2})
        must(self._answered(number, due, "PUT", path, first, {**_JSON}), 204)
        tag = self._read_document(number, due, path, first)
        if self._replace(number, due, path, second, tag).status_code == 412:
            # An attempt whose answer was lost may have done it already: then the second reading agrees.
            self.tally.problem("document: replaced by an attempt without an answer")
        if self._read_document(number, due, path, second) == tag:
            raise Wrong("another content has the same ETag")
        must(self._replace(number, due, path, first, tag), 412)

    def _read_document(self, number: int, due: float, path: str, content: bytes) -> str:
        answer = must(self._answered(number, due, "GET", path, counts=False), 200)
        if answer.content != content:
            raise Wrong(f"a document came back as {answer.content[:80]!r}, not {content[:80]!r}")
        return str(answer.headers.get("ETag", ""))

    def _replace(self, number: int, due: float, path: str, content: bytes, tag: str) -> Any:
        headers: dict[str, str | None] = {**_JSON, "If-Match": tag}
        answer = self._answered(number, due, "PUT", path, content, headers, counts=False)
        return answer if answer.status_code == 412 else must(answer, 204)

    # -- hostile -----------------------------------------------------------------------------------

    def _hostile(self, number: int, due: float) -> None:
        known = self._agenda.sending(self._known[number % len(self._known)]) if self._known else None
        statement = None
        if known is not None:
            content = msgspec.json.decode(known.body.content)
            statement = msgspec.json.encode(content[0] if isinstance(content, list) else content)
        occasion = Occasion(self._agenda.plan.seed, number, statement)
        if self._producer is not None:
            record = hostile_record(occasion)
            version = record.headers.get("X-Experience-API-Version") or "1.0.3"
            headers = {VERSION_HEADER: version, REASON_HEADER: record.reason}
            self._produce(number, due, record.body or b"", headers)
            return
        attack = hostile(occasion)
        if attack.cut:
            self._cut(attack.body or b"")
            return
        answer = self._answered(number, due, attack.method, attack.path, attack.body, attack.headers)
        if answer.status_code != attack.status:
            raise Wrong(f"{attack.name}: status {answer.status_code}, not {attack.status}: {_shown(answer)}")

    def _cut(self, body: bytes) -> None:
        """Half of a request, then the connection is closed."""
        address = urlsplit(self._user.host)
        head = (
            f"POST {_STATEMENTS} HTTP/1.1\r\nHost: {address.netloc}\r\n"
            f"Authorization: {self._authorization}\r\nX-Experience-API-Version: 1.0.3\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        try:
            with socket.create_connection((address.hostname or "", address.port or 80), 10.0) as connection:
                connection.sendall(head + body[: len(body) // 2])
        except OSError as error:
            raise GaveUp from error


def must(answer: Any, status: int) -> Any:
    """The answer. Raises Wrong when its status is another one."""
    if answer.status_code != status:
        raise Wrong(f"status {answer.status_code}, not {status}: {_shown(answer)}")
    return answer


def _shown(answer: Any) -> str:
    try:
        error = msgspec.json.decode(answer.content)
        return str(error.get("reason", error))[:120]
    except (msgspec.DecodeError, TypeError, AttributeError):
        return repr((answer.content or b"")[:120])


def _parameter(value: object) -> str:
    return quote(msgspec.json.encode(value).decode(), safe="")
