# ruff: noqa: E501 (one rule a line)
"""What may be asked of the Statement resource over HTTP, and what is answered: one row a rule.

A row holds in both versions unless it names some. In queries and bodies STORED stands for the id of a
statement that is there, VOIDED for that of a voided one, FRESH for one that nobody has. Rules on what
stands in a statement are in statement.py; this is the place to look up all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lrs.xapi.version import Version

BOTH = tuple(Version)
V1, V2 = (Version.V1_0_3,), (Version.V2_0_0,)

STORED = "STORED"
VOIDED = "VOIDED"
FRESH = "FRESH"

AGENT = '{"mbox":"mailto:a@example.org"}'
WITHOUT_ID = '{"actor":{"mbox":"mailto:a@example.org"},"verb":{"id":"http://example.org/v"},"object":{"id":"http://example.org/o"}}'
GOOD = WITHOUT_ID[:-1] + ',"id":"FRESH"}'
SAME = WITHOUT_ID[:-1] + ',"id":"STORED"}'
OTHER = WITHOUT_ID[:-1] + ',"id":"STORED","result":{"success":true}}'
BAD = WITHOUT_ID[:-1] + ',"id":"FRESH","actors":1}'


@dataclass(frozen=True, slots=True)
class Row:
    """A request on /xapi/statements. `answers`: bytes that the answer has; `headers`: sent, None for
    left out; `has`: headers that the answer has, with a pattern for each."""

    says: str
    clause: str
    method: str
    status: int
    query: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    answers: str = ""
    has: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[Version, ...] = BOTH


VERSION = "x-experience-api-version"
THROUGH = "x-experience-api-consistent-through"
INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"

_PUT, _POST, _GET = "Part Three 2.1.1", "Part Three 2.1.2", "Part Three 2.1.3"
_VERSIONING, _SYNTAX, _AUTH, _HEAD = "Part Three 3.3", "Part Three 3.2", "Part Three 4.0", "Part Three 1.1"
_CONFLICT, _TYPE, _LIST = "Part Two 2.3.1", "Part Three 1.5.1", "Part Two 2.5"

RULES: tuple[Row, ...] = (
    # POST
    Row("a statement is answered with an array of its id", _POST, "POST", 200, body=GOOD, answers='["FRESH"]'),
    Row("a batch is answered with its ids", _POST, "POST", 200, body=f"[{GOOD},{WITHOUT_ID}]", answers='["FRESH","'),
    Row("an empty batch is answered with none", _POST, "POST", 200, body="[]", answers="[]"),
    Row("one bad statement refuses the batch", _POST, "POST", 400, body=f"[{WITHOUT_ID},{BAD}]", answers='"path":"$[1].actors"'),
    Row("a batch that repeats an id is refused", _POST, "POST", 400, body=f"[{GOOD},{GOOD}]", answers='"path":"$[1].id"'),
    Row("the same statement again is accepted", _CONFLICT, "POST", 200, body=SAME, answers='["STORED"]'),
    Row("another statement under its id is refused", _CONFLICT, "POST", 409, body=OTHER, answers='"value":"STORED"'),
    Row("and refuses the batch it is in", _CONFLICT, "POST", 409, body=f"[{GOOD},{OTHER}]", answers='"path":"$[1].id"'),
    Row("a parameter is refused", _SYNTAX, "POST", 400, {"statementId": FRESH}, GOOD, answers='"path":"statementId"'),
    Row("the alternate syntax is refused in 2.0", "Part Three 1.3", "POST", 400, {"method": "PUT"}, "statementId=FRESH", {"content-type": "application/x-www-form-urlencoded"}, versions=V2),
    Row("an empty body is refused", _POST, "POST", 400),
    Row("a body that is no JSON is refused", _POST, "POST", 400, body="statement"),
    # PUT
    Row("a statement under its id is answered without a body", _PUT, "PUT", 204, {"statementId": FRESH}, GOOD),
    Row("the id may stand in the parameter only", _PUT, "PUT", 204, {"statementId": FRESH}, WITHOUT_ID),
    Row("the statementId is needed", _PUT, "PUT", 400, body=GOOD, answers='"path":"statementId"'),
    Row("it must be the statement's own", _PUT, "PUT", 400, {"statementId": FRESH}, SAME),
    Row("it must be a UUID", _PUT, "PUT", 400, {"statementId": "x"}, WITHOUT_ID),
    Row("a batch is refused", _PUT, "PUT", 400, {"statementId": FRESH}, f"[{GOOD}]"),
    Row("the name of the parameter is case-sensitive", _SYNTAX, "PUT", 400, {"StatementId": FRESH}, GOOD),
    Row("the same statement again is accepted", _CONFLICT, "PUT", 204, {"statementId": STORED}, SAME),
    Row("another statement under its id is refused", _CONFLICT, "PUT", 409, {"statementId": STORED}, OTHER, answers='"value":"STORED"'),
    # What a body is
    Row("a body must be JSON by its Content-Type", _TYPE, "POST", 400, body=GOOD, headers={"content-type": "text/plain"}),
    Row("multipart/form-data is refused", _TYPE, "POST", 400, body=GOOD, headers={"content-type": "multipart/form-data; boundary=x"}),
    Row("JSON is UTF-8", "Part Three 1.4", "POST", 400, body=GOOD, headers={"content-type": "application/json; charset=latin-1"}),
    Row("an attachment comes with its data or a fileUrl", _TYPE, "POST", 400, body=GOOD[:-1] + ',"attachments":[{"usageType":"http://example.org/u","display":{"en":"x"},"contentType":"text/plain","length":1,"sha2":"' + "a" * 64 + '"}]}'),
    # GET of one
    Row("a statement is found by its id", _GET, "GET", 200, {"statementId": STORED}, answers='"id":"STORED"', has={"content-type": "^application/json$", THROUGH: INSTANT}),
    Row("it says when it was stored", "IEEE 9274.1.1 4.1.6", "GET", 200, {"statementId": STORED}, has={"last-modified": "GMT$"}),
    Row("a voided statement is found by voidedStatementId", _GET, "GET", 200, {"voidedStatementId": VOIDED}, answers='"id":"VOIDED"'),
    Row("but not by statementId", _GET, "GET", 404, {"statementId": VOIDED}, has={THROUGH: INSTANT}),
    Row("a statement that is not voided is not found by voidedStatementId", _GET, "GET", 404, {"voidedStatementId": STORED}),
    Row("an id that nobody has is not found", _GET, "GET", 404, {"statementId": FRESH}, has={THROUGH: INSTANT}),
    Row("the two ids exclude each other", _GET, "GET", 400, {"statementId": STORED, "voidedStatementId": VOIDED}),
    *(Row(f"an id goes without {name}", _GET, "GET", 400, {id_: FRESH, name: value}, answers=f'"path":"{name}"', has={THROUGH: INSTANT})
      for id_ in ("statementId", "voidedStatementId")
      for name, value in {"agent": AGENT, "verb": "http://example.org/v", "activity": "http://example.org/o", "registration": FRESH,
                          "related_activities": "true", "related_agents": "true", "since": "2026-01-01T00:00:00Z",
                          "until": "2026-01-01T00:00:00Z", "limit": "1", "ascending": "true"}.items()),
    *(Row(f"an id goes with {name}={value}", _GET, "GET", 200, {"statementId": STORED, name: value})
      for name, value in (("format", "ids"), ("format", "exact"), ("format", "canonical"), ("attachments", "false"))),
    Row("attachments=true is answered in multipart/mixed", "Part Three 1.5.2", "GET", 200, {"statementId": STORED, "attachments": "true"}, has={"content-type": "^multipart/mixed; *boundary="}),
    # GET of a list
    Row("a list is a StatementResult", _LIST, "GET", 200, answers='{"statements":[', has={"content-type": "^application/json$", THROUGH: INSTANT}),
    Row("a list that goes on has a relative link", _LIST, "GET", 200, {"limit": "1"}, answers='"more":"/xapi/statements/more/'),
    Row("what nothing matches is an empty list", _LIST, "GET", 200, {"verb": "http://example.org/never"}, answers='{"statements":[],"more":""}'),
    Row("a list with attachments=true is answered in multipart/mixed", "Part Three 1.5.2", "GET", 200, {"attachments": "true"}, has={"content-type": "^multipart/mixed; *boundary="}),
    *(Row(f"{name} is refused where it is {value!r}", _GET, "GET", 400, {name: value}, has={THROUGH: INSTANT})
      for name, value in (("agent", "a@example.org"), ("agent", "{}"), ("agent", '{"mbox":"a@example.org"}'), ("agent", "[]"), ("verb", "played"),
                          ("activity", "page"), ("registration", "1"), ("related_agents", "1"), ("related_activities", "TRUE"), ("since", "yesterday"),
                          ("until", "2026-02-30T00:00:00Z"), ("limit", "-1"), ("limit", "1.5"), ("format", "Exact"), ("attachments", "yes"),
                          ("ascending", ""), ("statementId", "x"), ("voidedStatementId", ""))),
    *(Row(f"the parameter {name} is not known", _SYNTAX, "GET", 400, {name: "1"}, answers=f'"path":"{name}"', has={THROUGH: INSTANT})
      for name in ("Limit", "StatementId", "VoidedStatementId", "Agent", "Since", "unknown")),
    # HEAD
    Row("HEAD is GET without the body", _HEAD, "HEAD", 200, {"statementId": STORED}, has={"content-length": r"^\d{3,}$", THROUGH: INSTANT, "last-modified": "GMT$"}),
    Row("HEAD of a list", _HEAD, "HEAD", 200, has={"content-length": r"^\d+$", THROUGH: INSTANT}),
    Row("HEAD of what is not there", _HEAD, "HEAD", 404, {"statementId": FRESH}, has={THROUGH: INSTANT}),
    Row("HEAD of what is not known", _HEAD, "HEAD", 400, {"x": "1"}, has={THROUGH: INSTANT}),
    # Versions, credentials, methods
    *(Row(f"{method} needs the version header", _VERSIONING, method, 400, body=GOOD, headers={VERSION: None}, has={VERSION: r"^(2\.0\.0|1\.0\.[1-3])$"}) for method in ("GET", "POST", "PUT")),
    *(Row(f"version {version!r} is not spoken", _VERSIONING, "GET", 400, headers={VERSION: version}, has={VERSION: r"^(2\.0\.0|1\.0\.[1-3])$"}) for version in ("0.9", "1.1.0", "3.0", "1", "x")),
    *(Row(f"version {version} is spoken", _VERSIONING, "GET", 200, headers={VERSION: version}, has={VERSION: answered}) for version, answered in (("1.0", r"^1\.0\.3$"), ("1.0.9", r"^1\.0\.3$"), ("2.0", r"^2\.0\.0$"), ("2.0.5", r"^2\.0\.0$"))),
    *(Row(f"{method} needs credentials", _AUTH, method, 401, {"statementId": FRESH} if method == "PUT" else {}, GOOD, {"authorization": header}, has={"www-authenticate": "^Basic "})
      for method in ("GET", "POST", "PUT") for header in (None, "Basic", "Basic x", "Basic eDp5", "Bearer x")),
    *(Row(f"{method} is not a method of statements", "Part Three 2.1", method, 405, has={"allow": "^GET, HEAD, POST, PUT, OPTIONS$"}) for method in ("DELETE", "PATCH")),
)  # fmt: skip
