"""Statements out: GET of the Statement resource (1.0.3 Part Three 2.1.3; IEEE 9274.1.1 4.2.4)."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from lrs.http import scope
from lrs.http.attachments import answer_mixed
from lrs.http.call import VERSION_HEADER, Call, Send, answer
from lrs.http.error import Refusal, bad, parameter, rejected
from lrs.http.ingest import uuid_parameter
from lrs.log import frame as frames
from lrs.log.port import STATEMENTS
from lrs.store import listing, term
from lrs.store.definition import Definitions
from lrs.store.listing import Query
from lrs.store.reread import Stored
from lrs.store.sql import queries
from lrs.xapi.agent import read_agent
from lrs.xapi.render import activities_in, render_canonical, render_exact, render_ids, with_one_language
from lrs.xapi.text import is_iri
from lrs.xapi.timestamp import format_timestamp, parse_timestamp
from lrs.xapi.version import Version
from lrs.xapi.violation import Rejected

if TYPE_CHECKING:
    import asyncpg

    from lrs.attachment.port import Attachments
    from lrs.http.access import Access
    from lrs.http.body import Admission
    from lrs.metrics.edge import EdgeMetrics
    from lrs.store.credential import Credential, Credentials
    from lrs.store.dictionary import Dictionaries
    from lrs.store.horizon import Horizon
    from lrs.store.name import Names

CONSISTENT_HEADER: Final = "x-experience-api-consistent-through"
MOST: Final = 500
"""The most statements of one page; asked for 0, or for more, this many come."""
_LONGEST_PAGE: Final = 16 << 20
"""Bytes of statements at which a page ends before its limit; one statement it has at least."""

MORE_PATH: Final = "/xapi/statements/more/"

_CLAUSE: Final = "1.0.3 Part Three 2.1.3"
_SINGLE: Final = frozenset({"statementId", "voidedStatementId"})
_ALLOWED: Final = _SINGLE | {
    "agent",
    "verb",
    "activity",
    "registration",
    "related_activities",
    "related_agents",
    "since",
    "until",
    "limit",
    "format",
    "attachments",
    "ascending",
}


Format = Literal["ids", "exact", "canonical"]
_FORMATS: Final[dict[str, Format]] = {"ids": "ids", "exact": "exact", "canonical": "canonical"}


class Form(msgspec.Struct, frozen=True, array_like=True):
    """How statements are to be written: `format`, the languages liked (for canonical), and whether
    their attachments' data are wanted besides."""

    format: Format = "exact"
    languages: str = ""
    attachments: bool = False


class _More(msgspec.Struct, frozen=True, array_like=True):
    """What a `more` link says: everything, so that it works without any parameter."""

    query: Query
    form: Form


