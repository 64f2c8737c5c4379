"""The real Perfetto UI opens a trace without a complaint and shows in it what was recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
from tachy_server.traces.export import write_trace

from tests.model.encoder import Process
from tests.perfetto.fake_lake import FakeLake
from tests.perfetto.game import play
from tests.perfetto.judge import chromium, judge

QUERIES = {
    "threads": "select thread.name, process.name, count(*) from slice join thread_track on track_id = thread_track.id"
    " join thread using (utid) join process using (upid) where category != 'log' group by 1, 2",
    "counters": "select counter_track.name, unit, count(*) from counter"
    " join counter_track on track_id = counter_track.id group by 1, 2 order by 1",
    "tracks": "select track.name, count(*) from slice join track on track_id = track.id"
    " where track.name is not null group by 1 order by 1",
    "logs": "select slice.name, extract_arg(arg_set_id, 'debug.level'), extract_arg(arg_set_id, 'debug.target')"
    " from slice where category = 'log' order by ts limit 1",
    "level": "select depth, extract_arg(arg_set_id, 'source.file_name'), extract_arg(arg_set_id, 'debug.is_open')"
    " from slice where name = 'Level e1m1'",
    "nested": "select distinct parent.name from slice join slice parent on slice.parent_id = parent.id"
    " where slice.name = 'Physics'",
    "flows": "select target.name, count(*) from flow join slice target on slice_in = target.id group by 1",
    "unfinished": "select count(*) from slice where dur < 0",
}


@pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")
def test_the_ui_imports_a_trace_without_errors_and_shows_what_was_recorded(tmp_path: Path) -> None:
    lake, processes = play()
    trace = write_trace(lake, [process.process_id for process in processes], begin=None, end=None)
    data = b"".join(trace)
    counts = trace.counts
    answer = judge(data, sql=tuple(QUERIES.values()), png=tmp_path / "shot.png")
    said = dict(zip(QUERIES, answer["sql"], strict=True))
    assert answer["errors"] == []
    assert answer["slices"] == counts.slices + counts.async_slices + counts.frames + counts.instants
    assert answer["counters"] == counts.counters
    assert answer["processes"] == 2
    per_thread = {(thread, process): amount for thread, process, amount in said["threads"]}
    assert per_thread == {
        ("Main", "ArenaClient"): 120 * 6 + 1,
        ("Render", "ArenaClient"): 120 * 3,
        ("Network", "ArenaClient"): 120,
        ("Worker 0", "ArenaClient"): 120,
        ("Worker 1", "ArenaClient"): 120,
        ("Worker 2", "ArenaClient"): 120,
        ("Tick", "ArenaServer.exe"): 120,
    }
    assert said["counters"] == [["draw calls", "count", 120], ["memory", "MB", 120]]
    assert said["tracks"] == [["Frames", 120], ["streaming", 36]]
    assert said["logs"] == [["player ada scored 10", "info", "game"]]
    assert said["level"] == [[0, "src/game/level.cpp", 1]]
    assert said["nested"] == [["Simulate"]]
    assert said["flows"] == [["decode", 12]]
    assert said["unfinished"] == [[0]]
    assert (tmp_path / "shot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")
def test_the_ui_shows_deep_nesting_with_the_durations_that_were_recorded() -> None:
    process = Process()
    main = process.thread("main")
    opened: list[int] = []
    for i in range(600):
        main.begin(f"level {i}", 1_000 + i)
        opened.append(main.async_begin(1_000 + i, f"async {i}", parent=opened[-1] if opened else 0))
    main.message(1_700, "at the bottom")
    for i in range(600):
        main.end(10_000 + 10 * i)
        main.async_end(10_000 + 10 * i, opened.pop())
    main.span("after", 20_000, 20_500)
    lake = FakeLake()
    lake.store(process, process.blocks())
    data = b"".join(write_trace(lake, [process.process_id], begin=None, end=None, compressed=True))
    answer = judge(data, sql=("select name, dur from slice where category is null or category != 'log'",))
    assert answer["errors"] == []
    durations = dict(answer["sql"][0])
    expected = {f"level {i}": 9_000 + 10 * (599 - i) - i for i in range(512)}
    expected |= {f"async {i}": 9_000 + 10 * (599 - i) - i for i in range(600)}
    assert durations == expected | {"after": 500, "88 spans below depth 512 not shown": 0}
