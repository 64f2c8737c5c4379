"""Counters, frames and logs in traces."""

from __future__ import annotations

import itertools

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as protos
from tachy_server.formats.perfetto import process_uuid, thread_uuid

from tests.model.encoder import Process
from tests.model.records import Block
from tests.perfetto.encoding import encode


def test_a_counter_track_per_target_and_name_with_its_unit_and_values() -> None:
    process = Process()
    main, worker = process.thread("main"), process.thread("worker")
    for i in range(10):
        main.metric(1_000 * i, "memory", -5 + i, unit="bytes", target="render")
        worker.metric(1_000 * i + 1, "memory", i * 0.5, unit="MB", target="audio")
        worker.metric(1_000 * i + 2, "wait", 250, ticks=True)
    blocks = process.blocks()
    main.metric(50_000, "memory", 1 << 60, unit="bytes", target="render")
    found, counts = encode(process, blocks + process.blocks())
    tracks = {(t.name, t.counter.unit_name, tuple(t.counter.categories)): u for u, t in found.tracks.items()}
    render = found.counters[tracks["memory", "bytes", ("render",)]]
    assert [value for _, value in render] == [*range(-5, 5), 1 << 60]
    assert render[0][0] == process.start_time
    assert [value for _, value in found.counters[tracks["memory", "MB", ("audio",)]]] == [i * 0.5 for i in range(10)]
    assert {value for _, value in found.counters[tracks["wait", "seconds", ()]]} == {250e-9}
    assert len(found.of_kind("counter")) == 3
    assert counts.counters == 31
    parents = {found.tracks[uuid].parent_uuid for uuid in found.of_kind("counter")}
    assert parents == {process_uuid(process.process_id)}


def test_a_counter_track_holds_one_unit_and_one_property_set() -> None:
    process = Process()
    main = process.thread("main")
    at = itertools.count(1_000, 10)
    for value in range(5):
        main.metric(next(at), "damage", value, unit="hp", properties={"team": "red", "by": "axe"})
        main.metric(next(at), "damage", 10 + value, unit="hp", properties={"by": "axe", "team": "red"})
        main.metric(next(at), "damage", 100 + value, unit="hp", properties={"team": "blue"})
        main.metric(next(at), "damage", 1_000 + value, unit="hp")
        main.metric(next(at), "damage", 10_000 + value, unit="%")
        main.metric(next(at), "wait", 5, ticks=True)
        main.metric(next(at), "wait", 6, unit="seconds")
        if value == 2:
            blocks = process.blocks()
    main.metric(next(at), "long", 1, properties={f"key {i}": "é" * 100 for i in range(50)})
    found, _ = encode(process, blocks + process.blocks())
    said = {
        (found.tracks[uuid].name, found.tracks[uuid].counter.unit_name): [value for _, value in samples]
        for uuid, samples in found.counters.items()
    }
    [long] = [name for name, _ in said if name.startswith("long{")]
    assert said.pop((long, "")) == [1]
    assert 1_020 < len(long.encode()) <= 1_024
    assert said == {
        ('damage{team="red",by="axe"}', "hp"): [v + d for v in range(5) for d in (0, 10)],
        ('damage{team="blue"}', "hp"): [100, 101, 102, 103, 104],
        ("damage", "hp"): [1_000, 1_001, 1_002, 1_003, 1_004],
        ("damage", "%"): [10_000, 10_001, 10_002, 10_003, 10_004],
        ("wait", "seconds"): [5e-9, 6] * 5,
    }
    merging = protos.TrackDescriptor.SIBLING_MERGE_BEHAVIOR_NONE
    assert {found.tracks[uuid].sibling_merge_behavior for uuid in found.counters} == {merging}


