"""A lake of its own whose clock the test has, and ways to look at it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tachy_server.base.settings import Settings
from tachy_server.lake.database import Connection, Database, create_database
from tachy_server.lake.lake import Lake
from tachy_server.lake.store import LocalStore, Store
from tachy_server.maintain.rewriting import Rewriter
from tachy_server.query.engine import QueryEngine

from tests.lake.conftest import dsn_of
from tests.lake.conftest import ingest_server as ingest_server
from tests.lake.groups import store_group
from tests.serving import Server

SECOND = 10**9
START = 1_749_999_600 * SECOND  # a whole hour
VIEWS = ("log_entries", "measures", "thread_spans", "async_events", "processes", "streams")
TABLES = ("processes", "streams", "segments", "removals", "block_days")
_MAY_CHANGE = {"block_id", "insert_time", "last_update_time"}


@dataclass
class World:
    """Batches come when the test says."""

    base: Database
    lake: Lake
    store: Any  # a Store; of most tests a LocalStore, into whose folder they look

    def store_group(self, batches: list[bytes], now: int) -> int:
        """As ingest does with one group; how many blocks were new. Refusals are raised."""
        return store_group(self.base, self.store, batches, now)

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

    def table(self, name: str) -> list[str]:
        """All of it, as JSON; of removals without the time."""
        with self.lake.connection() as connection:
            query = f"SELECT (to_jsonb(t) - 'after')::text FROM {name} AS t ORDER BY 1"
            return [text for (text,) in connection.execute(query.encode())]

    def tables(self) -> dict[str, list[str]]:
        """All that the lake's objects tell; of counts their sums. Who is killed after it has
        removed objects leaves the rows that said so.
        """
        found, there = {name: self.table(name) for name in TABLES}, self.objects()
        found["removals"] = [row for row in found["removals"] if json.loads(row)["key"] in there]
        with self.lake.connection() as connection:
            query = "SELECT insert_day::text || ' ' || sum(streams) FROM block_counts GROUP BY insert_day ORDER BY 1"
            return found | {"block_counts": [text for (text,) in connection.execute(query)]}

    def objects(self) -> set[str]:
        return {key for key, _ in self.store.objects("segments/")}


@contextmanager
def opened(server: Server, store: Store) -> Iterator[World]:
    """A lake over this store, in a new database on the PostgreSQL of `server`."""
    name = f"test_{uuid.uuid4().hex}"
    dsn = make_conninfo(dsn_of(server.data), dbname=name)
    create_database(dsn)
    base = Database(dsn, 4)
    lake = Lake(base, store)
    try:
        yield World(base, lake, store)
    finally:
        lake.close()
        base.close()
        with psycopg.connect(dsn_of(server.data), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def world(ingest_server: Server, tmp_path: Path) -> Iterator[World]:
    """Empty."""
    with opened(ingest_server, LocalStore(tmp_path / "store")) as made:
        yield made


class Killed(Exception):  # noqa: N818 - it stands for no error
    """The process ends here: nothing that it would still do is done."""


class Watched:
    """A connection of which every statement is counted."""

    def __init__(self, connection: Connection, counting: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self.execute = counting(connection.execute)
        self.cursor = counting(connection.cursor)
        self.transaction = connection.transaction


def killed_at(world: World, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the `step`th call of the store or the database on, every one fails."""
    calls = 0

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls >= step:
                raise Killed
            return function(*given, **options)

        return call

    connect = world.lake.connection

    @contextmanager
    def watched() -> Iterator[Watched]:
        with connect() as connection:
            yield Watched(connection, counting)

    for name in ("read", "put_new", "remove_all"):
        monkeypatch.setattr(world.store, name, counting(getattr(world.store, name)))
    monkeypatch.setattr(world.lake, "connection", watched)
