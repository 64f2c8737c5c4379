"""What a recorder is told with the answers to its batches: what holds now, with the first batch after it was set."""

from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from tachy_server.lake.control import MAX_CONTROL_BYTES, MAX_MARK_BYTES, Control, Issued

from tests.lake.conftest import dsn_of, game, play, rows_of
from tests.model.encoder import Process
from tests.serving import Server, control_in

SECOND = 1_000_000_000
LONG = {f"{number:02}{'c' * 126}": "none" for number in range(18)}  # names of 128 bytes

JSON = {"content-type": "application/json"}


def started(server: Server) -> Process:
    """A process that the server knows."""
    process = game()
    assert server.post(process.batch()).status_code == 200
    return process


def control_of(process: Process) -> str:
    """The route of its control."""
    return f"/api/processes/{process.process_id}/control"


def put(server: Server, process: Process, **control: object) -> dict[str, Any]:
    answer = server.client.put(control_of(process), json=control)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def mark(server: Server, process: Process, reason: str) -> dict[str, Any]:
    answer = server.client.post(f"/api/processes/{process.process_id}/mark", json={"reason": reason})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def told(server: Server, process: Process) -> str | None:
    """The header of the answer to the process's next batch."""
    play(process, process.latest - process.start_ticks + 1_000, 2)
    answer = server.post(process.batch())
    assert answer.json()["status"] == "stored"
    return control_in(answer)


def pairs(header: str | None) -> dict[str, str]:
    """The header as a recorder reads it."""
    assert header is not None
    found: dict[str, str] = {}
    for pair in header.split(";"):
        key, _, value = pair.strip().partition("=")
        found[unquote(key)] = unquote(value)
    return found


def shift(server: Server, process: Process, column: str, seconds: int) -> None:
    """As if so many seconds had passed since."""
    with rows_of(server.data) as rows:
        statement = f"UPDATE controls SET {column} = {column} - %s WHERE process_id = %s"
        rows.execute(statement.encode(), (seconds * SECOND, process.process_id))


def test_a_process_that_was_told_nothing_gets_no_header(ingest_server: Server) -> None:
    process = started(ingest_server)
    put(ingest_server, started(ingest_server), level="error")
    assert told(ingest_server, process) is None
    assert ingest_server.client.get(control_of(process)).json() == {
        "version": 0,
        "level": None,
        "categories": {},
        "mode": None,
        "seconds": None,
    }


def test_every_batch_after_the_put_is_answered_with_what_holds(ingest_server: Server) -> None:
    process = started(ingest_server)
    control = {"level": "info", "categories": {"net": "debug", "game.ai": "none"}, "mode": "flight"}
    said = put(ingest_server, process, **control)
    expected = f"version={said['version']}; level=info; level.net=debug; level.game.ai=none; mode=flight"
    assert [told(ingest_server, process) for _ in range(3)] == [expected] * 3
    assert said == control | {"version": said["version"], "seconds": None}
    assert ingest_server.client.get(control_of(process)).json() == said


def test_a_batch_without_blocks_hears_it_too(ingest_server: Server) -> None:
    process = started(ingest_server)
    said = put(ingest_server, process, mode="flight")
    assert control_in(ingest_server.post(process.batch([]))) == f"version={said['version']}; mode=flight"


def test_a_batch_that_is_sent_again_hears_it_too(ingest_server: Server) -> None:
    process = game()
    batch = process.batch()
    ingest_server.post(batch)
    said = put(ingest_server, process, mode="flight")
    answer = ingest_server.post(batch)
    assert answer.json()["status"] == "known"
    assert control_in(answer) == f"version={said['version']}; mode=flight"


def test_a_refused_batch_hears_nothing(ingest_server: Server) -> None:
    process = started(ingest_server)
    put(ingest_server, process, mode="flight")
    play(process, 50_000)
    answer = ingest_server.post(process.batch()[:-8])
    assert answer.status_code == 400
    assert "Tachy-Control" not in answer.headers


def test_each_process_of_a_group_hears_its_own(ingest_server: Server) -> None:
    levels = ["fatal", "error", "warn", "info", "debug", "trace", None, None]
    processes = [started(ingest_server) for _ in levels]
    for process, level in zip(processes, levels, strict=True):
        if level is not None:
            put(ingest_server, process, level=level)
    with ThreadPoolExecutor(len(levels)) as pool:
        headers = list(pool.map(lambda process: told(ingest_server, process), processes))
    assert [None if header is None else pairs(header)["level"] for header in headers] == levels


def test_a_put_replaces_everything_and_a_delete_takes_everything_back(ingest_server: Server) -> None:
    process = started(ingest_server)
    first = put(ingest_server, process, level="info", categories={"net": "debug"}, mode="all", seconds=60)["version"]
    second = put(ingest_server, process, mode="flight")["version"]
    assert told(ingest_server, process) == f"version={second}; mode=flight"
    third = ingest_server.client.delete(control_of(process)).json()
    assert told(ingest_server, process) == f"version={third['version']}"
    assert first < second < third["version"]
    assert third == {"version": third["version"], "level": None, "categories": {}, "mode": None, "seconds": None}
    fourth = put(ingest_server, process, level="warn")["version"]
    assert third["version"] < fourth
    assert told(ingest_server, process) == f"version={fourth}; level=warn"


