"""The sender on Windows, WinHTTP's, keeps under wine what libcurl's and the socket's keep elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cpp import windows
from tests.cpp.raw_server import RawServer, Said
from tests.cpp.test_transports import BROKEN, CLOSED, KEPT, ROUNDS, THREADS, certificate, secure
from tests.pysdk.sink import Answer, Sink

pytestmark = pytest.mark.long
ELSEWHERE = "http://tachy.invalid:9000"


def exercise(url: str, tmp_path: Path, *options: int, **env: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Runs the program; its report, what its sender counted, and what else was printed."""
    report = tmp_path / "report.json"
    program = windows.programs() / "exercise.exe"
    printed = windows.run(program, url, report, THREADS, ROUNDS, *options, env=env)
    *others, counted = printed.splitlines()
    return json.loads(report.read_text()), json.loads(counted), "\n".join(others)


@pytest.mark.parametrize("said", [pytest.param(said, id=name) for name, said in (KEPT | CLOSED).items()])
def test_answers_are_read_in_every_form_that_they_may_have(said: Said, tmp_path: Path) -> None:
    with RawServer([said] * 3) as server:
        report, _, printed = exercise(server.url, tmp_path)
        assert printed == ""
        assert sum(server.spans.values()) == report["recorded"]["span"] == report["sent"]["span"]


# What says 200 and breaks off, or goes on for ever, wine's WinHTTP takes as said: the server has read the batch.
BROKEN_EVERYWHERE = ("nothing", "no-http", "no-status", "switching")


@pytest.mark.parametrize("name", BROKEN_EVERYWHERE)
def test_what_is_no_answer_is_tried_again(name: str, tmp_path: Path) -> None:
    with RawServer([BROKEN[name]] * 2) as server:
        report, sender, printed = exercise(server.url, tmp_path)
        assert (sender["retries"], printed) == (2, "")
        assert sum(server.spans.values()) == report["recorded"]["span"] == report["sent"]["span"]


def test_everything_arrives_over_one_connection(tmp_path: Path) -> None:
    with Sink() as sink:
        report, sender, _ = exercise(sink.url.replace("//", "//some%20one:pass:wo%2Frd@"), tmp_path, 5000, 5)
        assert sink.events() == report["recorded"] == report["sent"]
        assert (sink.connections, sender["retries"], sender["error"]) == (1, 0, "")
        assert {headers["authorization"] for headers in sink.headers} == {"Basic c29tZSBvbmU6cGFzczp3by9yZA=="}
        assert {headers["user-agent"] for headers in sink.headers} == {"tachy-cpp/0.1.0"}
        assert {headers["content-type"] for headers in sink.headers} == {"application/octet-stream"}


@pytest.mark.parametrize("answer", [Answer(503), Answer(401), Answer(302, {"location": "/"}), Answer(500)])
def test_a_server_in_trouble_gets_it_later(answer: Answer, tmp_path: Path) -> None:
    with Sink(lambda number: answer if number < 2 else Answer()) as sink:
        report, sender, _ = exercise(sink.url, tmp_path)
        assert sender["retries"] == 2
        assert sink.events() == report["recorded"] == report["sent"]


def test_a_refused_batch_is_dropped_and_counted(tmp_path: Path) -> None:
    with Sink(lambda number: Answer() if number else Answer(400, body="no good")) as sink:
        report, sender, _ = exercise(sink.url, tmp_path, 2000, 30)
        assert sender["refused"] == 1
        assert sink.events()["span"] == report["sent"]["span"]
        assert report["dropped"]["span"] == report["recorded"]["span"] - report["sent"]["span"]


@pytest.mark.usefixtures("session_folder")
@pytest.mark.parametrize("hang", [True, False], ids=["hangs", "away"])
def test_stopping_takes_no_longer_than_it_may(hang: bool, tmp_path: Path) -> None:
    with Sink(lambda number: Answer(delay=20)) as sink:
        report, sender, _ = exercise(sink.url if hang else "http://127.0.0.1:1", tmp_path, 500)
        assert sender["stop"] < 2
        assert report["kept"] == report["recorded"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "127.1", "tachy.localhost"])
def test_what_goes_to_this_machine_passes_no_proxy(host: str, tmp_path: Path) -> None:
    with Sink() as sink:
        url = sink.url.replace("127.0.0.1", host)
        report, sender, _ = exercise(url, tmp_path, http_proxy="http://127.0.0.1:1", all_proxy="http://127.0.0.1:1")
        assert (report["sent"], sender["retries"]) == (report["recorded"], 0)


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_what_goes_elsewhere_passes_the_proxy_of_the_environment(variable: str, tmp_path: Path) -> None:
    with Sink() as sink:
        proxy = sink.url.replace("//", "//me:secret@")
        report, _, _ = exercise(ELSEWHERE, tmp_path, **{variable: proxy})
        assert sink.events() == report["recorded"] == report["sent"]
        assert {path for _, path, _ in sink.requests} == {f"{ELSEWHERE}/ingest/v1/batch"}
        assert {headers["proxy-authorization"] for headers in sink.headers} == {"Basic bWU6c2VjcmV0"}


@pytest.mark.usefixtures("session_folder")
@pytest.mark.parametrize("listed", ["*", "tachy.invalid", "other, .invalid", "invalid"])
def test_who_is_listed_goes_without_the_proxy(listed: str, tmp_path: Path) -> None:
    with Sink() as sink:
        report, sender, _ = exercise(ELSEWHERE, tmp_path, 2000, http_proxy=sink.url, no_proxy=listed, UNTIL_RETRIES="1")
        assert not sink.requests
        assert sender["retries"] > 0
        assert report["kept"] == report["recorded"]


@pytest.mark.usefixtures("session_folder")
def test_a_proxy_that_cannot_be_used_is_said_once(tmp_path: Path) -> None:
    report, sender, printed = exercise(ELSEWHERE, tmp_path, 2000, 30, http_proxy="socks5://127.0.0.1:1")
    reason = "the proxy that the environment names is not one of plain HTTP"
    assert printed == f"tachy: nothing can be sent: {reason}"
    assert sender["error"] == reason
    assert report["kept"] == report["recorded"]


@pytest.mark.usefixtures("session_folder")
def test_a_server_whose_certificate_nobody_trusts_gets_nothing(tmp_path: Path) -> None:
    with Sink(tls=secure(certificate(tmp_path))) as sink:
        report, sender, printed = exercise(sink.url, tmp_path, 4000, UNTIL_RETRIES="1")
        assert (len(sink.requests), printed) == (0, "")
        assert sender["error"].startswith("WinHTTP error 12157")  # so wine calls it; ERROR_WINHTTP_SECURE_CHANNEL_ERROR
        assert report["kept"] == report["recorded"]
