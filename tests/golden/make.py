"""Wrote the samples of version 1: `python -m tests.golden.make FOLDER`.

Committed samples are never rewritten: a new version of the format gets a folder of its own, made by its own encoder.
"""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tachy_server.formats import block_index, reader
from tachy_server.formats.segments import Record, SegmentWriter, read_whole

from tests.model import rows
from tests.model.encoder import Process
from tests.reader.decoding import dicts, split

READERS = {
    1: {"logs": reader.read_logs},
    2: {"metrics": reader.read_metrics},
    3: {"spans": lambda head, body: reader.read_spans(head, body, open_end=True), "async": reader.read_async,
        "open_async": reader.read_open_async},
}  # fmt: skip


def decoded(batch: bytes) -> dict[str, Any]:
    """Everything that the reader makes of a batch, as JSON has it."""
    head = reader.check_batch(batch)
    blocks = []
    for offset, size, block in head.blocks:
        data = batch[offset : offset + size]
        tables = {name: dicts(read(*split(data))) for name, read in READERS[block.cls].items()}
        threads = [[t.number, t.name, t.os_id, t.events, t.dropped, t.first] for t in block.threads]
        blocks.append({"class": block.cls, "sequence": block.sequence, "threads": threads, **tables})
    return {
        "batch_id": str(head.batch_id), "process_id": str(head.process_id), "description": head.description,
        "blocks": blocks,
    }  # fmt: skip


def samples() -> dict[str, bytes]:
    """Two batches in a row of one process, in all codecs: spans that cross them, gaps, async spans, logs, metrics."""
    process = Process(
        "golden", process_id=uuid.UUID("6f1c2f5e-9f0b-4f0e-8a50-0123456789ab"), properties={"build": "1"},
        frequency=3_000_000_000,
    )  # fmt: skip
    main, worker = process.thread("main", 4711), process.thread("wörker", 4712)
    out = {}
    for index, codec in enumerate(["none", "zstd", "lz4", "gzip"]):
        at = index * 10_000_000
        main.begin("Frame", at + 1_000, target="engine.loop", file="src/loop.cpp", line=42)
        main.span("Physics", at + 1_104, at + 90_000, target="engine.physics", file="src/physics.cpp", line=7)
        main.value("tick", index)
        main.begin("AI", at + 91_000, target="engine.ai", file="src/ai.cpp", line=300)
        main.span("lost", at + 91_008, at + 91_016)
        for key, value in {"who": 'q"é', "share": 0.25, "seed": rows.U64(1 << 63), "flow": rows.Flow(7)}.items():
            main.value(key, value, target="engine.ai")
        main.begin("lost too", at + 92_000)
        main.end(at + 93_000, lost=True)
        main.end(at + 95_000)
        load = main.async_begin(at + 96_000, "load", target="assets", file="src/assets.cpp", line=9)
        main.async_value(load, "bytes", -1)
        worker.async_end(at + 99_000, main.async_begin(at + 97_000, "read", parent=load, target="assets"))
        main.log(
            at + 100_000, "%s: %d of %u, %5.1f%% at %p", "level", -3, rows.U64(7), 42.25, rows.Pointer(0xBEEF),
            target="engine", file="src/log.cpp", line=1, level=4, properties={"map": "e1m1", "who": 'q"é'},
        )  # fmt: skip
        worker.message(at + 100_008, "plain “text”", level=2, target="python")
        main.metric(at + 100_016, "ammo", 12 - index, unit="rounds", target="game")
        main.metric(at + 100_024, "load", 0.1 * index, unit="ratio", target="game", properties={"core": "0"})
        main.metric(at + 100_032, "wait", 3_000_000, ticks=True)
        main.frame(at + 100_040, "Game", 50_000_000)
        worker.lose_logs(3)
        if index % 2:
            main.end(at + 101_000)
            main.end(at + 102_000)
        process.drift_ns += 1_500
        out[codec] = process.batch(codec=codec, batch_id=uuid.UUID(int=index + 1, version=4), until=at + 9_000_000)
    return out


def segment(batches: Sequence[bytes]) -> bytes:
    """They as the server keeps them, with a record in which every member has something."""
    heads = [reader.check_batch(batch) for batch in batches]
    writer = SegmentWriter()
    for head, batch in zip(heads, batches, strict=True):
        writer.add(batch, head)
    record = Record(
        1_750_000_000_000_000_000, 42, 1, ['{"exe": "golden", "version": 42}'],
        ['{"thread": 1, "thread_name": "wörker"}'],
        ["segments/2025-06-15/a.tseg"], 1,
    )  # fmt: skip
    return b"".join(writer.finish(record)[1])


def told(data: bytes) -> dict[str, Any]:
    """All that a segment says of itself, and the blocks that its index finds."""
    of = read_whole(data)
    return {
        "size": of.size, "insert_time": of.insert_time, "number": of.number, "level": of.level, "record": of.said,
        "blocks": [
            {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}
            for row in block_index.select([of.index]).to_pylist()
        ],
    }  # fmt: skip


def main() -> None:
    """Writes the samples and what they decode to."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    for name, batch in samples().items():
        (folder / f"{name}.batch").write_bytes(batch)
        text = json.dumps(decoded(batch), indent=1, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    data = segment(list(samples().values()))
    (folder / "segment.tseg").write_bytes(data)
    text = json.dumps(told(data), indent=1, ensure_ascii=False)
    (folder / "segment.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