def test_versions_ascend_when_the_servers_data_are_made_anew(ingest_server: Server, tmp_path: Path) -> None:
    process = started(ingest_server)
    before = put(ingest_server, process, level="info")["version"]
    while time.time_ns() // SECOND <= before:
        time.sleep(0.05)
    with Server(tmp_path / "data", "--role", "ingest") as server:
        server.post(process.batch([]))
        assert put(server, process, level="info")["version"] > before


def test_another_server_on_the_same_database_tells_it_at_once(ingest_server: Server, tmp_path: Path) -> None:
    options = ("--dsn", dsn_of(ingest_server.data), "--store", str(ingest_server.data / "store"), "--role", "query")
    process = started(ingest_server)
    with Server(tmp_path / "other", *options) as other:
        for level in ("info", "warn", "error"):
            said = put(other, process, level=level)
            assert told(ingest_server, process) == f"version={said['version']}; level={level}"


def test_seconds_run_from_the_put(ingest_server: Server) -> None:
    process = started(ingest_server)
    said = put(ingest_server, process, level="info", seconds=1000)
    assert 900 < said["seconds"] <= 1000
    assert 900 < int(pairs(told(ingest_server, process))["seconds"]) <= 1000
    shift(ingest_server, process, "expires", 400)
    assert 500 < int(pairs(told(ingest_server, process))["seconds"]) <= 600


def test_what_has_expired_is_taken_back_also_from_who_never_heard_it(ingest_server: Server) -> None:
    process = started(ingest_server)
    put(ingest_server, process, level="trace")
    version = put(ingest_server, process, level="info", mode="flight", seconds=100)["version"]
    shift(ingest_server, process, "expires", 101)
    assert told(ingest_server, process) == f"version={version}"
    assert ingest_server.client.get(control_of(process)).json() == {
        "version": version,
        "level": None,
        "categories": {},
        "mode": None,
        "seconds": None,
    }


@pytest.mark.parametrize(
    ("left", "said"),
    [(60 * SECOND, "; seconds=60"), (59 * SECOND + 1, "; seconds=60"), (SECOND, "; seconds=1"), (1, "; seconds=1")],
)
def test_seconds_are_rounded_up(left: int, said: str) -> None:
    issued = Issued(7, Control(level="info"), 1_000 * SECOND, None)
    assert issued.header(1_000 * SECOND - left) == f"version=7{said}; level=info"


def test_nothing_is_in_force_when_the_time_is_up() -> None:
    issued = Issued(7, Control(level="info"), 1_000 * SECOND, "slow frame")
    assert issued.header(1_000 * SECOND) == "version=7; mark=slow%20frame"


def test_a_mark_leaves_in_force_what_is(ingest_server: Server) -> None:
    process = started(ingest_server)
    first = put(ingest_server, process, mode="flight", categories={"net": "debug"})
    said = mark(ingest_server, process, "frame 7 took 80 ms: why?")
    assert said == first | {"version": said["version"]}
    assert said["version"] > first["version"]
    assert told(ingest_server, process) == (
        f"version={said['version']}; level.net=debug; mode=flight; mark=frame%207%20took%2080%20ms%3A%20why%3F"
    )


def test_a_mark_needs_no_control(ingest_server: Server) -> None:
    process = started(ingest_server)
    said = mark(ingest_server, process, "now")
    assert told(ingest_server, process) == f"version={said['version']}; mark=now"


def test_a_mark_that_nobody_heard_is_in_the_next_version_too(ingest_server: Server) -> None:
    process = started(ingest_server)
    mark(ingest_server, process, "slow")
    said = put(ingest_server, process, mode="all")
    assert told(ingest_server, process) == f"version={said['version']}; mode=all; mark=slow"


def test_a_mark_that_was_heard_is_not_made_again_by_the_next_version(ingest_server: Server) -> None:
    process = started(ingest_server)
    mark(ingest_server, process, "slow")
    assert pairs(told(ingest_server, process))["mark"] == "slow"
    shift(ingest_server, process, "mark_time", 5)
    said = put(ingest_server, process, mode="all")
    assert told(ingest_server, process) == f"version={said['version']}; mode=all"


def test_any_text_comes_through_the_header(ingest_server: Server) -> None:
    process = started(ingest_server)
    categories = {"Game AI": "warn", "a=b; level": "none", "Länge.日本": "trace", "100%": "info", "std::io": "fatal"}
    reason = 'say "go"; mode=all\r\nX-Other: 1, ünï 🎮 +100%~_-.'
    put(ingest_server, process, categories=categories)
    mark(ingest_server, process, reason)
    header = told(ingest_server, process)
    assert header is not None
    assert header.isascii()
    found = pairs(header)
    assert found.pop("mark") == reason
    assert found.pop("version").isdigit()
    assert found == {f"level.{name}": level for name, level in categories.items()}