def test_frames_are_slices_that_end_at_their_marks_and_never_overlap() -> None:
    process = Process(frequency=3_000_000_000)
    main = process.thread("main")
    at = 0
    blocks: list[Block] = []
    for i in range(200):
        ticks = 50_000_001 + 7 * i
        at += ticks
        main.frame(at, "Game", ticks, target="loop")
        if i % 20 == 0:
            process.drift_ns += 3
            blocks += process.blocks()
    found, counts = encode(process, blocks + process.blocks())
    [uuid] = found.named("Frames")
    frames = found.slices[uuid]
    assert counts.frames == len(frames) == 200
    assert {frame.name for frame in frames} == {"Game"}
    assert all(frame.depth == 0 for frame in frames)
    assert all(a.end <= b.begin for a, b in itertools.pairwise(frames))
    assert abs(frames[5].end - frames[5].begin - (50_000_001 + 35) / 3) < 1_000


def test_frames_of_different_sites_and_threads_do_not_squeeze_each_other() -> None:
    process = Process()
    main, render = process.thread("main"), process.thread("render")
    for i in range(1, 6):
        main.frame(10_000 * i, "Game", 10_000)
        main.frame(10_000 * i + 5_000, "UI", 10_000)
        render.frame(10_000 * i + 2_000, "Game", 10_000)
    found, _ = encode(process, process.blocks())
    tracks = found.named("Frames")
    assert len(tracks) == 3
    assert {slice_.end - slice_.begin for uuid in tracks for slice_ in found.slices[uuid]} == {10_000}


def test_a_log_is_an_instant_on_its_thread_with_its_level_target_and_properties() -> None:
    process = Process()
    main = process.thread("main")
    main.begin("Frame", 1_000)
    main.log(1_500, "hit %s with %d points", "orc", 12, level=2, target="combat", file="c.cpp", line=7,
             properties={"map": "e1m1", "mode": "co-op"})  # fmt: skip
    main.message(1_600, "plain 100% text", level=4)
    main.end(2_000)
    found, counts = encode(process, process.blocks())
    hit, plain = found.instants[thread_uuid(process.process_id, 1)]
    assert (hit.name, hit.category, hit.begin) == ("hit orc with 12 points", "log", process.start_time + 1_500)
    assert hit.annotations == {
        "level": "error", "target": "combat", "properties": {"map": "e1m1", "mode": "co-op"},
    }  # fmt: skip
    assert hit.source == ("c.cpp", "", 7)
    assert (plain.name, plain.annotations) == ("plain 100% text", {"level": "info", "target": ""})
    assert counts.instants == 2
    assert len(found.thread_slices) == 1


def test_a_range_holds_the_logs_values_and_frames_in_it() -> None:
    process = Process()
    main = process.thread("main")
    for i in range(10):
        main.message(1_000 * i, f"log {i}")
        main.metric(1_000 * i, "n", i)
        main.frame(1_000 * i, "Game", 900)
    base = process.start_time
    found, counts = encode(process, process.blocks(), begin=base + 2_000, end=base + 4_200)
    assert [log.name for log in found.instants[thread_uuid(process.process_id, 1)]] == ["log 2", "log 3", "log 4"]
    assert [value for _, value in found.counters[found.of_kind("counter")[0]]] == [2, 3, 4]
    [frames] = found.named("Frames")
    assert [frame.end - base for frame in found.slices[frames]] == [2_000, 3_000, 4_000, 5_000]
    assert (counts.instants, counts.counters, counts.frames) == (3, 3, 4)


def test_lost_logs_and_metrics_are_marked_on_their_thread() -> None:
    process = Process()
    main = process.thread("main")
    main.message(1_000, "before")
    main.lose_logs(7)
    main.message(2_000, "after")
    main.metric(3_000, "n", 1)
    main.lose_metrics(1)
    found, counts = encode(process, process.blocks())
    said = {(mark.name, mark.category) for mark in found.instants[thread_uuid(process.process_id, 1)]}
    assert said == {("before", "log"), ("after", "log"), ("7 logs lost", "lost"), ("1 metric lost", "lost")}
    assert (counts.instants, counts.losses) == (2, 2)
