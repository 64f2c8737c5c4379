"""The sender: nothing is lost while the server is away, what is refused is dropped and counted, no busy loop."""

from __future__ import annotations

import itertools
import logging
import select
import socket
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import tachy
from tachy import sender
from tachy.recorder import lib
from tachy_server.formats import reader

from tests.cpp.proxy import Fault, Proxy
from tests.pysdk.sink import Answer, Sink
from tests.waiting import until


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
    session.check_parts()
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
        until(lambda: len(sink.requests) >= 2)
        assert sink.requests[1][0] - sink.requests[0][0] >= 0.95
        tachy.stop()
        assert sink.events() == {"metric": 1}


def test_retry_after_is_seconds_or_a_date() -> None:
    now = 1_000_000_000.0
    assert sender.retry_after({}, now) == 0
    assert sender.retry_after({"retry-after": "2.5"}, now) == 2.5
    assert sender.retry_after({"retry-after": formatdate(now + 7, usegmt=True)}, now) == 7
    assert sender.retry_after({"retry-after": "soon"}, now) == 0
    assert sender.retry_after({"retry-after": "Sun, 06 Nov 99999999999 08:49:37 GMT"}, now) == 0


@pytest.mark.parametrize("status", [302, 401, 403, 404, 405, 407, 408, 410, 418, 421, 425, 429, 431, 451, 500, 503])
def test_a_passing_state_of_the_way_or_the_server_costs_nothing(status: int, session_folder: Path) -> None:
    headers = {"location": "http://127.0.0.1:1/"} if status == 302 else {}
    with Sink(lambda number: Answer(status, headers) if number == 0 else Answer()) as sink:
        tachy.start(sink.url)
        tachy.metric("m", 1)
        assert tachy.flush(10)
        tachy.stop()
        assert sink.events() == {"metric": 1}
        assert [seen for _, _, seen in sink.requests][:2] == [status, 200]
    assert list(session_folder.glob("*.batch")) == []


@pytest.mark.parametrize("status", [400, 409, 411, 413, 415, 422])
def test_refused_batches_are_dropped_and_counted_with_one_warning(
    status: int, caplog: pytest.LogCaptureFixture, session_folder: Path
) -> None:
    with Sink(lambda number: Answer(status, {}, '{"error": "this is no batch"}')) as sink:
        tachy.start(sink.url)
        for _ in range(3):
            tachy.metric("m", 1)
            assert not tachy.flush(10)
        tachy.stop()
        stats = tachy.stats()
        # the metrics, and the recorder's own that tell of the loss
        assert 3 < stats.recorded["metric"] == stats.dropped["metric"] <= 3 + 4
        assert stats.sent["metric"] == 0
        assert list(session_folder.glob("*.batch")) == []
    said = [record.getMessage() for record in caplog.records if record.name == "tachy"]
    assert len(said) == 1
    assert f"{status}: this is no batch" in said[0]


class _Fails:
    """A compressor that has no memory, so many times, then the real one."""

    def __init__(self, real: Any, times: int) -> None:
        self.real = real
        self.left = times

    def compressobj(self, size: int) -> Any:
        frame = self.real.compressobj(size=size)
        return self if self.left > 0 else frame

    def compress(self, data: Any) -> bytes:
        self.left -= 1
        raise MemoryError("no memory")


