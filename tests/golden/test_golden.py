"""Batches of every released version are read as they were when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tachy_server.formats import reader
from tachy_server.formats.segments import read_segment

from tests.golden.make import decoded, told
from tests.model.decoder import decode_batch

SEGMENTS = sorted(Path(__file__).parent.glob("v*/*.tseg"))
SAMPLES = sorted(Path(__file__).parent.glob("v*/*.batch"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_committed_batch_decodes_as_ever(path: Path) -> None:
    assert decoded(path.read_bytes()) == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_plain_decoder_reads_the_same_spans(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["blocks"]
    for block, decoded_block in zip(expected, decode_batch(path.read_bytes()), strict=True):
        spans = [(s.id, s.parent, s.depth, s.begin, s.end, s.name) for s in
                 decoded_block.spans + decoded_block.open_spans]  # fmt: skip
        columns = ("id", "parent", "depth", "begin", "end", "name")
        assert spans == [tuple(row[name] for name in columns) for row in block.get("spans", [])]


@pytest.mark.parametrize("path", SEGMENTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_committed_segment_says_what_it_ever_said(path: Path) -> None:
    data = path.read_bytes()
    assert told(data) == json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    batches = [path.with_name(f"{codec}.batch").read_bytes() for codec in ("none", "zstd", "lz4", "gzip")]
    sent = [batch[offset : offset + size] for batch in batches for offset, size, _ in reader.check_batch(batch).blocks]
    assert [data[at : at + size] for part in read_segment(data) for at, size, _ in part.blocks] == sent


def test_there_is_a_segment_of_version_1() -> None:
    assert [path.parent.name for path in SEGMENTS] == ["v1"]


def test_there_is_a_sample_of_version_1_in_every_codec() -> None:
    assert {path.stem for path in SAMPLES if path.parent.name == "v1"} == {"none", "zstd", "lz4", "gzip"}
