"""The ends of lives: what came on a day goes when its class's life, or the life that a rule gave it, is over.

A day's segments of a class are dropped in one statement, which reads no block; objects follow when no query can have
selected them. What was merged twice has one class in each segment. Others, a few late ones, are split before.

Rows of processes and streams stay, with the numbers of all blocks that were ever stored: by them a block that comes
again is known, and is not stored again. Blocks that a rule keeps for longer are copied into segments of their own.
"""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import Rollback

from tachy_server.base.errors import FormatError
from tachy_server.formats.block_index import select
from tachy_server.formats.reader import LOG, METRIC, SPAN
from tachy_server.formats.segments import Record
from tachy_server.lake import block_counts, described, keep_rules, materialized, segments
from tachy_server.lake.blocks import Blocks
from tachy_server.lake.database import Connection, day_of
from tachy_server.lake.lake import Lake
from tachy_server.maintain.merged import Part, copy
from tachy_server.maintain.rewriting import LATE, Rewriter
from tachy_server.maintain.rules import Rules

_SECOND: Final = 10**9
_DAY: Final = 86_400 * _SECOND
_FOR_EVER: Final = datetime.date(1, 1, 1)

# Whether a row's day is over for its class, as bits; what only tells of processes stays as long as any class.
_OVER: Final = " | ".join(
    f"CASE WHEN insert_day <= %(class_{cls})s THEN {segments.bit_of(cls)} ELSE 0 END" for cls in (LOG, METRIC, SPAN)
)
_DUE: Final = f"""
SELECT insert_day, over FROM (SELECT insert_day, keep, classes, {_OVER} AS over FROM segments) AS s
WHERE keep IS NULL AND CASE classes WHEN 0 THEN over = 7 ELSE classes & over <> 0 END
GROUP BY insert_day, over ORDER BY insert_day
"""
_DROP: Final = """
DELETE FROM segments
WHERE insert_day = %(day)s AND keep IS NULL AND CASE classes WHEN 0 THEN %(over)s = 7 ELSE classes & ~%(over)s = 0 END
RETURNING covered, key, insert_time, block_index
"""
# Asked when what goes has gone: it has other classes, too, and somebody else was at it when it was to be split.
_LEFT: Final = """
SELECT EXISTS (
    SELECT FROM segments WHERE insert_day = %s AND keep IS NULL AND classes & %s <> 0 AND key <> ALL(%s)
)
"""
_KEPT: Final = "SELECT DISTINCT insert_day FROM segments WHERE insert_day + keep < %(today)s ORDER BY 1"
_DROP_KEPT: Final = """
DELETE FROM segments WHERE insert_day = %(day)s AND insert_day + keep < %(today)s
RETURNING covered, key, insert_time, block_index
"""
_NOTE: Final = """
INSERT INTO expired AS e (class, last_day) SELECT unnest(%s::smallint[]), %s ORDER BY 1
ON CONFLICT (class) DO UPDATE SET last_day = greatest(e.last_day, excluded.last_day)
"""
_FORGET_DAY: Final = """
DELETE FROM block_days WHERE insert_day = %(day)s
    AND NOT EXISTS (SELECT FROM segments WHERE insert_day = %(day)s)
"""
_NUMBER: Final = "SELECT nextval('segment_numbers')"
_ERRORS: Final = "SELECT block_id FROM block_errors"
_FORGET_ERRORS: Final = "DELETE FROM block_errors WHERE block_id = ANY(%s)"


@dataclass(slots=True)
class Dropped:
    """Since the start."""

    segments: int = 0
    blocks: int = 0


