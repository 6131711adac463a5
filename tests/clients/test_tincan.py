"""The Python client tincan, unchanged, against the edge behind its server."""

from __future__ import annotations

import asyncio
import uuid
import warnings

from tests.http.client import Client, basic
from tests.http.system import System
from tests.http.wire import served

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its own are not ours to mend
    import tincan
    from tincan.documents import AgentProfileDocument, StateDocument


def _use(endpoint: str, auth: str) -> None:
    lrs = tincan.RemoteLRS(endpoint=endpoint, version="1.0.3", auth=auth)
    agent = tincan.Agent(name="Meera", mbox=f"mailto:{uuid.uuid4()}@example.org")
    activity = tincan.Activity(id=f"https://example.org/{uuid.uuid4()}")
    verb = tincan.Verb(id="http://adlnet.gov/expapi/verbs/experienced")

    def statement() -> tincan.Statement:
        result = tincan.Result(score=tincan.Score(raw=5, scaled=0.5), success=True)
        return tincan.Statement(actor=agent, verb=verb, object=activity, result=result)

    assert "1.0.3" in lrs.about().content.version
    saved = lrs.save_statement(statement())
    assert saved.success, saved.data
    several = lrs.save_statements([statement(), statement()])
    assert several.success, several.data
    ids = [str(one.id) for one in (saved.content, *several.content)]
    found = lrs.retrieve_statement(ids[0])
    assert found.success, found.data
    assert found.content.result.score.raw == 5
    page = lrs.query_statements({"agent": agent, "limit": 2, "ascending": "true"})
    assert page.success, page.data
    rest = lrs.more_statements(page.content)
    assert rest.success, rest.data
    assert [str(one.id) for one in (*page.content.statements, *rest.content.statements)] == ids

    reference = tincan.StatementRef(id=ids[0])
    voiding = tincan.Verb(id="http://adlnet.gov/expapi/verbs/voided")
    assert lrs.save_statement(tincan.Statement(actor=agent, verb=voiding, object=reference)).success
    assert lrs.retrieve_statement(ids[0]).response.status == 404
    assert str(lrs.retrieve_voided_statement(ids[0]).content.id) == ids[0]

    state = StateDocument(id="bookmark", agent=agent, activity=activity, content="page 1")
    assert lrs.save_state(state).success
    assert lrs.retrieve_state(activity, agent, "bookmark").content.content == b"page 1"
    assert lrs.retrieve_state_ids(activity, agent).content == ["bookmark"]
    assert lrs.delete_state(state).success
    assert lrs.clear_state(activity, agent).success

    profile = AgentProfileDocument(id="likes", agent=agent, content="red", etag='"*"')
    refused = lrs.save_agent_profile(profile)
    assert refused.response.status == 412, refused.data
    assert lrs.retrieve_agent_profile_ids(agent).content == []


async def test_tincan_does_everything_it_can(system: System, alone: Client) -> None:
    async with served(system.edge) as server:
        endpoint, auth = f"http://127.0.0.1:{server.port}/xapi/", basic(alone.key, alone.secret)
        await asyncio.to_thread(_use, endpoint, auth)
