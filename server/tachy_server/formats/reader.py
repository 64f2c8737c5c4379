"""Blocks and batches: checked, decompressed, decoded to Arrow. The typed face of the native reader (`_reader`).

Times are UTC nanoseconds, sizes bytes. Whatever the bytes are, the worst that happens is a FormatError of one sentence.
Native calls release the GIL, so blocks decode in parallel on threads.
"""

from __future__ import annotations

import functools
import json
import threading
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import zstandard

from tachy_server.base.errors import FormatError
from tachy_server.base.settings import Settings
from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import Readable, check_status, view_of
from tachy_server.formats.rows import read_rows

LOG: int = lib.TACHY_CLASS_LOG
METRIC: int = lib.TACHY_CLASS_METRIC
SPAN: int = lib.TACHY_CLASS_SPAN
CODECS = {0: "none", 1: "zstd", 2: "lz4", 3: "gzip"}

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_SHORT_DESCRIPTION = 2048  # bytes of one that is kept
WINDOW_MAX = 1 << 27  # of zstd
DESCRIPTION_MAX = 4 << 20  # bytes of JSON
PROPERTY_TEXT_MAX = 512 << 10  # characters of all properties; lists of processes show them
TEXT_MAX = 4096  # characters of exe, username, …
PROPERTIES_MAX = 1024
NAME_MAX = 1024  # characters of a thread's name; the recorder cuts them at fewer
_TEXTS = ("exe", "username", "realname", "computer", "distro", "cpu_brand", "clock", "sdk", "state")
_NUMBERS = ("tsc_frequency", "start_time", "start_ticks")
_EXPANSION_FREE = 64 << 20  # a body of so many bytes may have been anything, such as one row again and again
_per_thread = threading.local()


@dataclass(frozen=True, slots=True)
class BlockThread:
    """One thread of a block's thread table."""

    number: int
    name: str
    os_id: int
    rows: int
    async_rows: int
    events: int
    dropped: int
    first: int
    begin_ticks: int
    end_ticks: int
    begin_utc: int
    end_utc: int
    open_at_start: int
    open_at_end: int


BlockIdentity = tuple[uuid.UUID, int, int]
"""Process, class and sequence number of a block; `block_id` makes one id of them."""


@dataclass(frozen=True, slots=True)
class BlockHead:
    """A block's header and thread table."""

    cls: int
    codec: int
    header_size: int
    process_id: uuid.UUID
    sequence: int
    ticks0: int
    utc0: int
    ticks1: int
    utc1: int
    frequency: int
    begin_ticks: int
    end_ticks: int
    begin_utc: int
    end_utc: int
    events: int
    dropped: int
    raw_size: int
    stored_size: int
    header_hash: int
    before_ticks: int
    before_utc: int
    sequences: int  # it covers so many: 1, unless it is a merged block
    threads: tuple[BlockThread, ...]

    @property
    def identity(self) -> BlockIdentity:
        """What it is known by."""
        return self.process_id, self.cls, self.sequence

    @property
    def last_sequence(self) -> int:
        """The newest that it covers."""
        return self.sequence + self.sequences - 1


@dataclass(frozen=True, slots=True)
class BatchHead:
    """A checked batch: what it says of its process, and where its blocks are (offset, size with padding, head)."""

    batch_id: uuid.UUID
    process_id: uuid.UUID
    description: Mapping[str, Any]
    """Shared by batches that say the same."""
    blocks: list[tuple[int, int, BlockHead]]


def hash64(data: Readable) -> int:
    """XXH64 with seed 0, the hash of every checksum in the format."""
    view = view_of(data)
    return int(lib.tachy_hash(view, len(view)))


def _clean(text: str) -> str:
    """PostgreSQL and most consumers refuse NUL in text."""
    return text.replace("\0", "")


def _head(view: Any) -> BlockHead:
    header = ffi.new("tachy_block_header *")
    ffi.memmove(header, view, ffi.sizeof("tachy_block_header"))
    entries = ffi.new("tachy_block_thread[]", header.thread_count)
    ffi.memmove(entries, view + ffi.sizeof("tachy_block_header"), ffi.sizeof(entries))
    threads = tuple(
        BlockThread(
            t.number, _clean(bytes(ffi.buffer(view + t.name_offset, t.name_size)).decode(errors="replace")), t.os_id,
            t.rows, t.async_rows, t.events, t.dropped, t.first, t.begin_ticks, t.end_ticks, t.begin_utc, t.end_utc,
            t.open_at_start, t.open_at_end,
        )
        for t in entries
    )  # fmt: skip
    h = header
    return BlockHead(
        h.cls, h.codec, h.header_size, uuid.UUID(bytes=bytes(h.process_id)), h.sequence, h.ticks0, h.utc0, h.ticks1,
        h.utc1, h.frequency, h.begin_ticks, h.end_ticks, h.begin_utc, h.end_utc, h.events, h.dropped, h.raw_size,
        h.stored_size, h.header_hash, h.before_ticks, h.before_utc, h.sequences or 1,
        threads,
    )  # fmt: skip


