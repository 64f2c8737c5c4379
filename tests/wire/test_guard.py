"""Pages of other sites cannot talk to the server through the browser of somebody who can reach it."""

from __future__ import annotations

import httpx
import pytest
from tachy_server.base.settings import Address, Settings, load
from tachy_server.http.guard import Guard, Refused

from tests.model.encoder import Process
from tests.serving import BATCH_HEADERS, Server

SETTINGS = Settings(http=Address("box", 9000), allowed_hosts=("tachy.example", ".internal"))


def ask(*headers: tuple[str, str], local: str = "127.0.0.1") -> int:
    """The status that the request gets before anything of it is looked at; 0: none."""
    scope = {"headers": [(name.encode(), value.encode()) for name, value in headers], "server": (local, 9000)}
    try:
        Guard(SETTINGS).check(scope)
    except Refused as refused:
        return refused.status
    return 0


@pytest.mark.parametrize(
    ("host", "local", "status"),
    [
        ("localhost", "127.0.0.1", 0),
        ("LocalHost:9000", "127.0.0.1", 0),
        ("127.0.0.1:9000", "127.0.0.1", 0),
        ("127.8.8.8", "127.0.0.1", 0),
        ("127.1:9000", "127.0.0.1", 0),
        ("[::1]:9000", "::1", 0),
        ("box:9000", "10.0.0.7", 0),
        ("10.0.0.7:9000", "10.0.0.7", 0),
        ("10.0.0.7", "::ffff:10.0.0.7", 0),
        ("[fd00::7]", "fd00::7", 0),
        ("[fd00:0::7]:9000", "fd00::7", 0),
        ("tachy.example:443", "10.0.0.7", 0),
        ("a.internal", "10.0.0.7", 0),
        ("attacker.example", "127.0.0.1", 403),
        ("attacker.example:9000", "127.0.0.1", 403),
        ("localhost.attacker.example", "127.0.0.1", 403),
        ("127.0.0.1.attacker.example", "127.0.0.1", 403),
        ("attacker.example@localhost.x", "127.0.0.1", 403),
        ("nottachy.example", "10.0.0.7", 403),
        ("internal", "10.0.0.7", 403),
        ("10.0.0.8", "10.0.0.7", 403),
        ("localhost:x", "127.0.0.1", 403),
        ("[::1", "127.0.0.1", 403),
        ("", "127.0.0.1", 403),
    ],
)
def test_only_the_servers_own_names_are_answered(host: str, local: str, status: int) -> None:
    assert ask(("host", host), local=local) == status


def test_a_request_has_one_host() -> None:
    assert ask() == 400
    assert ask(("host", "localhost"), ("host", "attacker.example")) == 400


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://localhost:9000", "localhost:9000", 0),
        ("http://localhost", "localhost", 0),
        ("http://localhost:80", "localhost", 0),
        ("https://tachy.example", "tachy.example", 0),
        ("https://tachy.example", "127.0.0.1:9000", 0),
        ("https://a.internal:8443", "127.0.0.1:9000", 0),
        ("http://[::1]:9000", "[::1]:9000", 0),
        ("http://localhost:3000", "localhost:9000", 403),
        ("http://127.0.0.1:9000", "localhost:9000", 403),
        ("https://localhost", "localhost:9000", 403),
        ("https://attacker.example", "localhost:9000", 403),
        ("https://tachy.example.attacker.example", "tachy.example", 403),
        ("null", "localhost:9000", 403),
        ("", "localhost:9000", 403),
        ("file://", "localhost:9000", 403),
        ("http://localhost:x", "localhost:9000", 403),
        ("chrome-extension://localhost", "localhost", 403),
    ],
)
def test_only_pages_of_the_server_itself_are_answered(origin: str, host: str, status: int) -> None:
    assert ask(("host", host), ("origin", origin)) == status


def test_every_origin_is_looked_at() -> None:
    own, other = ("origin", "http://localhost"), ("origin", "https://attacker.example")
    assert ask(("host", "localhost"), own, other) == ask(("host", "localhost"), other, own) == 403


def test_the_setting_is_a_list_of_names() -> None:
    assert load(["--allowed-hosts", "Tachy.Example, .internal,10.0.0.9,fd00::9"], {}).allowed_hosts == (
        "tachy.example",
        ".internal",
        "10.0.0.9",
        "fd00::9",
    )


def every_request(server: Server, headers: dict[str, str]) -> list[httpx.Response]:
    """One request of every kind, with those headers."""
    process = Process()
    path = f"/api/processes/{process.process_id}"
    json = {"content-type": "application/json"}
    return [
        server.client.post("/ingest/v1/batch", content=process.batch(), headers=BATCH_HEADERS | headers),
        server.client.post("/api/query", content=b'{"sql": "select 1"}', headers=json | headers),
        server.client.put(f"{path}/control", content=b"{}", headers=json | headers),
        server.client.post(f"{path}/mark", content=b'{"reason": "why"}', headers=json | headers),
        server.client.delete(f"{path}/control", headers=headers),
        *(server.client.get(where, headers=headers) for where in ("/api/processes", f"{path}/trace", "/api/settings")),
        *(server.client.get(where, headers=headers) for where in ("/api/stats", "/healthz", "/nothing")),
    ]


@pytest.mark.parametrize("headers", [{"host": "attacker.example"}, {"origin": "https://attacker.example"}])
def test_no_route_answers_to_others(server: Server, headers: dict[str, str]) -> None:
    for answer in every_request(server, headers):
        assert answer.status_code == 403, answer.request.url
        assert "allowed_hosts" in answer.json()["error"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_no_body_is_taken_that_a_form_could_send(server: Server, kind: str) -> None:
    answers = every_request(server, {"content-type": kind})[:4]
    assert [answer.status_code for answer in answers] == [415] * 4
    for answer in answers:
        assert "Content-Type" in answer.json()["error"]


def test_a_body_that_is_compressed_is_refused_everywhere(server: Server) -> None:
    for answer in every_request(server, {"content-encoding": "gzip"})[:4]:
        assert answer.status_code == 415


def test_the_server_is_its_own_origin(server: Server) -> None:
    answers = every_request(server, {"origin": server.http})
    assert 403 not in {answer.status_code for answer in answers}
