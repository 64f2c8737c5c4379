"""write_trace: from a lake's blocks to the bytes of a trace."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tachy_server.base.errors import FormatError, NotFound
from tachy_server.formats.perfetto import process_uuid, thread_uuid
from tachy_server.lake.block_reads import BlocksRead
from tachy_server.lake.blocks import Blocks
from tachy_server.traces.export import write_trace

from tests.perfetto.fake_lake import FakeLake
from tests.perfetto.game import MS, play
from tests.perfetto.readback import read, thread_slices


def test_a_trace_of_two_processes_holds_what_their_blocks_hold(tmp_path: Path) -> None:
    lake, processes = play()
    trace = write_trace(lake, [process.process_id for process in processes], begin=None, end=None)
    data = b"".join(trace)
    found = read(data)
    counts = trace.counts
    assert counts.slices == len(found.thread_slices) == 120 * 14 + 1
    assert counts.frames == len(found.slices[found.named("Frames")[0]]) == 120
    assert counts.counters == sum(map(len, found.counters.values())) == 240
    assert counts.instants == sum(map(len, found.instants.values()))
    assert counts.async_slices == sum(len(found.slices[uuid]) for uuid in found.named("streaming")) == 36
    (tmp_path / "game.pftrace").write_bytes(data)
    assert thread_slices(tmp_path / "game.pftrace") == counts.slices
    client = found.tracks[process_uuid(processes[0].process_id)].process
    assert (client.process_name, list(client.cmdline)) == ("ArenaClient", ["/opt/games/Arena/ArenaClient"])
    assert "build: 1042" in client.process_labels
    assert found.tracks[process_uuid(processes[1].process_id)].process.process_name == "ArenaServer.exe"


def test_the_first_bytes_come_before_any_block_is_read() -> None:
    class Lazy(FakeLake):
        reads = 0

        def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
            for given in super().read(blocks):
                self.reads += 1
                yield given

    lake, processes = play()
    lazy = Lazy(lake.rows, lake.data, lake.processes)
    trace = write_trace(lazy, [processes[0].process_id], begin=None, end=None)
    assert len(next(trace)) > 100
    assert lazy.reads == 0
    next(trace)
    assert lazy.reads == 1, "as many blocks as are read together"
    trace.close()


def test_a_range_reads_only_its_blocks_and_writes_only_what_overlaps() -> None:
    lake, processes = play()
    base = processes[0].start_time
    begin, end = base + 500 * MS, base + 900 * MS
    found = read(b"".join(write_trace(lake, [processes[0].process_id], begin=begin, end=end)))
    main = found.slices[thread_uuid(processes[0].process_id, 1)]
    assert 20 < sum(slice_.name == "Frame" for slice_ in main) < 35
    assert all(slice_.begin <= end and slice_.end >= begin for slice_ in main)
    [level] = [slice_ for slice_ in main if slice_.name == "Level e1m1"]
    assert (level.begin, level.annotations) == (base + MS, {"is_open": True})


def test_a_long_trace_comes_in_pieces_of_a_block() -> None:
    def largest(frames: int) -> tuple[int, int]:
        lake, processes = play(frames)
        chunks = [len(chunk) for chunk in write_trace(lake, [processes[0].process_id], begin=None, end=None)]
        return max(chunks), sum(chunks)

    few, many = largest(64), largest(640)
    assert many[1] > 8 * few[1]
    assert many[0] < 2 * few[0]


def test_classes_choose_what_is_written() -> None:
    lake, processes = play()
    for chosen, filled in (("span", "slices"), ("metric", "counters"), ("log", "instants")):
        trace = write_trace(lake, [processes[0].process_id], begin=None, end=None, classes=[chosen])
        read(b"".join(trace))
        amounts = {name: getattr(trace.counts, name) for name in ("slices", "counters", "instants")}
        assert {name for name, amount in amounts.items() if amount} == {filled}


def test_spans_of_threads_and_async_ones_are_written_as_asked() -> None:
    lake, processes = play()
    counts, slices = {}, {}
    for chosen in ("thread", "async", "both"):
        trace = write_trace(lake, [processes[0].process_id], begin=None, end=None, classes=["span"], spans=chosen)
        found = read(b"".join(trace))
        counts[chosen], slices[chosen] = trace.counts, {uuid: made for uuid, made in found.slices.items() if made}
    assert counts["thread"].async_slices == counts["async"].slices == 0
    assert counts["thread"].slices == counts["both"].slices > 0
    assert counts["async"].async_slices == counts["both"].async_slices > 0
    assert slices["thread"] | slices["async"] == slices["both"]
    assert slices["thread"].keys().isdisjoint(slices["async"])


def test_an_unknown_process_or_class_is_refused_before_the_first_byte() -> None:
    lake, processes = play(20)
    with pytest.raises(NotFound, match="no process 0000"):
        write_trace(lake, [uuid.UUID(int=99)], begin=None, end=None)
    with pytest.raises(FormatError, match="unknown event class 'spans'"):
        write_trace(lake, [processes[0].process_id], begin=None, end=None, classes=["spans"])


def test_the_scanner_refuses_what_is_no_trace(tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(b"\x0a\x50abc")
    with pytest.raises(ValueError, match="not a well-formed trace"):
        thread_slices(tmp_path / "cut")
    (tmp_path / "empty").write_bytes(b"")
    assert thread_slices(tmp_path / "empty") == 0
