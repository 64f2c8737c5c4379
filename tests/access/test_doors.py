"""Every route and every call of Flight asks who comes, and for a key that is for this. They are taken from the app."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import adbc_driver_manager
import grpc
import httpx
import pytest
from adbc_driver_flightsql import DatabaseOptions, dbapi
from pyarrow import flight
from starlette.routing import Mount, Route
from tachy_server.access import keys, refusals
from tachy_server.access.door import Door
from tachy_server.access.keys import Key
from tachy_server.base.who import SCOPES, Scope
from tachy_server.flight import service
from tachy_server.flight.server import FlightServer
from tachy_server.http import api, app, pages
from tachy_server.query import commands

from tests.wire.conftest import engine, flight_server, http, http_server, services, uri
from tests.wire.fake_engine import PROCESS

__all__ = ["engine", "flight_server", "http", "http_server", "services", "uri"]

SECURITY = (Path(__file__).resolve().parents[2] / "docs/security.md").read_text()
NOTHING = SimpleNamespace(engine=None, settings=None, lake=None, stats=None, door=None)
ROUTES = [("POST", app.BATCH_PATH)]
for route in api.routes(NOTHING):  # type: ignore[arg-type]
    assert isinstance(route, Route)
    ROUTES += [(method, route.path) for method in sorted(route.methods or ())]
LOCKS: dict[tuple[str, str], str] = {
    (method, path): scope
    for methods, path, scope in re.findall(r"^\| `([A-Z, ]+) (/\S*)` \| (\w+)", SECURITY, re.MULTILINE)
    for method in methods.split(", ")
}
CALLS = re.findall(r"^\| `(\w+)` \| query", SECURITY, re.MULTILINE)


class Ring:
    """Keys of every kind, by what they are."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {"none": ""}
        self.keys: list[Key] = []
        now = time.time_ns()
        for scope in SCOPES:
            self._add(scope, (scope,))
        self._add("expired", SCOPES, expires=now - 1)
        self._add("revoked", SCOPES, revoked=now - 1)
        wrong, _, _ = keys.make()
        self.texts["wrong"] = wrong
        right = self.texts["admin"]
        self.texts["altered"] = right[:-1] + ("a" if right[-1] != "a" else "b")

    def _add(self, name: str, scopes: tuple[Scope, ...], **times: int) -> None:
        self.texts[name], key_id, digest = keys.make()
        self.keys.append(Key(key_id, name, digest, scopes, 0, **times))

    def headers(self, name: str, *, basic: bool = False) -> dict[str, str]:
        text = self.texts[name]
        if not text:
            return {}
        word = base64.b64encode(f"user:{text}".encode()).decode()
        return {"authorization": f"Basic {word}" if basic else f"Bearer {text}"}


