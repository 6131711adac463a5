"""The Activities resource: an activity with all that is known of it (1.0.3 Part Three 2.5;
IEEE 9274.1.1 4.1.6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from lrs.http.call import VERSION_HEADER, Call, Send, answer
from lrs.http.error import parameter
from lrs.http.statements import iri_parameter
from lrs.log.port import STATEMENTS

if TYPE_CHECKING:
    from lrs.http.access import Access
    from lrs.http.body import Receive
    from lrs.http.edge import Route
    from lrs.store.definition import Definitions
    from lrs.store.horizon import Horizon

PATH: Final = "/xapi/activities"


class Activities:
    """GET of the Activities resource."""

    def __init__(self, access: Access, definitions: Definitions, horizon: Horizon) -> None:
        self._access, self._definitions, self._horizon = access, definitions, horizon

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        return {(PATH, "GET"): self._get, (PATH, "HEAD"): self._get}

    async def _get(self, call: Call, _: Receive, send: Send) -> None:
        version = call.version()
        credential = await self._access.permitted(call, "activities")
        iri = call.parameters(frozenset({"activityId"})).get("activityId")
        if iri is None:
            raise parameter("activityId", "", "must be given", "1.0.3 Part Three 2.5; IEEE 9274.1.1 4.1.6.4")
        iri_parameter("activityId", iri)
        await self._horizon.caught_up(STATEMENTS)
        known = await self._definitions.of(credential.tenant, [iri])
        activity: dict[str, Any] = {"objectType": "Activity", "id": iri}
        if iri in known:
            activity["definition"] = msgspec.Raw(known[iri])
        body = msgspec.json.encode(activity)
        await answer(send, 200, body, {VERSION_HEADER: version.value}, head=call.method == "HEAD")
