"""Signal handlers run while the program waits for the server, whatever it waits in; nothing is lost by that."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pyarrow as pa
import pytest
import tachy
from pyarrow import flight

from tests.pysdk.fake_flight import FakeFlight
from tests.pysdk.programs import run
from tests.pysdk.sink import Sink
from tests.waiting import until

HANGS = """
import os, signal, sys, threading, time, tachy
tachy.start()
for i in range(1000):
    with tachy.span("x"):
        tachy.log("info", f"m{{i}}")

class Stop(BaseException):
    pass

def handler(number, frame):
    raise Stop

if {number!r} != "SIGINT":
    signal.signal(signal.{number}, handler)
timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.{number}))
timer.start()
begin = time.monotonic()
try:
    {call}
except (Stop, KeyboardInterrupt) as error:
    took = time.monotonic() - begin
    assert took < 15, took
    print(type(error).__name__)
timer.join()
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("call", ["tachy.flush(60)", "tachy.stop(60)"])
def test_signals_end_the_waiting_and_everything_arrives_later(call: str, number: str, session_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        port = never_answers.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        said = run(HANGS.format(call=call, number=number), url, seconds=45)
    assert said.split() == ["KeyboardInterrupt" if number == "SIGINT" else "Stop"]
    with Sink(port=port) as sink:
        tachy.start(url)
        assert tachy.flush(20)
        while list(session_folder.glob("*.batch")):
            assert tachy.flush(20)
        tachy.stop()
        assert sink.events() == {"log": 1000, "span": 1000}


def test_a_handler_may_stop_the_session_that_it_interrupted(sink: Sink) -> None:
    said = run(
        """
        import os, signal, threading, tachy
        tachy.start("http://127.0.0.1:9")
        tachy.metric("m", 1)
        def handler(number, frame):
            print("handled")
            assert not tachy.flush(0)
            tachy.stop(60)
            tachy.set_process_property("key", "value")
        signal.signal(signal.SIGTERM, handler)
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM))
        timer.start()
        tachy.stop(1)
        timer.join()
        tachy.start()
        tachy.metric("m", 2)
        tachy.stop()
        """,
        sink.url,
    )
    assert said == "handled\n"
    assert sink.events()["metric"] == 1


class Raised(BaseException):
    pass


@contextmanager
def interrupted(when: threading.Event) -> Iterator[None]:
    """A signal whose handler raises, once the event is set; what is inside must end by it."""

    def handler(number: int, frame: FrameType | None) -> None:
        raise Raised

    def send() -> None:
        when.wait()
        time.sleep(0.05)  # the server has begun; the client is to be waiting
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, handler)
    sender = threading.Thread(target=send)
    sender.start()
    begin = time.monotonic()
    try:
        with pytest.raises(Raised):
            yield
        assert time.monotonic() - begin < 20
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


class Stuck(FakeFlight):
    """Never goes on behind `where`: "plan", "schema" or "batch". Knows what was stopped."""

    def __init__(self, where: str) -> None:
        super().__init__(self._answer)
        self.where = where
        self.there = threading.Event()
        self.free = threading.Event()
        self.cancelled: list[tuple[str, bytes]] = []
        self.ended = threading.Event()

    def _stick(self, where: str) -> None:
        if self.where == where:
            self.there.set()
            assert self.free.wait(60)

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        self._stick("plan")
        return super().get_flight_info(context, descriptor)

    def do_action(self, context: Any, action: Any) -> list[bytes]:
        self.cancelled.append((action.type, action.body.to_pybytes()))
        return []

    def _answer(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        self._stick("schema")
        schema = pa.schema({"n": pa.int64()})

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                yield pa.record_batch([pa.array([1])], schema=schema)
                while self.where == "batch":
                    self.there.set()
                    time.sleep(0.01)
                    yield pa.record_batch([pa.array([], pa.int64())], schema=schema)
            finally:
                self.ended.set()

        return schema, batches()

    def __exit__(self, *error: object) -> None:
        self.free.set()
        super().__exit__(*error)


def _whole(lake: tachy.client.Connection) -> None:
    lake.query("q")


def _batches(lake: tachy.client.Connection) -> None:
    for batch in lake.query_stream("q"):
        assert batch.num_rows < 2


@pytest.mark.parametrize("where", ["plan", "schema", "batch"])
@pytest.mark.parametrize("ask", [_whole, _batches])
def test_signals_end_a_query_here_and_on_the_server(where: str, ask: Callable[[Any], None]) -> None:
    with Stuck(where) as server, tachy.connect(server.uri) as lake:
        with interrupted(server.there):
            ask(lake)
        if where == "schema":
            until(lambda: len(server.cancelled) == 1)
            kind, body = server.cancelled[0]
            assert kind == "CancelFlightInfo"
            assert body[0] == 0x0A  # FlightInfo, behind its length
            info = flight.FlightInfo.deserialize(body[2 if body[1] < 0x80 else 3 :])
            assert info.endpoints[0].ticket.ticket == b"q"
        server.free.set()
        if where == "plan":  # what was planned is never asked for
            until(lambda: len(server.asked) == 1)
            assert not server.ended.wait(0.2)
        else:
            assert server.ended.wait(20)
        server.where = ""
        assert lake.query("q").num_rows == 1  # the connection lives
