"""Perfetto traces of one or several processes, streamed from their blocks.

The head packets (clock, processes) come from the perfetto package's protos, everything else from the native encoder.
One block is decoded at a time; what is in memory is that, the lake's reads ahead, and the async spans of one process.
All processes share one clock, UTC, which is both the trace's own clock and its wall clock. Times: UTC nanoseconds.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as protos

from tachy_server.base.errors import FormatError, NotFound
from tachy_server.formats.perfetto import PerfettoTrace, TraceCounts, process_uuid
from tachy_server.formats.reader import LOG, METRIC, SPAN, Limits
from tachy_server.lake.blocks import Blocks
from tachy_server.views.decode import opened

if TYPE_CHECKING:
    from tachy_server.lake.block_reads import BlocksRead
    from tachy_server.lake.snapshot import Snapshot

CLASSES = {"span": SPAN, "metric": METRIC, "log": LOG}  # in the order in which they are written

_SELECT_PROCESSES = """
SELECT process_id, exe, username, computer, distro, cpu_brand, sdk, state, start_time, last_block_end_time, properties
FROM processes WHERE process_id = ANY(%s)
"""
_HEAD_SEQUENCE = 1
_DEFLATE = 6  # 7.7 bytes a slice; level 9 makes 6.6 in ten times the time


class TraceLake(Protocol):
    """What a trace needs of a lake; `lake.Lake` is one."""

    limits: Limits

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """What is there at one moment."""

    def read(self, blocks: Blocks) -> Iterator[BlocksRead]:
        """Blocks as they are stored, a few reads ahead."""

    def note_error(self, row: Any, reason: str | None) -> None:
        """The block cannot be read because of this; None: it can, after all."""


@dataclass(frozen=True, slots=True)
class TracedProcess:
    """What a trace says of a process."""

    process_id: UUID
    exe: str
    username: str
    computer: str
    distro: str
    cpu_brand: str
    sdk: str
    state: str
    start_time: int
    last_block_end_time: int | None
    properties: dict[str, str]

    @property
    def name(self) -> str:
        """The executable, without its folders."""
        return re.split(r"[/\\]", self.exe)[-1] or self.exe or str(self.process_id)

    @property
    def pid(self) -> int:
        """The operating system's id, from the property `pid`; 0: unknown."""
        text = self.properties.get("pid", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


SelectBlocks = Callable[[int, UUID], Blocks]
"""The blocks of a class and a process that a trace is made of."""


class Trace:
    """Iterate for the bytes; `counts` says what has been written so far."""

    def __init__(
        self,
        lake: TraceLake,
        processes: Sequence[TracedProcess],
        begin: int | None,
        end: int | None,
        classes: Sequence[int],
        spans: str,
        blocks: SelectBlocks | None = None,
        *,
        compressed: bool = False,
    ) -> None:
        """`blocks`: selected already; else they are when their turn comes."""
        self._lake, self._begin, self._end, self._classes = lake, begin, end, classes
        self._select = blocks or self._blocks
        self._encoder = PerfettoTrace(begin=begin, end=end, spans=spans)
        self._chunks = self._write(processes)
        self._compressed = compressed

    @property
    def counts(self) -> TraceCounts:
        """Slices, counter samples, logs and frames so far."""
        return self._encoder.counts

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        return compress(chunk) if self._compressed else chunk

    def close(self) -> None:
        """Stops before the end."""
        self._chunks.close()

    def _write(self, processes: Sequence[TracedProcess]) -> Generator[bytes, None, None]:
        now = self._begin if self._begin is not None else min(process.start_time for process in processes)
        pids = [self._encoder.process(process.process_id, process.pid) for process in processes]
        yield head_packets(processes, pids, now)
        for process in processes:
            yield from self._write_process(process)

    def _write_process(self, process: TracedProcess) -> Iterator[bytes]:
        latest = process.last_block_end_time or process.start_time
        for cls in self._classes:
            for some, stored in opened(self._lake, self._select(cls, process.process_id)):
                yield from self._encoder.write(stored)
                ends = some.columns.column("end_time")
                readable = pc.invert(pc.is_in(pa.array(range(len(some))), pa.array(stored.failed, pa.int64())))
                latest = max(latest, pc.max(ends.filter(readable)).as_py() or latest)
        self._encoder.finish(latest if self._end is None else min(latest, self._end))
        chunk = self._encoder.take()
        if chunk:
            yield chunk

    def _blocks(self, cls: int, process_id: UUID) -> Blocks:
        with self._lake.snapshot() as snapshot:
            return blocks_of(snapshot, cls, process_id, self._begin, self._end)


def write_trace(
    lake: TraceLake,
    process_ids: Sequence[UUID],
    *,
    begin: int | None,
    end: int | None,
    classes: Sequence[str] = ("span", "metric", "log"),
    spans: str = "both",
    compressed: bool = False,
) -> Trace:
    """A trace of what the processes did in [begin, end] (None: no bound); of spans, "thread", "async" or "both".

    Slices that overlap the range are written whole; `compressed`: the packets are in zlib's form, which every reader of
    traces opens as well. Raises NotFound at once where a process is unknown, FormatError for
    a class that does not exist. A block that cannot be read is left out.
    """
    unknown = sorted(set(classes) - set(CLASSES))
    if unknown:
        raise FormatError(f"unknown event class {unknown[0]!r}: a trace is made of {', '.join(CLASSES)}")
    chosen = [number for name, number in CLASSES.items() if name in classes]
    with lake.snapshot() as snapshot:
        processes = traced(snapshot, process_ids)
    return Trace(lake, processes, begin, end, chosen, spans, compressed=compressed)


def compress(packets: bytes) -> bytes:
    """Whole packets as one that has them compressed."""
    packed = protos.TracePacket(compressed_packets=zlib.compress(packets, _DEFLATE))
    return bytes(protos.Trace(packet=[packed]).SerializeToString())


def traced(snapshot: Snapshot, process_ids: Sequence[UUID]) -> list[TracedProcess]:
    """The processes of a trace. Raises NotFound where one is unknown, or there is none."""
    wanted = list(dict.fromkeys(process_ids))
    visible = "".join(f" AND {text}" for text in snapshot.visible.conditions("process_id")).replace("%", "%%")
    known = {row[0]: TracedProcess(*row) for row in snapshot.select(_SELECT_PROCESSES + visible, [wanted])}
    for process_id in wanted:
        if process_id not in known:
            raise NotFound(f"no process {process_id} is known")
    if not wanted:
        raise NotFound("a trace needs at least one process")
    return [known[process_id] for process_id in wanted]


def blocks_of(snapshot: Snapshot, cls: int, process_id: UUID, begin: int | None, end: int | None) -> Blocks:
    """Those that overlap the range; of spans also the one before: it knows what was open without an event in it."""
    rows = snapshot.select_blocks(cls, begin=begin, end=end, process_ids=[process_id])
    if cls == CLASSES["span"] and begin is not None:
        rows = snapshot.blocks_before(cls, process_id, begin) + rows
    return rows


def head_packets(processes: Sequence[TracedProcess], pids: Sequence[int], now: int) -> bytes:
    """The clock and the processes; `pids` are the trace's. The trace clock is UTC, so both clocks read `now`."""
    trace = protos.Trace()
    packet = trace.packet.add(trusted_packet_sequence_id=_HEAD_SEQUENCE)
    packet.clock_snapshot.primary_trace_clock = protos.BUILTIN_CLOCK_BOOTTIME
    for clock in (protos.BUILTIN_CLOCK_BOOTTIME, protos.BUILTIN_CLOCK_REALTIME):
        packet.clock_snapshot.clocks.add(clock_id=clock, timestamp=max(now, 0))
    for process, pid in zip(processes, pids, strict=True):
        packet = trace.packet.add(trusted_packet_sequence_id=_HEAD_SEQUENCE)
        track = packet.track_descriptor
        track.uuid = process_uuid(process.process_id)
        track.process.pid = pid
        track.process.process_name = process.name
        track.process.cmdline.append(process.exe)
        track.process.start_timestamp_ns = max(process.start_time, 0)
        track.process.process_labels.extend(_labels(process))
    return bytes(trace.SerializeToString())


def _labels(process: TracedProcess) -> Iterator[str]:
    """What the UI shows beside the process's name, the program's own properties first."""
    for key, value in sorted(process.properties.items()):
        yield f"{key}: {value}"
    for name in ("computer", "username", "distro", "cpu_brand", "sdk", "state", "process_id"):
        if getattr(process, name):
            yield f"{name}: {getattr(process, name)}"
