"""The description of the interfaces: complete, current, and true of the edge that it describes."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from lrs.http.edge import ROUTES, Edge
from lrs.http.openapi import METHODS, description, operations, page
from lrs.http.statements import MORE_PATH
from tests.http.client import Client
from tests.http.system import System

DESCRIBED = {(method.upper(), path) for method, path, _ in operations(description())}
BARE: dict[str, str | None] = {"authorization": None, "x-experience-api-version": None}


async def test_every_path_and_method_is_described_and_nothing_else(system: System) -> None:
    assert isinstance(system.edge, Edge)
    offered = {(method, path) for method, path in system.edge.routes if method != "HEAD"}
    assert DESCRIBED - {("GET", MORE_PATH + "{token}")} == offered
    assert {path for _, path in system.edge.routes} | {MORE_PATH} == set(ROUTES.values())


async def test_what_is_read_has_a_head(system: System) -> None:
    assert isinstance(system.edge, Edge)
    assert {path for method, path in system.edge.routes if method == "GET"} == {
        path for method, path in system.edge.routes if method == "HEAD"
    }


async def test_it_is_served_to_anyone(lrs: Client) -> None:
    answer = await lrs.request("GET", ROUTES["openapi"], headers=BARE)
    assert (answer.status, answer.json) == (200, description())
    assert answer.json["openapi"] == "3.1.0"
    assert (await lrs.get({"x": "y"}, ROUTES["openapi"])).status == 400


def test_every_reference_leads_somewhere_and_every_operation_has_its_own_name() -> None:
    text = str(description())
    for reference in re.findall(r"'\$ref': '#/([^']+)'", text):
        found: object = description()
        for name in reference.split("/"):
            assert isinstance(found, dict)
            found = found[name]
    names = [operation["operationId"] for _, _, operation in operations(description())]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in description()["tags"]}
    assert {tag for _, _, operation in operations(description()) for tag in operation["tags"]} == tags


@pytest.mark.parametrize(
    ("method", "path", "parameters"),
    [
        pytest.param(
            method,
            path,
            {one["name"] for one in operation["parameters"] if one["in"] == "query"},
            id=f"{method.upper()} {path}",
        )
        for method, path, operation in operations(description())
        if operation.get("security") != []
    ],
)
async def test_a_parameter_is_known_exactly_if_it_is_described(
    lrs: Client, method: str, path: str, parameters: set[str]
) -> None:
    every = {
        one["name"]
        for _, _, operation in operations(description())
        for one in operation["parameters"]
        if one["in"] == "query"
    }
    for name in every:
        answer = await lrs.request(method.upper(), path.replace("{token}", "x"), {name: "~"}, b"{}")
        unknown = answer.status == 400 and answer.json.get("rule") == "this parameter is not known here"
        assert unknown == (name not in parameters) or answer.status == 403, (name, answer)


class _Page(HTMLParser):
    """What a page shows, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.loaded: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


async def test_the_page_shows_every_operation_and_loads_nothing(lrs: Client) -> None:
    answer = await lrs.request("GET", ROUTES["docs"], headers=BARE)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    read = _Page()
    read.feed(answer.body.decode())
    assert read.loaded == [ROUTES["openapi"]]
    assert "script" not in read.tags
    shown = " ".join(" ".join(read.shown).split())
    for method, path, operation in operations(description()):
        assert f"{method.upper()} {path} {operation['summary']}" in shown


def test_the_page_escapes_what_it_shows() -> None:
    document = description() | {"info": description()["info"] | {"title": "<script>"}}
    assert "<script>" not in page(document)


def test_the_methods_that_are_looked_for_are_all_that_are_described() -> None:
    for item in description()["paths"].values():
        assert set(item) <= {*METHODS, "parameters"}
