"""What the recorder writes, the C reader and the plain-Python decoder read alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.model.decoder import Decoded, decode_block, split_batch
from tests.model.records import LOG, METRIC, SPAN
from tests.native.test_recorder import PLAIN, execute
from tests.reader.decoding import read_async, read_logs, read_metrics, read_open_async, read_spans
from tests.reader.test_decode import bare, timeless

ENOUGH = 30_000  # events of a scenario: the plain decoder takes its time


def blocks(path: Path) -> Iterator[tuple[bytes, Decoded]]:
    data, at, seen = path.read_bytes(), 0, 0
    while at < len(data):
        size = int.from_bytes(data[at + 48 : at + 56], "little")
        for block in split_batch(data[at : at + size])[3]:
            decoded = decode_block(block)
            seen += decoded.header.events
            yield block, decoded
            if seen > ENOUGH:
                return
        at += size


@pytest.mark.parametrize(
    "scenario", ["one_thread", "two_threads", "full_pool_alone", "long_spans", "mismatched", "async_across_threads",
                 "logs", "metrics", "open_over_sessions"],
)  # fmt: skip
def test_both_decoders_agree_on_what_was_recorded(scenario: str, tmp_path: Path) -> None:
    execute(scenario, tmp_path, PLAIN)
    seen = 0
    for block, decoded in blocks(tmp_path / "batches"):
        seen += 1
        if decoded.header.cls == SPAN:
            assert read_spans(block, open_end=True) == timeless(decoded.spans + decoded.open_spans)
            assert read_open_async(block) == decoded.open_async
            assert read_async(block) == [replace(event, ticks=0) for event in decoded.async_events]
        elif decoded.header.cls == LOG:
            assert [log for log, _ in read_logs(block)] == [bare(log) for log in decoded.logs]
        else:
            assert decoded.header.cls == METRIC
            assert read_metrics(block) == [replace(metric, ticks=0) for metric in decoded.metrics]
    assert seen
