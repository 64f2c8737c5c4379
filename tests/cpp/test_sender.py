"""Whatever the network and the server do: what was recorded arrives, once, or is counted as dropped."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tachy
from tachy import settings
from tachy_server.formats import reader

from tests.cpp.builds import programs, run
from tests.cpp.proxy import Fault, Proxy
from tests.pysdk.sink import Answer, Sink

THREADS, ROUNDS = 3, 2000


def exercise(url: str, tmp_path: Path, *options: int, rounds: int = ROUNDS) -> tuple[dict[str, Any], dict[str, Any]]:
    """Runs the program; its report and what its sender counted."""
    report = tmp_path / "report.json"
    printed = run([programs() / "exercise", url, report, str(THREADS), str(rounds), *map(str, options)], timeout=60)
    return json.loads(report.read_text()), json.loads(printed)


def check_complete(sink: Sink, report: dict[str, Any]) -> None:
    """Everything was recorded, nothing was dropped, and the server has each event once."""
    rounds = THREADS * ROUNDS
    # a frame mark's first call only starts the count
    assert report["recorded"] == {"log": 2 * rounds, "metric": 4 * rounds - THREADS, "span": 8 * rounds}
    assert report["dropped"] == {"log": 0, "metric": 0, "span": 0}
    assert report["sent"] == report["recorded"]
    assert sink.events() == report["recorded"]


def numbered(*answers: Answer) -> Any:
    """The given answers to the first requests, then 200."""
    return lambda number: answers[number] if number < len(answers) else Answer()


def test_everything_arrives_over_one_connection(tmp_path: Path) -> None:
    with Sink() as sink:
        report, sender = exercise(sink.url, tmp_path, 5000, 5)
        check_complete(sink, report)
        assert sink.connections == 1
        assert sender["retries"] == sender["refused"] == 0
        assert sender["error"] == ""
        assert {path for _, path, _ in sink.requests} == {"/ingest/v1/batch"}
        assert {block.codec for head in sink.heads() for _, _, block in head.blocks} >= {1}
        sink.check_parts()
        assert report["wire_bytes"] == sum(map(len, sink.batches))
        assert sink.heads()[-1].description["state"] == "exited"
        assert sink.heads()[-1].description["sdk"] == "cpp 0.1.0"


def test_large_bodies_are_compressed_too(tmp_path: Path) -> None:
    with Sink() as sink:
        report, _ = exercise(sink.url, tmp_path, 5000, rounds=40 * ROUNDS)
        blocks = list(sink.blocks())
    assert sink.events() == report["sent"]
    largest, _, stored = max(blocks, key=lambda block: block[0].raw_size)
    assert largest.raw_size > 1 << 20
    assert largest.codec == 1
    assert len(reader.decompress(1, stored, largest.raw_size)) == largest.raw_size


def test_events_say_what_the_program_said(tmp_path: Path) -> None:
    with Sink() as sink:
        exercise(sink.url, tmp_path)
        logs = sink.rows("log")
        assert {row["msg"] for row in logs if row["level"] == 4} == {
            f"round {i} of exercise: {100.0 * i / ROUNDS:.2f}%" for i in range(ROUNDS)
        }
        assert [row["properties"] for row in logs if row["msg"] == "plain"] == [{"thread": "some"}] * THREADS * ROUNDS
        assert {row["thread"] for row in logs} == {f"exercise {i}" for i in range(THREADS)}
        names = {row["name"] for row in sink.rows("span")}
        assert names == {"Round", "work", "First", "Second"}
        starts = [row for row in sink.rows("async") if row["event_type"] == "begin"]
        loads = {row["span_id"] for row in starts if row["name"] == "Load"}
        assert {row["parent_span_id"] for row in starts if row["name"] == "Decode"} == loads
        assert len(loads) == THREADS * ROUNDS


@pytest.mark.parametrize(
    "answers",
    [
        [Answer(500), Answer(503), Answer(502)],
        [Answer(429), Answer(408)],
        [Answer(302, {"location": "http://127.0.0.1:1/"})],
        [Answer(status) for status in (401, 403, 404, 405, 407, 410, 421, 425)],
    ],
    ids=["5xx", "429", "redirect", "way"],
)
def test_a_server_in_trouble_gets_it_later(answers: list[Answer], tmp_path: Path) -> None:
    with Sink(numbered(*answers)) as sink:
        report, sender = exercise(sink.url, tmp_path)
        check_complete(sink, report)
        assert sender["retries"] == len(answers)


def test_retry_after_is_obeyed(tmp_path: Path) -> None:
    with Sink(numbered(Answer(429, {"retry-after": "1"}))) as sink:
        report, _ = exercise(sink.url, tmp_path)
        check_complete(sink, report)
        assert sink.requests[1][0] - sink.requests[0][0] > 0.95


@pytest.mark.parametrize("status", [400, 409, 411, 413, 415, 422])
def test_a_refused_batch_is_dropped_and_counted(status: int, tmp_path: Path, session_folder: Path) -> None:
    with Sink(numbered(Answer(status, body='{"error": "not a batch"}'))) as sink:
        report, sender = exercise(sink.url, tmp_path, 5000, 5)
        assert sender["refused"] == 1
        recorded, dropped = (sum(report[key].values()) for key in ("recorded", "dropped"))
        assert dropped > 0
        assert sum(sink.events().values()) == recorded - dropped == sum(report["sent"].values())
        assert os.listdir(session_folder) == []


def test_pauses_grow_and_have_jitter(tmp_path: Path) -> None:
    with Sink(numbered(*[Answer(503)] * 6)) as sink:
        report, _ = exercise(sink.url, tmp_path)
        check_complete(sink, report)
        times = [moment for moment, _, _ in sink.requests[:7]]
        pauses = [after - before for before, after in itertools.pairwise(times)]
        assert pauses[0] >= 0.009  # half of 20 ms
        assert pauses[5] >= 0.09  # half of the limit
        assert len({round(pause, 4) for pause in pauses}) > 2


def test_an_outage_loses_nothing(tmp_path: Path) -> None:
    with Sink() as sink:
        port = int(sink.url.rsplit(":", 1)[1])
        # the first connections are cut before anything passes
        with Proxy(port, lambda n: Fault(after=1) if n < 6 else Fault()) as proxy:
            report, sender = exercise(proxy.url, tmp_path, 10000)
            check_complete(sink, report)
            assert sender["retries"] >= 6


def test_a_connection_cut_in_the_middle_of_a_body_is_tried_again(tmp_path: Path) -> None:
    with Sink() as sink:
        port = int(sink.url.rsplit(":", 1)[1])
        # less than the smallest batch: libcurl says nothing of a connection that breaks when it is used again
        with Proxy(port, lambda n: Fault(after=500) if n < 3 else Fault()) as proxy:
            report, sender = exercise(proxy.url, tmp_path)
            check_complete(sink, report)
            assert sender["retries"] >= 3


def test_a_lost_answer_does_not_make_events_twice(tmp_path: Path) -> None:
    with Sink() as sink:
        port = int(sink.url.rsplit(":", 1)[1])
        with Proxy(port, lambda n: Fault(answer=False) if n < 3 else Fault()) as proxy:
            report, _ = exercise(proxy.url, tmp_path)
            check_complete(sink, report)
        assert len(sink.requests) >= len(sink.batches) + 3  # the same ids came again


def test_whatever_an_outage_is_made_of_everything_arrives_once(tmp_path: Path, session_folder: Path) -> None:
    kinds = [
        Answer(500),
        Answer(429, {"retry-after": "1"}),
        Answer(401),
        Answer(503, delay=0.2),
        Answer(302),
        Answer(404),
    ]
    # each status again and again, with connections reset in the middle of a body or before the answer in between
    with Sink(lambda number: kinds[number % 6] if number < 18 else Answer(delay=0.01)) as sink:
        faults = [Fault(after=3000), Fault(), Fault(answer=False), Fault(after=1)]
        with Proxy(int(sink.url.rsplit(":", 1)[1]), lambda n: faults[n % 4] if n < 12 else Fault()) as proxy:
            report, sender = exercise(proxy.url, tmp_path, 20000, 5, 50000)
            check_complete(sink, report)
            assert sender["refused"] == 0
            assert report["unprotected"] == 0
    assert os.listdir(session_folder) == []


def test_what_waits_is_compressed_and_kept_when_the_program_ends(tmp_path: Path, session_folder: Path) -> None:
    with Sink(lambda number: Answer(503, body="away")) as sink:
        # for three seconds, of which the sender needs the last fraction for its own end
        report, _ = exercise(sink.url, tmp_path, 2000, 100, 100000)
    assert report["kept"] == report["recorded"]
    heads = [reader.check_batch(file.read_bytes()) for file in sorted(session_folder.glob("*.batch"))]
    assert heads[-1].description["state"] == "exited"
    events = Counter[int]()
    for head in heads:
        events.update({block.cls: block.events for _, _, block in head.blocks})
    assert list(report["kept"].values()) == [events[cls] for cls in (1, 2, 3)]
    assert {block.codec for head in heads for _, _, block in head.blocks if block.events > 100} == {1}


@pytest.mark.usefixtures("session_folder")
def test_what_was_recorded_before_there_was_a_sender_is_compressed_too() -> None:
    before, after = map(int, run([programs() / "parts", "earlier", "http://127.0.0.1:1"]).split())
    assert before > 1_000_000
    assert after < before / 4


def test_a_slow_server_gets_everything(tmp_path: Path) -> None:
    with Sink(lambda number: Answer(delay=0.3)) as sink:
        report, _ = exercise(sink.url, tmp_path, 10000)
        check_complete(sink, report)


@pytest.mark.parametrize("hang", [True, False], ids=["hangs", "away"])
@pytest.mark.usefixtures("session_folder")
def test_stopping_takes_no_longer_than_it_may(hang: bool, tmp_path: Path) -> None:
    with Sink(lambda number: Answer(delay=20 if hang else 0)) as sink:
        url = sink.url if hang else "http://127.0.0.1:1"
        report, sender = exercise(url, tmp_path, 300)
        assert 0.25 < sender["stop"] < 1.0
        # what did not arrive is counted
        assert sum(report["kept"].values()) > 0
        assert sum(report["sent"].values()) + sum(report["kept"].values()) == sum(report["recorded"].values())


def test_without_a_folder_what_is_not_sent_is_dropped_and_counted(tmp_path: Path) -> None:
    report, _ = exercise("http://127.0.0.1:1", tmp_path, 100)
    assert report["dropped"] == report["recorded"]
    assert report["unprotected"] == report["batches"] > 0


NO_URLS = [
    "",
    "ftp://127.0.0.1",
    "HTTP://127.0.0.1",
    "127.0.0.1:9000",
    "http:127.0.0.1",
    "http://",
    "http:///path",
    "http://:9000",
    "http://127.0.0.1:0",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:port",
    "http://127.0.0.1:9000?query",
    "http://127.0.0.1:9000/#fragment",
    "http://127.0.0.1: 9000",
    "http://127.0.0.1\n",
    "http://127.0.0.1\\path",
    "http://caf\u00e9.example",
    "http://[::1",
]


@pytest.mark.parametrize("url", NO_URLS)
def test_a_url_that_is_none_is_an_argument_error_in_every_language(url: str, tmp_path: Path) -> None:
    run([programs() / "exercise", url, tmp_path / "report.json", "1", "1"], status=3)
    with pytest.raises(tachy.SettingsError):
        settings.resolve("url", url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1/", "http://u:p@[::1]:1/a/b%20c;d=e,f"])
def test_every_language_takes_the_same_urls(url: str, tmp_path: Path) -> None:
    run([programs() / "exercise", url, tmp_path / "report.json", "1", "1", "1"])
    assert settings.resolve("url", url) == url.rstrip("/")


DEAD = "http://127.0.0.1:9"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "127.1", "tachy.localhost"])
def test_what_goes_to_this_machine_passes_no_proxy(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, DEAD)
    with Sink() as sink:
        report, sender = exercise(sink.url.replace("127.0.0.1", host), tmp_path)
        check_complete(sink, report)
        assert sender["retries"] == 0


def test_what_goes_elsewhere_passes_the_proxy_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink() as sink:
        monkeypatch.setenv("http_proxy", sink.url)
        report, _ = exercise("http://tachy.invalid:9000", tmp_path)
        check_complete(sink, report)
        assert {path for _, path, _ in sink.requests} == {"http://tachy.invalid:9000/ingest/v1/batch"}


def test_a_session_waits_for_a_server_that_comes_later(tmp_path: Path) -> None:
    with Sink() as sink:
        port = int(sink.url.rsplit(":", 1)[1])
        proxy = Proxy(port, lambda number: Fault())  # listens, and takes connections once it is entered
        command = [programs() / "exercise", proxy.url, tmp_path / "report.json", str(THREADS), str(ROUNDS), "10000"]
        running = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
        late = threading.Timer(0.5, proxy.__enter__)
        late.start()
        assert running.wait(30) == 0
        late.join()
        proxy.__exit__(None, None, None)
        check_complete(sink, json.loads((tmp_path / "report.json").read_text()))


def test_a_forked_child_leaves_its_parents_session_alone(tmp_path: Path) -> None:
    with Sink() as sink:
        run([programs() / "forks", sink.url], timeout=60)
        sessions = {head.process_id for head in sink.heads()}
        assert len(sessions) == 2
        assert sum(head.description["state"] == "exited" for head in sink.heads()) == 2
        assert sink.events()["span"] == 2


def test_the_server_s_answer_switches_the_program_before_the_batch_counts_as_sent(tmp_path: Path) -> None:
    off = Answer(headers={"Tachy-Control": " version=3; level.exercise=none "})
    with Sink(numbered(Answer(503, {"tachy-control": "version=1; level=loud"}), off)) as sink:
        report, _ = exercise(sink.url, tmp_path, 5000, 0, 0, 2)  # the second time after all of the first was sent
        assert (report["control_version"], report["control_refused"]) == (3, 1)
        decoded = 2 * THREADS * ROUNDS  # begins and ends of category io, which stays on
        assert report["recorded"]["span"] == 8 * THREADS * ROUNDS + decoded
        assert sink.events() == report["recorded"]
