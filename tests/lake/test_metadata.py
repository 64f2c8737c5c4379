"""What a group of batches writes, whatever the clock and the settings of PostgreSQL are."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from tachy_server.ingest.group_rows import be_durable
from tachy_server.lake.database import Database, day_of
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
        options = f"-c synchronous_commit={default}"
        with psycopg.connect(dsn, autocommit=True, options=options) as connection, connection.transaction():
            be_durable(connection)
            assert connection.execute("SHOW synchronous_commit").fetchone() == (durable,)


def test_our_own_postgresql_is_durable(ingest_server: Server) -> None:
    with rows_of(ingest_server.data) as rows:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            assert rows.execute(f"SHOW {name}".encode()).fetchone() == ("on",)
