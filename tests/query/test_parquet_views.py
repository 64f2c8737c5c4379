"""Views of events as files: DuckDB, which has nothing of ours, reads in them what the server answers of the segments
that they cover, at every snapshot, whatever comes, is merged and is read meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tachy_server.base.settings import Settings
from tachy_server.lake import materialized
from tachy_server.lake.segments import Chosen
from tachy_server.query.engine import QueryEngine
from tachy_server.query.materialized import materializer
from tachy_server.views.declarations import VIEWS

from tests.lake.conftest import dsn_of, play
from tests.lake.duck import attached
from tests.maintain.conftest import SECOND, START, Killed, World, killed_at
from tests.maintain.conftest import ingest_server as ingest_server
from tests.maintain.conftest import world as world
from tests.maintain.test_rewriting import HOUR, later, processes, session
from tests.model.encoder import Process
from tests.query.test_materialized import Views
from tests.serving import Server

NAMES = ("log_entries", "measures")
EVENTS = "SELECT * EXCEPT (block_id, insert_time) FROM"
"""Merging blocks gives events others; files have those of the time when they were written."""


class WithFiles(Views):
    """A lake whose views of events are kept as files."""

    def __post_init__(self) -> None:
        self.engine = QueryEngine(self.world.lake, Settings(parquet_views=NAMES))

    def rows(self, sql: str, **arguments: Any) -> list[str]:
        """To the last digit: nothing is added up."""
        query = self.engine.plan(sql, **arguments)
        table = pa.Table.from_batches(list(query.batches()), query.schema)
        at = table.schema.get_field_index("time")
        return sorted(map(repr, table.set_column(at, "time", table.column(at).cast(pa.int64())).to_pylist()))

    def covered(self, name: str) -> list[str]:
        """The server's rows of the segments that the view's files cover."""
        with self.world.lake.connection() as connection:
            ids = [row.table_id for row in materialized.stored(connection) if row.name == name]
            found = connection.execute("SELECT key FROM segments WHERE covered @> %s::bigint[]", (ids,))
            keys = frozenset(key for (key,) in found) if ids else frozenset()
        blocks = self.world.lake.select_blocks(VIEWS[name].cls, chosen=Chosen(keys=keys))
        quoted = ", ".join(f"'{row.block_id}'" for row in blocks) or "''"
        return self.rows(f"{EVENTS} {name} WHERE block_id IN ({quoted})")

    def version(self) -> int:
        """The catalog's newest snapshot."""
        with self.world.lake.connection() as connection:
            ((number,),) = connection.execute("SELECT max(snapshot_id) FROM ducklake.ducklake_snapshot")
            return int(number)


def rows_of(lake: object, name: str, at: str = "") -> list[str]:
    """DuckDB's, as WithFiles.rows has them."""
    query = f"SELECT * EXCLUDE (block_id, insert_time) REPLACE (epoch_ns(time) AS time) FROM {name} {at}"
    return sorted(repr(row) for row in lake.execute(query).to_arrow_table().to_pylist())  # type: ignore[attr-defined]


@pytest.fixture
def views(world: World, monkeypatch: pytest.MonkeyPatch) -> WithFiles:
    """Its files are small."""
    monkeypatch.setattr(materializer, "FILE_ROWS", 200)
    return WithFiles(world)


def test_duckdb_reads_at_every_snapshot_what_the_server_answers(views: WithFiles) -> None:
    world, chance = views.world, random.Random(1)
    views.step(START)
    expected: dict[int, dict[str, list[str]]] = {}
    seen: list[tuple[int, dict[str, list[str]]]] = []
    over = threading.Event()

    def note() -> None:
        expected[views.version()] = {name: views.covered(name) for name in NAMES}

    def read() -> None:
        with attached(world.base.dsn, world.store.name) as lake:
            while not over.is_set():
                lake.execute("BEGIN")
                ((version,),) = lake.execute("SELECT id FROM lake.current_snapshot()").fetchall()
                seen.append((version, {name: rows_of(lake, name) for name in NAMES}))
                lake.execute("COMMIT")

    note()
    reader = threading.Thread(target=read)
    reader.start()
    try:
        playing = processes(3)
        end = session(world, playing, chance, 40, every=200)
        for now in (*range(START + 700 * SECOND, end + 2 * HOUR, 2000 * SECOND), end + 30 * HOUR):
            for process in playing:
                play(process, later(process), 5)
                world.store_group([process.batch()], min(now, end + HOUR) - 100 * SECOND)
            world.rewrite(now)
            note()
            while views.step(now) is not None:
                note()
    finally:
        over.set()
        reader.join()
    assert len({version for version, _ in seen}) > 3
    for version, found in seen:
        assert found == expected[version], version
    with attached(world.base.dsn, world.store.name) as lake:
        for version, wanted in expected.items():
            assert {name: rows_of(lake, name, f"AT (VERSION => {version})") for name in NAMES} == wanted, version
        for name in NAMES:
            assert rows_of(lake, name) == views.rows(f"{EVENTS} {name}") == views.covered(name)
    assert all(len(views.files(name)) > 1 for name in NAMES), "they are as large as files may be"