def test_the_header_is_never_too_long(ingest_server: Server) -> None:
    process = started(ingest_server)
    put(ingest_server, process, mode="flight", categories=LONG | {f"{number:022}": "info" for number in range(44)})
    mark(ingest_server, process, "m" * MAX_MARK_BYTES)
    header = told(ingest_server, process)
    assert header is not None
    assert MAX_CONTROL_BYTES + MAX_MARK_BYTES < len(header) <= 6 << 10


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"levels": "info"}, "There is no parameter 'levels'"),
        ({"version": 7}, "There is no parameter 'version'"),
        ({"level": "loud"}, "level must be one of fatal, error"),
        ({"level": "none"}, "level must be one of fatal, error"),
        ({"level": 3}, "level must be one of fatal, error"),
        ({"mode": "some"}, "mode must be one of all, flight"),
        ({"mode": ["all"]}, "mode must be one of all, flight"),
        ({"seconds": 0}, "seconds must be a whole number"),
        ({"seconds": -1}, "seconds must be a whole number"),
        ({"seconds": 1.5}, "seconds must be a whole number"),
        ({"seconds": True}, "seconds must be a whole number"),
        ({"seconds": "60"}, "seconds must be a whole number"),
        ({"seconds": 10**12}, "seconds must be a whole number"),
        ({"categories": ["net"]}, "categories must be an object"),
        ({"categories": {"net": "loud"}}, "the level of category net must be one of"),
        ({"categories": {"net": None}}, "Category net has no level"),
        ({"categories": {"": "info"}}, "empty part"),
        ({"categories": {"net.": "info"}}, "empty part"),
        ({"categories": {"net..http": "info"}}, "empty part"),
        ({"categories": {"a\0": "info"}}, "without NUL"),
        ({"categories": {"a\ud800": "info"}}, "without NUL"),
        ({"categories": {"c" * 129: "info"}}, "may have 128 bytes, not 129"),
        ({"categories": {"ü" * 65: "info"}}, "may have 128 bytes, not 130"),
        ({"categories": {f"c{number}": "info" for number in range(65)}}, "64 categories, not 65"),
        ({"categories": LONG | {f"{number:022}": "info" for number in range(45)}}, "too long"),
    ],
)
def test_a_control_that_cannot_be_is_refused(ingest_server: Server, body: dict[str, object], said: str) -> None:
    process = started(ingest_server)
    answer = ingest_server.client.put(control_of(process), content=json.dumps(body), headers=JSON)
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert told(ingest_server, process) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, '"reason"'),
        ({"reason": ""}, '"reason"'),
        ({"reason": 7}, '"reason"'),
        ({"reason": "a\0"}, "without NUL"),
        ({"reason": "\udfff"}, "without NUL"),
        ({"reason": "x" * (MAX_MARK_BYTES + 1)}, "too long"),
        ({"reason": "why", "mode": "all"}, "There is no parameter 'mode'"),
    ],
)
def test_a_mark_that_cannot_be_is_refused(ingest_server: Server, body: dict[str, object], said: str) -> None:
    process = started(ingest_server)
    answer = ingest_server.client.post(
        f"/api/processes/{process.process_id}/mark", content=json.dumps(body), headers=JSON
    )
    assert answer.status_code == 400
    assert said in answer.json()["error"]
    assert told(ingest_server, process) is None


def every_route(server: Server, process_id: str, query: str = "") -> list[httpx.Response]:
    path = f"/api/processes/{process_id}"
    return [
        server.client.get(f"{path}/control{query}"),
        server.client.put(f"{path}/control{query}", json={"level": "info"}),
        server.client.delete(f"{path}/control{query}"),
        server.client.post(f"{path}/mark{query}", json={"reason": "why"}),
    ]


def test_unknown_processes_parameters_and_methods_are_said_so(ingest_server: Server) -> None:
    known, unknown = str(started(ingest_server).process_id), str(uuid.uuid4())
    assert [answer.status_code for answer in every_route(ingest_server, known)] == [200] * 4
    for process_id, query, status, said in (
        (unknown, "", 404, f"There is no process {unknown}."),
        (known, "?limit=1", 400, "There is no parameter 'limit'"),
        ("latest", "", 400, "is not the UUID of a process"),
        (f"{known},{known}", "", 400, "is not the UUID of a process"),
    ):
        for answer in every_route(ingest_server, process_id, query):
            assert answer.status_code == status
            assert said in answer.json()["error"]
    assert ingest_server.client.post(f"/api/processes/{known}/control", json={}).status_code == 405
    for content in (b"", b"[]", b"{", b"\xff"):
        assert (
            ingest_server.client.put(f"/api/processes/{known}/control", content=content, headers=JSON).status_code
            == 400
        )


@pytest.mark.parametrize("state", ["exited", "crashed"])
def test_a_process_that_has_ended_is_told_nothing(ingest_server: Server, state: str) -> None:
    process = started(ingest_server)
    ingest_server.post(process.batch([], state=state))
    shown, *refused = every_route(ingest_server, str(process.process_id))
    assert shown.status_code == 200
    for answer in refused:
        assert answer.status_code == 400
        assert f"has {state}" in answer.json()["error"]