class Statements:
    """The reading half of the Statement resource."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        access: Access,
        names: Names,
        credentials: Credentials,
        dictionaries: Dictionaries,
        horizon: Horizon,
        metrics: EdgeMetrics,
        admission: Admission,
        attachments: Attachments,
    ) -> None:
        self._pool, self._access, self._names, self._credentials = pool, access, names, credentials
        self._dictionaries, self._horizon, self._metrics = dictionaries, horizon, metrics
        self._admission, self._attachments = admission, attachments
        self._definitions = Definitions(pool)
        self._authorities: dict[int, dict[int, bytes]] = {}

    async def get(self, call: Call, send: Send) -> None:
        """GET or HEAD /xapi/statements; raises Refusal, which still says how far the store is."""
        try:
            version = call.version()
            credential = await self._access.permitted(call, "statements")
            parameters = call.parameters(_ALLOWED)
            form = _form(call, parameters)
            single = _SINGLE & parameters.keys()
            if single:
                await self._single(call, send, version, credential, parameters, form)
            else:
                query, named = _read_query(parameters, version)
                await self._catch_up()
                found = await self._numbered(credential, query, named)
                await self._list(call, send, version, credential, found, form)
        except Refusal as refusal:
            await self._say_horizon(refusal)
            raise

    async def more(self, call: Call, send: Send) -> None:
        """GET of a `more` link."""
        try:
            version = call.version()
            credential = await self._access.permitted(call, "statements")
            call.parameters(frozenset())
            more = _read_more(call.path.removeprefix(MORE_PATH))
            await self._catch_up()
            await self._list(call, send, version, credential, more.query, more.form)
        except Refusal as refusal:
            await self._say_horizon(refusal)
            raise

    async def _say_horizon(self, refusal: Refusal) -> None:
        try:
            through = await self._horizon.consistent_through()
        except Exception:
            # The refusal stands, with what is known to have been reached.
            through = self._horizon.seen
        refusal.headers.setdefault(CONSISTENT_HEADER, format_timestamp(through))

    async def _single(
        self,
        call: Call,
        send: Send,
        version: Version,
        credential: Credential,
        parameters: dict[str, str],
        form: Form,
    ) -> None:
        if len(_SINGLE & parameters.keys()) == 2:
            raise bad("statementId and voidedStatementId exclude each other", clause=_CLAUSE)
        [name] = _SINGLE & parameters.keys()
        for other in parameters.keys() - {name, "attachments", "format"}:
            raise parameter(other, parameters[other], f"does not go with {name}", _CLAUSE)
        wanted = uuid_parameter(name, parameters[name])
        await self._catch_up()
        through = await self._horizon.consistent_through()
        row = await self._pool.fetchrow(
            queries("statement")["by_id"], credential.tenant, uuid.UUID(bytes=wanted)
        )
        if (
            row is None
            or row["voided"] != (name == "voidedStatementId")
            or not scope.sees(credential, row["authority"], row["actor"])
        ):
            voided = " that is voided" if name == "voidedStatementId" else ""
            raise Refusal(404, f"there is no statement{voided} with the id {parameters[name]}", "invalid")
        [body] = await self._written(credential.tenant, [Stored.of(credential.tenant, row)], form)
        headers = _headers(version, through)
        headers["last-modified"] = _http_date(term.instant(row["pos"]))
        self._admission.hold(call, len(body))
        await self._send(call, send, body, headers, credential, form, {wanted: body})

    async def _list(
        self,
        call: Call,
        send: Send,
        version: Version,
        credential: Credential,
        query: Query | None,
        form: Form,
    ) -> None:
        sent: dict[bytes, bytes] = {}
        if query is None:
            through = await self._horizon.consistent_through()
            body = b'{"statements":[],"more":""}'
        else:
            # Also what a `more` link says, since whoever follows it may have changed it.
            query = scope.in_sight(credential, query)
            page = await listing.page(self._pool, credential.tenant, query)
            through = page.consistent_through
            written = await self._written(credential.tenant, page.statements, form)
            if len(written) < len(page.statements):
                page = page.ending_after(query, len(written))
            sent = {one.id: text for one, text in zip(page.statements, written, strict=False)}
            more = "" if page.following is None else _write_more(_More(page.following, form))
            body = b'{"statements":[%b],"more":"%b"}' % (b",".join(written), more.encode())
        self._admission.hold(call, len(body))
        await self._send(call, send, body, _headers(version, through), credential, form, sent)

    async def _send(
        self,
        call: Call,
        send: Send,
        body: bytes,
        headers: dict[str, str],
        credential: Credential,
        form: Form,
        sent: Mapping[bytes, bytes],
    ) -> None:
        """Send JSON with these statements (by id), where it is wanted with their attachments."""
        if form.format == "canonical":
            headers["vary"] = "Accept-Language"
        if form.attachments:
            await answer_mixed(call, send, body, headers, self._attachments, credential.tenant, sent)
        else:
            await answer(send, 200, body, headers, head=call.method == "HEAD")

    async def _catch_up(self) -> None:
        started = time.perf_counter()
        caught_up = await self._horizon.caught_up(STATEMENTS)
        self._metrics.read(time.perf_counter() - started, behind=not caught_up)

    async def _numbered(self, credential: Credential, query: Query, named: Mapping[str, str]) -> Query | None:
        """The query with the store's numbers of its names; None when one is unknown: nothing matches."""
        numbers: dict[str, int] = {}
        for kind, name in named.items():
            number = await self._names.find(kind, credential.tenant, name)
            if number is None:
                return None
            numbers[kind] = number
        return msgspec.structs.replace(query, **numbers)

    async def _written(self, tenant: int, stored: Sequence[Stored], form: Form) -> list[bytes]:
        """The statements as they are sent: as many from the first on as a page may have bytes."""
        await self._dictionaries.load(self._pool, {one.dictionary for one in stored})
        authorities = await self._authority_documents(tenant, {one.authority for one in stored})
        written = _fitting(self._write(one, authorities[one.authority], form) for one in stored)
        if form.format != "canonical":
            return written
        named = await asyncio.to_thread(activities_in, written)
        known = await self._definitions.of(tenant, named)
        return await asyncio.to_thread(_canonical, written, known, form.languages)

    def _write(self, stored: Stored, authority: bytes, form: Form) -> bytes:
        stored_at = term.instant(stored.pos)
        written = render_exact(
            self._dictionaries.decompress(stored.dictionary, stored.raw),
            stored.flags & 0xFF,
            id=stored.id,
            stored=stored_at,
            authority=authority,
            version="2.0.0" if stored.flags & frames.VERSION_2 else "1.0.0",
            timestamp=stored_at,
        )
        return render_ids(written) if form.format == "ids" else written

    async def _authority_documents(self, tenant: int, wanted: set[int]) -> dict[int, bytes]:
        known = self._authorities.setdefault(tenant, {})
        if not wanted <= known.keys():
            known.update(await self._credentials.documents(tenant))
        return known


