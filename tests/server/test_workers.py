"""A query runs in a process that can be killed: whatever it does, it ends, and nobody else notices."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import flight
from tachy_server.base import errors
from tachy_server.query.workers import process, wire
from tachy_server.query.workers.pool import Workers, is_to_blame

from tests.model.encoder import Process
from tests.serving import Server
from tests.waiting import until

LOGS = 3_000
MEMORY = 200 << 20
SUMS = "SELECT sum(value) AS n FROM generate_series(1, 1000000000000) s(value)"
"""Never ends, and has no rows on its way."""
SLEEPLESS = "SELECT sum(a.value * b.value) AS n FROM range(0, 3000000) a(value), range(0, 3000000) b(value)"
"""Explodes, and does not yield."""
HUGE = "SELECT length(lpad('x', 1500000000)) AS n"
"""Takes 1.5 GB before there is a plan."""


@pytest.fixture(scope="module")
def game() -> Process:
    process = Process(exe="workers")
    thread = process.thread("main")
    for at in range(LOGS):
        thread.log(1_000 * at, "message %d", at)
    return process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, game: Process) -> Iterator[Server]:
    options = ("--workers", "1", "--query-memory", str(MEMORY), "--query-seconds", "60")
    with Server(tmp_path_factory.mktemp("workers") / "data", *options) as running:
        assert running.post(game.batch()).status_code == 200
        yield running


def forks(server: Server) -> tuple[psutil.Process, list[psutil.Process]]:
    """The process that forks, once it is there, and its workers."""
    found: list[psutil.Process] = []

    def alone() -> bool:
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(server.pid).children()
            found[:] = [child for child in children if "tachy_server.query_process" in child.cmdline()]
        return len(found) == 1

    until(alone)
    return found[0], found[0].children()


def worker(server: Server) -> psutil.Process:
    """The only one, once it is there and stays: one that was killed may still end, and a query that it had may have a
    process of its own.
    """
    found: list[psutil.Process] = []

    def stays() -> bool:
        found[:] = forks(server)[1]
        time.sleep(0.1)
        return len(found) == 1 and forks(server)[1] == found

    until(stays)
    return found[0]


def ask(server: Server, sql: str, **more: object) -> httpx.Response:
    return server.client.post("/api/query", json={"sql": sql, **more})


def is_busy(process: psutil.Process) -> bool:
    """Who has ended is not."""
    try:
        before = sum(process.cpu_times()[:2])
        time.sleep(0.2)
        return sum(process.cpu_times()[:2]) - before > 0.04
    except psutil.NoSuchProcess:
        return False


def is_idle(server: Server) -> bool:
    return not is_busy(worker(server))


def killed(server: Server) -> int:
    return int(server.client.get("/api/stats").json()["workers"]["killed"])


def count(game: Process) -> str:
    return f"SELECT count(*) AS n FROM log_entries WHERE process_id = '{game.process_id}'"


def test_the_front_neither_plans_nor_runs(server: Server, game: Process) -> None:
    assert ask(server, count(game)).json()["rows"] == [[LOGS]]
    loaded = Path(f"/proc/{server.pid}/maps").read_text()
    assert "pyarrow" in loaded
    assert "datafusion" not in loaded
    assert "datafusion" in Path(f"/proc/{worker(server).pid}/maps").read_text()


def test_a_worker_that_is_left_with_memory_and_no_work_is_replaced(server: Server, game: Process) -> None:
    def replaced() -> int:
        return int(server.client.get("/api/stats").json()["workers"]["replaced"])

    before, old = replaced(), worker(server).pid
    texts = "SELECT value, lpad('x', 40, 'y') AS t FROM range(0, 800000) ORDER BY t, value DESC LIMIT 700000"
    assert ask(server, f"SELECT count(*) AS n FROM ({texts})").json()["rows"] == [[700_000]]
    until(lambda: replaced() > before)
    assert worker(server).pid != old
    assert ask(server, count(game)).json()["rows"] == [[LOGS]]


def test_a_query_that_needs_too_much_memory_is_refused_and_takes_no_more(server: Server, game: Process) -> None:
    before, old = killed(server), worker(server).pid
    answer = ask(server, HUGE)
    assert (answer.status_code, "query_memory" in answer.json()["error"]) == (400, True)
    assert killed(server) == before + 1
    with flight.connect(server.flight) as client, pytest.raises(pa.ArrowCapacityError, match="query_memory"):
        client.do_get(flight.Ticket(HUGE.encode()))
    assert ask(server, count(game)).json()["rows"] == [[LOGS]]
    assert worker(server).pid != old


def test_those_beside_it_are_answered(server: Server, game: Process) -> None:
    """It is not known which of them it was: each of them runs again, alone."""
    with ThreadPoolExecutor(9) as pool:
        slow = [pool.submit(ask, server, f"{count(game)} AND length(repeat(msg, 20)) >= {at}") for at in range(8)]
        huge = pool.submit(ask, server, HUGE)
        assert [answer.result().json()["rows"] for answer in slow] == [[[LOGS]]] * 8
        assert "query_memory" in huge.result().json()["error"]


@pytest.mark.parametrize("sql", [SUMS, SLEEPLESS])
def test_a_query_that_does_not_yield_is_killed_when_its_client_leaves(server: Server, sql: str) -> None:
    before = killed(server)
    with pytest.raises(httpx.ReadTimeout):
        server.client.post("/api/query", json={"sql": sql}, timeout=1)
    until(lambda: killed(server) == before + 1)
    until(lambda: is_idle(server))


def test_a_query_that_reads_ends_by_itself(server: Server, game: Process) -> None:
    before, pid = killed(server), worker(server).pid
    logs = f"(SELECT msg FROM log_entries WHERE process_id = '{game.process_id}')"
    with flight.connect(server.flight) as client:
        reader = client.do_get(flight.Ticket(f"SELECT a.msg FROM {logs} a CROSS JOIN {logs} b".encode()))
        reader.read_chunk()
        reader.cancel()
    until(lambda: is_idle(server))
    assert (killed(server), worker(server).pid) == (before, pid)


def test_a_planned_query_survives_its_worker(server: Server, game: Process) -> None:
    with flight.connect(server.flight) as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_command(count(game).encode()))
        worker(server).kill()
        assert client.do_get(info.endpoints[0].ticket).read_all()["n"].to_pylist() == [LOGS]


def test_constants_are_answered_with_their_plan_as_often_as_they_are_asked_for(server: Server) -> None:
    with flight.connect(server.flight) as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT 1 AS n, 'x' AS t"))
        worker(server).kill()
        assert client.do_get(info.endpoints[0].ticket).read_all().to_pylist() == [{"n": 1, "t": "x"}]
        assert client.do_get(info.endpoints[0].ticket).read_all().to_pylist() == [{"n": 1, "t": "x"}]
        for _ in range(3):  # nobody fetches these
            client.get_flight_info(flight.FlightDescriptor.for_command(b"SELECT 2"))
    assert server.client.post("/api/query", json={"sql": "SELECT 3 AS n"}).json()["rows"] == [[3]]


def test_a_running_query_begins_again_when_its_worker_is_gone(server: Server) -> None:
    sql = "SELECT sum(value) AS n FROM generate_series(1, 300000000) s(value)"
    running = worker(server)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, server, sql)
        until(lambda: is_busy(running))
        running.kill()
        assert answer.result().json()["rows"] == [[300000000 * 300000001 // 2]]


def test_rows_that_were_sent_are_not_sent_again(server: Server, game: Process) -> None:
    logs = f"(SELECT msg FROM log_entries WHERE process_id = '{game.process_id}')"
    with flight.connect(server.flight) as client:
        reader = client.do_get(flight.Ticket(f"SELECT a.msg FROM {logs} a CROSS JOIN {logs} b".encode()))
        reader.read_chunk()
        worker(server).kill()
        with pytest.raises(flight.FlightUnavailableError, match="ask again"):
            reader.read_all()


def test_workers_are_forked_again_when_all_of_them_are_gone(server: Server, game: Process) -> None:
    parent, _ = forks(server)
    parent.kill()
    assert ask(server, count(game)).json()["rows"] == [[LOGS]]
    assert forks(server)[0].pid != parent.pid


def test_what_computes_leaves_the_processor_to_what_answers(server: Server) -> None:
    ask(server, "SELECT 7")
    nice: dict[str, set[int]] = {}
    for task in Path(f"/proc/{worker(server).pid}/task").iterdir():
        before, _, after = (task / "stat").read_text().rpartition(")")
        nice.setdefault(before.partition("(")[2], set()).add(int(after.split()[16]))
    usual = psutil.Process(server.pid).nice()
    assert nice.pop("tokio-rt-worker") == {min(19, usual + 10)}
    assert set.union(*nice.values()) == {usual}


def test_a_process_for_one_query_ends_with_a_query_that_is_cancelled_meanwhile() -> None:
    """Or all that have to run alone would wait for it for ever."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        forked = process.Worker(ours, alone=True)
        pool = object.__new__(Workers)
        pool._changed, pool._workers, pool._closing = threading.Condition(), [], False
        pool._fork = lambda *, alone: forked  # type: ignore[method-assign]
        run = type("Run", (), {"alone": True, "reason": errors.Cancelled("gone")})()
        with pytest.raises(errors.Cancelled), pool._changed:
            pool._take(run)
        assert forked.killed


