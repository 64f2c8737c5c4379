"""Many blocks from the store at once: what one of them is does not matter to the others."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from tachy_server.base.errors import FormatError
from tachy_server.formats import block_index, native
from tachy_server.formats.reader import check_batch, check_block, hash64, read_head

from tests.model import columns as c
from tests.model.decoder import replaced
from tests.model.encoder import Process
from tests.model.records import BLOCK_HEADER, compress, xxh64
from tests.reader.decoding import dicts, stored

CHECKED = {"LD_PRELOAD": "libc_malloc_debug.so.0", "MALLOC_CHECK_": "3", "PYTHONMALLOC": "malloc"}
"""glibc's memory says at once when somebody has written beyond his."""


def without_a_body(block: bytes) -> bytes:
    """A head like the block's, of no threads, whose body is nothing, compressed."""
    frame = compress("zstd", b"")
    nothing = {"raw_size": 0, "stored_size": len(frame), "body_hash": xxh64(frame)}
    whole = replaced(block, header_size=BLOCK_HEADER.size, thread_count=0, events=0, **nothing)
    return whole[: BLOCK_HEADER.size] + c.pad8(frame)


def test_a_body_of_nothing_comes_first_and_the_next_ones_are_read() -> None:
    process = Process()
    thread = process.thread("main")
    blocks = []
    for at in range(3):
        thread.log(at, "%d", at)
        blocks += [block.data for block in process.blocks(codec="zstd")]
    nothing = without_a_body(blocks[0])
    assert not stored([nothing]).failed  # its rows are what cannot be read
    found = stored([nothing, *blocks])
    texts = [row["msg"] for batch in found.rows("logs", ("msg",)) for row in dicts(batch)]
    assert texts == ["0", "1", "2"]
    assert [(number, str(error)) for number, error in found.failed.items()] == [
        (0, "a block's body of 0 bytes has no header")
    ]


def test_nobody_writes_beyond_his_memory() -> None:
    """zstandard's function for many frames does where the first one has nothing."""
    name = test_a_body_of_nothing_comes_first_and_the_next_ones_are_read.__name__
    command = [
        sys.executable,
        "-c",
        f"from tests.reader import test_stored_blocks as t; [t.{name}() for _ in range(9)]",
    ]
    done = subprocess.run(command, env=os.environ | CHECKED, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_blocks_are_gone_once_nobody_has_them_whatever_was_wrong() -> None:
    process = Process()
    process.thread("main").log(0, "%d", 0)
    (block,) = process.blocks()
    found = stored([memoryview(block.data), memoryview(block.data[:-1]), memoryview(b"nothing")])
    assert set(found.failed) == {1, 2}
    gone = weakref.ref(found)
    del found
    assert gone() is None


@pytest.mark.parametrize(
    "read", [native.view_of, hash64, read_head, check_block, check_batch, lambda data: block_index.select([data])]
)
def test_the_collector_may_find_what_native_code_reads(read: Callable[[Any], object]) -> None:
    """An error in a circle with its frames, which have the bytes as a memoryview: see native.view_of."""
    for _ in range(10):
        circle: list[object] = []
        data = memoryview(bytearray(300))
        try:
            circle.append(read(data))
        except FormatError as error:
            circle.append(error)
        circle += [circle, data]
        del data
    del circle
    gc.collect()