def _fitting(written: Iterable[bytes]) -> list[bytes]:
    """Of what is written, as many from the first on as a page may have bytes; at least one."""
    fitting: list[bytes] = []
    size = 0
    for text in written:
        size += len(text)
        if size > _LONGEST_PAGE and fitting:
            break
        fitting.append(text)
    return fitting


def _canonical(written: Sequence[bytes], known: Mapping[str, bytes], languages: str) -> list[bytes]:
    """The statements with what is known of their activities, in one language each."""
    chosen = {iri: with_one_language(definition, languages) for iri, definition in known.items()}
    return _fitting(render_canonical(text, chosen, languages) for text in written)


def _read_query(parameters: Mapping[str, str], version: Version) -> tuple[Query, dict[str, str]]:
    """What a list is asked for: the query, and agent, verb and activity by canonical name."""
    flags = {
        name: _boolean(name, parameters.get(name, "false"))
        for name in ("related_agents", "related_activities", "ascending")
    }
    registration = parameters.get("registration")
    query = Query(
        limit=_limit(parameters.get("limit", "0")),
        related_agents=flags["related_agents"],
        related_activities=flags["related_activities"],
        ascending=flags["ascending"],
        registration=None if registration is None else uuid_parameter("registration", registration),
        since=_instant("since", parameters.get("since")),
        until=_instant("until", parameters.get("until")),
    )
    named = {
        name: iri_parameter(name, parameters[name]) for name in ("verb", "activity") if name in parameters
    }
    if "agent" in parameters:
        named["agent"] = agent_parameter(parameters["agent"], version)
    return query, named


def agent_parameter(text: str, version: Version) -> str:
    """The canonical text of the agent or group in a parameter; raises Refusal 400."""
    try:
        return read_agent(text.encode(), version)
    except Rejected as cause:
        refusal = rejected(cause)
        refusal.error = f"parameter agent: {refusal.error}"
        raise refusal from None


def _form(call: Call, parameters: dict[str, str]) -> Form:
    text = parameters.get("format", "exact")
    form = _FORMATS.get(text)
    if form is None:
        raise parameter("format", text, "must be ids, exact or canonical", _CLAUSE)
    languages = (call.header(b"accept-language") or "")[:500] if form == "canonical" else ""
    return Form(form, languages, _boolean("attachments", parameters.get("attachments", "false")))


def _headers(version: Version, through: int) -> dict[str, str]:
    return {VERSION_HEADER: version.value, CONSISTENT_HEADER: format_timestamp(through)}


def _http_date(instant: int) -> str:
    return formatdate(instant // 1_000_000, usegmt=True)


def _boolean(name: str, text: str) -> bool:
    if text not in ("true", "false"):
        raise parameter(name, text, "must be true or false", _CLAUSE)
    return text == "true"


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise parameter("limit", text, "must be a non-negative integer", _CLAUSE)
    asked = int(text)
    return asked if 0 < asked < MOST else MOST


def _instant(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    instant = parse_timestamp(text)
    if instant is None:
        raise parameter(name, text, "must be a timestamp of ISO 8601", _CLAUSE)
    # Before 2020 and far ahead nothing is stored; the store's keys end there.
    return min(max(instant, term.EPOCH - 1), term.LAST)


def iri_parameter(name: str, text: str) -> str:
    """The IRI in a parameter; raises Refusal 400."""
    if not is_iri(text):
        raise parameter(name, text, "must be an IRI with a scheme", _CLAUSE)
    return text


def _write_more(more: _More) -> str:
    token = base64.urlsafe_b64encode(msgspec.msgpack.encode(more)).rstrip(b"=").decode()
    return MORE_PATH + token


_read_token = msgspec.msgpack.Decoder(_More).decode


def _read_more(token: str) -> _More:
    try:
        more = _read_token(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError:  # base64's errors and msgspec's are such
        raise Refusal(404, "there is no such page", "invalid") from None
    return more
