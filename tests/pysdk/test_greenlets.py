"""Programs whose threads, sockets and sleep are replaced by gevent's or eventlet's: our thread stays the system's."""

from __future__ import annotations

import pytest

from tests.pysdk.programs import run
from tests.pysdk.sink import Answer, Sink

PATCH = {
    "gevent": "from gevent import monkey; monkey.patch_all()",
    "eventlet": "import warnings; warnings.simplefilter('ignore'); import eventlet; eventlet.monkey_patch()",
}
patched = pytest.mark.parametrize("library", PATCH)


def program(library: str, text: str) -> str:
    return f"{PATCH[library]}\n{text}"


RECORD = """
import logging, threading, time, tachy
logging.basicConfig(level=logging.INFO, format="%(threadName)s: %(message)s", stream=__import__("sys").stdout)
tachy.start(logging=True)
def work():
    for i in range(10):
        with tachy.span("s"):
            tachy.metric("m", i)
        time.sleep(0.001)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert tachy.flush(20)
tachy.stop(20)
assert tachy.stats().sent == tachy.stats().recorded, tachy.stats()
"""


@patched
def test_sessions_start_record_and_stop(library: str) -> None:
    with Sink(lambda number: Answer(503) if number == 0 else Answer()) as sink:
        said = run(program(library, RECORD), sink.url)
        assert sink.events() == {"span": 30, "metric": 30}
    lines = said.splitlines()
    assert [line.split(":")[0] for line in lines] == ["tachy-sender"] * 2
    assert "503" in lines[0]
    assert "answers again" in lines[1]


@patched
def test_programs_may_be_patched_after_the_start(library: str, sink: Sink) -> None:
    text = f"""
import tachy
tachy.start()
tachy.metric("before", 1)
assert tachy.flush(20)
{PATCH[library]}
import time
time.sleep(0.01)
tachy.metric("after", 1)
assert tachy.flush(20)
tachy.stop(20)
"""
    run(text, sink.url)
    assert [row["name"] for row in sink.rows("metric")] == ["before", "after"]


@patched
def test_greenlets_run_while_flush_and_stop_wait(library: str) -> None:
    """The server is a greenlet of the same program."""
    text = """
import threading, tachy
from http.server import BaseHTTPRequestHandler, HTTPServer
taken = []
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        taken.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
tachy.start(f"http://127.0.0.1:{server.server_port}")
tachy.metric("m", 1)
assert tachy.flush(20)
assert len(taken) == 1
tachy.metric("m", 2)
tachy.stop(20)
assert len(taken) == 2
assert tachy.stats().sent["metric"] == 2
"""
    run(program(library, text), "http://127.0.0.1:9")


@patched
def test_a_forked_child_of_a_patched_program_has_a_session_of_its_own(library: str, sink: Sink) -> None:
    text = """
import os, tachy
tachy.start()
tachy.metric("parent", 1)
pid = os.fork()
if pid == 0:
    tachy.start()
    tachy.metric("child", 1)
    tachy.stop(20)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
tachy.stop(20)
"""
    run(program(library, text), sink.url)
    assert {row["name"] for row in sink.rows("metric")} == {"parent", "child"}
