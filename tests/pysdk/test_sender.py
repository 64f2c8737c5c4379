"""The sender: nothing is lost while the server is away, what is refused is dropped and counted, no busy loop."""

from __future__ import annotations

import logging
import socket
import threading
import time
from email.utils import formatdate

import pytest
import tachy
from tachy import sender

from tests.pysdk.sink import Answer, Sink


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def total(counts: dict[str, int]) -> int:
    return sum(counts.values())


def test_batches_describe_the_process_and_are_compressed(session: Sink) -> None:
    tachy.set_process_property("late", "yes")
    for _ in range(5000):
        with tachy.span("work"):
            pass
    tachy.stop()
    heads = session.heads()
    description = heads[-1].description
    assert description["properties"].items() >= {"build": "test", "late": "yes"}.items()
    assert description["properties"]["python"].startswith("3.")
    assert description["sdk"].startswith("python ")
    assert description["exe"]
    assert description["process_id"] == str(tachy.stats().process_id)
    assert description["state"] == "exited"
    blocks = [block for head in heads for _, _, block in head.blocks]
    assert all(block.codec == 1 for block in blocks if block.events > 100)
    assert sum(block.stored_size for block in blocks) < 5000 * 8
    assert session.connections == 1
    assert {path for _, path, _ in session.requests} == {"/ingest/v1/batch"}


def test_flush_returns_when_the_server_has_it(session: Sink) -> None:
    tachy.metric("m", 1)
    assert tachy.flush(10)
    assert session.events() == {"metric": 1}
    assert tachy.flush(10)
    assert not tachy.flush(0) or session.events() == {"metric": 1}


def test_retries_until_it_is_taken_with_the_same_batch(caplog: pytest.LogCaptureFixture) -> None:
    statuses = [503, 500, 429, 200]

    def answers(number: int) -> Answer:
        return Answer(statuses[min(number, 3)], {"retry-after": "0"}, '{"error": "busy"}')

    with Sink(answers) as sink, caplog.at_level(logging.INFO):
        tachy.start(sink.url)
        tachy.metric("m", 1)
        assert tachy.flush(10)
        tachy.stop()
        assert [status for _, _, status in sink.requests][:4] == statuses
        assert sink.events() == {"metric": 1}
        assert tachy.stats().dropped["metric"] == 0
    said = [record.getMessage() for record in caplog.records if record.name == "tachy"]
    assert len(said) == 2
    assert "503: busy" in said[0]
    assert "answers again" in said[1]


def test_retry_after_is_obeyed_and_flush_goes_before() -> None:
    def answers(number: int) -> Answer:
        return Answer(503, {"retry-after": "1"}) if number == 0 else Answer()

    with Sink(answers) as sink:
        tachy.start(sink.url, flush_ms=10)
        tachy.metric("m", 1)
        deadline = time.monotonic() + 5
        while len(sink.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sink.requests[1][0] - sink.requests[0][0] >= 0.95
        tachy.stop()
        assert sink.events() == {"metric": 1}


def test_retry_after_is_seconds_or_a_date_and_is_bounded() -> None:
    now = 1_000_000_000.0
    assert sender.retry_after({}, now) == 0
    assert sender.retry_after({"retry-after": "2.5"}, now) == 2.5
    assert sender.retry_after({"retry-after": formatdate(now + 7, usegmt=True)}, now) == 7
    assert sender.retry_after({"retry-after": "-3"}, now) == 0
    assert sender.retry_after({"retry-after": "soon"}, now) == 0
    assert sender.retry_after({"retry-after": "1e9"}, now) == sender.LONGEST_RETRY_AFTER


def test_refused_batches_are_dropped_and_counted_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with Sink(lambda number: Answer(400, {}, '{"error": "this is no batch"}')) as sink:
        tachy.start(sink.url)
        for _ in range(3):
            tachy.metric("m", 1)
            tachy.flush(10)
        tachy.stop()
        stats = tachy.stats()
        assert stats.recorded["metric"] == stats.dropped["metric"] == 3
        assert stats.sent["metric"] == 0
    said = [record.getMessage() for record in caplog.records if record.name == "tachy"]
    assert len(said) == 1
    assert "400: this is no batch" in said[0]


def test_a_server_that_is_away_costs_little_and_loses_nothing_while_it_is(caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    tachy.start(f"http://127.0.0.1:{port}", flush_ms=10)
    for _ in range(100):
        tachy.metric("m", 1)
    cpu, wall = time.process_time(), time.monotonic()
    time.sleep(1.0)
    assert time.process_time() - cpu < 0.5 * (time.monotonic() - wall)
    assert tachy.stats().dropped["metric"] == 0
    begin = time.monotonic()
    tachy.stop(0.3)
    assert time.monotonic() - begin < 2.5
    stats = tachy.stats()
    assert stats.recorded["metric"] == 100
    assert stats.sent["metric"] + stats.dropped["metric"] == 100
    assert len([record for record in caplog.records if record.name == "tachy"]) <= 2


def test_a_server_that_comes_gets_everything() -> None:
    port = free_port()
    tachy.start(f"http://127.0.0.1:{port}", flush_ms=10)
    for index in range(1000):
        tachy.metric("m", index)
    time.sleep(0.5)
    with Sink(port=port) as late:
        assert tachy.flush(10)
        tachy.stop()
        assert late.events() == {"metric": 1000}
        assert tachy.stats().sent["metric"] == 1000


def test_a_server_that_hangs_does_not_hang_the_program() -> None:
    with Sink(lambda number: Answer(delay=5.0)) as sink:
        tachy.start(sink.url)
        tachy.metric("m", 1)
        begin = time.monotonic()
        assert not tachy.flush(0.2)
        tachy.stop(0.2)
        assert time.monotonic() - begin < 4
        stats = tachy.stats()
        assert stats.sent["metric"] + stats.dropped["metric"] == stats.recorded["metric"] == 1


def test_a_wrong_address_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    tachy.start("http://does-not-exist.invalid:9000")
    tachy.metric("m", 1)
    tachy.stop(0.2)
    assert tachy.stats().dropped["metric"] == 1


def test_sessions_one_after_the_other_have_their_own_counts(sink: Sink) -> None:
    ids = set()
    for _ in range(3):
        ids.add(tachy.start(sink.url))
        with tachy.span("s"):
            tachy.metric("m", 1)
        tachy.stop()
        assert tachy.stats().recorded == {"log": 0, "metric": 1, "span": 1}
    assert len(ids) == 3
    assert sink.events() == {"metric": 3, "span": 3}
    assert {row["thread"] for row in sink.rows("span")} == {"MainThread"}
    assert threading.active_count() == 1 + sum(t.name != "MainThread" for t in threading.enumerate())
    assert not any(thread.name == "tachy-sender" for thread in threading.enumerate())