def _check_block(view: Any, size: int, body: bool) -> int:
    total, error = ffi.new("uint64_t *"), ffi.new("tachy_read_error *")
    check_status(lib.tachy_block_check(view, size, body, total, error), error)
    return int(total[0])


def read_head(data: Readable) -> BlockHead:
    """The head of the block at the start of `data`, of which at least header_size bytes must be there.

    Checks structure and header hash. Raises FormatError.
    """
    view = view_of(data)
    _check_block(view, len(view), False)
    return _head(ffi.cast("const char *", view))


def check_block(data: Readable) -> BlockHead:
    """As read_head, for a whole block: the body's hash is checked, too."""
    view = view_of(data)
    _check_block(view, len(view), True)
    return _head(ffi.cast("const char *", view))


def check_batch(data: Readable) -> BatchHead:
    """Checks a batch: structure, every hash, sizes, and its description. Raises FormatError."""
    view = view_of(data)
    error = ffi.new("tachy_read_error *")
    check_status(lib.tachy_batch_check(view, len(view), error), error)
    header = ffi.new("tachy_batch_header *")
    ffi.memmove(header, view, ffi.sizeof("tachy_batch_header"))
    start = ffi.cast("const char *", view)
    process_id = uuid.UUID(bytes=bytes(header.process_id))
    text = bytes(ffi.buffer(start + ffi.sizeof("tachy_batch_header"), header.description_size))
    parse = _repeated_description if len(text) <= _SHORT_DESCRIPTION else _description
    description = parse(text, process_id)
    blocks: list[tuple[int, int, BlockHead]] = []
    offset = ffi.sizeof("tachy_batch_header") + (header.description_size + 7) // 8 * 8
    for _ in range(header.block_count):
        head = _head(start + offset)
        for thread in head.threads:
            if len(thread.name) > NAME_MAX:
                raise FormatError(f"a thread's name has {len(thread.name)} characters, {NAME_MAX} may be")
        size = (head.header_size + head.stored_size + 7) // 8 * 8
        blocks.append((offset, size, head))
        offset += size
    batch_id = uuid.UUID(bytes=bytes(header.batch_id))
    return BatchHead(batch_id, process_id, description, blocks)


def same_block(stored: Readable, sent: Readable) -> bool:
    """Whether two blocks hold the same, however each is compressed; what is stored and cannot be read is not the same.

    Raises FormatError when the body that was sent cannot be decompressed.
    """
    head = replace(read_head(sent), codec=0, stored_size=0, header_hash=0)
    body = _body(sent)
    try:
        return replace(read_head(stored), codec=0, stored_size=0, header_hash=0) == head and _body(stored) == body
    except FormatError:
        return False


def _body(data: Readable) -> Readable:
    head = read_head(data)
    stored = memoryview(data)[head.header_size : head.header_size + head.stored_size]
    return decompress(head.codec, stored, head.raw_size)


@functools.lru_cache(maxsize=1024)
def _repeated_description(text: bytes, process_id: uuid.UUID) -> dict[str, Any]:
    """One that each batch of its process says again: a third of the time of a check. What nobody reads is not kept."""
    said = _description(text, process_id)
    return {key: said[key] for key in (*_TEXTS, *_NUMBERS, "properties", "process_id", "parent_process_id")}


