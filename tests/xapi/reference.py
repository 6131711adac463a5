"""What a Statement should hold, by a plain walk over the decoded JSON of a valid statement.

Written from the specification and the docstrings, without lrs.xapi's kernels, to be compared with them.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lrs.xapi.statement import Attachment, Given, ObjectKind, Statement
from lrs.xapi.version import Version

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
_CMI5 = "https://w3id.org/xapi/cmi5/context/extensions/"
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_ROLES = ("parent", "grouping", "category", "other")


class Number(str):
    """A number as it was written."""


def decode(raw: bytes) -> Any:
    return json.loads(raw, parse_int=Number, parse_float=Number)


def instant(text: str) -> int:
    """Of a timestamp in RFC 3339, or without a zone, or in ISO 8601's basic form; no leap seconds."""
    text = text.upper().replace(",", ".")
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)


def identifier(agent: dict[str, Any]) -> str | None:
    if "mbox" in agent:
        local, _, domain = agent["mbox"].rpartition("@")
        return f"mbox:{local}@{_lower(domain)}"
    if "mbox_sha1sum" in agent:
        return "mbox_sha1sum:" + agent["mbox_sha1sum"].lower()
    if "openid" in agent:
        return f"openid:{agent['openid']}"
    if "account" in agent:
        return f"account:{agent['account']['homePage']} {agent['account']['name']}"
    return None


def _lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def agents(value: dict[str, Any]) -> list[str]:
    """The agent or group itself, then its members."""
    found = [identifier(value), *(identifier(member) for member in value.get("member", ()))]
    return [text for text in found if text is not None]


def context_activities(context: dict[str, Any], role: str) -> list[dict[str, Any]]:
    value = context.get("contextActivities", {}).get(role, [])
    return value if isinstance(value, list) else [value]


def context_agents(context: dict[str, Any]) -> list[str]:
    values = [context[key] for key in ("instructor", "team") if key in context]
    values += [entry["agent"] for entry in context.get("contextAgents", ())]
    values += [entry["group"] for entry in context.get("contextGroups", ())]
    return [text for value in values for text in agents(value)]


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """Agents and groups with a name, outside extensions and accounts."""
    if isinstance(value, dict):
        text = identifier(value) if "name" in value and isinstance(value["name"], str) else None
        if text is not None:
            yield text, value["name"]
        for key, inner in value.items():
            if key not in ("extensions", "account", "definition", "attachments", "display"):
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


