"""How a process ended: what its batches say, in whatever order they come, and how long it has been silent."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tachy_server.base.settings import Settings

from tests.lake.conftest import game, play, rows_of
from tests.model.encoder import Process
from tests.serving import Server


def end_state(server: Server, process: Process) -> str:
    """As both ways of asking say."""
    sql = f"SELECT end_state FROM processes WHERE process_id = '{process.process_id}'"
    ((shown,),) = server.client.post("/api/query", json={"sql": sql}).json()["rows"]
    assert server.client.get(f"/api/processes/{process.process_id}").json()["end_state"] == shown
    return str(shown)


def batch(process: Process, state: str) -> bytes:
    """With what happened since the batch before."""
    play(process, process.latest - process.start_ticks + 1_000, 2)
    return process.batch(state=state)


def send(server: Server, process: Process, *batches: bytes, status: str = "stored") -> str:
    """Sends them, one after the other."""
    for data in batches:
        assert server.post(data).json()["status"] == status
    return end_state(server, process)


def silence(server: Server, process: Process, seconds: float) -> str:
    """As if nothing had come for so long."""
    with rows_of(server.data) as rows:
        rows.execute(
            "UPDATE processes SET last_update_time = last_update_time - %s WHERE process_id = %s",
            (int(seconds * 1e9), process.process_id),
        )
    return end_state(server, process)


@pytest.mark.parametrize("state", ["running", "exited", "crashed"])
def test_the_first_batch_may_say_any_state(server: Server, state: str) -> None:
    process = Process(exe="game")
    assert send(server, process, batch(process, state)) == state


@pytest.mark.parametrize("final", ["exited", "crashed"])
def test_running_ends(server: Server, final: str) -> None:
    process = Process(exe="game")
    assert send(server, process, batch(process, "running"), batch(process, "running")) == "running"
    assert send(server, process, batch(process, final)) == final


@pytest.mark.parametrize("final", ["exited", "crashed"])
@pytest.mark.parametrize("later", ["running", "exited", "crashed"])
def test_an_end_is_final(server: Server, final: str, later: str) -> None:
    process = Process(exe="game")
    assert send(server, process, batch(process, final), batch(process, later)) == final
    assert send(server, process, process.batch([], state=later), status="known") == final


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_batches_of_a_recovered_process_may_come_in_any_order(server: Server, order: tuple[int, ...]) -> None:
    process = Process(exe="game", properties={"build": "1"})
    batches = [batch(process, "running"), batch(process, "running")]
    process.description["properties"] = {"build": "1", "map": "e1m1"}
    batches.append(batch(process, "crashed"))
    assert send(server, process, *(batches[index] for index in order)) == "crashed"
    shown = server.client.get(f"/api/processes/{process.process_id}").json()
    assert shown["properties"] == {"build": "1", "map": "e1m1"}


def test_older_blocks_that_are_recovered_do_not_turn_back_its_end(server: Server) -> None:
    process = Process(exe="game")
    old, new = batch(process, "crashed"), batch(process, "running")
    assert send(server, process, new) == "running"
    newest = server.client.get(f"/api/processes/{process.process_id}").json()["last_block_end_time"]
    assert send(server, process, old) == "crashed"
    assert server.client.get(f"/api/processes/{process.process_id}").json()["last_block_end_time"] == newest


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_a_recovery_says_counts_though_newer_blocks_have_come(server: Server, order: tuple[int, int]) -> None:
    process = Process(exe="game")
    batches = []
    for properties, state in [({"build": "1", "crash-kind": "hang"}, "crashed"), ({"build": "1"}, "running")]:
        process.description["properties"] = properties
        batches.append(batch(process, state))
    assert send(server, process, *(batches[index] for index in order)) == "crashed"
    shown = server.client.get(f"/api/processes/{process.process_id}").json()
    assert shown["properties"] == {"build": "1", "crash-kind": "hang"}


@pytest.mark.parametrize("states", [("running", "crashed"), ("crashed", "running"), ("exited", "running")])
def test_an_end_holds_within_a_group_too(tmp_path: Path, states: tuple[str, str]) -> None:
    process = game()
    batches = []
    for state in states:
        process.description["properties"] = {"said": state}
        batches.append(batch(process, state))
    with Server(tmp_path / "data", "--commit-wait", "2000") as server:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(server.post, batches))
        assert server.client.get("/api/stats").json()["ingest"]["groups"] == 1
        assert end_state(server, process) in ("exited", "crashed")
        shown = server.client.get(f"/api/processes/{process.process_id}").json()
        assert shown["properties"]["said"] == shown["end_state"]


def test_a_silent_process_is_lost_until_it_is_heard_of_again(server: Server) -> None:
    process = Process(exe="game")
    lost_after = Settings().lost_after
    assert send(server, process, batch(process, "running")) == "running"
    assert silence(server, process, lost_after / 2) == "running"
    assert silence(server, process, lost_after) == "lost"
    assert send(server, process, batch(process, "running")) == "running"
    assert silence(server, process, lost_after + 1) == "lost"
    assert send(server, process, process.batch([])) == "running"


@pytest.mark.parametrize("final", ["exited", "crashed"])
def test_a_lost_process_ends_as_its_last_batch_says(server: Server, final: str) -> None:
    process = Process(exe="game")
    send(server, process, batch(process, "running"))
    assert silence(server, process, Settings().lost_after + 1) == "lost"
    assert send(server, process, batch(process, final)) == final
    assert silence(server, process, 10 * Settings().lost_after) == final