def _description(text: bytes, process_id: uuid.UUID) -> dict[str, Any]:
    if len(text) > DESCRIPTION_MAX:
        raise FormatError(f"a batch's description has {len(text)} bytes, {DESCRIPTION_MAX} may be")
    try:
        value = json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise FormatError("a batch's description is not JSON text in UTF-8") from error
    if not isinstance(value, dict):
        raise FormatError("a batch's description is not a JSON object")
    for key in _TEXTS:
        if not isinstance(value.setdefault(key, ""), str):
            raise FormatError(f"{key} in a batch's description is not text")
        if len(value[key]) > TEXT_MAX:
            raise FormatError(f"{key} in a batch's description has {len(value[key])} characters, {TEXT_MAX} may be")
        value[key] = _utf8(value[key])
    for key in _NUMBERS:
        number = value.setdefault(key, 0)
        if type(number) is not int or not _INT64_MIN <= number <= _INT64_MAX:
            raise FormatError(f"{key} in a batch's description is not a 64-bit integer")
    properties = value.setdefault("properties", {})
    if not isinstance(properties, dict) or not all(isinstance(text, str) for text in properties.values()):
        raise FormatError("properties in a batch's description is not an object of text")
    if len(properties) > PROPERTIES_MAX:
        raise FormatError(f"a batch's description has {len(properties)} properties, {PROPERTIES_MAX} may be")
    characters = sum(len(key) + len(text) for key, text in properties.items())
    if characters > PROPERTY_TEXT_MAX:
        raise FormatError(
            f"properties in a batch's description have {characters} characters, {PROPERTY_TEXT_MAX} may be"
        )
    value["properties"] = {_utf8(key): _utf8(text) for key, text in properties.items()}
    if value["state"] not in ("running", "exited", "crashed"):
        raise FormatError("state in a batch's description is not running, exited or crashed")
    if _uuid(value.get("process_id")) != process_id:
        raise FormatError("process_id in a batch's description is not that of the batch")
    if value.setdefault("parent_process_id") is not None:
        value["parent_process_id"] = str(_uuid(value["parent_process_id"]))
    return value


def _utf8(text: str) -> str:
    """JSON may name half a surrogate pair, which is no text in UTF-8."""
    return _clean(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))


def _uuid(value: object) -> uuid.UUID:
    try:
        return uuid.UUID(value if isinstance(value, str) else "")
    except ValueError as error:
        raise FormatError("a process id in a batch's description is not a UUID") from error


def block_id(process_id: uuid.UUID, cls: int, sequence: int) -> uuid.UUID:
    """The derived identity of a block."""
    out = ffi.new("uint8_t[16]")
    lib.tachy_block_id(process_id.bytes, cls, sequence, out)
    return uuid.UUID(bytes=bytes(out))


def stream_id(process_id: uuid.UUID, cls: int, thread: int) -> uuid.UUID:
    """The derived identity of a thread's stream of one class."""
    out = ffi.new("uint8_t[16]")
    lib.tachy_stream_id(process_id.bytes, cls, thread, out)
    return uuid.UUID(bytes=bytes(out))


def decompress(codec: int, stored: Readable, raw_size: int) -> Readable:
    """A block's body as it was before compression: exactly raw_size bytes, and never more memory than that.

    Raises FormatError when the bytes are not `codec`'s, or are not raw_size bytes when decompressed.
    """
    name = CODECS.get(codec)
    if name is None:
        raise FormatError(f"a block's codec is {codec}, which is not known")
    if name == "none":
        raw: Readable = stored
    elif name == "zstd":
        raw = _decompress_zstd(stored, raw_size)
    elif name == "gzip":
        raw = _decompress_gzip(stored, raw_size)
    else:
        raw = _decompress_lz4(stored, raw_size)
    if len(raw) != raw_size:
        raise FormatError(f"a block's body is {len(raw)} bytes, not {raw_size}, when decompressed")
    return raw


def zstd() -> zstandard.ZstdDecompressor:
    """The calling thread's. It takes as much memory as a frame declares, whatever max_output_size it is given."""
    if not hasattr(_per_thread, "zstd"):
        _per_thread.zstd = zstandard.ZstdDecompressor(max_window_size=WINDOW_MAX)
    made: zstandard.ZstdDecompressor = _per_thread.zstd
    return made


def _decompress_zstd(stored: Readable, raw_size: int) -> bytes:
    try:
        declared = zstandard.frame_content_size(stored)
        if declared not in (-1, raw_size):
            raise FormatError(f"a block's body is {declared} bytes, not {raw_size}, when decompressed")
        return bytes(zstd().decompress(stored, max_output_size=raw_size, allow_extra_data=False))
    except zstandard.ZstdError as error:
        raise FormatError(f"a block's body is not valid zstd: {error}") from error