class Expirer:
    """`lives`: days by class, 0: for ever; objects go `grace` nanoseconds after their rows. Several may work at
    once.
    """

    def __init__(
        self,
        lake: Lake,
        rewriter: Rewriter,
        lives: Mapping[int, float],
        grace: int,
        rules: Rules,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.dropped = Dropped()
        self._lake, self._rewriter, self._lives, self._grace, self._clock = lake, rewriter, lives, grace, clock
        self._rules = rules

    def run(self) -> int:
        """Drops what is over; returns how many segments. Raises StoreError."""
        now = self._clock()
        last = {f"class_{cls}": self._last_day(cls, now) for cls in (LOG, METRIC, SPAN)}
        today = day_of(now)
        before = self.dropped.segments
        with self._lake.connection() as connection:
            due = connection.execute(_DUE.encode(), last).fetchall()
            if due:
                self._rules.ask_all(connection)
            self._rules.look(connection)
            for day, over in due:
                self._rewriter.split(connection, day, over)
                self._drop(connection, day, _DROP, {"day": day, "over": over}, over)
            for (day,) in connection.execute(_KEPT, {"today": today}).fetchall():
                self._drop(connection, day, _DROP_KEPT, {"day": day, "today": today}, 0)
        return self.dropped.segments - before

    def _last_day(self, cls: int, now: int) -> datetime.date:
        """The last day whose end is a life ago, and whose segments have all been committed."""
        life = self._lives.get(cls, 0.0)
        return day_of(now - LATE - int(life * _DAY)) - datetime.timedelta(days=1) if life else _FOR_EVER

    def _drop(
        self, connection: Connection, day: datetime.date, statement: str, values: Mapping[str, Any], over: int
    ) -> None:
        with connection.transaction() as transaction:
            materialized.alone(connection)
            rows = connection.execute(statement.encode(), values).fetchall()
            if not rows:
                return
            if connection.execute(_LEFT, (day, over, self._rewriter.unreadable)).fetchone() == (True,):
                raise Rollback(transaction)  # a day goes at once: queries would see some of it
            found = select([index for *_, index in rows])
            known = pa.array([one.bytes for (one,) in connection.execute(_ERRORS)], pa.binary(16))
            errors = pc.filter(known, pc.is_in(known, found.column("block_id")))
            views = {view.table_id for view in materialized.stored(connection)}
            missing = [select([index]).column("block_id") for covered, *_, index in rows if not views.issubset(covered)]
            if not all(pc.any(pc.is_in(block_ids, errors)).as_py() for block_ids in missing):
                raise Rollback(transaction)  # what can be read goes into files first: these were made anew, or a view
            streams = sum(found.column("streams").to_pylist())
            if over:
                for covered, alike in groupby(sorted(rows), key=lambda row: row[0]):
                    streams -= self._copy_kept(connection, day, covered, list(alike))
            block_counts.add(connection, Counter({day: -streams}))
            if errors:
                connection.execute(_FORGET_ERRORS, ([one.hex() for one in errors.to_pylist()],))
            # Later than what was split: who rebuilds in between must not find that without its parts.
            segments.remove_later(connection, [key for _, key, *_ in rows], self._clock() + self._grace + 1)
            classes = [cls for cls in (LOG, METRIC, SPAN) if over & segments.bit_of(cls)]
            connection.execute(_NOTE, (classes, day))
            connection.execute(_FORGET_DAY, {"day": day})
            self.dropped.segments += len(rows)
            self.dropped.blocks += found.num_rows

    def _copy_kept(
        self, connection: Connection, day: datetime.date, covered: list[int], rows: Sequence[tuple[Any, ...]]
    ) -> int:
        """Blocks of these segments that a rule keeps for longer go into segments of their own, which the files of the
        same materialized views cover; returns how many streams they have.
        """
        named = [(key, insert_time) for _, key, insert_time, _ in rows]
        blocks = Blocks(select([index for *_, index in rows]), named, {})
        age = (day_of(self._clock()) - day).days
        streams = 0
        for days, kept in _kept_of(blocks, keep_rules.kept(connection, sorted(blocks.process_ids), age)):
            latest = max(insert_time for _, insert_time in blocks.segments)
            ((number,),) = connection.execute(_NUMBER)

            def describe(process_ids: Collection[UUID]) -> tuple[list[str], list[str]]:
                return described.read(connection, process_ids, 0, (1 << 63) - 1)

            for made in copy(self._readable(kept), describe, Record(latest, number, 2, replaces=[])):
                if made.process_ids:
                    key = segments.segment_key(latest, days)
                    self._lake.store.put_new(key, made.parts)
                    segments.insert(
                        connection, key, made.size, latest, made.times, made.process_ids, made.index, 2, covered
                    )
                    streams += made.streams
        return streams

    def _readable(self, blocks: Blocks) -> Iterator[Part]:
        """What the store has lost, no rule keeps."""
        known = [blocks.columns.column(name).to_pylist() for name in ("header_size", "raw_size", "streams")]
        for (row, data), *of_row in zip(self._lake.read_blocks(blocks), *known, strict=True):
            if not isinstance(data, FormatError):
                yield Part(row, data, *of_row)


def _kept_of(blocks: Blocks, said: pa.Table) -> Iterator[tuple[int, Blocks]]:
    """Days and blocks that overlap what was said of their process; each once, for the most days."""
    rows = blocks.columns
    times = pa.table({name: rows.column(name) for name in ("process_id", "begin_time", "end_time")})
    places = pa.array(range(len(blocks)), pa.int64())
    both = keep_rules.overlapping(times.append_column("at", places), said)
    longest = both.group_by("at").aggregate([("days", "max")])
    for life in pc.unique(longest["days_max"]).to_pylist():
        at = longest.filter(pc.equal(longest["days_max"], life))["at"].combine_chunks()
        yield life, blocks.filter(pc.is_in(places, at))
