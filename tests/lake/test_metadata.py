"""What a group of batches writes, whatever the clock and the settings of PostgreSQL are."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from tachy_server.base.errors import StoreError, TachyError
from tachy_server.base.settings import Settings
from tachy_server.formats.reader import check_batch
from tachy_server.ingest import group_rows
from tachy_server.ingest import ingest as ingest_module
from tachy_server.ingest.group_rows import (
    Known,
    Overtaken,
    ProcessRow,
    is_stored,
    read_processes,
    store_processes,
)
from tachy_server.ingest.ingest import Ingest, Receipt, Status
from tachy_server.lake.database import Connection, Database, connect, day_of
from tachy_server.lake.store import LocalStore

from tests.lake.conftest import dsn_of, game, lake_of, play, rows_of
from tests.lake.groups import store_group
from tests.model.encoder import Process
from tests.serving import Server

_BEFORE_MIDNIGHT = 1_900_022_399_999_000_000  # 2030-03-17, a day that no other test writes to
_AFTER_MIDNIGHT = _BEFORE_MIDNIGHT + 2_000_000


def stored(server: Server, process: Process, now: int) -> int:
    """A group of one batch, as if it came at that time; how many of its blocks are new."""
    base = Database(dsn_of(server.data), 1)
    try:
        return store_group(base, LocalStore(server.data / "store"), [process.batch()], now)
    finally:
        base.close()


def test_blocks_are_found_when_groups_on_either_side_of_midnight_commit_in_the_other_order(
    ingest_server: Server,
) -> None:
    process = game()
    for now in (_AFTER_MIDNIGHT, _BEFORE_MIDNIGHT):
        assert stored(ingest_server, process, now) in (3, 1)
        process.thread("late").log(9_000_000, "the other group", level=4)
    assert day_of(_BEFORE_MIDNIGHT) < day_of(_AFTER_MIDNIGHT)
    with lake_of(ingest_server.data) as lake:
        days = {day_of(row.insert_time) for row in lake.select_blocks(1, process_ids=[process.process_id])}
    assert days == {day_of(_BEFORE_MIDNIGHT), day_of(_AFTER_MIDNIGHT)}


@pytest.mark.parametrize("days", [(_BEFORE_MIDNIGHT, _AFTER_MIDNIGHT), (_AFTER_MIDNIGHT, _BEFORE_MIDNIGHT)])
def test_a_block_that_comes_again_on_the_other_side_of_midnight_is_there_once(
    ingest_server: Server, days: tuple[int, int]
) -> None:
    process_id = uuid.uuid4()

    def same() -> Process:
        process = Process(process_id=process_id)
        play(process, 1_000)
        return process

    assert [stored(ingest_server, same(), now) for now in days] == [3, 0]
    with lake_of(ingest_server.data) as lake:
        assert len(lake.select_blocks(1, process_ids=[process_id])) == 1


def test_a_commit_is_on_disk_even_where_the_default_says_otherwise(ingest_server: Server) -> None:
    dsn = dsn_of(ingest_server.data)
    for default, durable in (("off", "on"), ("local", "local"), ("on", "on")):
        for hold in (False, True):
            row = ProcessRow.from_batch(check_batch(game().batch()), _BEFORE_MIDNIGHT)
            with connect(make_conninfo(dsn, options=f"-c synchronous_commit={default}")) as connection:
                with connection.transaction():
                    read_processes(connection, [row], _BEFORE_MIDNIGHT, hold=hold)
                    assert connection.execute("SHOW synchronous_commit").fetchone() == (durable,)
                assert connection.execute("SHOW synchronous_commit").fetchone() == (default,)


def test_our_own_postgresql_is_durable(ingest_server: Server) -> None:
    with rows_of(ingest_server.data) as rows:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            assert rows.execute(f"SHOW {name}".encode()).fetchone() == ("on",)


def test_a_row_that_was_written_since_it_was_read_begins_the_group_again(ingest_server: Server) -> None:
    """Nothing of the group is written then: its object comes after the processes' rows."""
    process = game()
    ingest_server.post(process.batch())
    play(process, 9_000_000)
    batch = process.batch()
    head = check_batch(batch)
    row = ProcessRow.from_batch(head, _BEFORE_MIDNIGHT)
    heads = [block for _, _, block in head.blocks]
    with connect(dsn_of(ingest_server.data)) as connection:
        known = read_processes(connection, [row], _BEFORE_MIDNIGHT, hold=False)
        assert ingest_server.post(batch).json()["status"] == "stored"
        with pytest.raises(Overtaken):
            store_processes(connection, [row], heads, known, _BEFORE_MIDNIGHT)
        known = read_processes(connection, [row], _BEFORE_MIDNIGHT, hold=True)
        assert all(is_stored(block, known[process.process_id].numbers) for block in heads)
        version, (text,) = store_processes(connection, [row], heads, known, _BEFORE_MIDNIGHT)
        assert str(process.process_id) in text
        assert f'"version": {version}' in text