@pytest.mark.parametrize("times", [1, 10**9])
def test_what_cannot_be_compressed_travels_as_it_is(times: int, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = _Fails(sender.zstandard.ZstdCompressor(level=1), times)
    monkeypatch.setattr(sender.zstandard, "ZstdCompressor", lambda level: failing)
    tachy.start(sink.url)
    for _ in range(2):
        for index in range(1000):
            tachy.metric("m", index)
        assert tachy.flush(30)
    tachy.stop()
    assert failing.left == (0 if times == 1 else times - 2)
    assert sink.events() == {"metric": 2000}
    assert tachy.stats().sent["metric"] == 2000


class _Late:
    """The recorder, whose turn comes only when the sender has been told to close."""

    def __init__(self) -> None:
        self.asked, self.closing = threading.Event(), threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(lib, name)

    def tachy_sender_begin(self, timeout_ms: int) -> int:
        self.asked.set()
        self.closing.wait(30)
        return int(lib.tachy_sender_begin(timeout_ms))

    def tachy_sender_end(self, turn: int) -> None:
        lib.tachy_sender_end(turn)
        self.closing.set()


def test_a_turn_that_comes_while_the_sender_closes_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    late = _Late()
    monkeypatch.setattr(sender, "lib", late)
    closed = sender.Sender("http://127.0.0.1:1", 1.0)
    closed.start()
    assert late.asked.wait(30)
    assert closed.close(30)
    turn = lib.tachy_sender_begin(0)
    assert turn
    lib.tachy_sender_end(turn)


def test_a_fault_of_the_program_itself_drops_nothing(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = iter([MemoryError("no memory"), RuntimeError("a bug"), RecursionError(), UnicodeError("what is this")])
    real = sender.Sender._post

    def post(self: Any, batch: Any) -> Any:
        for fault in faults:
            raise fault
        return real(self, batch)

    monkeypatch.setattr(sender.Sender, "_post", post)
    tachy.start(sink.url)
    tachy.metric("m", 1)
    while not tachy.flush(0.2):  # each ends a pause
        pass
    tachy.stop()
    assert sink.events() == {"metric": 1}
    assert tachy.stats().sent["metric"] == 1


def test_a_handler_that_raises_stops_no_sending(sink: Sink) -> None:
    class Raises(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError("a handler of the program")

    handler = Raises()
    logging.getLogger("tachy").addHandler(handler)
    try:
        sink.answers = lambda number: Answer(503 if number == 0 else 422 if number == 1 else 200)
        tachy.start(sink.url)
        for _ in range(3):
            tachy.metric("m", 1)
            tachy.flush(10)
        tachy.stop()
    finally:
        logging.getLogger("tachy").removeHandler(handler)
    assert sink.events()["metric"] >= 2
    assert tachy.stats().dropped["metric"] >= 1


def test_a_server_that_is_away_is_tried_ever_more_seldom() -> None:
    """However many batches are made meanwhile."""
    tries = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        tachy.start(f"http://127.0.0.1:{server.getsockname()[1]}", flush_ms=10)
        while len(tries) < 4:
            tachy.metric("m", 1)
            if not select.select([server], [], [], 0.01)[0]:
                continue
            connection, _ = server.accept()
            tries.append(time.monotonic())
            connection.close()
    tachy.stop(0)
    pauses = [after - before for before, after in itertools.pairwise(tries)]
    assert all(pause >= 0.125 * 2**ordinal for ordinal, pause in enumerate(pauses)), pauses


@pytest.mark.usefixtures("session_folder")
def test_a_server_that_is_away_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    tachy.start(f"http://127.0.0.1:{free_port()}", flush_ms=10)
    for _ in range(100):
        tachy.metric("m", 1)
    assert not tachy.flush(0.5)
    assert tachy.stats().dropped["metric"] == 0
    begin = time.monotonic()
    tachy.stop(0.3)
    assert time.monotonic() - begin < 2.5
    stats = tachy.stats()
    assert stats.recorded["metric"] == 100
    assert stats.kept["metric"] == 100
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


@pytest.mark.usefixtures("session_folder")
def test_a_server_that_hangs_does_not_hang_the_program() -> None:
    with Sink(lambda number: Answer(delay=5.0)) as sink:
        tachy.start(sink.url)
        tachy.metric("m", 1)
        begin = time.monotonic()
        assert not tachy.flush(0.2)
        tachy.stop(0.2)
        assert time.monotonic() - begin < 4
        stats = tachy.stats()
        assert stats.sent["metric"] + stats.kept["metric"] == stats.recorded["metric"] == 1


@pytest.mark.usefixtures("session_folder")
def test_a_wrong_address_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    tachy.start("http://does-not-exist.invalid:9000")
    tachy.metric("m", 1)
    tachy.stop(0.2)
    assert tachy.stats().kept["metric"] == 1


def test_without_a_folder_what_is_not_sent_is_dropped_and_counted() -> None:
    tachy.start(f"http://127.0.0.1:{free_port()}")
    tachy.metric("m", 1)
    tachy.stop(0.1)
    stats = tachy.stats()
    assert stats.dropped["metric"] == 1
    assert stats.unprotected == stats.batches


def test_what_waits_is_compressed_within_its_bounds_and_kept(session_folder: Path) -> None:
    with Sink(lambda number: Answer(503)) as sink:
        tachy.start(sink.url, flush_ms=10, outbox_bytes=50_000)
        for _ in range(20):
            for index in range(5000):
                tachy.metric("m", index)
            time.sleep(0.05)
            assert tachy.stats().outbox_bytes <= 50_000
        until(lambda: len(_unpacked(session_folder)) <= 3)  # what has just come, and what is in the sender's hands
        tachy.stop(0.1)
    stats = tachy.stats()
    assert stats.kept["metric"] == stats.recorded["metric"] == 100_000
    heads = [reader.check_batch(file.read_bytes()) for file in session_folder.glob("*.batch")]
    assert sum(block.events for head in heads for _, _, block in head.blocks) == 100_000


def _unpacked(folder: Path) -> list[Path]:
    files = [file for file in folder.glob("*.batch") if file.stat().st_size > 2000]
    blocks = {file: [block for _, _, block in reader.check_batch(file.read_bytes()).blocks] for file in files}
    return [file for file in files if any(block.codec == 0 for block in blocks[file])]


def test_an_end_of_a_pause_is_not_late_for_the_work_in_it() -> None:
    with Sink(lambda number: Answer(503, {"retry-after": "60"})) as sink:
        tachy.start(sink.url, flush_ms=10)
        for index in range(50_000):
            tachy.metric("m", index)
        while not sink.requests:
            time.sleep(0.01)
        begin = time.monotonic()
        tachy.stop(0.2)
        assert time.monotonic() - begin < 3


def test_whatever_an_outage_is_made_of_everything_arrives_once(session_folder: Path) -> None:
    kinds = [Answer(500), Answer(429, {"retry-after": "0.3"}), Answer(401), Answer(503, delay=0.1), Answer(302)]
    faults = [Fault(after=2000), Fault(), Fault(answer=False), Fault(after=1)]
    with Sink(lambda number: kinds[number % 5] if number < 5 else Answer()) as sink:
        with Proxy(int(sink.url.rsplit(":", 1)[1]), lambda n: faults[n % 4] if n < 6 else Fault()) as proxy:
            tachy.start(proxy.url, flush_ms=10, outbox_bytes=50_000)
            for _ in range(20):
                for index in range(2000):
                    tachy.metric("m", index)
                time.sleep(0.02)
            until(lambda: tachy.flush(0.5))  # each flush ends a pause
            tachy.stop()
        assert sink.events() == {"metric": 40_000}
        assert tachy.stats().sent["metric"] == tachy.stats().recorded["metric"] == 40_000
    assert list(session_folder.glob("*.batch")) == []


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


def test_the_server_s_answer_switches_categories_at_once() -> None:
    orders = ["version=1; level.net=none; seconds=3600", "version=1; level.net=trace", "version=2; level=loud"]

    def answers(number: int) -> Answer:
        return Answer(headers={"Tachy-Control": orders[number]} if number < len(orders) else {})

    with Sink(answers) as sink:
        tachy.start(sink.url)
        for _ in range(4):
            tachy.log("info", "general")
            with tachy.span("s", target="net.http"):
                tachy.metric("m", 1, target="net")
            assert tachy.flush(10)
        tachy.stop()
        assert sink.events() == {"log": 4, "span": 1, "metric": 1}
        stats = tachy.stats()
        assert (stats.control_version, stats.control_refused) == (1, 1)
