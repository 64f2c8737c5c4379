"""The native Perfetto encoder: blocks in, bytes of a trace out. See "Perfetto" in native/include/tachy/reader.h.

Sequence ids 1 to 15 and the packets for clocks and processes are the caller's; everything else is written here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from tachy_server.formats._reader import ffi, lib
from tachy_server.formats.native import Readable, check_status, view_of
from tachy_server.formats.stored_blocks import StoredBlocks

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class TraceCounts:
    """What a trace holds: slices of thread tracks, async slices, counter samples, logs, frames, marks of losses; and
    how many slices of threads it leaves out, since 512 others enclose them.
    """

    slices: int = 0
    async_slices: int = 0
    counters: int = 0
    instants: int = 0
    frames: int = 0
    losses: int = 0
    too_deep: int = 0


class PerfettoTrace:
    """One trace. Times are UTC nanoseconds. Not for several threads at once."""

    def __init__(self, *, begin: int | None = None, end: int | None = None, spans: str = "both") -> None:
        """Only what overlaps [begin, end] is written (None: no bound); of spans, "thread", "async" or "both"."""
        trace = lib.tachy_perfetto_new()
        if trace == ffi.NULL:
            raise MemoryError
        self._trace = ffi.gc(trace, lib.tachy_perfetto_free)
        self._error = ffi.new("tachy_read_error *")
        self._size = ffi.new("uint64_t *")
        lib.tachy_perfetto_range(self._trace, INT64_MIN if begin is None else begin, INT64_MAX if end is None else end)
        lib.tachy_perfetto_spans(self._trace, spans != "async", spans != "thread")

    def process(self, process_id: uuid.UUID, pid: int = 0) -> int:
        """Announces a process, with its real pid if that is known; returns the pid that its descriptor must carry."""
        chosen = lib.tachy_perfetto_process(self._trace, process_id.bytes, pid if 0 < pid < 1 << 31 else 0)
        if not chosen:
            raise MemoryError
        return int(chosen)

    def parts(self, head: Readable, body: Readable) -> Iterator[bytes]:
        """A block: its head as it lies in the block, its body decompressed. Blocks of a process and class come in the
        order of their sequence. Gives the trace's bytes, some MiB at a time. Raises FormatError, before the first.
        """
        more = ffi.new("int *", 1)
        with view_of(head) as h, view_of(body) as b:
            check_status(lib.tachy_perfetto_start(self._trace, h, len(h), b, len(b), self._error), self._error)
            while more[0]:
                check_status(lib.tachy_perfetto_next(self._trace, more, self._error), self._error)
                yield self.take()

    def write(self, stored: StoredBlocks) -> Iterator[bytes]:
        """Blocks, in the order that `parts` wants. Gives the trace's bytes, some MiB at a time."""
        for _ in stored.walk(partial(lib.tachy_perfetto_write, self._trace)):
            if chunk := self.take():
                yield chunk

    def finish(self, end: int) -> None:
        """Ends at `end` what is open and writes the async spans; then another process's blocks may follow."""
        check_status(lib.tachy_perfetto_finish(self._trace, end, self._error), self._error)

    def take(self) -> bytes:
        """The bytes of the trace since the last call."""
        data = lib.tachy_perfetto_take(self._trace, self._size)
        return bytes(ffi.buffer(data, self._size[0])) if self._size[0] else b""

    @property
    def counts(self) -> TraceCounts:
        """What has been written so far."""
        counts = ffi.new("tachy_perfetto_counts *")
        lib.tachy_perfetto_get_counts(self._trace, counts)
        return TraceCounts(
            counts.slices,
            getattr(counts, "async"),
            counts.counters,
            counts.instants,
            counts.frames,
            counts.losses,
            counts.too_deep,
        )


def process_uuid(process_id: uuid.UUID) -> int:
    """The uuid of the process's track."""
    return int(lib.tachy_perfetto_process_uuid(process_id.bytes))


def thread_uuid(process_id: uuid.UUID, thread: int) -> int:
    """The uuid of a thread's slice track; `thread` is its number in the process."""
    return int(lib.tachy_perfetto_thread_uuid(process_id.bytes, thread))
