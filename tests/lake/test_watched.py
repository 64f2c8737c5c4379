"""Who looks at a process makes its recorder send every second, from whichever node; for as long as he looks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from tachy_server.formats.reader import SPAN
from tachy_server.lake.lake import Lake
from tachy_server.lake.watched import FLUSH, Looks

from tests.lake.conftest import game, lake_of, play, rows_of
from tests.model.encoder import Process
from tests.serving import Server
from tests.waiting import until

HEADER = "Tachy-Control"
SECOND = 1_000_000_000


@pytest.fixture
def lake(ingest_server: Server) -> Iterator[Lake]:
    """As a node without ingest has it; nobody looks at anything, and the server has read so."""
    with rows_of(ingest_server.data) as rows:
        rows.execute("TRUNCATE watched")
    wait_until_told(ingest_server, started(ingest_server), "")
    with lake_of(ingest_server.data) as opened:
        yield opened


def started(server: Server) -> Process:
    process = game()
    assert server.post(process.batch()).status_code == 200
    return process


def told(server: Server, process: Process) -> str:
    """The header of the answer to the process's next batch."""
    play(process, process.latest - process.start_ticks + 1_000, 2)
    answer = server.post(process.batch())
    assert answer.json()["status"] == "stored"
    return str(answer.headers.get(HEADER, ""))


def wait_until_told(server: Server, process: Process, header: str) -> None:
    """Ingest asks once a second."""
    until(lambda: told(server, process) == header)


def test_who_is_looked_at_hears_it_and_nobody_else(ingest_server: Server, lake: Lake) -> None:
    looked_at, other = started(ingest_server), started(ingest_server)
    lake.select_blocks(SPAN, process_ids=[looked_at.process_id])
    wait_until_told(ingest_server, looked_at, FLUSH)
    assert told(ingest_server, other) == ""


def test_it_stands_beside_a_control(ingest_server: Server, lake: Lake) -> None:
    process = started(ingest_server)
    answer = ingest_server.client.put(f"/api/processes/{process.process_id}/control", json={"mode": "flight"})
    lake.select_blocks(SPAN, process_ids=[process.process_id])
    wait_until_told(ingest_server, process, f"version={answer.json()['version']}; mode=flight; {FLUSH}")


def test_it_ends_when_nobody_asks_any_more(ingest_server: Server, lake: Lake) -> None:
    process = started(ingest_server)
    lake.select_blocks(SPAN, process_ids=[process.process_id])
    wait_until_told(ingest_server, process, FLUSH)
    with rows_of(ingest_server.data) as rows:
        rows.execute("UPDATE watched SET until = until - %s", (30 * SECOND,))
    wait_until_told(ingest_server, process, "")


def test_a_look_at_all_processes_reaches_each(ingest_server: Server, lake: Lake) -> None:
    processes = [started(ingest_server) for _ in range(3)]
    lake.select_blocks(SPAN)
    for process in processes:
        wait_until_told(ingest_server, process, FLUSH)


def test_who_asks_for_the_past_does_not_wait_for_what_comes() -> None:
    looks, process = Looks(), uuid.uuid4()
    assert looks.news([process], time.time_ns() - 3600 * SECOND) == []
    assert looks.news([process], time.time_ns()) == [process]


def test_it_is_written_down_once_in_a_while() -> None:
    looks, process, other = Looks(), uuid.uuid4(), uuid.uuid4()
    assert looks.news([process], None) == [process]
    assert looks.news([process, other], None) == [other]
    assert looks.news(None, None) == [*looks.news([uuid.uuid4() for _ in range(1001)], None), uuid.UUID(int=0)]