@pytest.fixture
def ring(services: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Ring:
    monkeypatch.setattr(refusals, "BURST", 1e9)
    made = Ring()
    services.door = Door(lambda: made.keys)
    return made


@pytest.fixture
def asked(ring: Ring, http_server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=http_server, timeout=20) as client:
        yield client


def _ask(client: httpx.Client, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    path = path.replace("{process_id}", PROCESS).replace("{process_ids}", PROCESS)
    return client.request(method, path, headers=headers)


def test_the_page_has_every_door_and_no_other() -> None:
    open_paths = {("GET", path) for path in app.OPEN_PATHS}
    for page in pages.routes():
        path = f"{page.path}/{{file}}" if isinstance(page, Mount) else str(getattr(page, "path", ""))
        assert pages.is_open(path)
        open_paths.add(("GET", "/page/{file}" if path.startswith("/page/") else path))
    heads = {("HEAD", path) for method, path in ROUTES if method == "GET"}
    assert set(LOCKS) == ({*ROUTES} - heads) | open_paths
    assert {scope for path, scope in LOCKS.items() if path in open_paths} == {"nothing"}
    assert {*LOCKS.values()} == {*get_args(Scope), "nothing"}
    assert len(ROUTES) > 12


@pytest.mark.parametrize("basic", [False, True], ids=["bearer", "basic"])
def test_every_route_refuses_all_but_its_own_key(asked: httpx.Client, ring: Ring, basic: bool) -> None:
    for method, path in [
        *ROUTES,
        ("GET", "/nowhere"),
        ("GET", "/pages"),
        ("OPTIONS", "/api/query"),
        ("TRACE", app.BATCH_PATH),
    ]:
        for name in ("none", "wrong", "altered", "expired", "revoked"):
            answer = _ask(asked, method, path, ring.headers(name, basic=basic))
            assert answer.status_code == 401, (method, path, name)
            assert "Bearer" in answer.headers["www-authenticate"]
            if method != "HEAD":
                sentence = answer.json()["error"]
                assert sentence.endswith(".")
                assert ring.texts[name] not in sentence or name == "none"
    for method, path in ROUTES:
        wanted = LOCKS["GET" if method == "HEAD" else method, path]
        for scope in SCOPES:
            answer = _ask(asked, method, path, ring.headers(scope, basic=basic))
            assert (answer.status_code == 403) == (scope != wanted), (method, path, scope, answer.text)
            assert answer.status_code != 401


def test_health_needs_no_key_and_says_what_is_refused(asked: httpx.Client, ring: Ring, services: Any) -> None:
    for path in app.OPEN_PATHS:
        assert asked.get(path).status_code == 200
        assert asked.get(f"{path}/").status_code == 401
    assert asked.get("/api/stats").status_code == 401
    assert services.door.refusals.stats() == {"no_key": 3}
    for name, value in (("host", "evil.example"), ("origin", "http://evil.example")):
        assert asked.get("/healthz", headers={name: value}).status_code == 403
    assert services.door.refusals.stats() == {"no_key": 3, "host": 1, "origin": 1}
    twice = [("authorization", f"Bearer {ring.texts['admin']}")] * 2
    assert asked.get("/api/stats", headers=twice).status_code == 400


def test_who_is_refused_too_often_is_told_to_wait(
    http_server: str, services: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "time", SimpleNamespace(monotonic=lambda: 0.0))  # the requests may take a while
    made = Ring()
    services.door._read = lambda: made.keys
    services.door.read_again()
    with httpx.Client(base_url=http_server) as client:
        said = [client.get("/api/stats", headers=made.headers("wrong")) for _ in range(40)]
        assert [answer.status_code for answer in said] == [401] * 30 + [429] * 10
        assert said[-1].headers["retry-after"] == "1"
        assert client.get("/api/stats", headers=made.headers("admin")).status_code == 200
    assert services.door.refusals.stats() == {"unknown_key": 30, "rate": 10}


STATEMENTS = (
    "CREATE KEEP RULE a FOR '1 day' AS SELECT process_id FROM processes",
    "DROP KEEP RULE a",
    "SHOW KEEP RULES",
    "CREATE MATERIALIZED VIEW a AS SELECT level FROM log_entries",
    "DROP MATERIALIZED VIEW a",
    "SHOW MATERIALIZED VIEWS",
)


def test_statements_that_change_something_need_a_key_for_admin_too(asked: httpx.Client, ring: Ring, uri: str) -> None:
    assert {type(commands.parse(sql)) for sql in STATEMENTS} == {*get_args(commands.Command)}
    options = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {ring.texts['query']}".encode())])
    with flight.connect(uri) as client:
        for sql in STATEMENTS:
            answer = asked.post("/api/query", json={"sql": sql}, headers=ring.headers("query"))
            assert (answer.status_code == 403) == (not sql.startswith("SHOW")), (sql, answer.text)
            if not sql.startswith("SHOW"):
                assert "needs one for admin" in answer.json()["error"]
                with pytest.raises(flight.FlightUnauthorizedError, match="needs one for admin"):
                    client.get_flight_info(flight.FlightDescriptor.for_command(sql.encode()), options)


@pytest.fixture
def channel(ring: Ring, uri: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(uri.removeprefix("grpc://")) as made:
        yield made


def _call(channel: grpc.Channel, name: str, headers: dict[str, str]) -> tuple[grpc.StatusCode, str]:
    method = channel.stream_stream(f"/{service.SERVICE}/{name}", lambda data: data, lambda data: data)
    answers = method(iter([b""]), metadata=tuple(headers.items()), timeout=20)
    try:
        for _ in answers:
            pass
    except grpc.RpcError as error:
        return error.code(), error.details()
    return grpc.StatusCode.OK, ""


def test_every_call_of_flight_refuses_all_but_keys_for_asking(
    channel: grpc.Channel, ring: Ring, flight_server: FlightServer
) -> None:
    assert sorted(flight_server.calls) == sorted(CALLS)
    for name in flight_server.calls:
        for bad in ("none", "wrong", "altered", "expired", "revoked"):
            code, sentence = _call(channel, name, ring.headers(bad))
            assert (code, sentence[-1]) == (grpc.StatusCode.UNAUTHENTICATED, "."), (name, bad)
        for scope in SCOPES:
            code, sentence = _call(channel, name, ring.headers(scope, basic=True))
            assert (code == grpc.StatusCode.PERMISSION_DENIED) == (scope != "query"), (name, scope, sentence)
            assert code != grpc.StatusCode.UNAUTHENTICATED


def _first(uri: str, credentials: dict[str, str]) -> Any:
    """A row, by Arrow's ADBC driver."""
    with dbapi.connect(uri, db_kwargs=credentials, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("select 1 as a")
        return cursor.fetchone()


def test_clients_of_others_log_in_as_they_do_elsewhere(ring: Ring, uri: str) -> None:
    text = ring.texts["query"]
    ways = (
        {"username": "anybody", "password": text},
        {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {text}"},
    )
    for way in ways:
        assert _first(uri, way) == (1,)
    for way in ({}, {"username": "anybody", "password": "tk_wrong"}):
        with pytest.raises(adbc_driver_manager.Error, match=r"(?i)unauthenticated|key"):
            _first(uri, way)
    with flight.connect(uri) as client:
        token = client.authenticate_basic_token("anybody", text)
        assert token == (b"authorization", f"Bearer {text}".encode())
        options = flight.FlightCallOptions(headers=[token])
        assert client.do_get(flight.Ticket(b"select 1 as a"), options).read_all().num_rows == 1
        with pytest.raises(flight.FlightUnauthenticatedError, match="This server needs a key"):
            client.do_get(flight.Ticket(b"select 1 as a")).read_all()
        scoped = flight.FlightCallOptions(headers=[(b"authorization", f"Bearer {ring.texts['ingest']}".encode())])
        with pytest.raises(flight.FlightUnauthorizedError, match="asking needs one for query"):
            client.do_get(flight.Ticket(b"select 1 as a"), scoped).read_all()
