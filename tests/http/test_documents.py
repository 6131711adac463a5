"""Documents beyond the table of rules: bytes, lists, scopes, limits, tenants."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from lrs.store.document import PIECE
from tests.http.client import Answer, Client
from tests.http.sample import agent, fresh
from tests.http.system import Limits, System, assemble

STATE, AGENT_PROFILE, ACTIVITY_PROFILE = (
    "/xapi/activities/state",
    "/xapi/agents/profile",
    "/xapi/activities/profile",
)
COURSE = "https://example.org/course"
ANYWAY = {"if-none-match": "*"}


def state(id_: str | None = None, **members: object) -> dict[str, object]:
    """Parameters of a state of one learner in one course."""
    context: dict[str, object] = {"activityId": COURSE, "agent": agent("learner"), **members}
    return context if id_ is None else context | {"stateId": id_}


async def put(
    lrs: Client, query: Mapping[str, object], body: bytes = b"{}", path: str = STATE, **headers: str | None
) -> Answer:
    """PUT a document that is not there."""
    sent = {**ANYWAY, **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = await lrs.request("PUT", path, query, body, sent)
    assert answer.status == 204, answer
    return answer


async def ids(lrs: Client, query: Mapping[str, object], path: str = STATE) -> Any:
    """The ids that a list has."""
    answer = await lrs.request("GET", path, query)
    assert answer.status == 200, answer
    return answer.json


# -- bytes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 17])
async def test_a_document_comes_back_byte_for_byte_whatever_its_size(system: System, size: int) -> None:
    roomy = await assemble(system.pool, Limits(max_body=4 * PIECE))
    lrs = await roomy.tenant()
    data = random.Random(size).randbytes(size)
    await put(lrs, state("x"), data, content_type="application/x-any; of=it")
    answer = await lrs.request("GET", STATE, state("x"))
    assert answer.body == data
    assert answer.headers["content-type"] == "application/x-any; of=it"
    head = await lrs.request("HEAD", STATE, state("x"))
    assert (head.body, head.headers) == (b"", answer.headers)
    assert head.headers["content-length"] == str(size)
    replaced = await lrs.request("PUT", STATE, state("x"), data[::-1], {"if-match": answer.headers["etag"]})
    assert replaced.status == 204
    assert (await lrs.request("GET", STATE, state("x"))).body == data[::-1]
    assert (await lrs.request("DELETE", STATE, state("x"))).status == 204
    left = "select count(*) from document_piece where tenant = $1"
    assert await system.pool.fetchval(left, lrs.tenant) == 0
    assert roomy.admission.bytes == 0


async def test_a_large_document_that_changes_while_it_is_read_comes_whole(system: System) -> None:
    roomy = await assemble(system.pool, Limits(max_body=4 * PIECE, max_bytes=256 << 20))
    lrs = await roomy.tenant()
    versions = [bytes([n]) * (2 * PIECE + n) for n in range(6)]
    await put(lrs, state("x"), versions[0])

    async def change() -> None:
        for version in versions[1:]:
            answer = await lrs.request("PUT", STATE, state("x"), version, {"if-match": "*"})
            assert answer.status == 204

    async def read() -> None:
        for _ in range(8):
            answer = await lrs.request("GET", STATE, state("x"))
            assert answer.status == 200
            assert answer.body in versions

    await asyncio.gather(change(), read(), read(), read())
    assert roomy.admission.bytes == 0


async def test_a_compressed_body_is_kept_unpacked(alone: Client) -> None:
    await put(alone, state("x"), gzip.compress(b"plain"), content_encoding="gzip", content_type="text/plain")
    answer = await alone.request("GET", STATE, state("x"))
    assert answer.body == b"plain"
    assert "content-encoding" not in answer.headers


async def test_a_document_that_is_a_page_is_no_page_of_this_server(alone: Client) -> None:
    await put(alone, state("x"), b"<script>steal()</script>", content_type="text/html")
    headers = (await alone.request("GET", STATE, state("x"))).headers
    assert headers["content-type"] == "text/html"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox"


async def test_a_merge_keeps_numbers_and_texts_as_they_were_written(alone: Client) -> None:
    await put(alone, state("x"), '{"n": 1.10e400, "t": "\\u0915क", "deep": {"a": [ 1 ]}}'.encode())
    assert (await alone.request("POST", STATE, state("x"), b'{"m":12345678901234567890123}')).status == 204
    body = (await alone.request("GET", STATE, state("x"))).body
    assert body == '{"n":1.10e400,"t":"\\u0915क","deep":{"a": [ 1 ]},"m":12345678901234567890123}'.encode()


async def test_last_modified_grows_and_is_the_time_of_the_change(alone: Client) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    await put(alone, state("x"))
    times = []
    for number in range(2):
        times.append(
            parsedate_to_datetime((await alone.request("GET", STATE, state("x"))).headers["last-modified"])
        )
        if number == 0:
            await asyncio.sleep(1.05)
            await alone.request("POST", STATE, state("x"), b'{"a":1}')
    assert before <= times[0] < times[1] <= datetime.now(UTC)


# -- scopes --------------------------------------------------------------------------------------


async def test_registration_tells_states_apart(alone: Client) -> None:
    first, second, nil = fresh(), fresh(), str(uuid.UUID(int=0))
    queries = [state("x"), *(state("x", registration=given) for given in (first, second, nil))]
    for number, query in enumerate(queries):
        await put(alone, query, b"%d" % number)
    for number, query in enumerate(queries):
        assert (await alone.request("GET", STATE, query)).body == b"%d" % number
    upper = state("x", registration=first.upper())
    assert (await alone.request("GET", STATE, upper)).body == b"1"
    assert (await alone.request("DELETE", STATE, queries[1])).status == 204
    statuses = [(await alone.request("GET", STATE, query)).status for query in queries]
    assert statuses == [200, 404, 200, 200]


async def test_lists_have_what_is_in_their_scope_sorted_and_once(alone: Client) -> None:
    registration = fresh()
    await put(alone, state("b"))
    await put(alone, state("a", registration=registration))
    await put(alone, state("b", registration=registration))
    await put(alone, state("c", registration=fresh()))
    await put(alone, state("other", activityId="https://example.org/another"))
    await put(alone, state("other", agent=agent("another")))
    assert await ids(alone, state()) == ["a", "b", "c"]
    assert await ids(alone, state(registration=registration)) == ["a", "b"]
    assert await ids(alone, state(registration=fresh())) == []
    assert await ids(alone, state(agent=agent("nobody"))) == []
    head = await alone.request("HEAD", STATE, state())
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "13")


async def test_an_agent_is_the_same_however_it_is_written(alone: Client) -> None:
    await put(
        alone, state("x", agent={"mbox": "mailto:a@EXAMPLE.org", "name": "A", "objectType": "Agent"}), b"1"
    )
    assert (
        await alone.request("GET", STATE, state("x", agent={"mbox": "mailto:a@example.org"}))
    ).body == b"1"


async def test_states_and_profiles_do_not_mix(alone: Client) -> None:
    profile = {"agent": agent("learner"), "profileId": "x"}
    about = {"activityId": COURSE, "profileId": "x"}
    await put(alone, state("x"), b"1")
    await put(alone, profile, b"2", AGENT_PROFILE)
    await put(alone, about, b"3", ACTIVITY_PROFILE)
    found: list[tuple[str, Mapping[str, object], bytes]] = [
        (STATE, state("x"), b"1"),
        (AGENT_PROFILE, profile, b"2"),
        (ACTIVITY_PROFILE, about, b"3"),
    ]
    for path, query, body in found:
        assert (await alone.request("GET", path, query)).body == body
    assert (await alone.request("DELETE", STATE, state())).status == 204
    assert [(await alone.request("GET", path, query)).status for path, query, _ in found] == [404, 200, 200]
    assert await ids(alone, {"agent": agent("learner")}, AGENT_PROFILE) == ["x"]
    assert await ids(alone, {"activityId": COURSE}, ACTIVITY_PROFILE) == ["x"]


@pytest.mark.parametrize("path", [STATE, AGENT_PROFILE, ACTIVITY_PROFILE])
async def test_since_asks_for_what_was_changed_after(alone: Client, path: str) -> None:
    name = "stateId" if path == STATE else "profileId"
    whole: dict[str, object] = state()
    scope = {key: whole[key] for key in whole if path == STATE or (key == "agent") == (path == AGENT_PROFILE)}
    await put(alone, scope | {name: "old"}, path=path)
    await put(alone, scope | {name: "touched"}, path=path)
    await asyncio.sleep(0.002)
    between = datetime.now(UTC).isoformat()
    await asyncio.sleep(0.002)
    await put(alone, scope | {name: "new"}, path=path)
    assert (await alone.request("POST", path, scope | {name: "touched"}, b'{"a":1}')).status == 204
    assert await ids(alone, scope | {"since": between}, path) == ["new", "touched"]
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert await ids(alone, scope | {"since": later}, path) == []
    assert await ids(alone, scope | {"since": "0001-01-01T00:00:00Z"}, path) == ["new", "old", "touched"]


async def test_delete_without_state_id_clears_what_is_in_scope_and_nothing_else(alone: Client) -> None:
    registration = fresh()
    kept = [state("kept", activityId="https://example.org/another"), state("kept", agent=agent("another"))]
    for query in (state("a"), state("b", registration=registration), *kept):
        await put(alone, query)
    assert (await alone.request("DELETE", STATE, state(registration=registration))).status == 204
    assert await ids(alone, state()) == ["a"]
    assert (await alone.request("DELETE", STATE, state())).status == 204
    assert await ids(alone, state()) == []
    for query in kept:
        assert (await alone.request("GET", STATE, query)).status == 200
    assert (await alone.request("DELETE", STATE, state())).status == 204


async def test_a_condition_on_a_list_cannot_hold(alone: Client) -> None:
    await put(alone, state("x"))
    for headers in ({"if-match": '"x"'}, {"if-none-match": "*"}):
        assert (await alone.request("DELETE", STATE, state(), headers=headers)).status == 412
    assert await ids(alone, state()) == ["x"]


async def test_no_document_crosses_to_another_tenant(system: System) -> None:
    mine, other = await system.tenant(), await system.tenant()
    await put(mine, state("x"), b"mine")
    assert (await other.request("GET", STATE, state("x"))).status == 404
    assert await ids(other, state()) == []
    await put(other, state("x"), b"other")
    assert (await other.request("DELETE", STATE, state())).status == 204
    assert (await mine.request("GET", STATE, state("x"))).body == b"mine"


# -- limits and hostile input --------------------------------------------------------------------


@pytest.mark.parametrize(
    "id_", ["é/क?&=#+% ", "x" * 5000, "\U0001f600", "'; drop table document; --", "\x01"]
)
async def test_an_id_may_be_any_text(alone: Client, id_: str) -> None:
    await put(alone, state(id_))
    assert await ids(alone, state()) == [id_]
    assert (await alone.request("DELETE", STATE, state(id_))).status == 204
    assert await ids(alone, state()) == []


async def test_a_document_over_the_limit_is_413_and_changes_nothing(system: System) -> None:
    edge = await assemble(system.pool, Limits(max_body=1000))
    lrs = await edge.tenant()
    await put(lrs, state("x"), json.dumps({"a": "x" * 600}).encode())
    for method, body in (("PUT", b"x" * 1001), ("POST", json.dumps({"b": "x" * 600}).encode())):
        answer = await lrs.request(method, STATE, state("x"), body, {"if-match": "*"})
        assert answer.status == 413
        assert answer.json["limit"] == 1000
    assert list((await lrs.request("GET", STATE, state("x"))).json) == ["a"]
    assert edge.admission.bytes == 0


async def test_documents_being_read_count_at_the_admission(system: System) -> None:
    edge = await assemble(system.pool, Limits(max_bytes=1500))
    lrs = await edge.tenant()
    for name in "ab":
        await put(lrs, state(name), b"x" * 1000, content_type="text/plain")
    edge.admission.bytes += 1000
    assert (await lrs.request("GET", STATE, state("a"))).status == 503
    edge.admission.bytes -= 1000
    assert (await lrs.request("GET", STATE, state("a"))).status == 200
    assert edge.admission.bytes == 0


async def test_with_the_disk_nearly_full_documents_are_read_and_deleted_but_not_written(
    system: System,
) -> None:
    edge = await assemble(system.pool, Limits(writable=lambda: False))
    lrs = await edge.tenant()
    for method in ("PUT", "POST"):
        answer = await lrs.request(method, STATE, state("x"), b"{}", ANYWAY)
        assert answer.status == 503
        assert answer.headers["retry-after"]
    assert await ids(lrs, state()) == []
    assert (await lrs.request("DELETE", STATE, state("x"))).status == 204


# -- concurrency ---------------------------------------------------------------------------------

CROWD = 32


async def test_of_a_crowd_with_one_etag_one_wins_and_the_others_get_412(alone: Client) -> None:
    await put(alone, state("x"), b'{"n":-1}')
    tag = (await alone.request("GET", STATE, state("x"))).headers["etag"]
    for method, path in (("PUT", STATE), ("POST", STATE), ("DELETE", STATE)):
        # Each body is another one than what is there: the same bytes have the same tag.
        bodies = [b'{"%s":%d}' % (method.encode(), n) for n in range(CROWD)]
        if method == "DELETE":
            bodies = [b""] * CROWD
        answers = await asyncio.gather(
            *(alone.request(method, path, state("x"), body, {"if-match": tag}) for body in bodies)
        )
        assert sorted(answer.status for answer in answers) == [204] + [412] * (CROWD - 1)
        [winner] = [n for n, answer in enumerate(answers) if answer.status == 204]
        found = await alone.request("GET", STATE, state("x"))
        if method == "DELETE":
            assert found.status == 404
        else:
            assert found.json[method] == winner
            tag = found.headers["etag"]


async def test_of_a_crowd_that_creates_one_wins(alone: Client) -> None:
    profile = {"agent": agent("learner"), "profileId": "x"}
    bodies = [b"%d" % n for n in range(CROWD)]
    answers = await asyncio.gather(
        *(alone.request("PUT", AGENT_PROFILE, profile, body, ANYWAY) for body in bodies)
    )
    assert sorted(answer.status for answer in answers) == [204] + [412] * (CROWD - 1)
    [winner] = [n for n, answer in enumerate(answers) if answer.status == 204]
    assert (await alone.request("GET", AGENT_PROFILE, profile)).body == bodies[winner]


async def test_no_merge_of_a_crowd_is_lost(alone: Client) -> None:
    bodies = [b'{"member%d":%d}' % (n, n) for n in range(CROWD)]
    answers = await asyncio.gather(*(alone.request("POST", STATE, state("x"), body) for body in bodies))
    assert {answer.status for answer in answers} == {204}
    assert (await alone.request("GET", STATE, state("x"))).json == {f"member{n}": n for n in range(CROWD)}


async def test_clearing_writing_and_deleting_at_once_ends_without_a_deadlock(
    alone: Client,
) -> None:
    async def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            id_, method = f"s{chance.randrange(6)}", chance.choice(["CLEAR", "POST", "POST", "DELETE"])
            query = state() if method == "CLEAR" else state(id_)
            body = b'{"a":1}' if method == "POST" else b""
            answer = await alone.request(method.replace("CLEAR", "DELETE"), STATE, query, body)
            assert answer.status == 204, answer

    await asyncio.gather(*(work(seed) for seed in range(16)))
    for id_ in await ids(alone, state()):
        assert (await alone.request("GET", STATE, state(id_))).json == {"a": 1}
