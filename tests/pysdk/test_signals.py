"""Signal handlers run while the program waits for the server, whatever it waits in; nothing is lost by that."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import tachy

from tests.pysdk.programs import run
from tests.pysdk.sink import Sink

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
