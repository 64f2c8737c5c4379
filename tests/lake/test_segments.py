"""A segment tells everything about its batches, and nothing else passes for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tachy_server.base.errors import FormatError
from tachy_server.formats.reader import check_batch
from tachy_server.formats.segments import SegmentWriter, read_segment

from tests.lake.conftest import game


def make(cls: int, batches: list[bytes]) -> bytes:
    writer = SegmentWriter(cls)
    for batch in batches:
        writer.add(batch, check_batch(batch))
    data = b"".join(writer.parts())
    assert len(data) == writer.size
    return data


@pytest.mark.parametrize("cls", [1, 2, 3])
def test_what_is_written_is_walked_back(cls: int) -> None:
    batches = [game(events).batch() for events in (1, 20, 300)]
    data = make(cls, batches)
    fragments = list(read_segment(data))
    assert len(fragments) == 3
    for batch, fragment in zip(batches, fragments, strict=True):
        head = check_batch(batch)
        assert (fragment.batch_id, fragment.process_id) == (head.batch_id, head.process_id)
        assert json.loads(fragment.description)["exe"] == "game"
        sent = [batch[offset : offset + size] for offset, size, block in head.blocks if block.cls == cls]
        assert [data[offset : offset + size] for offset, size, _ in fragment.blocks] == sent
        assert [block for _, _, block in fragment.blocks] == [block for _, _, block in head.blocks if block.cls == cls]
        assert all(offset % 8 == 0 for offset, _, _ in fragment.blocks)


def test_offsets_are_those_that_add_gave() -> None:
    batches = [game().batch() for _ in range(3)]
    writer = SegmentWriter(3)
    placed = [writer.add(batch, check_batch(batch)) for batch in batches]
    assert placed == [fragment.blocks for fragment in read_segment(b"".join(writer.parts()))]


def test_a_batch_without_blocks_keeps_its_description() -> None:
    batch = game().batch([])
    (fragment,) = read_segment(make(1, [batch]))
    assert fragment.blocks == []
    assert json.loads(fragment.description)["properties"] == {"build": "42"}


def test_every_cut_and_every_flipped_head_is_noticed() -> None:
    data = make(3, [game(2).batch(), game(3).batch()])
    for size in range(0, len(data), 7):
        with pytest.raises(FormatError):
            list(read_segment(data[:size]))
    with pytest.raises(FormatError):
        list(read_segment(data + bytes(8)))
    bodies = [
        range(offset + block.header_size, offset + size)
        for fragment in read_segment(data)
        for offset, size, block in fragment.blocks
    ]
    ignored = {7, *range(24, 32)}  # reserved
    pads = {at for at in range(len(data)) if data[at] == 0}
    for at in range(len(data)):
        if at in ignored or at in pads or any(at in body for body in bodies):
            continue
        changed = bytearray(data)
        changed[at] ^= 1
        with pytest.raises(FormatError):
            list(read_segment(bytes(changed)))


def test_other_files_are_no_segments(tmp_path: Path) -> None:
    for content in (b"", b"TSEG", bytes(32), Path(__file__).read_bytes()):
        with pytest.raises(FormatError):
            list(read_segment(content))
