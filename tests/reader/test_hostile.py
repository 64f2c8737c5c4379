"""Bytes from outside: whatever they are, the reader refuses them in a sentence or decodes something well-formed."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from tachy_server.base.errors import FormatError
from tachy_server.formats import reader
from tachy_server.formats.perfetto import PerfettoTrace

from tests.model import columns as c
from tests.model.encoder import Process
from tests.model.records import BLOCK_HEADER, Block, compress, xxh64
from tests.reader.decoding import dicts, split

ROOT = Path(__file__).resolve().parents[2]
NATIVE = ROOT / "tests/native"
pytestmark = pytest.mark.xdist_group("reader-hostile")  # the program is built once
CORPUS = sorted((NATIVE / "corpus").iterdir())
SOURCES = [path for room in ("reader", "json", "merge") for path in (ROOT / "native/src" / room).glob("*.c")]
SOURCES += [ROOT / "native/src/base" / name for name in ("buffer.c", "columns.c", "hash.c", "parts.c")]
SOURCES += [NATIVE / "fuzz_reader.c", NATIVE / "fuzz_replay.c"]
# The sanitizer counts what the process has now. libFuzzer's own limit counts the peak since before exec, which is that
# of the process that starts it: these tests.
LIMITS = {
    "ASAN_OPTIONS": "max_allocation_size_mb=32:quarantine_size_mb=32:hard_rss_limit_mb=1024",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


@pytest.fixture(scope="session")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("clang") is None:
        pytest.skip("clang is not installed (apt-get install clang)")
    program = tmp_path_factory.mktemp("fuzz") / "fuzz"
    flags = ["-fsanitize=address,undefined,fuzzer", "-fno-sanitize-recover=all", "-I", str(ROOT / "native/include")]
    command = ["clang", "-std=c11", "-g1", "-O1", *flags, *map(str, SOURCES), "-lm", "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "libclang_rt" in done.stderr:
        pytest.skip("clang's run-time libraries are not installed (apt-get install libclang-rt-dev)")
    assert done.returncode == 0, done.stderr
    return program


def run(command: list[str], timeout: float) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=timeout, env=os.environ | LIMITS
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.parametrize("every", [37, pytest.param(1, marks=pytest.mark.long)])
def test_no_cut_or_flipped_bit_harms(fuzzer: Path, every: int) -> None:
    assert int(run([str(fuzzer), "replay", str(every), *map(str, CORPUS)], 1200)) > 200_000 / every


def fuzz(fuzzer: Path, tmp_path: Path, seconds: int) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(NATIVE / "corpus", corpus)
    limits = ["-timeout=10", "-malloc_limit_mb=64", "-rss_limit_mb=0", "-max_len=8192"]
    run(
        [str(fuzzer), f"-max_total_time={seconds}", *limits, f"-artifact_prefix={tmp_path}/", str(corpus)], seconds + 90
    )


@pytest.mark.long
def test_five_minutes_of_fuzzing_find_nothing(fuzzer: Path, tmp_path: Path) -> None:
    fuzz(fuzzer, tmp_path, 300)


def a_block(cls: int = 3, codec: str = "none") -> Block:
    process = Process()
    thread = process.thread("main")
    thread.begin("outer", 1)
    thread.span("inner", 2, 3)
    thread.log(4, "%d", 5, properties={"a": "b"})
    thread.metric(6, "m", 7)
    return next(block for block in process.blocks(codec=codec) if block.cls == cls)


def a_block_with_open_async_spans() -> Block:
    process = Process()
    thread = process.thread("main")
    load = thread.async_begin(1, "load")
    thread.async_begin(2, "read", parent=load)
    process.blocks()
    thread.async_end(3, load)
    (block,) = process.blocks(codec="none")
    assert len(block.open_async) == 2
    return block


def rebuild(block: Block, change: Callable[[list[tuple[int, int, int, bytes]]], None]) -> bytes:
    """The block with its columns changed, and sizes and hashes right again."""
    raw = block.raw
    count = struct.unpack_from("<I", raw)[0]
    columns, at = list[tuple[int, int, int, bytes]](), 8 + 24 * count
    for i in range(count):
        column, encoding, _, values, size = struct.unpack_from("<HHIQQ", raw, 8 + 24 * i)
        columns.append((column, encoding, values, raw[at : at + size]))
        at += size + -size % 8
    change(columns)
    return seal(block.head, c.encode_columns(columns))


def seal(head: bytes, raw: bytes) -> bytes:
    fields = list(BLOCK_HEADER.unpack_from(head))
    fields[19:23] = [len(raw), len(raw), xxh64(raw), 0]
    bare = BLOCK_HEADER.pack(*fields) + head[BLOCK_HEADER.size :]
    fields[22] = xxh64(bare)
    return BLOCK_HEADER.pack(*fields) + head[BLOCK_HEADER.size :] + c.pad8(raw)


def refuse(data: bytes, cls: int = 3) -> str:
    """The sentence."""
    read = {1: reader.read_logs, 2: reader.read_metrics, 3: reader.read_spans}[cls]
    head = reader.check_block(data)
    with pytest.raises(FormatError) as caught:
        read(data[: head.header_size], data[head.header_size :][: head.raw_size])
    return str(caught.value)


def replaced(column: int, values: list[int]) -> Callable[[list[tuple[int, int, int, bytes]]], None]:
    def change(columns: list[tuple[int, int, int, bytes]]) -> None:
        columns[:] = [entry for entry in columns if entry[0] != column]
        columns.append((column, 1, len(values), c.encode_uint(values)))

    return change


@pytest.mark.parametrize(
    ("cls", "column", "values", "sentence"),
    [
        (3, c.SITE_NAME, [1 << 40, 1 << 40], "out of range"),
        (3, c.SITE_KIND, [8, 8], "out of range"),
        (3, c.SITE_ID, [1], "differ in length"),
        (3, c.STRING_SIZE, [1 << 63, 1 << 63], "string"),
        (3, c.ROW_SITE, [3], "site that is not there"),
        (3, c.ROW_SITE, [1 << 33], "site that is not there"),
        (3, c.ROW_SITE, [1, 1], "rows"),
        (3, c.ROW_SITE, [0], "gap"),
        (3, c.SPAN_DEPTH, [c.zigzag(5000)], "deeper"),
        (3, c.SPAN_DEPTH, [c.zigzag(-1)], "deeper"),
        (3, c.SPAN_DEPTH, [c.zigzag(-(1 << 63))], "deeper"),
        (3, c.SPAN_LEAD, [], "each row"),
        (3, c.OPEN_END_SITE, [9], "site that is not there"),
        (3, c.OPEN_END_UTC, [], "each open span"),
        (1, c.LOG_TYPES, [0x6], "arguments"),
        (1, c.LOG_TYPES, [0x11], "arguments"),
        (1, c.LOG_TYPES, [0], "use up"),
        (1, c.LOG_TYPES, [1 << 32], "arguments"),
        (1, c.ROW_SET, [2], "property set"),
        (1, c.SET_SIZE, [1 << 62], "property set"),
        (1, c.SET_KEY, [99], "property"),
        (2, c.VALUE_INT, [], "use up"),
        (2, c.VALUE_INT, [1, 2], "use up"),
        (2, c.VALUE_SCALE, [2], "use up"),
        (2, c.VALUE_F32, [1 << 20], "use up"),
    ],
)
def test_a_column_that_lies_is_refused(cls: int, column: int, values: list[int], sentence: str) -> None:
    assert sentence in refuse(rebuild(a_block(cls), replaced(column, values)), cls)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [([9], "no value"), ([1 << 40], "no value"), ([1], "use up"), ([4], "use up"), ([0, 0], "use up"), ([0], "")],
)
def test_scales_of_floats_that_lie_are_refused(values: list[int], sentence: str) -> None:
    process = Process()
    process.thread("main").metric(6, "m", 7.5)
    (block,) = process.blocks(codec="none")
    changed = rebuild(block, replaced(c.VALUE_SCALE, values))
    if sentence:
        assert sentence in refuse(changed, 2)
    else:
        assert [row["value"] for row in dicts(reader.read_metrics(*split(changed)))] == [7.5]


def test_a_single_float_has_32_bits() -> None:
    process = Process()
    process.thread("main").metric(6, "m", 7.5)
    (block,) = process.blocks(codec="none")

    def change(columns: list[tuple[int, int, int, bytes]]) -> None:
        columns[:] = [entry for entry in columns if entry[0] != c.VALUE_F64]
        replaced(c.VALUE_SCALE, [1])(columns)
        replaced(c.VALUE_F32, [1 << 32])(columns)

    assert "no value" in refuse(rebuild(block, change), 2)


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        (c.OPEN_ASYNC_ID, [2], "differ in length"),
        (c.OPEN_ASYNC_ID, [], "differ in length"),
        (c.OPEN_ASYNC_ID, [2] * 100_000, "differ in length"),
        (c.OPEN_ASYNC_ID, [2, 0], "order of their ids"),
        (c.OPEN_ASYNC_ID, [4, 1], "order of their ids"),
        (c.OPEN_ASYNC_ID, [c.zigzag(-1), 4], "order of their ids"),
        (c.OPEN_ASYNC_PARENT, [0], "differ in length"),
        (c.OPEN_ASYNC_SITE, [0, 9], "malformed"),
        (c.OPEN_ASYNC_SITE, [0, 1 << 40], "malformed"),
        (c.OPEN_ASYNC_UTC, [1, 2, 3], "differ in length"),
        (c.OPEN_ASYNC_DEPTH, [0, 1 << 32], "malformed"),
        (c.OPEN_ASYNC_THREAD, [1 << 32, 1], "malformed"),
    ],
)
def test_open_async_spans_that_lie_are_refused(column: int, values: list[int], sentence: str) -> None:
    data = rebuild(a_block_with_open_async_spans(), replaced(column, values))
    head = reader.check_block(data)
    front, body = data[: head.header_size], data[head.header_size :][: head.raw_size]
    with pytest.raises(FormatError, match=sentence):
        reader.read_open_async(front, body)
    with pytest.raises(FormatError, match=sentence):
        next(PerfettoTrace().parts(front, body))


def test_times_of_open_async_spans_may_be_anything() -> None:
    data = rebuild(a_block_with_open_async_spans(), replaced(c.OPEN_ASYNC_UTC, [(1 << 64) - 1, (1 << 64) - 2]))
    head = reader.check_block(data)
    trace = PerfettoTrace()
    assert list(trace.parts(data[: head.header_size], data[head.header_size :][: head.raw_size]))
    trace.finish(1)
    assert trace.counts.async_slices == 2


def test_counts_that_the_bytes_cannot_hold_are_refused_before_memory_is_asked_for() -> None:
    def huge(columns: list[tuple[int, int, int, bytes]]) -> None:
        columns[0] = (columns[0][0], 1, 1 << 60, columns[0][3])

    assert "wrong encoding or size" in refuse(rebuild(a_block(), huge))


@pytest.mark.parametrize(
    "data",
    [
        b"\1\0",  # nothing is above it
        b"\xff",
        b"\xff\0",
        b"\xff\0\1\0",
        b"\xff\0\xff",
        b"\xff\0\xff\0",
        b"\xff" + b"\0\xff" * 8 + b"\0\0",  # nine bytes below the last
    ],
)
def test_planes_that_do_not_add_up_are_refused(data: bytes) -> None:
    def change(columns: list[tuple[int, int, int, bytes]]) -> None:
        columns[:] = [(c.SPAN_LEAD, 1, 1, data) if entry[0] == c.SPAN_LEAD else entry for entry in columns]

    assert "column 41 do not add up to its size" in refuse(rebuild(a_block(), change))


def test_a_column_that_is_there_twice_is_refused() -> None:
    assert "twice" in refuse(rebuild(a_block(), lambda columns: columns.append(columns[0])))


def test_unknown_columns_are_skipped() -> None:
    data = rebuild(a_block(), lambda columns: columns.append((999, 77, 3, b"what")))
    head = reader.check_block(data)
    assert reader.read_spans(data[: head.header_size], data[head.header_size :][: head.raw_size]).num_rows == 1


@pytest.mark.parametrize("codec", ["zstd", "lz4", "gzip"])
def test_a_body_that_would_decompress_to_more_is_refused(codec: str) -> None:
    bomb = compress(codec, bytes(1 << 24))
    number = {"zstd": 1, "lz4": 2, "gzip": 3}[codec]
    for size in (0, 1, 1000, (1 << 24) - 1, (1 << 24) + 1):
        with pytest.raises(FormatError):
            reader.decompress(number, bomb, size)
    assert bytes(reader.decompress(number, bomb, 1 << 24)) == bytes(1 << 24)


@pytest.mark.parametrize("codec", ["zstd", "lz4", "gzip"])
def test_a_damaged_body_is_refused(codec: str) -> None:
    number, raw = {"zstd": 1, "lz4": 2, "gzip": 3}[codec], bytes(range(256)) * 20
    whole = compress(codec, raw)
    for cut in (0, 1, 5, len(whole) // 2, len(whole) - 1):
        with pytest.raises(FormatError):
            reader.decompress(number, whole[:cut], len(raw))
    with pytest.raises(FormatError):
        reader.decompress(number, b"nonsense" * 9, len(raw))
    assert zlib.crc32(bytes(reader.decompress(number, whole, len(raw)))) == zlib.crc32(raw)


def sealed_batch(data: bytes, **fields: int) -> bytes:
    return data[:56] + struct.pack("<Q", fields["hash"]) + data[64:]


def test_batches_are_refused_in_a_sentence() -> None:
    process, other = Process(), Process()
    process.thread("main").span("a", 1, 2)
    other.thread("main").span("a", 1, 2)
    blocks = process.blocks()
    batch = process.batch(blocks)
    assert reader.check_batch(batch).blocks[0][2].events == 1
    cases = {
        b"": "no header",
        b"TBAT" * 3: "no header",
        b"X" + batch[1:]: "not a batch",
        batch[:4] + b"\x02" + batch[5:]: "of version 2",
        batch[:-8]: "says that it has",
        batch + b"12345678": "says that it has",
        batch[:70] + b"!" + batch[71:]: "does not match its hash",
        batch[:-9] + b"\xff" + batch[-8:]: "does not match its hash",
        process.batch([blocks[0], other.blocks()[0]]): "another process",
        process.batch([blocks[0].data[:-8]]): "cut short",
        process.batch(blocks, description=b"[]"): "JSON object",
        process.batch(blocks, description=b"\xff"): "not JSON",
        process.batch(blocks, description=b"[" * 100_000): "not JSON",
        process.batch(blocks, description=b'{"exe": 1}'): "exe",
        process.batch(blocks, description=b"{}"): "state",
    }
    for data, sentence in cases.items():
        with pytest.raises(FormatError, match=sentence):
            reader.check_batch(data)


def test_text_that_databases_refuse_is_cleaned() -> None:
    process = Process(exe="nul\0 and half \ud800 a pair", properties={"k\0": "\udfff"})
    process.thread("na\0me").span("a", 1, 2)
    head = reader.check_batch(process.batch())
    assert head.description["exe"] == "nul and half \ufffd\ufffd\ufffd a pair"
    assert head.description["properties"] == {"k": "\ufffd\ufffd\ufffd"}
    assert head.blocks[0][2].threads[0].name == "name"


def test_identities_are_unique_and_of_version_8() -> None:
    process = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    ids = {reader.block_id(process, cls, n) for cls in (1, 2, 3) for n in range(100)}
    ids |= {reader.stream_id(process, cls, n) for cls in (1, 2, 3) for n in range(100)}
    assert len(ids) == 600
    assert {identity.version for identity in ids} == {8}
    assert {identity.variant for identity in ids} == {uuid.RFC_4122}


def mix(x: int) -> int:
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & c.MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & c.MASK
    return x ^ x >> 31


def test_identities_are_those_of_the_specification() -> None:
    process = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    n = 3 << 56 | 77
    a, b = struct.unpack("<QQ", process.bytes)
    words = bytearray(struct.pack("<QQ", a ^ mix(n), b ^ mix(n + 0x9E3779B97F4A7C15 & c.MASK)))
    words[6], words[8] = words[6] & 15 | 0x80, words[8] & 63 | 0x80
    assert reader.block_id(process, 3, 77).bytes == bytes(words)


@pytest.mark.parametrize("size", [*range(70), 255, 256, 1000, 65_537])
def test_the_hash_is_xxh64(size: int) -> None:
    data = bytes(i * 7 & 255 for i in range(size))
    assert reader.hash64(data) == xxh64(data)
