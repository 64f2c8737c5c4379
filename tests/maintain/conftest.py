"""A lake of its own whose clock the test has, and ways to look at it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tachy_server.base.settings import Settings
from tachy_server.formats.reader import check_batch, stream_id
from tachy_server.ingest import group_rows, group_segment, identity
from tachy_server.lake.database import Database, connect, create_database, day_of
from tachy_server.lake.lake import Lake
from tachy_server.lake.segments import segment_key
from tachy_server.lake.store import LocalStore
from tachy_server.maintain.rewriting import Rewriter
from tachy_server.query.engine import QueryEngine

from tests.lake.conftest import dsn_of
from tests.lake.conftest import ingest_server as ingest_server
from tests.serving import Server

SECOND = 10**9
START = 1_749_999_600 * SECOND  # a whole hour
VIEWS = ("log_entries", "measures", "thread_spans", "async_events", "processes", "streams")
_MAY_CHANGE = {"block_id", "insert_time", "last_update_time"}


@dataclass
class World:
    """Batches come when the test says."""

    base: Database
    lake: Lake
    store: LocalStore

    def store_group(self, batches: list[bytes], now: int) -> int:
        """As ingest does with one group; how many blocks were new. Refusals are raised."""
        heads = [check_batch(batch) for batch in batches]
        sent = [identity.Sent(head, batch) for head, batch in zip(heads, batches, strict=True)]
        with connect(self.base.dsn) as connection:
            self.base.ensure_day(connection, day_of(now))
            with connection.transaction():
                rows: dict[uuid.UUID, group_rows.ProcessRow] = {}
                for head in heads:
                    row = group_rows.ProcessRow.from_batch(head, now)
                    rows[head.process_id] = rows[head.process_id].merge(row) if head.process_id in rows else row
                known = group_rows.upsert_processes(connection, rows.values(), now)
                streams = {
                    stream_id(block.process_id, block.cls, thread.number): group_rows.StreamRow(
                        stream_id(block.process_id, block.cls, thread.number), block.process_id, block.cls,
                        thread.number, thread.name, thread.os_id,
                    )
                    for head in heads for _, _, block in head.blocks for thread in block.threads
                }  # fmt: skip
                group_rows.upsert_streams(connection, streams.values(), now)
                refused: identity.Answers = {}
                stored = identity.check_fresh(connection, self.store, sent, known, refused)
                for error in refused.values():
                    raise error
                return group_segment.store(connection, self.store, segment_key(now), sent, stored, now)

    def rewrite(self, now: int, grace: float = 900) -> int:
        """What is due at that time, with slots of ten minutes; how many segments were replaced."""
        return Rewriter(self.lake, 600, grace, clock=lambda: now).run()

    def rows(self) -> dict[str, list[str]]:
        """All rows of all views, but for what merging may change."""
        engine = QueryEngine(self.lake, Settings())
        found = {}
        for view in VIEWS:
            query = engine.plan(f"SELECT * FROM {view}")
            table = pa.Table.from_batches(list(query.batches()), query.schema)
            table = table.select([name for name in table.column_names if name not in _MAY_CHANGE])
            table = pa.table(
                [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in table.columns],
                names=table.column_names,
            )
            found[view] = sorted(map(repr, table.to_pylist()))
        return found

    def counted(self) -> tuple[int, int]:
        """Rows of the view `blocks`: as they are counted, and as they are."""
        with self.lake.snapshot() as snapshot:
            ((kept,),) = snapshot.select("SELECT coalesce(sum(streams), 0)::bigint FROM block_counts")
            return int(kept), snapshot.select_streams()[0].num_rows

    def keys(self, table: str = "segments") -> set[str]:
        with self.lake.connection() as connection:
            return {row[0] for row in connection.execute(f"SELECT key FROM {table}".encode())}

    def levels(self) -> list[int]:
        with self.lake.connection() as connection:
            return [row[0] for row in connection.execute("SELECT level FROM segments ORDER BY 1")]

    def objects(self) -> set[str]:
        return {key for key, _ in self.store.objects("segments/")}


@pytest.fixture
def world(ingest_server: Server, tmp_path: Path) -> Iterator[World]:
    """Empty; in a database of its own on the PostgreSQL of `ingest_server`."""
    name = f"test_{uuid.uuid4().hex}"
    dsn = make_conninfo(dsn_of(ingest_server.data), dbname=name)
    create_database(dsn)
    base, store = Database(dsn, 4), LocalStore(tmp_path / "store")
    lake = Lake(base, store)
    yield World(base, lake, store)
    lake.close()
    base.close()
    with psycopg.connect(dsn_of(ingest_server.data), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
