"""docs/http.md documents every route of the HTTP side, every parameter, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.routing import Route
from tachy_server.http import api

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "http.md").read_text()
HEADINGS = set(re.findall(r"^## (GET|POST|PUT|DELETE) (\S+)$", PAGE, re.MULTILINE))
ELSEWHERE = {("POST", "/ingest/v1/batch"), ("GET", "/healthz"), ("GET", "/readyz")}  # in app.py


def _routes() -> set[tuple[str, str]]:
    table = api.routes(SimpleNamespace(engine=None, settings=None, lake=None, stats=None, door=None))  # type: ignore[arg-type]
    return {(method, route.path) for route in table if isinstance(route, Route) for method in route.methods or ()}


def test_every_route_has_its_section_and_every_section_its_route() -> None:
    routes = {(method, path) for method, path in _routes() if method != "HEAD"}
    assert routes | ELSEWHERE == HEADINGS


def test_routes_elsewhere_are_where_they_are_said_to_be() -> None:
    source = Path(api.__file__).with_name("app.py").read_text()
    for _method, path in ELSEWHERE:
        assert f'"{path}"' in source


def test_the_table_links_every_section() -> None:
    linked = re.findall(r"^\| \[`(GET|POST|PUT|DELETE) (\S+)`\]\(#(\S+)\)", PAGE, re.MULTILINE)
    assert {(method, path) for method, path, _anchor in linked} == HEADINGS
    for method, path, anchor in linked:
        assert anchor == re.sub(r"[^a-z0-9_-]", "", f"{method}-{path}".lower())


@pytest.mark.parametrize("name", re.findall(r"_only\((?:body|given), \((.*?)\)\)", Path(api.__file__).read_text()))
def test_every_parameter_is_documented(name: str) -> None:
    for parameter in re.findall(r'"(\w+)"', name) + ([*api.PROCESS_FILTERS] if "PROCESS_FILTERS" in name else []):
        assert f"`{parameter}`" in PAGE
