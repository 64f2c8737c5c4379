"""Values on spans: annotations of their slices, and flows, in whatever block and on whatever thread they came."""

from __future__ import annotations

from typing import Any

from tachy_server.formats.perfetto import process_uuid

from tests.model import rows
from tests.model.encoder import Process
from tests.perfetto.encoding import encode
from tests.perfetto.readback import Readback


def annotations(found: Readback) -> dict[str, dict[str, Any]]:
    return {slice_.name: slice_.annotations for of in found.slices.values() for slice_ in of}


def steps(found: Readback) -> dict[int, list[str]]:
    """The slices of each flow, in the order of the trace."""
    return {flow: [slice_.name for slice_ in through] for flow, through in found.through.items()}


def test_a_slice_has_the_values_of_its_span() -> None:
    process = Process()
    main = process.thread("main")
    main.begin("Bake", 1_000)
    for key, value in {
        "least": -(2**63), "most": rows.U64(2**64 - 1), "share": 0.1, "ok": True, "who": 'q"é', "bytes": b"\xff",
    }.items():  # fmt: skip
        main.value(key, value)
    main.value("share", 0.2)
    main.end(2_000)
    main.span("plain", 3_000, 4_000)
    found, _ = encode(process, process.blocks())
    given = {"least": -(2**63), "most": 2**64 - 1, "share": 0.2, "ok": True, "who": 'q"é', "bytes": "\ufffd"}
    assert annotations(found) == {"Bake": given, "plain": {}}


def test_what_is_given_in_later_blocks_is_there_too() -> None:
    process = Process()
    main = process.thread("main")
    main.begin("Session", 1_000)
    main.value("user", "me")
    load = main.async_begin(2_000, "load")
    main.async_value(load, "bytes", 1)
    main.begin("Level", 3_000)
    blocks = process.blocks()
    main.value("level", 3)
    main.value("user", "you", depth=0)
    main.async_value(load, "bytes", 2)
    blocks += process.blocks()
    main.end(4_000)
    main.async_end(5_000, load)
    blocks += process.blocks()
    found, _ = encode(process, blocks)
    assert annotations(found) == {
        "Session": {"user": "you", "is_open": True},
        "Level": {"level": 3},
        "load": {"bytes": 2},
    }


def test_flows_lead_through_the_spans_of_their_number() -> None:
    process = Process()
    main, worker = process.thread("main"), process.thread("worker")
    main.begin("submit", 1_000)
    main.value("flow", rows.Flow(7))
    main.value("flow", rows.Flow(8))
    main.value("flow", rows.Flow(7), target="elsewhere")
    main.end(2_000)
    worker.begin("run", 3_000)
    worker.value("flow", rows.Flow(7))
    load = worker.async_begin(3_500, "load")
    worker.async_value(load, "flow", rows.Flow(8))
    blocks = process.blocks()
    worker.value("flow", rows.Flow(9))
    worker.end(4_000)
    main.begin("use", 5_000)
    main.value("flow", rows.Flow(9))
    main.end(6_000)
    worker.async_end(6_000, load)
    blocks += process.blocks()
    found, _ = encode(process, blocks)
    assert sorted(map(sorted, steps(found).values())) == [["load", "submit"], ["run", "submit"], ["run", "use"]]
    assert not any(given for given in annotations(found).values())


def test_flows_of_two_processes_are_two() -> None:
    def trace_of(name: str) -> set[int]:
        process = Process(name)
        main = process.thread("main")
        main.begin("submit", 1_000)
        main.value("flow", rows.Flow(7))
        main.end(2_000)
        main.begin("use", 3_000)
        main.value("flow", rows.Flow(7))
        main.end(4_000)
        found, _ = encode(process, process.blocks())
        assert process_uuid(process.process_id) in found.tracks
        return set(found.through)

    assert not trace_of("game") & trace_of("server")
