"""What a group of batches writes to PostgreSQL, statement by statement, all of it in one transaction.

Rows go there as JSON text, which json writes and PostgreSQL reads in a fraction of the time that arrays take in Python.

Processes are written before streams, each sorted by id, so that two groups that share some of them wait for each other
and seldom in a circle: where PostgreSQL takes the rows in another order, or processes come for the first time in
several groups at once. Then it ends one, which begins again and holds the rows in that order.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Final

from tachy_server.base.errors import FormatError
from tachy_server.formats.reader import LOG, METRIC, SPAN, BatchHead, BlockHead, BlockIdentity, block_id
from tachy_server.formats.segments import CLASS_NAMES
from tachy_server.lake.control import Issued
from tachy_server.lake.control_table import OF_PROCESS
from tachy_server.lake.database import Connection
from tachy_server.lake.described import DESCRIBED

# Somebody else's PostgreSQL may have it off, for all or for our user, so that a commit is answered before it is on its
# disk; with every other value it is there. Part of the statement that every group begins with: a round trip less.
_BE_DURABLE = """
(SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off')
"""

# The controls come along: this statement sees every one that was set before the batch came. `xmin` is the transaction
# that wrote the row as it is.
_READ_PROCESSES = f"""
SELECT {_BE_DURABLE}, process_id, stamp, xmin::text, log_blocks::text, metric_blocks::text, span_blocks::text,
    {OF_PROCESS}
FROM processes AS p WHERE process_id = ANY(%s)
"""
_HOLD_PROCESSES = f"{_READ_PROCESSES} ORDER BY process_id FOR NO KEY UPDATE"
_NOT_HELD = "SELECT process_id FROM processes WHERE process_id = ANY(%s) FOR NO KEY UPDATE SKIP LOCKED"

_ADD_PROCESSES = """
INSERT INTO processes (process_id, parent_process_id, exe, username, realname, computer, distro, cpu_brand,
    tsc_frequency, start_time, start_ticks, clock, sdk, state, properties, stamp, insert_time, last_update_time)
SELECT u.process_id, u.parent_process_id, u.exe, u.username, u.realname, u.computer, u.distro, u.cpu_brand,
    u.tsc_frequency, u.start_time, u.start_ticks, u.clock, u.sdk, u.state, u.properties || u.stamp, u.stamp, %s, %s
FROM json_to_recordset(%s) AS u(process_id uuid, parent_process_id uuid, exe text, username text, realname text,
    computer text, distro text, cpu_brand text, tsc_frequency bigint, start_time bigint, start_ticks bigint, clock text,
    sdk text, state text, properties jsonb, stamp jsonb)
ON CONFLICT (process_id) DO NOTHING
RETURNING process_id
"""

_UPSERT_STREAMS = """
INSERT INTO streams AS s (stream_id, process_id, class, thread, thread_name, os_id, insert_time, last_update_time)
SELECT u.stream_id, u.process_id, u.cls, u.thread, u.thread_name, u.os_id, %s, %s
FROM json_to_recordset(%s) AS u(stream_id uuid, process_id uuid, cls smallint, thread bigint, thread_name text,
    os_id bigint)
ON CONFLICT (stream_id) DO UPDATE SET
    thread_name = excluded.thread_name,
    os_id = excluded.os_id,
    last_update_time = greatest(s.last_update_time, excluded.last_update_time)
RETURNING to_jsonb(s)::text
"""

# Whether what a batch says of its process counts. It is taken from the batch with its latest block: an old batch that
# was spooled may come after a new one. A state other than `running` is final, and what comes with it is its last word,
# though a class that was sent at once may have had newer blocks. A process keeps the stamp that it came with, and what
# it says of itself counts only from keys with the same, or none: nobody's stamp gets onto another's process.
_COUNTS = """
(u.stamp IN (p.stamp, '{}') AND CASE WHEN (u.state = 'running') = (p.state = 'running')
    THEN coalesce(u.end_time >= p.last_block_end_time, true) ELSE p.state = 'running' END)
"""

# Of batches whose blocks are all there, which may come long after newer ones: how the process ended. A batch without
# blocks says at least that its process is there.
_SAYS_MORE = f"""
SELECT u.batch_id
FROM json_to_recordset(%s) AS u(batch_id uuid, process_id uuid, state text, properties jsonb, stamp jsonb,
    end_time bigint)
JOIN processes AS p USING (process_id)
WHERE p.state = 'running' AND (u.state <> 'running' OR u.end_time IS NULL)
    OR u.end_time IS NULL AND {_COUNTS} AND p.properties <> u.properties || p.stamp
"""

# Only rows that nobody has written since they were read: then nobody else has stored blocks of them. insert_time and
# last_update_time enclose those of the blocks, whatever the order in which groups with a `now` on either side of
# midnight commit. A span block that comes late is not the newest.
_STORE_PROCESSES = f"""
UPDATE processes AS p SET
    state = CASE WHEN p.state = 'running' THEN u.state ELSE p.state END,
    properties = CASE WHEN {_COUNTS} THEN u.properties || p.stamp ELSE p.properties END,
    insert_time = least(p.insert_time, %(now)s),
    last_update_time = greatest(p.last_update_time, %(now)s),
    last_block_end_ticks = greatest(p.last_block_end_ticks, u.end_ticks),
    last_block_end_time = greatest(p.last_block_end_time, u.end_time),
    log_blocks = p.log_blocks + u.log,
    metric_blocks = p.metric_blocks + u.metric,
    span_blocks = p.span_blocks + u.span,
    last_span_block_end_time = CASE WHEN upper(u.span) > coalesce(upper(p.span_blocks), 0)
        THEN u.span_end ELSE p.last_span_block_end_time END,
    version = nextval('segment_numbers')
FROM json_to_recordset(%(rows)s) AS u(process_id uuid, state text, properties jsonb, stamp jsonb, end_ticks bigint,
    end_time bigint, log int8multirange, metric int8multirange, span int8multirange, span_end bigint, written xid)
WHERE p.process_id = u.process_id AND p.xmin = u.written
RETURNING p.version, {DESCRIBED}
"""

_FORGET_ERRORS = "DELETE FROM block_errors WHERE block_id = ANY(%s)"


SAID_START_TIME: Final = "tachy.said_start_time"
_EARLIEST_START: Final = 946_684_800 * 10**9  # 2000: clocks that were never set begin in 1970 or 1980
_CLOCKS_APART: Final = 86_400 * 10**9
_CLASSES: Final = (LOG, METRIC, SPAN)  # in the order of the columns of their numbers
_RANGE: Final = re.compile(r"\[(\d+),(\d+)\)")
_HOLES: Final = 10_000  # of a class: a recorder leaves one where it lost a block
_SAID_AGAIN: Final = ("process_id", "state", "properties", "stamp", "end_ticks", "end_time")


@dataclass(slots=True)  # not frozen, which would take twice as long
class ProcessRow:
    """A row of `processes`, from a batch's description; the fields are named as in the statement."""

    process_id: uuid.UUID
    parent_process_id: str | None
    exe: str
    username: str
    realname: str
    computer: str
    distro: str
    cpu_brand: str
    tsc_frequency: int
    start_time: int
    start_ticks: int
    clock: str
    sdk: str
    state: str
    properties: Mapping[str, str]
    stamp: Mapping[str, str]
    end_ticks: int | None
    end_time: int | None

    @staticmethod
    def from_batch(batch: BatchHead, now: int, stamp: Mapping[str, str] = MappingProxyType({})) -> ProcessRow:
        """check_batch has looked at the keys and types of the description. A start that cannot be is `now`, the
        server's time, and what was said is a property. `stamp`: properties that it gets from the sender's key.
        """
        said = batch.description
        start, properties = said["start_time"], said["properties"]
        if not _EARLIEST_START <= start <= now + _CLOCKS_APART:
            start, properties = now, {**properties, SAID_START_TIME: str(start)}
        return ProcessRow(
            process_id=batch.process_id,
            parent_process_id=said["parent_process_id"],
            exe=said["exe"],
            username=said["username"],
            realname=said["realname"],
            computer=said["computer"],
            distro=said["distro"],
            cpu_brand=said["cpu_brand"],
            tsc_frequency=said["tsc_frequency"],
            start_time=start,
            start_ticks=said["start_ticks"],
            clock=said["clock"],
            sdk=said["sdk"],
            state=said["state"],
            properties=properties,
            stamp=dict(stamp),
            end_ticks=max((head.end_ticks for _, _, head in batch.blocks), default=None),
            end_time=max((head.end_utc for _, _, head in batch.blocks), default=None),
        )


def merged(rows: Iterable[ProcessRow]) -> list[ProcessRow]:
    """One of each process, of rows in the order in which they came."""
    of: dict[uuid.UUID, list[ProcessRow]] = {}
    for row in rows:
        of.setdefault(row.process_id, []).append(row)
    return [own[0] if len(own) == 1 else _merge(own) for own in of.values()]


def _merge(rows: Sequence[ProcessRow]) -> ProcessRow:
    return replace(
        max(reversed(rows), key=_key),
        state=next((row.state for row in rows if row.state != "running"), "running"),
        end_ticks=max((row.end_ticks for row in rows if row.end_ticks is not None), default=None),
        end_time=max((row.end_time for row in rows if row.end_time is not None), default=None),
    )


def _key(row: ProcessRow) -> tuple[bool, int]:
    # The end is the last word. A batch without blocks only describes; in a group it counts as the latest.
    return row.state != "running", row.end_time if row.end_time is not None else 1 << 63


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A row of `streams`: one thread and class of a process; the fields are named as in the statement."""

    stream_id: uuid.UUID
    process_id: uuid.UUID
    cls: int
    thread: int
    thread_name: str
    os_id: int


Numbers = Mapping[int, Sequence[tuple[str, str]]]
"""Of one process: by class the sequence numbers of its blocks that are stored, as [begin, end) in digits."""


@dataclass(frozen=True, slots=True)
class Known:
    """What PostgreSQL says of a process."""

    stamp: Mapping[str, str]
    written: str
    """The transaction that wrote its row as it is."""
    numbers: Numbers
    control: Issued | None
    is_new: bool


def _numbers(texts: Iterable[str]) -> Numbers:
    """Of multiranges as PostgreSQL writes them; psycopg would take twenty times as long."""
    return {cls: _RANGE.findall(text) for cls, text in zip(_CLASSES, texts, strict=True)}


def is_stored(head: BlockHead, of_process: Numbers) -> bool:
    """Whether a block of this identity is."""
    return any(int(begin) <= head.sequence < int(end) for begin, end in of_process[head.cls])


def check_holes(process_id: uuid.UUID, of_process: Numbers) -> None:
    """Raises FormatError for a process whose blocks' numbers have too many holes."""
    if any(len(numbers) > _HOLES for numbers in of_process.values()):
        raise FormatError(f"the blocks of process {process_id} have more than {_HOLES} holes in their numbers")


class Overtaken(Exception):  # noqa: N818 - no fault: the group begins again
    """Somebody else has written a process's row since it was read."""


def read_processes(
    connection: Connection, rows: Iterable[ProcessRow], now: int, *, hold: bool
) -> dict[uuid.UUID, Known]:
    """What is known of each process. Those that are new are added. `hold`: nobody else writes their rows until the
    transaction's end, which costs a record in PostgreSQL's log for each. From here on its commit returns when it is on
    disk, whatever the default is.
    """
    query = (_HOLD_PROCESSES if hold else _READ_PROCESSES).encode()
    wanted = {row.process_id: row for row in rows}
    added: set[uuid.UUID] = set()
    while True:
        held = connection.execute(query, [list(wanted)]).fetchall()
        new = wanted.keys() - {row[1] for row in held}
        if not new:
            break
        said = _json([asdict(wanted[one]) for one in sorted(new)])
        added |= {row[0] for row in connection.execute(_ADD_PROCESSES, [now, now, said])}
    return {
        process_id: Known(stamp, written, _numbers(stored), control and Issued.from_row(control), process_id in added)
        for _, process_id, stamp, written, *stored, control in held
    }


def not_held(connection: Connection, process_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those whose rows nobody else holds just now."""
    return {row[0] for row in connection.execute(_NOT_HELD, (list(process_ids),))}


def that_say_more(connection: Connection, batches: Mapping[uuid.UUID, ProcessRow]) -> set[uuid.UUID]:
    """Those of the batches, by id, of which no block is new, whose rows say what is not known of their processes."""
    names = ("process_id", "state", "properties", "stamp", "end_time")
    rows = [{name: getattr(row, name) for name in names} | {"batch_id": one} for one, row in batches.items()]
    return {row[0] for row in connection.execute(_SAYS_MORE.encode(), (_json(rows),))} if rows else set()


def store_processes(
    connection: Connection,
    said: Iterable[ProcessRow],
    heads: Iterable[BlockHead],
    known: Mapping[uuid.UUID, Known],
    now: int,
) -> tuple[int, list[str]]:
    """What these processes, of which this is `known`, say of themselves; these blocks of theirs are stored from now on.
    Returns the greatest of the processes' versions, and their rows as segments tell them. Raises Overtaken.
    """
    by_process: dict[uuid.UUID, list[BlockHead]] = {}
    for head in heads:
        by_process.setdefault(head.process_id, []).append(head)
    rows = []
    for row in sorted(said, key=lambda row: row.process_id):
        own = by_process.get(row.process_id, [])
        spans = [head for head in own if head.cls == SPAN]
        newest = max(spans, key=lambda head: head.sequence, default=None)
        ranges = {CLASS_NAMES[cls]: _multirange(head.sequence for head in own if head.cls == cls) for cls in _CLASSES}
        values = {name: getattr(row, name) for name in _SAID_AGAIN}
        values |= {"span_end": None if newest is None else newest.end_utc, "written": known[row.process_id].written}
        rows.append(values | ranges)
    described = connection.execute(_STORE_PROCESSES.encode(), {"now": now, "rows": _json(rows)}).fetchall()
    if len(described) < len(rows):
        raise Overtaken
    return max(version for version, _ in described), [text for _, text in described]


def _multirange(sequences: Iterable[int]) -> str:
    return "{" + ",".join(f"[{number},{number}]" for number in sequences) + "}"


def forget_errors(connection: Connection, blocks: Collection[BlockIdentity]) -> None:
    """These blocks, which could not be read, come again."""
    if blocks:
        connection.execute(_FORGET_ERRORS, ([block_id(*one) for one in blocks],))


def upsert_streams(connection: Connection, rows: Iterable[StreamRow], now: int) -> list[str]:
    """One row per stream; returns them as segments tell them."""
    ordered = sorted(rows, key=lambda row: row.stream_id)
    if not ordered:
        return []
    said = _json([{name: getattr(row, name) for name in StreamRow.__slots__} for row in ordered])
    return [text for (text,) in connection.execute(_UPSERT_STREAMS, [now, now, said])]


def _json(rows: Sequence[Mapping[str, object]]) -> str:
    """For json_to_recordset; ids are text."""
    return json.dumps(rows, default=str, ensure_ascii=False, check_circular=False)