def _decompress_gzip(stored: Readable, raw_size: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        raw = stream.decompress(stored, raw_size + 1)
    except zlib.error as error:
        raise FormatError(f"a block's body is not valid gzip: {error}") from error
    if len(raw) == raw_size and (not stream.eof or stream.unused_data):
        raise FormatError("a block's body is not one whole gzip stream")
    return raw


def _decompress_lz4(stored: Readable, raw_size: int) -> bytes:
    try:
        with pa.CompressedInputStream(pa.py_buffer(stored), "lz4") as stream:
            return bytes(stream.read(raw_size + 1))
    except (OSError, pa.ArrowInvalid) as error:
        raise FormatError(f"a block's body is not valid lz4: {error}") from error


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a block may be: rows, bytes of its body decompressed, and how often its stored bytes go into these."""

    rows: int = 1 << 24
    raw_bytes: int = 256 << 20
    expansion: int = 1000

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """What the settings block_rows, block_raw_bytes and block_expansion say."""
        return cls(settings.block_rows, settings.block_raw_bytes, settings.block_expansion)

    def check(self, head: BlockHead) -> None:
        """Raises FormatError for a block that is more."""
        rows = sum(thread.rows + thread.async_rows for thread in head.threads)
        if rows > self.rows:
            raise FormatError(f"a block has {rows} rows, and the setting block_rows is {self.rows}")
        if head.raw_size > self.raw_bytes:
            raise FormatError(f"a block's body is {head.raw_size} bytes, more than the setting block_raw_bytes says")
        if head.raw_size > _EXPANSION_FREE and head.raw_size > self.expansion * head.stored_size:
            raise FormatError(
                f"a block's body is {head.raw_size} bytes and {head.stored_size} compressed: more than the setting "
                f"block_expansion allows"
            )


def _one_block(head: Readable, body: Readable) -> tuple[Any, object]:
    """A tachy_blocks, and what has to live as long."""
    first, second = view_of(head), view_of(body)
    parts = (
        ffi.new("void *[]", [ffi.cast("void *", first)]),
        ffi.new("uint64_t[]", [len(first)]),
        ffi.new("void *[]", [ffi.cast("void *", second)]),
        ffi.new("uint64_t[]", [len(second)]),
    )
    return ffi.new("tachy_blocks *", (1, *parts)), (first, second, parts)


def check_rows(kind: str, head: Readable, body: Readable) -> None:
    """Raises FormatError where a block's rows of a kind (rows.read_rows) cannot be decoded; nothing is made of them."""
    blocks, _owners = _one_block(head, body)
    for _ in read_rows(kind, blocks, ()):
        pass


def _whole(
    kind: str, head: Readable, body: Readable, begin: int | None = None, end: int | None = None,
    thread: int | None = None, *, open_end: bool = False,
) -> pa.RecordBatch:  # fmt: skip
    blocks, _owners = _one_block(head, body)
    streams = None
    if thread is not None:
        header = read_head(head)
        streams = [stream_id(header.process_id, header.cls, thread)]
    flags = b"\1" if open_end else None
    return next(read_rows(kind, blocks, begin=begin, end=end, stream_ids=streams, open_ends=flags, rows=0))


def read_spans(
    head: Readable, body: Readable, *, begin: int | None = None, end: int | None = None, thread: int | None = None,
    open_end: bool = False,
) -> pa.RecordBatch:  # fmt: skip
    """The spans that overlap [begin, end], in the order of their ends; the columns are those of reader.h.

    `thread` is a thread's number. `open_end` appends the spans that are still open at the block's end (is_open).
    """
    return _whole("spans", head, body, begin, end, thread, open_end=open_end)


def read_async(
    head: Readable, body: Readable, *, begin: int | None = None, end: int | None = None, thread: int | None = None,
) -> pa.RecordBatch:  # fmt: skip
    """The begins and ends of async spans whose time lies in [begin, end]; the columns are those of reader.h."""
    return _whole("async", head, body, begin, end, thread)


def read_open_async(head: Readable, body: Readable) -> pa.RecordBatch:
    """The async spans that are open at the block's start, ascending by id; the columns are those of reader.h."""
    return _whole("open_async", head, body)


def read_logs(
    head: Readable, body: Readable, *, begin: int | None = None, end: int | None = None, thread: int | None = None,
) -> pa.RecordBatch:  # fmt: skip
    """The log entries of [begin, end]; the columns are those of reader.h."""
    return _whole("logs", head, body, begin, end, thread)


def read_images(
    head: Readable, body: Readable, *, begin: int | None = None, end: int | None = None, thread: int | None = None,
) -> pa.RecordBatch:  # fmt: skip
    """The parts of images of [begin, end], which are logs that read_logs leaves out; the columns are the same."""
    return _whole("images", head, body, begin, end, thread)


def read_metrics(
    head: Readable, body: Readable, *, begin: int | None = None, end: int | None = None, thread: int | None = None,
) -> pa.RecordBatch:  # fmt: skip
    """The measures of [begin, end]; the columns are those of reader.h."""
    return _whole("metrics", head, body, begin, end, thread)
