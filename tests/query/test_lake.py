"""The same engine on the real lake: blocks in segments, metadata in PostgreSQL."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pyarrow as pa
import pytest
from tachy_server.formats import reader

from tests.model.encoder import Process
from tests.query.conftest import World, play
from tests.query.fake_lake import FakeLake
from tests.serving import Server


class Sent(World):
    """A world whose batches also go to the real server, and whose questions are asked there."""

    def __init__(self, server: Server) -> None:
        super().__init__(FakeLake(), None)  # type: ignore[arg-type]
        self.server = server

    def send(self, process: Process, **options: Any) -> None:
        state = options.pop("state", "running")
        blocks = process.blocks(**options)
        self.blocks += [(process, block) for block in blocks]
        answer = self.server.post(process.batch(blocks, state=state))
        assert answer.status_code == 200, answer.text

    def query(self, sql: str, **options: Any) -> pa.Table:
        body = {"sql": sql, "format": "arrow", **{key: str(value) for key, value in options.items()}}
        answer = self.server.client.post("/api/query", json=body)
        assert answer.status_code == 200, answer.text
        return pa.ipc.open_stream(answer.content).read_all()


@pytest.fixture(scope="module")
def sent(server: Server) -> Sent:
    world = Sent(server)
    play(world, seed=7)
    return world


def _mine(world: World, column: str = "process_id") -> str:
    return f"{column} IN ({', '.join(repr(str(process.process_id)) for process in world.processes)})"


def test_every_acknowledged_event_is_a_row(sent: Sent) -> None:
    mine = _mine(sent)
    kinds = {"log_entries": "logs", "measures": "metrics", "async_events": "async_events"}
    for view, kind in kinds.items():
        assert sent.value(f"SELECT count(*) FROM {view} WHERE {mine}") == len(sent.of(kind))
    assert sent.value(f"SELECT count(*) FROM thread_spans WHERE {mine} AND NOT is_open") == len(sent.of("spans"))
    assert sent.value(f"SELECT count(*) FROM thread_spans WHERE {mine} AND is_open") == 2


def test_a_range_finds_open_spans_whose_block_lies_after_it(sent: Sent) -> None:
    process = sent.processes[0]
    early = process.start_time + 1_001
    sql = f"SELECT name, is_open FROM thread_spans WHERE process_id = '{process.process_id}' AND name = 'Session'"
    assert sent.rows(sql, begin=early, end=early) == [{"name": "Session", "is_open": True}]
    assert sent.rows(sql, end=process.start_time) == []
    stream = reader.stream_id(process.process_id, 3, 1)
    rows = sent.rows(
        f"SELECT name FROM view_instance('thread_spans', '{stream}') WHERE is_open", begin=early, end=early
    )
    assert rows == [{"name": "Session"}]


def test_processes_say_what_they_are_and_how_they_ended(sent: Sent) -> None:
    over = Process(exe="over", properties={"a": "b"}, parent=sent.processes[0].process_id)
    over.thread("main").message(5, "bye")
    Sent(sent.server).send(over, state="exited")  # the world that all share stays as it is
    rows = sent.rows(f"SELECT * FROM processes WHERE process_id = '{over.process_id}'")
    assert len(rows) == 1
    row = rows[0]
    assert (row["exe"], row["username"], row["computer"], row["end_state"]) == ("over", "player", "pc", "exited")
    assert json.loads(row["properties"]) == {"a": "b"}
    assert row["start_time"] == over.start_time
    assert row["parent_process_id"] == str(sent.processes[0].process_id)
    assert row["tsc_frequency"] == 1_000_000_000
    states = sent.rows(f"SELECT end_state FROM processes WHERE {_mine(sent)}")
    assert [row["end_state"] for row in states] == ["running", "running"]


def test_streams_have_tags_and_names(sent: Sent) -> None:
    process = sent.processes[0]
    rows = sent.rows(f"SELECT * FROM streams WHERE process_id = '{process.process_id}'")
    got = {(row["tags"][0], json.loads(row["properties"])["thread-name"]): row["stream_id"] for row in rows}
    expected = {
        (tag, name): str(reader.stream_id(process.process_id, cls, number))
        for cls, tag in ((1, "log"), (2, "metrics"), (3, "cpu"))
        for number, name in ((1, "main"), (2, "worker"))
        if (tag, name) != ("log", "worker")
    }
    assert got == expected
    found = sent.rows(
        f"SELECT stream_id FROM streams WHERE process_id = '{process.process_id}' "
        "AND array_position(tags, 'cpu') IS NOT NULL"
    )
    assert len(found) == 2
    assert sent.rows(
        f"SELECT thread_name FROM thread_spans WHERE stream_id = '{expected['cpu', 'worker']}' LIMIT 1"
    ) == [{"thread_name": "worker"}]


def test_blocks_have_a_row_per_stream(sent: Sent) -> None:
    process = sent.processes[1]
    rows = sent.rows(f"SELECT * FROM blocks WHERE process_id = '{process.process_id}' AND \"streams.tags\"[1] = 'cpu'")
    blocks = {
        str(reader.block_id(process.process_id, 3, block.sequence)): block
        for owner, block in sent.blocks
        if owner is process and block.cls == 3
    }
    assert {row["block_id"] for row in rows} == set(blocks)
    heads = {key: reader.read_head(block.data) for key, block in blocks.items()}
    for key, head in heads.items():
        mine = [row for row in rows if row["block_id"] == key]
        assert sum(row["nb_objects"] for row in mine) == head.events
        assert sum(row["payload_size"] for row in mine) == head.stored_size
        assert sum(row["dropped"] for row in mine) == head.dropped
        for row in mine:
            thread = next(
                t for t in head.threads if str(reader.stream_id(process.process_id, 3, t.number)) == row["stream_id"]
            )
            assert (row["begin_time"], row["end_time"]) == (thread.begin_utc, thread.end_utc)
            assert row["object_offset"] == thread.first
            assert row["processes.exe"] == "game1"
    middle = heads[next(iter(heads))].end_utc
    found = sent.rows(f"SELECT * FROM blocks WHERE process_id = '{process.process_id}'", end=middle)
    assert all(row["begin_time"] <= middle for row in found)
    assert 0 < len(found) < len(sent.rows(f"SELECT * FROM blocks WHERE process_id = '{process.process_id}'"))


def test_metadata_is_filtered_by_what_the_query_says(sent: Sent) -> None:
    mine = _mine(sent)
    assert sent.value(f"SELECT count(*) FROM processes WHERE {mine}") == 2
    assert sent.value(f"SELECT count(*) FROM processes WHERE {mine} AND exe = 'game1'") == 1
    assert sent.value(f"SELECT count(*) FROM processes WHERE {mine}", end=sent.processes[0].start_time - 1) == 0
    assert sent.value(f"SELECT count(*) FROM processes WHERE process_id = '{uuid.uuid4()}'") == 0
    assert sent.value("SELECT count(*) FROM streams WHERE process_id = 'nothing'") == 0
    rows = sent.rows(
        "SELECT p.exe, count(*) AS n FROM blocks b JOIN processes p ON b.process_id = p.process_id "
        f"JOIN streams s ON b.stream_id = s.stream_id WHERE {_mine(sent, 'b.process_id')} GROUP BY p.exe ORDER BY p.exe"
    )
    assert rows == [{"exe": "game0", "n": 15}, {"exe": "game1", "n": 15}]


@pytest.mark.parametrize("types", ["thread", "async", "both", "all"])
def test_perfetto_chunks_make_a_trace_of_what_is_asked_for(sent: Sent, types: str) -> None:
    process = sent.processes[0]
    sql = (
        f"SELECT chunk_id, chunk_data FROM perfetto_trace_chunks('{process.process_id}', '{types}', "
        "TIMESTAMP '2020-01-01T00:00:00+00:00', TIMESTAMP '2030-01-01T00:00:00+00:00')"
    )
    rows = sent.rows(sql)
    assert [row["chunk_id"] for row in rows] == list(range(len(rows)))
    from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as protos

    trace = protos.Trace()
    trace.ParseFromString(b"".join(row["chunk_data"] for row in rows))
    begins = sum(packet.track_event.type == protos.TrackEvent.TYPE_SLICE_BEGIN for packet in trace.packet)
    ended = sum(owner is process for owner, _ in sent.of("spans"))
    loads = sum(owner is process and event.begin for owner, event in sent.of("async_events"))
    assert begins == {"thread": ended + 1, "async": loads}.get(types, ended + 1 + loads)
    samples = sum(packet.track_event.type == protos.TrackEvent.TYPE_COUNTER for packet in trace.packet)
    assert (samples > 0) == (types == "all")


def test_what_the_micromegas_client_sends_is_answered(sent: Sent) -> None:
    process = sent.processes[0]
    stream = reader.stream_id(process.process_id, 3, 1)
    wide = {"begin": process.start_time - 1, "end": process.start_time + 10**18}
    found = sent.rows(
        f"\n            SELECT *\n            FROM processes\n            WHERE process_id='{process.process_id}';\n"
    )
    assert len(found) == 1
    streams = sent.rows(
        f"SELECT *\n FROM streams\n WHERE process_id='{process.process_id}' "
        "AND (array_position(tags, 'cpu') is not NULL)\n LIMIT 10;\n",
        **wide,
    )
    assert {row["stream_id"] for row in streams} >= {str(stream)}
    blocks = sent.rows(f"SELECT *\n FROM blocks\n WHERE stream_id='{stream}'\n LIMIT 10;\n", **wide)
    assert len(blocks) == 3
    spans = sent.rows(f"SELECT *\n FROM view_instance('thread_spans', '{stream}')\n LIMIT 1000;\n", **wide)
    assert len(spans) == 1 + sum(owner is process and span.thread == 1 for owner, span in sent.of("spans"))