def test_who_is_overtaken_holds_the_rows_the_next_time(
    ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not overtaken again, however many others there are."""
    base, tries = Database(dsn_of(ingest_server.data), 2), list[bool]()
    read = group_rows.read_processes

    def overtaken(connection: Connection, rows: list[ProcessRow], now: int, *, hold: bool) -> dict[uuid.UUID, Known]:
        tries.append(hold)
        rows = list(rows)
        found = read(connection, rows, now, hold=hold)
        if not hold:
            with connect(base.dsn) as other:
                other.execute("UPDATE processes SET username = 'x' WHERE process_id = ANY(%s)", (list(found),))
        return found

    process = game()
    ingest_server.post(process.batch())
    play(process, 9_000_000)
    monkeypatch.setattr(group_rows, "read_processes", overtaken)
    store = LocalStore(tmp_path / "store")
    ingest = Ingest(Settings(), base, store)
    try:
        receipt = asyncio.run(ingest.submit(process.batch()))
    finally:
        ingest.close()
        base.close()
    assert receipt.status is Status.STORED
    assert tries == [False, True]
    assert len(list(store.objects("segments/"))) == 1


def test_who_waits_for_another_servers_rows_keeps_nobody_else_waiting(
    ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, store = Database(dsn_of(ingest_server.data), 2), LocalStore(tmp_path / "store")
    shared, other = game(), game()
    for process in (shared, other):
        ingest_server.post(process.batch())
        play(process, 9_000_000)
    monkeypatch.setattr(ingest_module, "_LOCK_SECONDS", 0.2)
    ingest = Ingest(Settings(commit_wait=200), base, store)

    async def both() -> list[Receipt | BaseException]:
        sent = [ingest.submit(process.batch()) for process in (shared, other, game())]
        return await asyncio.gather(*sent, return_exceptions=True)

    try:
        with connect(base.dsn) as elsewhere, elsewhere.transaction():
            elsewhere.execute("UPDATE processes SET username = 'x' WHERE process_id = %s", (shared.process_id,))
            refused, stored, new = asyncio.run(both())
        again = asyncio.run(ingest.submit(shared.batch()))
    finally:
        ingest.close()
        base.close()
    assert isinstance(refused, StoreError)
    assert str(shared.process_id) in str(refused)
    assert isinstance(stored, Receipt)
    assert stored.status is again.status is Status.STORED
    assert isinstance(new, StoreError)  # nobody can tell it from one that the other server adds just now


def test_what_several_batches_say_of_their_process() -> None:
    """The last word is the end's, then the latest; a batch without blocks counts as the latest."""
    first = ProcessRow.from_batch(check_batch(game().batch()), _BEFORE_MIDNIGHT)

    def said(state: str, end: int | None, number: int) -> ProcessRow:
        return replace(first, state=state, end_time=end, end_ticks=end, properties={"n": str(number)})

    for rows, state, end, number in (
        ([said("running", 5, 1), said("running", 3, 2)], "running", 5, 1),
        ([said("running", 5, 1), said("running", 5, 2)], "running", 5, 2),
        ([said("running", 5, 1), said("running", None, 2)], "running", 5, 2),
        ([said("crashed", 5, 1), said("running", 9, 2)], "crashed", 9, 1),
        ([said("crashed", 5, 1), said("exited", 7, 2), said("running", 6, 3)], "crashed", 7, 2),
        ([said("running", 5, 1), said("exited", None, 2), said("exited", 10, 3)], "exited", 10, 2),
    ):
        (one,) = group_rows.merged(rows)
        assert (one.state, one.end_time, one.end_ticks, one.properties) == (state, end, end, {"n": str(number)})


def test_an_answer_that_fails_costs_no_other_of_its_group_its_own(ingest_server: Server, tmp_path: Path) -> None:
    base = Database(dsn_of(ingest_server.data), 2)
    ingest = Ingest(Settings(commit_wait=200), base, LocalStore(tmp_path / "store"))

    def fail(_: Receipt | TachyError) -> None:
        raise RuntimeError("the handler is closed")

    async def both() -> Receipt | TachyError:
        answered: asyncio.Future[Receipt | TachyError] = asyncio.get_running_loop().create_future()
        ingest.take(game().batch(), {}, fail)
        ingest.take(game().batch(), {}, answered.set_result)
        return await asyncio.wait_for(answered, 30)

    try:
        receipt = asyncio.run(both())
        assert ingest.stats()["groups"] == 1
    finally:
        ingest.close()
        base.close()
    assert isinstance(receipt, Receipt)
    assert receipt.status is Status.STORED
