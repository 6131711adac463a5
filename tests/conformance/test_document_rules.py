"""The rules on documents, each by its row, for each kind and version."""

from __future__ import annotations

import hashlib
import uuid

import pytest
import pytest_asyncio

from lrs.http.document_resource import RESOURCES
from lrs.store.document import Kind
from lrs.xapi.version import Version
from tests.conformance.document_rules import RULES, TAG, Row
from tests.http.client import Answer, Client
from tests.http.system import System

PATH = {resource.kind: resource.path for resource in RESOURCES}
AGENT = {"mbox": "mailto:meera@example.org"}
ACTIVITY = "https://example.org/course/1"


@pytest_asyncio.fixture(scope="module")
async def lrs(system: System) -> Client:
    """A client of the module's own tenant."""
    return await system.tenant()


def place(kind: Kind, id_: str) -> dict[str, object]:
    """The parameters that name one document."""
    if kind is Kind.STATE:
        return {"activityId": ACTIVITY, "agent": AGENT, "stateId": id_}
    if kind is Kind.AGENT_PROFILE:
        return {"agent": AGENT, "profileId": id_}
    return {"activityId": ACTIVITY, "profileId": id_}


def tag(document: bytes) -> str:
    """The entity tag that 1.0.3 asks for: SHA-1 in hexadecimal, in quotes."""
    return f'"{hashlib.sha1(document).hexdigest()}"'


def filled(header: str, document: bytes | None) -> str:
    """A header of a row, with the tag of what is there."""
    known = tag(document or b"")
    for name, value in (("TAG-BARE", known.strip('"')), ("TAG-GZIP", known[:-1] + '-gzip"'), (TAG, known)):
        header = header.replace(name, value)
    return header


async def there(lrs: Client, kind: Kind, id_: str) -> Answer:
    """What a GET gives."""
    return await lrs.request("GET", PATH[kind], place(kind, id_))


CASES = [
    pytest.param(row, kind, version, id=f"{version.value} {kind.name} {row.says}")
    for row in RULES
    for kind in row.kinds
    for version in row.versions
]


@pytest.mark.parametrize(("row", "kind", "version"), CASES)
async def test_documents(lrs: Client, row: Row, kind: Kind, version: Version) -> None:
    lrs = _speaking(lrs, version)
    id_ = uuid.uuid4().hex
    if row.before is not None:
        made = {"content-type": row.before_type, "if-none-match": "*"}
        assert (await lrs.request("PUT", PATH[kind], place(kind, id_), row.before, made)).status == 204
    first = await there(lrs, kind, id_)
    headers: dict[str, str | None] = {name: filled(value, row.before) for name, value in row.headers.items()}
    body = row.sent if row.method in ("PUT", "POST") else b""
    if row.method in ("PUT", "POST"):
        headers["content-type"] = row.sent_type
    answer = await lrs.request(row.method, PATH[kind], place(kind, id_), body, headers)

    assert answer.status == row.status, answer
    assert answer.headers["x-experience-api-version"] == version.value
    if row.status >= 400 and row.method != "HEAD":
        assert answer.json["error"]
    if row.status in (204, 304):
        assert answer.body == b""
        assert "content-length" not in answer.headers
    if row.method in ("GET", "HEAD") and row.status == 200:
        assert answer.body == (b"" if row.method == "HEAD" else row.before)
        assert answer.headers == first.headers

    then = await there(lrs, kind, id_)
    if row.after is None:
        assert then.status == 404
        return
    assert (then.status, then.body) == (200, row.after)
    assert then.headers["etag"] == tag(row.after)
    assert then.headers["last-modified"]
    changed = row.after != row.before or row.status == 204
    expected = (row.sent_type or "application/octet-stream") if changed else row.before_type
    assert then.headers["content-type"] == expected
    if changed:
        assert answer.headers["etag"] == tag(row.after)
    else:
        assert then.headers == first.headers


@pytest.mark.parametrize("version", tuple(Version))
@pytest.mark.parametrize("kind", tuple(Kind))
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST", "DELETE"])
async def test_parameters_of_documents(lrs: Client, method: str, kind: Kind, version: Version) -> None:
    lrs = _speaking(lrs, version)
    whole = place(kind, "x")
    id_name = "stateId" if kind is Kind.STATE else "profileId"
    wrong: list[dict[str, object]] = [
        whole | {"unknown": "x"},
        whole | {id_name: ""},
        whole | {id_name: "a\x00"},
    ]
    may_be_all = method in ("GET", "HEAD") or (method == "DELETE" and kind is Kind.STATE)
    for name in whole:
        if name != id_name or not may_be_all:
            wrong.append({key: value for key, value in whole.items() if key != name})
        wrong.append({(key.upper() if key == name else key): value for key, value in whole.items()})
    if "agent" in whole:
        bad_agents: list[object] = ["x", {}, {"mbox": "x"}, {"objectType": "Group", "member": [AGENT]}, True]
        wrong += [whole | {"agent": agent} for agent in bad_agents]
    if "activityId" in whole:
        wrong += [whole | {"activityId": iri} for iri in ("no scheme", "", "course")]
    if kind is Kind.STATE:
        wrong += [whole | {"registration": given} for given in ("x", "", True)]
    else:
        wrong.append(whole | {"registration": str(uuid.uuid4())})
    if method in ("GET", "HEAD"):
        wrong += [whole | {"since": given} for given in ("", "yesterday", "2024-13-01T00:00:00Z")]
    else:
        wrong.append(whole | {"since": "2024-01-01T00:00:00Z"})
    body = b"{}" if method in ("PUT", "POST") else b""
    for query in wrong:
        answer = await lrs.request(method, PATH[kind], query, body, {"if-none-match": "*"})
        assert answer.status == 400, (query, answer)


@pytest.mark.parametrize("kind", tuple(Kind))
async def test_the_version_and_credentials_are_asked_for(lrs: Client, kind: Kind) -> None:
    for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
        for name, status in (("x-experience-api-version", 400), ("authorization", 401)):
            answer = await lrs.request(method, PATH[kind], place(kind, "x"), b"{}", {name: None})
            assert answer.status == status
            assert answer.headers["x-experience-api-version"] in ("1.0.3", "2.0.0")


def _speaking(lrs: Client, version: Version) -> Client:
    return Client(lrs.application, lrs.key, lrs.secret, lrs.tenant, version.value)
