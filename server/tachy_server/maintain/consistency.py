"""What PostgreSQL says of processes, streams, days and counts, compared with the indexes of the segments' rows.

All of it at one moment, with temporary tables; corrections are differences, so that what comes meanwhile stays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from tachy_server.base.errors import FormatError
from tachy_server.formats.block_index import select
from tachy_server.formats.segments import Segment, processes_of
from tachy_server.lake import block_counts, block_days, segments
from tachy_server.lake.database import Connection
from tachy_server.lake.store import Store
from tachy_server.maintain.intake import BLOCKS, DAY, block_columns, read_ends, take_described, times_of

Fault = tuple[str, str, str, str | None]
"""Kind, what, reason, and what was done."""

_MAKE: Final = """
CREATE TEMPORARY TABLE IF NOT EXISTS told (process_id uuid, class int, numbers int8multirange, blocks bigint,
    streams bigint, inserted bigint);
CREATE TEMPORARY TABLE IF NOT EXISTS told_streams (stream_id uuid PRIMARY KEY, process_id uuid);
CREATE TEMPORARY TABLE IF NOT EXISTS told_days (insert_day date, begin_time bigint, end_time bigint);
TRUNCATE told, told_streams, told_days;
DROP TABLE IF EXISTS wrong
"""
_MOMENT: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
_ROWS: Final = "SELECT insert_day, insert_time, block_index FROM segments"
_AT_A_TIME: Final = 64
_TELL: Final = f"""
INSERT INTO told
SELECT process_id, class, range_agg(numbers), sum(upper(numbers) - lower(numbers)), sum(streams), %s FROM {BLOCKS} AS b
GROUP BY process_id, class
"""
_TELL_PROCESSES: Final = "INSERT INTO told SELECT u.id, 0, '{}', 0, 0, %s FROM unnest(%s::uuid[]) AS u (id)"
_TELL_STREAMS: Final = """
INSERT INTO told_streams SELECT DISTINCT u.stream_id::uuid, u.process_id::uuid
FROM unnest(%s::text[], %s::text[]) AS u (stream_id, process_id) ON CONFLICT DO NOTHING
"""
_TELL_DAY: Final = "INSERT INTO told_days VALUES (%s, %s, %s)"

_KNOWN: Final = f"""CASE WHEN p.insert_time / {DAY} <= (
            SELECT last_day - date '1970-01-01' FROM expired WHERE class = {{2}})
        THEN p.{{0}} * coalesce(t.{{1}}, '{{{{}}}}') ELSE coalesce(p.{{0}}, '{{{{}}}}') END AS {{0}}"""

# A process whose row says something else than the indexes: what it lacks, what it has too much. Days of segments are
# found by the times of processes; merged blocks have the time of the latest that came, which is of the same day. Of a
# process from days that have been dropped nobody knows which blocks it had: nothing that is gone is too much there.
_WRONG: Final = f"""
CREATE TEMPORARY TABLE wrong AS
WITH told AS (
    SELECT process_id, min(inserted) AS first, max(inserted) AS last,
        coalesce(range_agg(numbers) FILTER (WHERE class = 1), '{{}}') AS log,
        coalesce(range_agg(numbers) FILTER (WHERE class = 2), '{{}}') AS metric,
        coalesce(range_agg(numbers) FILTER (WHERE class = 3), '{{}}') AS span
    FROM told GROUP BY process_id),
known AS (
    SELECT process_id, p.sdk IS NOT NULL AS there, first, last,
        coalesce(first / {DAY} < p.insert_time / {DAY} OR last / {DAY} > p.last_update_time / {DAY}, false) AS outside,
        coalesce(t.log, '{{}}') AS log, coalesce(t.metric, '{{}}') AS metric, coalesce(t.span, '{{}}') AS span,
        {_KNOWN.format("log_blocks", "log", 1)}, {_KNOWN.format("metric_blocks", "metric", 2)},
        {_KNOWN.format("span_blocks", "span", 3)}
    FROM told AS t FULL JOIN processes AS p USING (process_id))
SELECT process_id, there, outside, first, last, log - log_blocks AS log_more, metric - metric_blocks AS metric_more,
    span - span_blocks AS span_more, log_blocks - log AS log_less, metric_blocks - metric AS metric_less,
    span_blocks - span AS span_less
FROM known WHERE NOT there OR outside OR (log, metric, span) <> (log_blocks, metric_blocks, span_blocks)
"""
_WRONG_SAID: Final = """
SELECT process_id, there, outside,
    (SELECT coalesce(sum(upper(r) - lower(r)), 0)::bigint FROM (
        SELECT unnest(log_more) AS r UNION ALL SELECT unnest(metric_more) UNION ALL SELECT unnest(span_more)) AS m),
    (SELECT coalesce(sum(upper(r) - lower(r)), 0)::bigint FROM (
        SELECT unnest(log_less) AS r UNION ALL SELECT unnest(metric_less) UNION ALL SELECT unnest(span_less)) AS l)
