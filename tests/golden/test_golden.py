"""Batches of every released version are read as they were when they were written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden.make import decoded
from tests.model.decoder import decode_batch

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


def test_there_is_a_sample_of_version_1_in_every_codec() -> None:
    assert {path.stem for path in SAMPLES if path.parent.name == "v1"} == {"none", "zstd", "lz4", "gzip"}