def test_only_who_was_by_itself_is_to_blame_for_memory() -> None:
    """A cancelled query holds its memory for a moment, and leaves some behind."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for alone, others, left, found, blamed in (
            (False, 0, 0.0, 0, True),
            (False, 1, 0.0, 0, False),
            (False, 0, 5.0, 0, False),
            (False, 0, 0.5, 300, False),
            (True, 0, 5.0, 300, True),
        ):
            worker = process.Worker(ours, alone=alone)
            run = type("Run", (), {"begun": 1.0, "found": found})()
            worker.runs, worker.left = {run, *(object() for _ in range(others))}, left  # type: ignore[assignment]
            assert is_to_blame(run, worker, 1000) == blamed  # type: ignore[arg-type]


def test_the_next_look_at_a_worker_comes_before_it_is_too_large() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        grown = process.Worker(ours, alone=False)
        assert grown.seconds_until(1_000, 0, 10.0) == math.inf
        assert grown.seconds_until(1_000, 200, 10.5) == 2.0
        assert grown.seconds_until(1_000, 900, 11.0) == pytest.approx(0.5 / 7)
        assert grown.seconds_until(1_000, 800, 11.5) == math.inf


def test_a_worker_that_ends_before_it_is_ready_is_replaced_though_nobody_asks(server: Server) -> None:
    def ready() -> int:
        return int(server.client.get("/api/stats").json()["workers"]["ready"])

    def stop_next() -> psutil.Process | None:
        """The worker that comes in the place of one that is killed; None: it was ready sooner."""
        until(lambda: ready() == 1)
        old = worker(server)
        old.kill()
        until(lambda: forks(server)[1] and old not in forks(server)[1])
        with suppress(psutil.NoSuchProcess):
            (new,) = forks(server)[1]
            new.suspend()
            if not ready():
                return new
            new.resume()
        return None

    stopped = None
    while stopped is None:
        stopped = stop_next()
    time.sleep(1.5)  # since when the front looks at no worker any more
    stopped.kill()
    assert ask(server, "SELECT 7 AS n").json()["rows"] == [[7]]


@pytest.mark.parametrize("sql", [SUMS, SLEEPLESS])
def test_a_query_is_listed_and_cancelled_by_its_number(server: Server, sql: str) -> None:
    sql += f" -- {time.time_ns()}"

    def shown() -> list[dict[str, Any]]:
        return [run for run in server.client.get("/api/queries").json()["queries"] if run["sql"] == sql]

    pid = worker(server).pid
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, server, sql)
        until(shown)
        (run,) = shown()
        assert (run["who"], run["rows"], run["worker"]) == ("", 0, pid)
        began = time.monotonic()
        assert server.client.delete(f"/api/queries/{run['id']}").json()["id"] == run["id"]
        assert (answer.result().status_code, answer.result().json()) == (400, {"error": "The query was cancelled."})
        assert time.monotonic() - began < 5
    until(lambda: not shown())
    assert server.client.delete(f"/api/queries/{run['id']}").status_code == 404


def test_what_became_of_queries_can_be_asked(server: Server, game: Process) -> None:
    stamp = str(time.time_ns())
    mark = f"'{stamp}' AS mark"
    logs = f"FROM log_entries WHERE process_id = '{game.process_id}'"
    asked = {
        f"SELECT msg, {mark} {logs}": ("done", LOGS, ""),
        f"SELECT nothing, {mark}": ("failed", 0, "nothing"),
        f"SELECT {mark}, lpad('x', 1500000000)": ("limit", 0, "query_memory"),
    }
    for sql in asked:
        ask(server, sql)
    with pytest.raises(httpx.ReadTimeout):
        server.client.post("/api/query", json={"sql": f"{SUMS} WHERE '{stamp}' <> ''"}, timeout=1)
    ours = f"FROM query_log WHERE sql LIKE '%{stamp}%' AND sql NOT LIKE '%query_log%'"
    until(lambda: ask(server, f"SELECT count(*) {ours}").json()["rows"] == [[4]])
    columns = 'sql, outcome, rows, error, who, bytes, blocks, memory, worker, "begin" < "end"'
    rows = ask(server, f'SELECT {columns} {ours} ORDER BY "begin"').json()["rows"]
    for sql, outcome, count_, error, who, *_ in rows[:3]:
        assert (outcome, count_, who) == (*asked[sql][:2], "")
        assert asked[sql][2] in error
    done, _, limit, left = rows
    assert done[5] > LOGS * len("message 0")
    assert (done[6], left[1]) == (1, "cancelled")
    assert limit[7] > MEMORY
    assert all(row[8] > 0 and row[9] for row in rows)


def test_time_is_limited(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--query-seconds", "0.5", "--plan-seconds", "2") as server:
        for sql in (SUMS, SLEEPLESS):
            began = time.monotonic()
            answer = ask(server, sql)
            assert (answer.status_code, "query_seconds" in answer.json()["error"]) == (400, True)
            assert time.monotonic() - began < 5
        until(lambda: len(forks(server)[1]) == 2)
        assert ask(server, "SELECT 7").json()["rows"] == [[7]]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_the_front(tmp_path: Path, number: signal.Signals) -> None:
    server = Server(tmp_path / "data")
    server.start()
    parent, workers = forks(server)
    assert len(workers) == 2
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(lambda: httpx.post(f"{server.http}/api/query", json={"sql": SLEEPLESS}, timeout=60))
        until(lambda: any(map(is_busy, workers)))
        os.kill(server.pid, number)
        server.wait()
        if number == signal.SIGKILL:
            assert isinstance(asked.exception(), httpx.HTTPError)
        else:
            assert (asked.result().status_code, asked.result().json()) == (503, {"error": "The server is stopping."})
    _, alive = psutil.wait_procs([parent, *workers], 5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_workers_that_cannot_start_are_said(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "server")}
    command = [sys.executable, "-m", "tachy_server.serve", "--data", str(tmp_path / "data"), "--workers", "0"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert (result.returncode, "workers must be at least 1" in result.stderr) == (2, True)


@pytest.mark.long
def test_kills_at_random_lose_and_double_nothing(server: Server, game: Process) -> None:
    over = threading.Event()
    kills = 0

    def reap() -> None:
        nonlocal kills
        while not over.wait(0.2):
            with suppress(psutil.NoSuchProcess):  # the worker of a query that runs alone ends with it
                for process in forks(server)[1][:1]:
                    process.kill()
                    kills += 1

    def read(_: int) -> int:
        wrong = 0
        while kills < 40 and reaper.is_alive():
            try:
                answer = ask(server, count(game))
            except httpx.RemoteProtocolError:
                continue  # it broke off after its first bytes
            if answer.status_code == 200:
                wrong += answer.json()["rows"] != [[LOGS]]
            else:
                assert answer.status_code == 503
        return wrong

    reaper = threading.Thread(target=reap)
    reaper.start()
    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(read, range(6))) == 0
    assert kills >= 40
    over.set()
    reaper.join()
    assert ask(server, count(game)).json()["rows"] == [[LOGS]]


FRAMES = st.tuples(st.lists(st.binary(max_size=300), max_size=600), st.integers(0, 2**32 - 1), st.booleans())


@given(st.lists(FRAMES, max_size=6))
def test_frames_arrive_as_they_were_sent(frames: list[tuple[list[bytes], int, bool]]) -> None:
    ours, theirs = socket.socketpair()

    def send() -> None:
        before: list[wire.Part] = []
        for parts, rows, waits in frames:
            if waits:
                before += wire.frame(wire.CHUNK, parts, rows)
            else:
                wire.send(ours, wire.CHUNK, parts, rows, before)
                before = []
        wire.send(ours, wire.END, before=before)

    with ours, theirs:
        sender = threading.Thread(target=send)
        sender.start()
        incoming = wire.Frames(theirs)
        for parts, rows, _ in frames:
            assert incoming.receive() == (wire.CHUNK, rows, b"".join(parts))
        assert incoming.receive() == (wire.END, 0, b"")
        sender.join()
        ours.close()
        with pytest.raises(EOFError):
            incoming.receive()


@pytest.mark.parametrize("error", [errors.NotFound("no such thing"), errors.LimitError("a\nb"), errors.TookTooLong("")])
def test_errors_travel_as_what_they_are(error: errors.TachyError) -> None:
    came = wire.error_of(wire.error_text(error))
    assert (type(came), str(came)) == (type(error), str(error))


@pytest.mark.parametrize("error", [ValueError("secret"), RuntimeError("secret")])
def test_what_is_not_ours_says_nothing(error: Exception) -> None:
    came: Any = wire.error_of(wire.error_text(error))
    assert not isinstance(came, errors.TachyError)
    assert "secret" not in str(came)


@pytest.mark.parametrize("name", ["log", "error_text", "Exception", "__doc__", "annotations"])
def test_a_worker_names_no_other_class(name: str) -> None:
    assert isinstance(wire.error_of(f'["{name}", "x"]'), RuntimeError)