FROM wrong ORDER BY process_id
"""
_RIGHT: Final = """
UPDATE processes AS p SET
    log_blocks = p.log_blocks - w.log_less + w.log_more,
    metric_blocks = p.metric_blocks - w.metric_less + w.metric_more,
    span_blocks = p.span_blocks - w.span_less + w.span_more,
    insert_time = CASE WHEN w.outside THEN least(p.insert_time, w.first) ELSE p.insert_time END,
    last_update_time = CASE WHEN w.outside THEN greatest(p.last_update_time, w.last) ELSE p.last_update_time END
FROM wrong AS w WHERE p.process_id = w.process_id
"""
_NO_STREAM: Final = """
SELECT stream_id, process_id FROM told_streams AS t
WHERE NOT EXISTS (SELECT FROM streams AS s WHERE s.stream_id = t.stream_id) ORDER BY 1
"""
_OF_PROCESSES: Final = "SELECT key, size FROM segments WHERE processes && %s::integer[] ORDER BY key"
_DAYS: Final = """
SELECT t.insert_day, min(t.begin_time), max(t.end_time) FROM told_days AS t LEFT JOIN block_days AS d USING (insert_day)
WHERE d.insert_day IS NULL OR t.begin_time < d.begin_time OR t.end_time > d.end_time GROUP BY 1 ORDER BY 1
"""
_TWICE: Final = """
SELECT process_id, sum(streams)::bigint FROM told GROUP BY process_id
HAVING sum(blocks) > (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM (
    SELECT unnest(range_agg(t.numbers)) AS r FROM told AS t
    WHERE t.process_id = told.process_id AND t.class > 0 GROUP BY t.class) AS u)
"""
_COUNTED: Final = """
SELECT (SELECT coalesce(sum(streams), 0)::bigint FROM block_counts),
    (SELECT coalesce(sum(streams), 0)::bigint FROM told), (SELECT max(insert_day) FROM segments)
"""


def find(connection: Connection, store: Store, *, mend: bool) -> Iterator[Fault]:
    """What does not agree, and is made to if that is wanted. Raises StoreError."""
    with connection.transaction():
        connection.execute(_MOMENT)
        connection.execute(_MAKE)
        _tell(connection)
        connection.execute(_WRONG)
        wrong = connection.execute(_WRONG_SAID).fetchall()
        streams = connection.execute(_NO_STREAM).fetchall()
        days = connection.execute(_DAYS).fetchall()
        counted, real, day = _count(connection)
    if mend:
        lacking = [process for process, there, *_ in wrong if not there] + [process for _, process in streams]
        _describe(connection, store, lacking)
        with connection.transaction():
            connection.execute(_RIGHT)
            for day_, begin, end in days:
                block_days.widen(connection, day_, begin, end)
            if counted != real:
                block_counts.add(connection, Counter({day: real - counted}))
    done = "made again from the objects" if mend else None
    for process, there, outside, more, less in wrong:
        if not there:
            yield "process", str(process), "its row is gone", done
        if more or less:
            yield (
                "process",
                str(process),
                f"its row lacks {more} blocks that are stored and has {less} that are not",
                done,
            )
        if outside and there:
            yield "process", str(process), "its blocks were inserted on days that the times of its row leave out", done
    for stream, process in streams:
        yield "stream", str(stream), f"its row is gone, of process {process}", done
    for day_, _, _ in days:
        yield "day", str(day_), "its blocks have other times than block_days says", done
    if counted != real:
        yield "count", "block_counts", f"it has {counted} streams of blocks, and there are {real}", done


def _tell(connection: Connection) -> None:
    with connection.cursor("told", binary=True) as cursor:
        cursor.itersize = _AT_A_TIME
        for day, inserted, index in cursor.execute(_ROWS):
            try:
                rows, threads = select([index]), select([index], threads=True)
            except FormatError:  # who compares rows with objects says so of this one
                continue
            connection.execute(_TELL.encode(), (inserted, *block_columns(rows)))
            connection.execute(_TELL_PROCESSES, (inserted, list(processes_of(index))))
            named = [threads.column(name).to_pylist() for name in ("stream_id", "process_id")]
            connection.execute(_TELL_STREAMS, named)
            times = times_of(rows)
            if times:
                connection.execute(_TELL_DAY, (day, *times))


def _count(connection: Connection) -> tuple[int, int, Any]:
    """Streams of all blocks as they are counted, and as they are; of blocks that were stored again only one counts."""
    row = connection.execute(_COUNTED).fetchone()
    assert row is not None
    counted, real, day = row

    def run(query: str, arguments: Sequence[Any]) -> list[tuple[Any, ...]]:
        return connection.cursor(binary=True).execute(query.encode(), arguments).fetchall()

    for process, told in connection.execute(_TWICE).fetchall():
        found = segments.find(run, block_days.select(connection, process_ids=[process]), process_ids=[process])
        rows = select([index for _, _, index in found], process_ids=[process])
        real -= told - sum(rows.column("streams").to_pylist())
    return counted, real, day


def _describe(connection: Connection, store: Store, process_ids: Sequence[UUID]) -> None:
    """From the objects that have blocks of them."""
    if not process_ids:
        return
    named = connection.execute(_OF_PROCESSES, (segments.shortened(process_ids),)).fetchall()
    for found in read_ends(store, named):
        if isinstance(found.segment, Segment):
            with connection.transaction():
                take_described(connection, found.segment.record.decode())
