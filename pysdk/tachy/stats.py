"""What the recorder has counted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from tachy.recorder import ffi, lib

Counts = dict[str, int]  # "log", "metric", "span"


@dataclass(frozen=True, slots=True)
class Stats:
    """Of the running session, or of the last one. Events are counted by class: "log", "metric", "span".

    recorded: every event that a thread tried to record. dropped, of these: lost because the pool was empty, in an
    overfull outbox or spool, or refused by the server. sent, of these: acknowledged by the server. kept, of these: left
    in the session folder for the next start. not_retained: spans that the flight recorder had and no trigger wanted;
    flight_overwritten, of these: before their time, its memory was full. outbox_bytes and spool_bytes: memory and
    storage of what waits now. survives: 1 while what is recorded outlives the process, should it be killed.
    unprotected: batches that got no file. recovered_batches and recovered_lost: batches of processes that died
    before, which this one sent, or which were lost in whole or in part. left_dropped: events that processes before
    had left in the session folder, and that this one dropped there, for want of room (spool_bytes) or for age
    (spool_seconds). values_dropped: values on spans that were lost, alone or with their span. refused: times that a
    span's name, a set of properties or a category (`set_category`) found no room. control_version: the newest of the
    server's instructions that was followed; control_refused: those that could not be read. Sizes are bytes,
    collector_ns is CPU time, compressor_ns what of it compressing took where a C++ part of the program sends (this
    package compresses on its own thread), frequency is ticks per second.
    """

    process_id: UUID
    recorded: Counts
    dropped: Counts
    sent: Counts
    kept: Counts
    not_retained: int
    flight_overwritten: int
    batches: int
    blocks: int
    raw_bytes: int
    wire_bytes: int
    collector_ns: int
    compressor_ns: int
    outbox_bytes: int
    spool_bytes: int
    survives: int
    unprotected: int
    recovered_batches: int
    recovered_lost: int
    left_dropped: Counts
    threads: int
    sites: int
    clock_backwards: int
    too_deep: int
    mismatched: int
    async_untracked: int
    values_dropped: int
    refused: int
    frequency: int
    clock: str
    control_version: int
    control_refused: int

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON has it; the process id is text."""
        return {**asdict(self), "process_id": str(self.process_id)}


def stats() -> Stats:
    """What the recorder has counted up to now."""
    raw = ffi.new("tachy_stats *")
    lib.tachy_get_stats(raw)

    def by_class(values: Any) -> Counts:
        return {"log": values[1], "metric": values[2], "span": values[3]}

    numbers = (
        "not_retained flight_overwritten batches blocks raw_bytes wire_bytes collector_ns compressor_ns "
        "outbox_bytes spool_bytes survives unprotected recovered_batches recovered_lost threads sites "
        "clock_backwards too_deep mismatched async_untracked values_dropped refused frequency "
        "control_version control_refused"
    )
    return Stats(
        process_id=UUID(bytes=bytes(raw.process_id)),
        recorded=by_class(raw.recorded),
        dropped=by_class(raw.dropped),
        sent=by_class(raw.sent),
        kept=by_class(raw.kept),
        left_dropped=by_class(raw.left_dropped),
        clock="" if raw.clock == ffi.NULL else ffi.string(raw.clock).decode(),
        **{name: getattr(raw, name) for name in numbers.split()},
    )