def test_files_are_merged_as_far_as_they_may_be_large(views: WithFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materializer, "FILE_ROWS", 1 << 20)
    end = session(views.world, processes(2), random.Random(2), 70, every=300)
    views.fill(end + HOUR)
    assert all(len(views.files(name)) > 1 for name in NAMES)
    views.fill(end + 30 * HOUR)
    assert {name: len(views.files(name)) for name in NAMES} == dict.fromkeys(NAMES, 1)
    with attached(views.world.base.dsn, views.world.store.name) as lake:
        sorted_by = lake.execute("SELECT name, process_id, time FROM measures").fetchall()
        assert sorted_by == sorted(sorted_by)
        times = lake.execute("SELECT time FROM log_entries").fetchall()
        assert times == sorted(times)


def test_histograms_come_before_times(views: WithFiles) -> None:
    """A file's columns are counted as Parquet has them: a struct is several."""
    views.create("""CREATE MATERIALIZED VIEW spread AS
SELECT make_histogram(0.0, 1.0, 4, value) AS spread, date_bin(INTERVAL '1 hour', time) AS hour
FROM measures WHERE name = 'load' GROUP BY 2""")
    end = session(views.world, processes(1), random.Random(5), 6)
    views.fill(end + HOUR)
    assert views.files("spread")
    query = views.engine.plan("SELECT count(*) AS n FROM spread WHERE hour >= TIMESTAMP '2025-01-01T00:00:00Z'")
    ((n,),) = [batch.column(0).to_pylist() for batch in query.batches()]
    with attached(views.world.base.dsn, views.world.store.name) as lake:
        ((rows, total),) = lake.execute("SELECT count(*), sum(spread.count) FROM spread").fetchall()
        ((values,),) = lake.execute("SELECT count(*) FROM measures WHERE name = 'load'").fetchall()
    assert n == rows
    assert total == values > 0


def test_kills_leave_rows_neither_out_nor_twice(views: WithFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    world = views.world
    end = session(world, processes(2), random.Random(3), 4)
    step = 5
    while True:
        with monkeypatch.context() as dying:
            killed_at(world, step, dying)
            try:
                done = views.step(end + 30 * HOUR)
            except Killed:
                step += 13
                continue
        if done is None:
            break
        with attached(world.base.dsn, world.store.name) as lake:
            for name in NAMES:
                assert rows_of(lake, name) == views.covered(name)
    assert step > 20
    for name in NAMES:
        assert views.covered(name) == views.rows(f"{EVENTS} {name}") != []


def test_they_go_when_they_are_no_longer_wanted(views: WithFiles) -> None:
    end = session(views.world, processes(1), random.Random(4), 6)
    views.fill(end + HOUR)
    before = {name: views.rows(f"{EVENTS} {name}") for name in NAMES}
    views.engine = QueryEngine(views.world.lake, Settings())
    views.fill(end + HOUR)
    with attached(views.world.base.dsn, views.world.store.name) as lake:
        tables = {name for (name,) in lake.execute("SHOW TABLES").fetchall()}
        assert tables == {"log_stats", "measure_stats", "span_stats"}
    assert {name: views.rows(f"{EVENTS} {name}") for name in NAMES} == before


def test_a_server_fills_them_by_itself(tmp_path: Path) -> None:
    settings = ("--rewrite-seconds", "1", "--rewrite-grace", "30", "--query-seconds", "30")
    with Server(tmp_path / "data", *settings, "--parquet-views", "log_entries,measures") as server:
        process = Process()
        play(process, 1_000, 50)
        server.post(process.batch()).raise_for_status()
        sql = "SELECT count(*) FROM measures"
        answer = server.client.post("/api/query", json={"sql": sql}).json()["rows"]
        assert until(read_often(dsn_of(server.data), sql), [tuple(answer[0])])


def read_often(dsn: str, sql: str) -> Iterator[object]:
    """What DuckDB answers, again and again."""
    while True:
        with attached(dsn) as lake:
            there = lake.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'measures'").fetchall()
            yield lake.execute(sql).fetchall() if there == [(1,)] else None
        time.sleep(0.2)


def until(found: Iterator[object], wanted: object, seconds: float = 60) -> bool:
    """Whether it is found in time."""
    deadline = time.monotonic() + seconds
    return any(one == wanted for one in found if one == wanted or time.monotonic() > deadline)
