"""What a process says of itself cannot spoil the lists of all others."""

from __future__ import annotations

import json
import time

import pytest
from tachy_server.formats.reader import check_batch

from tests.model.encoder import Process
from tests.serving import Server

YEAR = 365 * 86_400 * 10**9


@pytest.mark.parametrize("said", [9_223_372_036_000_000_000, -(1 << 63), 0, 1, "tomorrow"])
def test_a_start_that_cannot_be_is_replaced_by_the_servers_time_and_marked(server: Server, said: int | str) -> None:
    start = time.time_ns() + 3 * 86_400 * 10**9 if isinstance(said, str) else said
    process = Process(exe="no clock", start_time=start)
    before = time.time_ns()
    assert server.post(process.batch([])).status_code == 200
    sql = (
        "SELECT arrow_cast(start_time, 'Int64'), property_get(properties, 'tachy.said_start_time'), "
        f"now() - start_time < interval '1 day' FROM processes WHERE process_id = '{process.process_id}'"
    )
    answer = server.client.post("/api/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    ((shown, marked, recent),) = answer.json()["rows"]
    assert before <= shown <= time.time_ns()
    assert (marked, recent) == (str(start), True)


def test_a_start_that_can_be_stays(server: Server) -> None:
    for start in (time.time_ns() - 20 * YEAR, time.time_ns() + 3_600 * 10**9):
        process = Process(start_time=start)
        server.post(process.batch([]))
        found = server.client.get(f"/api/processes/{process.process_id}").json()
        assert "tachy.said_start_time" not in found["properties"]


def test_the_newest_is_the_one_that_the_server_heard_of_last(server: Server) -> None:
    """Whatever the processes' clocks say."""
    heard = []
    for hours in (10, -3, 5, -9):
        process = Process(exe="clocks", start_time=time.time_ns() + hours * 3_600 * 10**9)
        server.post(process.batch([]))
        heard.append(str(process.process_id))
    listed = server.client.get("/api/processes", params={"exe": "clocks", "limit": 4}).json()["processes"]
    assert [process["process_id"] for process in listed] == heard[::-1]


@pytest.mark.parametrize(
    ("description", "what"),
    [
        ({"exe": "e" * 3_000_000}, "exe"),
        ({"username": "u" * 4097}, "username"),
        ({"properties": {f"key {i}": "v" for i in range(1025)}}, "1025 properties"),
        ({"properties": {"key": "v" * 600_000}}, "characters"),
        ({"properties": {"key": "v" * 5_000_000}}, "bytes"),
    ],
)
def test_a_description_has_bounds(server: Server, description: dict[str, object], what: str) -> None:
    answer = server.post(Process(**description).batch([]))  # type: ignore[arg-type]
    assert answer.status_code == 400
    assert what in answer.json()["error"]
    assert len(answer.json()["error"]) < 200


def test_what_a_process_says_again_is_parsed_once_and_nothing_else_of_it_is_kept() -> None:
    process = Process(exe="game")
    extra = json.dumps(process.description | {"state": "running", "x": [{}] * 100}).encode()
    first, again = (check_batch(process.batch([], description=extra)).description for _ in range(2))
    assert first is again
    assert "x" not in first
    assert first == check_batch(process.batch([])).description
    ended = check_batch(process.batch([], state="exited")).description
    assert (first["state"], ended["state"]) == ("running", "exited")
    other = Process(exe="game", properties={"long": "v" * 3000})
    assert check_batch(other.batch([])).description["properties"] == {"long": "v" * 3000}


def test_a_threads_name_has_a_bound(server: Server) -> None:
    for length, code in ((1024, 200), (1025, 400), (3_000_000, 400)):
        process = Process()
        process.thread("n" * length).message(1_000, "x")
        answer = server.post(process.batch())
        assert answer.status_code == code
        assert code == 200 or "thread's name" in answer.json()["error"]


@pytest.mark.parametrize("start", [9_223_372_036_000_000_000 - 10**10, 7_300_000_000 * 10**9, -(1 << 62), -(10**9)])
def test_times_of_no_clock_are_refused_and_fail_nobodys_arithmetic(server: Server, start: int) -> None:
    process = Process(exe="no clock", start_time=start)
    process.thread("main").message(1_000, "when?")
    answer = server.post(process.batch())
    assert answer.status_code == 400
    assert "before 1970, or after 2200" in answer.json()["error"]
    unset = Process(exe="clock never set", start_time=0)
    unset.thread("main").message(1_000, "1970")
    assert server.post(unset.batch()).status_code == 200
    sql = "SELECT max(time + interval '50 years'), min(time - interval '50 years') FROM log_entries"
    answer = server.client.post("/api/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
