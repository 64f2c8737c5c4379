"""What a group of batches writes, whatever the clock and the settings of PostgreSQL are."""

from __future__ import annotations

import psycopg
import pytest
from tachy_server.formats.reader import check_batch
from tachy_server.ingest.group_rows import (
    ProcessRow,
    be_durable,
    block_addresses,
    insert_blocks,
    stored_blocks,
    upsert_processes,
)
from tachy_server.lake.database import Database, day_of

from tests.lake.conftest import dsn_of, game, lake_of, rows_of
from tests.serving import Server

_BEFORE_MIDNIGHT = 1_900_022_399_999_000_000  # 2030-03-17, a day that no other test writes to
_AFTER_MIDNIGHT = _BEFORE_MIDNIGHT + 2_000_000


def test_blocks_are_found_when_groups_on_either_side_of_midnight_commit_in_the_other_order(
    ingest_server: Server,
) -> None:
    process = game()
    base = Database(dsn_of(ingest_server.data), 1)
    try:
        with rows_of(ingest_server.data) as rows:
            for now in (_AFTER_MIDNIGHT, _BEFORE_MIDNIGHT):
                base.ensure_day(rows, day_of(now))
                head = check_batch(process.batch())
                with rows.transaction():
                    since, _, _ = upsert_processes(rows, [ProcessRow.from_batch(head, now)], now)
                    places = block_addresses(head, head.blocks, "nowhere")
                    known = stored_blocks(rows, [block for _, _, block in head.blocks], since)
                    assert insert_blocks(rows, places, {"nowhere": 0}, known, now) == len(head.blocks)
                process.thread("late").log(9_000_000, "the other group", level=4)
    finally:
        base.close()
    assert day_of(_BEFORE_MIDNIGHT) < day_of(_AFTER_MIDNIGHT)
    with lake_of(ingest_server.data) as lake:
        days = {day_of(row.insert_time) for row in lake.select_blocks(1, process_ids=[process.process_id])}
    assert days == {day_of(_BEFORE_MIDNIGHT), day_of(_AFTER_MIDNIGHT)}


@pytest.mark.parametrize("days", [(_BEFORE_MIDNIGHT, _AFTER_MIDNIGHT), (_AFTER_MIDNIGHT, _BEFORE_MIDNIGHT)])
def test_a_block_that_comes_again_on_the_other_side_of_midnight_is_there_once(
    ingest_server: Server, days: tuple[int, int]
) -> None:
    process = game()
    head = check_batch(process.batch())
    places = block_addresses(head, head.blocks, "nowhere")
    inserted: list[int] = []
    base = Database(dsn_of(ingest_server.data), 1)
    try:
        with rows_of(ingest_server.data) as rows:
            for now in days:
                base.ensure_day(rows, day_of(now))
                with rows.transaction():
                    since, _, _ = upsert_processes(rows, [ProcessRow.from_batch(head, now)], now)
                    known = stored_blocks(rows, [block for _, _, block in head.blocks], since)
                    inserted.append(insert_blocks(rows, places, {"nowhere": 0}, known, now))
    finally:
        base.close()
    assert inserted == [len(head.blocks), 0]


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
