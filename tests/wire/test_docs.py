"""docs/http.md documents every route of the HTTP side, every parameter, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.routing import Mount, Route
from tachy_server.http import api, figures, pages

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "http.md").read_text()
HEADINGS = set(re.findall(r"^## (GET|POST|PUT|DELETE) (\S+)$", PAGE, re.MULTILINE))
ELSEWHERE = {("POST", "/ingest/v1/batch"), ("GET", "/healthz"), ("GET", "/readyz")}  # in app.py


def _routes() -> set[tuple[str, str]]:
    table = api.routes(SimpleNamespace(engine=None, settings=None, lake=None, stats=None, door=None))  # type: ignore[arg-type]
    return {(method, route.path) for route in table if isinstance(route, Route) for method in route.methods or ()}


def test_every_route_has_its_section_and_every_section_its_route() -> None:
    routes = {(method, path) for method, path in _routes() if method != "HEAD"}
    folders = {("GET", f"{one.path}/{{file}}") for one in pages.routes() if isinstance(one, Mount)}
    files = {one.path for one in pages.routes() if isinstance(one, Route)}
    assert routes | ELSEWHERE | folders | {("GET", "/")} == HEADINGS
    assert all(path == "/" or path.startswith("/page/") for path in files)


def test_routes_elsewhere_are_where_they_are_said_to_be() -> None:
    source = "".join(Path(api.__file__).with_name(name).read_text() for name in ("app.py", "batches.py"))
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


def test_the_keys_of_a_chart_are_documented() -> None:
    section = PAGE.partition("## POST /api/chart")[2].partition("\n## ")[0]
    rows = {name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert rows == set(figures.KEYS)
