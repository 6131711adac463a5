"""The description of everything that the edge offers: OpenAPI 3.1, and the same as a page to read.

openapi.yaml is the description; the page is made of it, and has nothing from elsewhere in it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

import msgspec
import yaml

from lrs.http.call import Call, Send, answer

if TYPE_CHECKING:
    from lrs.http.body import Receive
    from lrs.http.edge import Route

PATH: Final = "/api/v1/openapi.json"
PAGE_PATH: Final = "/docs"

METHODS: Final = ("get", "put", "post", "delete")

_STYLE: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{line-height:1.2}h2{margin-top:3rem;border-bottom:1px solid}
summary{cursor:pointer;padding:.4rem 0}code{font:.9em ui-monospace,monospace}
summary b{display:inline-block;width:4.5rem;font:bold .8em ui-monospace,monospace}
table{border-collapse:collapse;margin:.5rem 0 1rem;width:100%}
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884}
details{padding-left:1rem}
"""

_ONLY_OURS: Final = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}


@functools.cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    text = resources.files("lrs.http").joinpath("openapi.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(method, path, operation) of a description; each with the parameters of its path, resolved."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                given = [*item.get("parameters", ()), *item[method].get("parameters", ())]
                yield method, path, item[method] | {"parameters": [_resolved(document, one) for one in given]}


def page(document: Mapping[str, Any]) -> str:
    """The description as HTML."""
    info = document["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['summary'])}.<p>{escape(info['description'])}",
        f"<p>For programs: <a href='{PATH}'><code>{PATH}</code></a>, OpenAPI {escape(document['openapi'])}.",
    ]
    for tag in document["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}")
        for method, path, operation in operations(document):
            if tag["name"] in operation["tags"]:
                parts += _operation(document, method, path, operation)
    return "\n".join(parts)


def _operation(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]
) -> Iterator[str]:
    summary = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['summary'])}"
    yield f"<details><summary>{summary}</summary>"
    if "description" in operation:
        yield f"<p>{escape(operation['description'])}"
    if operation.get("security") == []:
        yield "<p>Needs no credentials."
    if operation["parameters"]:
        yield "<table><tr><th>Parameter<th>In<th>Needed<th>Meaning"
    for one in operation["parameters"]:
        needed = "yes" if one.get("required") else ""
        meaning = escape(one.get("description", "")) or f"<code>{escape(_kind(document, one))}</code>"
        yield f"<tr><td><code>{escape(one['name'])}</code><td>{escape(one['in'])}<td>{needed}<td>{meaning}"
    if operation["parameters"]:
        yield "</table>"
    if "requestBody" in operation:
        kinds = ", ".join(f"<code>{escape(kind)}</code>" for kind in operation["requestBody"]["content"])
        yield f"<p>Body: {kinds}"
    yield "<table><tr><th>Answer<th>Meaning<th>Content-Type"
    for status, given in operation["responses"].items():
        response = _resolved(document, given)
        kinds = ", ".join(f"<code>{escape(kind)}</code>" for kind in response.get("content", ()))
        meaning = escape(response["description"])
        yield f"<tr><td>{'any other' if status == 'default' else status}<td>{meaning}<td>{kinds}"
    yield "</table></details>"


def _kind(document: Mapping[str, Any], parameter: Mapping[str, Any]) -> str:
    schema = _resolved(document, parameter["schema"])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return str(schema.get("format", schema.get("pattern", schema.get("type", ""))))


def _resolved(document: Mapping[str, Any], thing: Any) -> Any:
    """What stands at a reference inside the document."""
    if "$ref" not in thing:
        return thing
    found: Any = document
    for name in thing["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


@functools.cache
def _written() -> tuple[bytes, bytes]:
    return msgspec.json.encode(description()), page(description()).encode()


class Description:
    """GET /api/v1/openapi.json and /docs."""

    def routes(self) -> dict[tuple[str, str], Route]:
        """The routes by path and method."""
        return {
            (path, method): route
            for path, route in ((PATH, self._json), (PAGE_PATH, self._page))
            for method in ("GET", "HEAD")
        }

    async def _json(self, call: Call, _: Receive, send: Send) -> None:
        call.parameters(frozenset())
        body, _page = await asyncio.to_thread(_written)
        await answer(send, 200, body, head=call.method == "HEAD")

    async def _page(self, call: Call, _: Receive, send: Send) -> None:
        call.parameters(frozenset())
        _json, body = await asyncio.to_thread(_written)
        html = "text/html; charset=utf-8"
        await answer(send, 200, body, _ONLY_OURS, content_type=html, head=call.method == "HEAD")
