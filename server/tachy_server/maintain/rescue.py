"""What can still be read of an object that is damaged becomes a new one, in one transaction."""

from __future__ import annotations

from itertools import groupby
from typing import Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from tachy_server.base.errors import FormatError
from tachy_server.formats.block_index import select
from tachy_server.formats.reader import LOG, METRIC, SPAN, check_block, check_rows, decompress
from tachy_server.formats.segments import Record, SegmentWriter, processes_of
from tachy_server.lake import described, segments
from tachy_server.lake.block_reads import Stored
from tachy_server.lake.blocks import Blocks
from tachy_server.lake.lake import Lake
from tachy_server.maintain.intake import DAY, forget, times_of

_KINDS: Final = {LOG: "logs", METRIC: "metrics", SPAN: "spans"}
_ROW: Final = """
SELECT insert_time, level, block_index, covered FROM segments WHERE insert_day = %s AND key = %s FOR UPDATE
"""
_NUMBER: Final = "SELECT nextval('segment_numbers')"


def fault_of(data: Stored, digest: int) -> str | None:
    """Why a block cannot be decoded, or is another than the one whose header has this hash; None: it is sound."""
    try:
        if isinstance(data, FormatError):
            raise data
        head = check_block(data)
        if (head.header_hash - digest) % (1 << 64):
            return "the index speaks of another block"
        stored = data[head.header_size : head.header_size + head.stored_size]
        check_rows(_KINDS[head.cls], data[: head.header_size], decompress(head.codec, stored, head.raw_size))
    except FormatError as error:
        return str(error)
    return None


def rescue(lake: Lake, key: str, after: int) -> tuple[int, int]:
    """How many blocks of the segment are in a new one, and how many are lost. The old object goes `after` that time.

    Raises StoreError.
    """
    day = segments.day_of_key(key)
    with lake.connection() as connection, connection.transaction():
        row = connection.execute(_ROW, (day, key)).fetchone()
        if row is None:
            return 0, 0
        insert_time, level, index, covered = row
        rows = select([index])
        hashes, sizes = (rows.column(name).to_pylist() for name in ("hash", "header_size"))
        kept: list[tuple[UUID, memoryview, int]] = []
        sound: list[bool] = []
        blocks = Blocks(rows, [(key, insert_time)], {})
        for (block, data), digest, size in zip(lake.read_blocks(blocks), hashes, sizes, strict=True):
            sound.append(fault_of(data, digest) is None)
            if sound[-1] and not isinstance(data, FormatError):
                kept.append((block.process_id, data, size))
        process_ids = processes_of(index)
        ((number,),) = connection.execute(_NUMBER)
        writer = SegmentWriter()
        silent = set(process_ids)
        for process_id, of_process in groupby(kept, key=lambda one: one[0]):
            writer.add_blocks(process_id, [(data, size) for _, data, size in of_process])
            silent.discard(process_id)
        for process_id in sorted(silent):
            writer.add_blocks(process_id, [])
        since = insert_time if level == 0 else insert_time // DAY * DAY  # what was merged came on the day of its last
        processes, streams = described.read(connection, process_ids, since, insert_time)
        made, parts = writer.finish(
            Record(insert_time, number, level, processes, streams, replaces=[key], pieces=1)
        )  # fmt: skip
        fresh = segments.segment_key(insert_time, segments.kept_days(key))
        lake.store.put_new(fresh, parts)
        segments.forget(connection, day, [key])
        size = sum(map(len, parts))
        times = times_of(select([made]))
        segments.insert(connection, fresh, size, insert_time, times, process_ids, made, level, covered)
        segments.remove_later(connection, [key], after)
        lost = rows.filter(pc.invert(pa.array(sound, pa.bool_())))
        if lost.num_rows:
            forget(connection, lost)
    return len(kept), lost.num_rows
