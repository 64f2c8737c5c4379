"""A query sees the lake of one moment, and of it what is visible, whichever way it asks."""

from __future__ import annotations

import os
from collections.abc import Iterator

os.environ.setdefault("TOKIO_WORKER_THREADS", "16")

import pyarrow as pa
import pytest
from tachy_server.base.errors import NotFound, StoreError
from tachy_server.base.settings import Settings
from tachy_server.lake.blocks import BlockRow
from tachy_server.lake.lake import Lake
from tachy_server.lake.snapshot import Snapshot
from tachy_server.lake.visible import Visible
from tachy_server.query.engine import QueryEngine
from tachy_server.traces.export import write_trace

from tests.lake.conftest import game, lake_of, play
from tests.model.encoder import Process
from tests.serving import Server

SPAN = 3


@pytest.fixture
def lake(ingest_server: Server) -> Iterator[Lake]:
    with lake_of(ingest_server.data) as opened:
        yield opened


@pytest.fixture
def engine(lake: Lake) -> QueryEngine:
    return QueryEngine(lake, Settings())


def send(server: Server, process: Process) -> None:
    assert server.post(process.batch()).status_code == 200


def again(server: Server, process: Process) -> None:
    """Another block of each class."""
    play(process, process.latest - process.start_ticks + 1_000, 3)
    send(server, process)


def rows(engine: QueryEngine, sql: str, visible: Visible | None = None) -> list[dict[str, object]]:
    query = engine.plan(sql) if visible is None else engine.plan(sql, visible=visible)
    found: list[dict[str, object]] = pa.Table.from_batches(list(query.batches()), query.schema).to_pylist()
    return found


def test_what_arrives_later_is_in_the_next_snapshot(lake: Lake, ingest_server: Server) -> None:
    process = game()
    send(ingest_server, process)
    with lake.snapshot() as snapshot:
        first = snapshot.select_blocks(SPAN, process_ids=[process.process_id])
        again(ingest_server, process)
        assert snapshot.select_blocks(SPAN, process_ids=[process.process_id]) == first
        assert snapshot.block_before(SPAN, process.process_id, 1 << 62) == first[-1]
    assert lake.select_blocks(SPAN, process_ids=[process.process_id])[:-1] == first


def test_a_snapshot_leaves_its_connection_as_it_was(lake: Lake) -> None:
    with pytest.raises(StoreError), lake.snapshot() as snapshot:
        snapshot.select("SELECT pg_terminate_backend(pg_backend_pid())")
    with lake.snapshot() as snapshot:
        assert snapshot.select("SHOW transaction_isolation") == [("repeatable read",)]
    with lake.connection() as connection:
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
        connection.execute("CREATE TEMPORARY TABLE writable (n integer)")


def test_all_scans_of_a_query_see_the_same_blocks(
    engine: QueryEngine, ingest_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch arrives between any two of them."""
    process = game()
    send(ingest_server, process)
    select = Snapshot.select_blocks
    arrived: list[int] = []

    def slow(self: Snapshot, *given: int, **options: object) -> list[BlockRow]:
        found = select(self, *given, **options)  # type: ignore[arg-type]
        again(ingest_server, process)
        arrived.append(len(found))
        return found

    monkeypatch.setattr(Snapshot, "select_blocks", slow)
    mine = f"process_id = '{process.process_id}'"
    one = f"SELECT count(*) AS n FROM log_entries WHERE {mine}"
    two = f"SELECT count(*) AS n FROM log_entries WHERE {mine} AND level > 0"
    blocks = f"SELECT count(DISTINCT block_id) AS n FROM log_entries WHERE {mine}"
    (found,) = rows(engine, f"SELECT a.n AS a, b.n AS b, c.n AS c FROM ({one}) a, ({two}) b, ({blocks}) c")
    assert found["a"] == found["b"]
    assert found["c"] == 1
    assert arrived == [1, 1, 1]
    assert rows(engine, blocks) == [{"n": 4}]


def test_table_functions_see_the_same_blocks(
    engine: QueryEngine, ingest_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch arrives after every selection."""
    process = game()
    send(ingest_server, process)
    select = Snapshot.select_blocks

    def slow(self: Snapshot, *given: int, **options: object) -> list[BlockRow]:
        found = select(self, *given, **options)  # type: ignore[arg-type]
        again(ingest_server, process)
        return found

    monkeypatch.setattr(Snapshot, "select_blocks", slow)
    calls = f"SELECT sum(calls) AS n FROM call_tree('{process.process_id}', NULL, NULL)"
    (found,) = rows(engine, f"SELECT a.n AS a, b.n AS b FROM ({calls}) a, ({calls}) b")
    assert found["a"] == found["b"]
    trace = f"SELECT chunk_data FROM perfetto_trace_chunks('{process.process_id}', 'all', NULL, NULL)"
    (found,) = rows(engine, f"SELECT count(*) AS n, count(DISTINCT chunk_data) AS m FROM ({trace} UNION ALL {trace})")
    assert found["n"] == 2 * int(str(found["m"])) > 0


def test_what_is_not_visible_is_nowhere(engine: QueryEngine, lake: Lake, ingest_server: Server) -> None:
    seen, hidden = Process(exe="seen"), Process(exe="hidden", properties={"secret": "100%"})
    for process in (seen, hidden):
        play(process, 1_000)
        send(ingest_server, process)
    visible = Visible("p.properties->>'secret' IS NULL AND p.exe LIKE '%en'")
    mine = f"process_id IN ('{seen.process_id}', '{hidden.process_id}')"
    views = ("log_entries", "measures", "thread_spans", "processes", "streams", "blocks")
    for view in views:
        sql = f"SELECT DISTINCT process_id FROM {view} WHERE {mine}"
        assert rows(engine, sql, visible) == [{"process_id": str(seen.process_id)}], view
        assert len(rows(engine, sql)) == 2, view
        assert rows(engine, f"SELECT count(*) AS n FROM {view}", visible) != rows(
            engine, f"SELECT count(*) AS n FROM {view}"
        )
    stream = lake.select_blocks(SPAN, process_ids=[hidden.process_id])[0]
    for call in (
        f"process_spans('{hidden.process_id}', 'both')",
        f"view_instance('log_entries', '{hidden.process_id}')",
        f"parse_block('{stream.block_id}')",
    ):
        assert rows(engine, f"SELECT 1 AS one FROM {call}"), call
        assert rows(engine, f"SELECT 1 AS one FROM {call}", visible) == [], call
    limited = lake.seen_by(visible)
    assert limited.select_blocks(SPAN, block_ids=[stream.block_id]) == []
    assert limited.block_before(SPAN, hidden.process_id, 1 << 62) is None
    assert b"".join(write_trace(limited, [seen.process_id], begin=None, end=None))
    with pytest.raises(NotFound):
        write_trace(limited, [hidden.process_id], begin=None, end=None)


def test_a_snapshot_lasts_as_long_as_whoever_joined_it(lake: Lake, ingest_server: Server) -> None:
    """A subquery, on a thread of its own, may still read when the plan that it is of has been made."""
    process = game()
    send(ingest_server, process)
    snapshot = lake.snapshot()
    with snapshot:
        first = snapshot.select_blocks(SPAN, process_ids=[process.process_id])
        assert snapshot.join()
    again(ingest_server, process)
    assert snapshot.select_blocks(SPAN, process_ids=[process.process_id]) == first
    snapshot.__exit__(None, None, None)
    assert not snapshot.join()
