"""Encodes blocks of the model and reads the trace back."""

from __future__ import annotations

from tachy_server.formats.perfetto import PerfettoTrace, TraceCounts
from tachy_server.traces.export import TracedProcess, head_packets

from tests.model.encoder import Process
from tests.model.records import Block
from tests.perfetto.readback import Readback, read

END_MARGIN = 1_000_000


def traced(process: Process) -> TracedProcess:
    d = process.description
    texts = {key: d[key] for key in ("exe", "username", "computer", "distro", "cpu_brand", "sdk", "state")}
    return TracedProcess(
        process.process_id,
        start_time=d["start_time"],
        last_block_end_time=None,
        properties=d["properties"],
        **texts,
    )


def encode(
    process: Process, blocks: list[Block], *, begin: int | None = None, end: int | None = None,
    until: int | None = None, any_flows: bool = False,
) -> tuple[Readback, TraceCounts]:  # fmt: skip
    trace = PerfettoTrace(begin=begin, end=end)
    data = head_packets([traced(process)], [trace.process(process.process_id)], process.start_time)
    for block in blocks:
        data += b"".join(trace.parts(block.head, block.raw))
    trace.finish(process.utc(process.latest) + END_MARGIN if until is None else until)
    return read(data + trace.take(), any_flows=any_flows), trace.counts