def _activities(statement: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All activities of a statement and of its SubStatement."""
    thing = statement["object"]
    if thing.get("objectType", "Activity") == "Activity":
        yield thing
    if thing.get("objectType") == "SubStatement":
        yield from _activities(thing)
    for role in _ROLES:
        yield from context_activities(statement.get("context", {}), role)


def _single_context_activity(statement: dict[str, Any]) -> bool:
    values = statement.get("context", {}).get("contextActivities", {}).values()
    inner = statement["object"] if statement["object"].get("objectType") == "SubStatement" else None
    return any(isinstance(v, dict) for v in values) or (inner is not None and _single_context_activity(inner))


def _duration(text: str) -> int | None:
    if re.search("[YM]", text.split("T")[0]):
        return None
    units = {"W": 604_800_000, "D": 86_400_000, "H": 3_600_000, "M": 60_000, "S": 1000}
    parts = re.findall(r"([\d.]+)([WDHMS])", text.replace(",", "."))
    total = int(sum(Decimal(number) * units[unit] for number, unit in parts))
    return total if total <= 2**53 else None


def _unit(value: Any, scale: int) -> float | None:
    number = float(value) / scale if isinstance(value, Number) else None
    return number if number is not None and 0 <= number <= 1 else None


def _progress(extensions: dict[str, Any]) -> float | None:
    percent = _unit(extensions.get("https://w3id.org/xapi/cmi5/result/extensions/progress"), 100)
    video = _unit(extensions.get("https://w3id.org/xapi/video/extensions/progress"), 1)
    return percent if percent is not None else video


def _number(value: str | None) -> float | None:
    return None if value is None else float(value)


def _uuid(value: str | None) -> bytes | None:
    return None if value is None else uuid.UUID(value).bytes


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) and not isinstance(value, Number) else None


def _unique(values: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def read(raw: bytes, version: Version) -> Statement:
    """The Statement for the exact bytes of a valid one (definitions compare after decoding)."""
    statement = decode(raw)
    thing, context, result = statement["object"], statement.get("context", {}), statement.get("result", {})
    kind = {
        "Activity": ObjectKind.ACTIVITY,
        "Agent": ObjectKind.AGENT,
        "Group": ObjectKind.GROUP,
        "StatementRef": ObjectKind.STATEMENT_REF,
        "SubStatement": ObjectKind.SUB_STATEMENT,
    }[thing.get("objectType", "Activity")]
    actor = identifier(statement["actor"])
    direct = agents(statement["actor"])[1 if actor is not None else 0 :]
    related = agents(statement["authority"]) if "authority" in statement else []
    related += context_agents(context)
    activities = [a["id"] for role in _ROLES for a in context_activities(context, role)]
    if kind in (ObjectKind.AGENT, ObjectKind.GROUP):
        direct += agents(thing)
    if kind == ObjectKind.SUB_STATEMENT:
        related += agents(thing["actor"]) + context_agents(thing.get("context", {}))
        if thing["object"].get("objectType") in ("Agent", "Group"):
            related += agents(thing["object"])
        activities += [a["id"] for a in _activities(thing)]
    ref = _uuid(thing["id"]) if kind == ObjectKind.STATEMENT_REF else None
    bits = {"id": Given.ID, "timestamp": Given.TIMESTAMP, "stored": Given.STORED}
    bits |= {"authority": Given.AUTHORITY, "version": Given.VERSION}
    given = sum(int(bit) for key, bit in bits.items() if key in statement)
    if _single_context_activity(statement):
        given += Given.SINGLE_CONTEXT_ACTIVITY
    extensions = context.get("extensions", {})
    mastery = extensions.get(_CMI5 + "masteryscore")
    score = result.get("score", {})
    return Statement(
        raw=raw,
        digest=digest(statement, version),
        given=given,
        id=_uuid(statement.get("id")),
        timestamp=instant(statement["timestamp"]) if "timestamp" in statement else None,
        verb=statement["verb"]["id"],
        actor=actor,
        object_kind=kind,
        object_activity=thing["id"] if kind == ObjectKind.ACTIVITY else None,
        agents_direct=_unique(direct),
        agents_related=_unique(related),
        activities_related=_unique(activities),
        parents=_unique([a["id"] for a in context_activities(context, "parent")]),
        groupings=_unique([a["id"] for a in context_activities(context, "grouping")]),
        categories=_unique([a["id"] for a in context_activities(context, "category")]),
        registration=_uuid(context.get("registration")),
        ref=ref,
        voids=ref if statement["verb"]["id"] == VOIDED else None,
        success=result.get("success"),
        completion=result.get("completion"),
        score_scaled=_number(score.get("scaled")),
        score_raw=_number(score.get("raw")),
        score_min=_number(score.get("min")),
        score_max=_number(score.get("max")),
        duration_ms=_duration(result["duration"]) if "duration" in result else None,
        progress=_progress(result.get("extensions", {})),
        move_on=_string(extensions.get(_CMI5 + "moveon")),
        mastery_score=_unit(mastery, 1),
        launch_mode=_string(extensions.get(_CMI5 + "launchmode")),
        session=_string(extensions.get(_CMI5 + "sessionid")),
        definitions=tuple(
            (a["id"], json.dumps(a["definition"]).encode())
            for a in _activities(json.loads(raw))
            if "definition" in a
        ),
        names=tuple(_named(statement)),
        version_sent=statement.get("version"),
        attachments=tuple(
            Attachment(a["sha2"], a["contentType"], int(Decimal(a["length"])), a["usageType"], "fileUrl" in a)
            for a in statement.get("attachments", ())
        ),
    )


def digest(statement: dict[str, Any], version: Version) -> bytes:
    return hashlib.blake2b(canonical(statement, version).encode(), digest_size=16).digest()


def canonical(statement: dict[str, Any], version: Version) -> str:
    """The canonical text, format 1, of a decoded statement."""
    kept = dict(statement)
    times = [kept.get("timestamp"), kept.get("stored")]
    if None not in times and instant(str(times[0])) == instant(str(times[1])):
        del kept["timestamp"]
    for key in ("id", "stored", "authority", "version"):
        kept.pop(key, None)
    return _write(_canonical_statement(kept, version))


def _canonical_statement(statement: dict[str, Any], version: Version) -> dict[str, Any]:
    kept = {key: value for key, value in statement.items() if key != "attachments"}
    kept["actor"] = _canonical_agent(kept["actor"], "Agent")
    kept["verb"] = {"id": kept["verb"]["id"]}
    thing = kept["object"]
    kind = thing.get("objectType", "Activity")
    if kind == "Activity":
        kept["object"] = _canonical_activity(thing)
    elif kind in ("Agent", "Group"):
        kept["object"] = _canonical_agent(thing, "Activity")
    elif kind == "SubStatement":
        kept["object"] = _canonical_statement(thing, version)
    else:
        kept["object"] = thing | {"id": thing["id"].lower()}
    if "timestamp" in kept:
        kept["timestamp"] = instant(kept["timestamp"])
    result = kept.get("result", {})
    if "duration" in result and version is Version.V2_0_0:
        kept["result"] = result | {"duration": _truncated(result["duration"])}
    if "context" in kept:
        kept["context"] = _canonical_context(kept["context"])
    return kept


def _canonical_agent(agent: dict[str, Any], default: str) -> dict[str, Any]:
    kept = {key: value for key, value in agent.items() if (key, value) != ("objectType", default)}
    if "mbox" in kept:
        local, _, domain = kept["mbox"].rpartition("@")
        kept["mbox"] = f"{local}@{_lower(domain)}"
    if "mbox_sha1sum" in kept:
        kept["mbox_sha1sum"] = kept["mbox_sha1sum"].lower()
    if "member" in kept:
        members = [_canonical_agent(member, "Agent") for member in kept["member"]]
        kept["member"] = sorted(members, key=lambda member: _write(member).encode())
    return kept


def _canonical_activity(activity: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in activity.items() if key != "definition"}
    return {key: value for key, value in kept.items() if (key, value) != ("objectType", "Activity")}


def _canonical_context(context: dict[str, Any]) -> dict[str, Any]:
    kept = dict(context)
    for key in ("registration", "language"):
        if key in kept:
            kept[key] = kept[key].lower()
    if "statement" in kept:
        kept["statement"] = kept["statement"] | {"id": kept["statement"]["id"].lower()}
    if "instructor" in kept:
        kept["instructor"] = _canonical_agent(kept["instructor"], "Agent")
    if "team" in kept:
        kept["team"] = _canonical_agent(kept["team"], "")
    for key, inner, default in (("contextAgents", "agent", "Agent"), ("contextGroups", "group", "")):
        if key in kept:
            kept[key] = [entry | {inner: _canonical_agent(entry[inner], default)} for entry in kept[key]]
    if "contextActivities" in kept:
        roles: dict[str, Any] = {}
        for role in kept["contextActivities"]:
            values = [_canonical_activity(activity) for activity in context_activities(context, role)]
            roles[role] = values[0] if len(values) == 1 else values
        kept["contextActivities"] = roles
    return kept


def _truncated(duration: str) -> str:
    match = re.fullmatch(r"(.*\d)[.,](\d+)S", duration)
    if match is None:
        return duration
    fraction = match[2][:2].rstrip("0")
    return f"{match[1]}.{fraction}S" if fraction else f"{match[1]}S"


def _write(value: Any) -> str:
    if isinstance(value, Number):
        return _decimal(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: pair[0].encode())
        return "{" + ",".join(f"{_write(key)}:{_write(inner)}" for key, inner in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_write(inner) for inner in value) + "]"
    return json.dumps(value)


def _decimal(number: str) -> str:
    exponent = re.search(r"[eE][+-]?0*(\d*)$", number)
    if exponent is not None and len(exponent[1]) > 17 and re.search("[1-9]", number[: exponent.start()]):
        return number
    mantissa, _, power = number.lower().partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return "0"
    significant = digits.rstrip("0")
    scale = int(power or 0) - len(fraction) + len(digits) - len(significant)
    return sign + significant + (f"e{scale}" if scale else "")
