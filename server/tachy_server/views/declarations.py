"""The views: one declaration each, as data. Everything that knows a column's name or type reads it here.

The declarations drive the SQL catalog, the decoder, the metadata tables and docs/sql.md. To add a column, add it here
and where the view's rows are made (decode.py for events, metadata_sql.py for the rest); then run tests/query, which
say what is missing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from tachy_server.formats.reader import LOG, METRIC, SPAN

TIME: Final = pa.timestamp("ns", "UTC")
TEXT: Final = pa.dictionary(pa.int32(), pa.utf8())
JSON: Final = TEXT
TAGS: Final = pa.list_(pa.utf8())


class Kind(Enum):
    """Where a view's rows come from."""

    EAGER = "eager"
    """Events whose blocks maintenance may turn into Parquet; no limit on what a query may read."""
    LAZY = "lazy"
    """Events that are decoded when somebody asks; a query may decode so many blocks (setting lazy_block_limit)."""
    METADATA = "metadata"
    """Rows of PostgreSQL."""
    INCREMENTAL = "incremental"
    """Sums of events, kept in files, and made of the blocks that no file covers yet."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, Arrow type and meaning. `properties` marks JSON text; `ours` what Micromegas lacks."""

    name: str
    type: pa.DataType
    doc: str
    properties: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One view. `time` names the column, or the two columns (begin, end), that a range applies to; of events, `cls` is
    the class of their blocks, and `rows` what of such a block they are (rows.read_rows); `late` where a row may be in
    blocks that begin after its time.
    """

    name: str
    kind: Kind
    doc: str
    time: tuple[str, ...]
    sort: tuple[str, ...]
    columns: tuple[Column, ...]
    cls: int = 0
    rows: str = ""
    late: bool = False
    schema: pa.Schema = field(init=False, repr=False, compare=False)
    """The Arrow schema that SQL sees."""

    def __post_init__(self) -> None:
        fields = [pa.field(column.name, column.type) for column in self.columns]
        object.__setattr__(self, "schema", pa.schema(fields))

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


_PROCESS_ID = Column("process_id", TEXT, "Process (UUID).")
_STREAM_ID = Column("stream_id", TEXT, "Stream (UUID): one thread's events of one class.")
_BLOCK_ID = Column("block_id", TEXT, "Block (UUID) that holds the event.")
_INSERT_TIME = Column("insert_time", TIME, "When the server made the block durable.")
_EXE = Column("exe", TEXT, "Executable of the process.")
_USERNAME = Column("username", TEXT, "User that ran the process.")
_COMPUTER = Column("computer", TEXT, "Computer that it ran on.")
_PROPERTIES = Column("properties", JSON, "The event's own properties.", properties=True)
_PROCESS_PROPERTIES = Column("process_properties", JSON, "The process's properties.", properties=True)
_EVENT_COLUMNS = (_PROCESS_ID, _STREAM_ID, _BLOCK_ID, _INSERT_TIME, _EXE, _USERNAME, _COMPUTER)

LOG_ENTRIES: Final = View(
    name="log_entries",
    kind=Kind.EAGER,
    cls=LOG,
    rows="logs",
    doc="Log messages.",
    time=("time",),
    sort=("time",),
    columns=(
        *_EVENT_COLUMNS,
        Column("time", TIME, "When it was logged."),
        Column("target", TEXT, "Part of the program that logged it."),
        Column("level", pa.int32(), "1 fatal, 2 error, 3 warn, 4 info, 5 debug, 6 trace."),
        Column("msg", pa.utf8(), "The text, its arguments filled in."),
        _PROPERTIES,
        _PROCESS_PROPERTIES,
    ),
)

MEASURES: Final = View(
    name="measures",
    kind=Kind.EAGER,
    cls=METRIC,
    rows="metrics",
    doc="Values of metrics, the recorder's own (see below) among them. Those recorded in ticks, and the durations of "
    "frames, are in seconds.",
    time=("time",),
    sort=("time",),
    columns=(
        *_EVENT_COLUMNS,
        Column("time", TIME, "When it was measured."),
        Column("target", TEXT, "Part of the program that measured it."),
        Column("name", TEXT, "Name of the metric."),
        Column("unit", TEXT, "Its unit."),
        Column("value", pa.float64(), "The value."),
        _PROPERTIES,
        _PROCESS_PROPERTIES,
    ),
)

THREAD_SPANS: Final = View(
    name="thread_spans",
    kind=Kind.LAZY,
    cls=SPAN,
    rows="spans",
    doc=(
        "Spans of threads: what ran, when, for how long, inside what. A span that is still open in the newest block of "
        "its process has is_open set and ends, for now, where that block ends."
    ),
    time=("begin", "end"),
    sort=("stream_id", "begin"),
    columns=(
        Column("id", pa.int64(), "Number of the span in its stream, from 1, in the order of the begins."),
        Column("parent", pa.int64(), "id of the span around it; 0: none, -1: its record was lost."),
        Column("depth", pa.uint32(), "How many spans are around it."),
        Column("hash", pa.uint32(), "Hash of name, target, file and line: the same in every process."),
        Column("begin", TIME, "When it began."),
        Column("end", TIME, "When it ended."),
        Column("duration", pa.int64(), "Nanoseconds between the two."),
        Column("name", TEXT, "Name of the span."),
        Column("target", TEXT, "Part of the program that it is in."),
        Column("filename", TEXT, "Source file."),
        Column("line", pa.uint32(), "Line in it."),
        Column("process_id", TEXT, _PROCESS_ID.doc, ours=True),
        Column("stream_id", TEXT, _STREAM_ID.doc, ours=True),
        Column("thread_name", TEXT, "Name of the thread.", ours=True),
        Column("is_open", pa.bool_(), "It had not ended when the newest block did.", ours=True),
        Column("properties", JSON, "The values that it was given.", properties=True, ours=True),
    ),
)

SPAN_TIMES: Final = View(
    name="span_times",
    kind=Kind.LAZY,
    cls=SPAN,
    rows="span_times",
    late=True,
    doc=(
        "What spans of threads took, in rows that add up: sums of calls, total and self, by whatever, are those of the "
        "spans. A span that has ended has one row with its time. One that encloses others across a border of blocks "
        "has a row in each block before its end, with calls 0, total 0 and, as a self below 0, what ended inside it; "
        "so a span that has not ended is below 0 until it does."
    ),
    time=("time",),
    sort=("time",),
    columns=tuple(
        Column(name, kind, doc, ours=True)
        for name, kind, doc in (
            ("process_id", TEXT, _PROCESS_ID.doc),
            ("stream_id", TEXT, _STREAM_ID.doc),
            ("block_id", TEXT, "Block (UUID) that says so."),
            ("insert_time", TIME, _INSERT_TIME.doc),
            ("exe", TEXT, _EXE.doc),
            ("thread_name", TEXT, "Name of the thread."),
            ("time", TIME, "When the span began."),
            ("name", TEXT, "Name of the span."),
            ("target", TEXT, "Part of the program that it is in."),
            ("filename", TEXT, "Source file."),
            ("line", pa.uint32(), "Line in it."),
            ("calls", pa.int64(), "1 where it ended, else 0."),
            ("total", pa.int64(), "Nanoseconds from begin to end; 0 where it did not end."),
            ("self", pa.int64(), "total less the nanoseconds of what ended inside it in the block."),
        )
    ),
)

ASYNC_EVENTS: Final = View(
    name="async_events",
    kind=Kind.LAZY,
    cls=SPAN,
    rows="async",
    doc="Begins and ends of asynchronous spans, which may begin on one thread and end on another.",
    time=("time",),
    sort=("time",),
    columns=(
        _STREAM_ID,
        _BLOCK_ID,
        Column("time", TIME, "When it happened."),
        Column("event_type", TEXT, "`begin` or `end`."),
        Column("span_id", pa.int64(), "The span, unique in its process."),
        Column("parent_span_id", pa.int64(), "The span that it is part of; 0: none."),
        Column("depth", pa.uint32(), "The parent's depth + 1, 0 without a parent."),
        Column("hash", pa.uint32(), "Hash of name, target, file and line: the same in every process."),
        Column("name", TEXT, "Name of the span."),
        Column("filename", TEXT, "Source file."),
        Column("target", TEXT, "Part of the program that it is in."),
        Column("line", pa.uint32(), "Line in it."),
        Column("process_id", TEXT, _PROCESS_ID.doc, ours=True),
        Column(
            "properties",
            JSON,
            "The values that the span was given; on a begin, those up to the end of its block.",
            properties=True,
            ours=True,
        ),
    ),
)

NET_SPANS: Final = View(
    name="net_spans",
    kind=Kind.LAZY,
    cls=SPAN,
    doc=(
        "Scopes of network traffic that have ended: connections, and the objects, properties and RPCs in them, made of "
        "the spans of targets `net.connection`, `net.object`, `net.property` and `net.rpc` and their values `bits` and "
        "`direction`. Those of no bits are left out."
    ),
    time=("begin_time", "end_time"),
    sort=("stream_id", "begin_time"),
    columns=(
        _PROCESS_ID,
        _STREAM_ID,
        Column("span_id", pa.int64(), "The span's id in thread_spans: its number in the stream."),
        Column("parent_span_id", pa.int64(), "span_id of the scope of traffic around it; -1: none."),
        Column("depth", pa.uint32(), "How many scopes of traffic are around it."),
        Column("kind", TEXT, "`connection`, `object`, `property` or `rpc`."),
        Column("name", TEXT, "Of the connection, object, property or function."),
        Column("connection_name", TEXT, "Name of the connection that it is in; empty: in none."),
        Column("is_outgoing", pa.bool_(), "Whether that connection's traffic was sent."),
        Column("begin_bits", pa.int64(), "Bits of what comes before it in the scope around it."),
        Column("end_bits", pa.int64(), "begin_bits + bit_size."),
        Column("bit_size", pa.int64(), "Its bits, of what is inside it too."),
        Column("begin_time", TIME, "When it began."),
        Column("end_time", TIME, "When it ended."),
    ),
)

IMAGES: Final = View(
    name="images",
    kind=Kind.LAZY,
    cls=LOG,
    doc="Images, screenshots among them, that arrived whole. One of which a part was lost has no row.",
    time=("time",),
    sort=("time",),
    columns=(
        *_EVENT_COLUMNS,
        Column("time", TIME, "When it was recorded."),
        Column("name", pa.utf8(), "Its name: `screenshot`."),
        Column("format", TEXT, "Its media type: `image/jpeg`."),
        Column("payload_size", pa.int64(), "Its bytes."),
        Column("data", pa.binary(), "The image."),
    ),
)

IMAGE_PARTS: Final = View(
    name="image_parts",
    kind=Kind.LAZY,
    cls=LOG,
    rows="images",
    doc="What `images` is made of: the logs that carry images.",
    time=("time",),
    sort=("time",),
    columns=(
        _STREAM_ID,
        _BLOCK_ID,
        _INSERT_TIME,
        Column("time", TIME, "When the image was recorded."),
        Column("msg", pa.utf8(), "Number of the image, of the part, how many there are, what it is, and its bytes."),
    ),
)

PROCESSES: Final = View(
    name="processes",
    kind=Kind.METADATA,
    doc="Runs of instrumented programs. In range: started before its end, heard of after its begin.",
    time=("start_time", "last_update_time"),
    sort=("insert_time",),
    columns=(
        _PROCESS_ID,
        Column("exe", TEXT, "Executable."),
        Column("username", TEXT, "User that ran it."),
        Column("realname", TEXT, "That user's name."),
        Column("computer", TEXT, "Computer that it ran on."),
        Column("distro", TEXT, "Operating system."),
        Column("cpu_brand", TEXT, "Processor."),
        Column("tsc_frequency", pa.int64(), "Ticks per second of its clock."),
        Column("start_time", TIME, "When it started."),
        Column("start_ticks", pa.int64(), "Its clock at that moment."),
        Column("insert_time", TIME, "When the server first heard of it."),
        Column("parent_process_id", TEXT, "Process that started it, or null."),
        Column("properties", JSON, "Its properties.", properties=True),
        Column("last_update_time", TIME, "When the server last heard of it."),
        Column("last_block_end_ticks", pa.int64(), "Its clock at the end of its newest block."),
        Column("last_block_end_time", TIME, "The same as time."),
        Column(
            "end_state",
            TEXT,
            "How it ended: `running`, `exited`, `crashed` or `lost`; see below.",
            ours=True,
        ),
    ),
)

STREAMS: Final = View(
    name="streams",
    kind=Kind.METADATA,
    doc="Streams: one per thread and class. In range: its process started before the end, heard of less than five "
    "minutes before the begin or later.",
    time=("insert_time", "last_update_time"),
    sort=("insert_time",),
    columns=(
        _STREAM_ID,
        _PROCESS_ID,
        Column("dependencies_metadata", pa.binary(), "Empty: blocks describe themselves."),
        Column("objects_metadata", pa.binary(), "Empty: blocks describe themselves."),
        Column("tags", TAGS, "Its class: `log`, `metrics` or `cpu`."),
        Column("properties", JSON, "`thread-name`, `thread-id` (the system's), `thread-number`.", properties=True),
        Column("insert_time", TIME, "When the server first heard of it."),
        Column("format", TEXT, "How its blocks are written: `tachy-1`."),
        Column("last_update_time", TIME, "When the server last heard of it, to within five minutes."),
    ),
)

BLOCKS: Final = View(
    name="blocks",
    kind=Kind.METADATA,
    doc="One row per block and stream in it. In range: its events overlap the range.",
    time=("begin_time", "end_time"),
    sort=("insert_time",),
    columns=(
        _BLOCK_ID,
        _STREAM_ID,
        _PROCESS_ID,
        Column("begin_time", TIME, "Earliest event of the stream in the block."),
        Column("begin_ticks", pa.int64(), "The same in ticks."),
        Column("end_time", TIME, "Latest event."),
        Column("end_ticks", pa.int64(), "The same in ticks."),
        Column("nb_objects", pa.int32(), "Events of the stream in the block."),
        Column("object_offset", pa.int64(), "Events of the stream before the block."),
        Column("payload_size", pa.int64(), "The stream's share of the stored bytes, by events."),
        Column("insert_time", TIME, "When the server made it durable."),
        Column("streams.dependencies_metadata", pa.binary(), "As in streams."),
        Column("streams.objects_metadata", pa.binary(), "As in streams."),
        Column("streams.tags", TAGS, "As in streams."),
        Column("streams.properties", JSON, "As in streams.", properties=True),
        Column("streams.insert_time", TIME, "As in streams."),
        Column("processes.start_time", TIME, "As in processes."),
        Column("processes.start_ticks", pa.int64(), "As in processes."),
        Column("processes.tsc_frequency", pa.int64(), "As in processes."),
        Column("processes.exe", TEXT, "As in processes."),
        Column("processes.username", TEXT, "As in processes."),
        Column("processes.realname", TEXT, "As in processes."),
        Column("processes.computer", TEXT, "As in processes."),
        Column("processes.distro", TEXT, "As in processes."),
        Column("processes.cpu_brand", TEXT, "As in processes."),
        Column("processes.insert_time", TIME, "As in processes."),
        Column("processes.parent_process_id", TEXT, "As in processes."),
        Column("processes.properties", JSON, "As in processes.", properties=True),
        Column(
            "dropped",
            pa.int64(),
            "Events that the block's interval lost, all threads; on the row of its first stream, 0 on the others.",
            ours=True,
        ),
    ),
)

BLOCK_ERRORS: Final = View(
    name="block_errors",
    kind=Kind.METADATA,
    doc="Blocks that could not be read when a query or a trace needed them, and were left out. Each is tried again "
    "whenever it is needed, and its row goes when it can be read.",
    time=("since",),
    sort=("since",),
    columns=(
        Column("block_id", TEXT, "Block (UUID).", ours=True),
        Column("process_id", TEXT, _PROCESS_ID.doc, ours=True),
        Column("class", TEXT, "What it holds: `log`, `metric` or `span`.", ours=True),
        Column("reason", TEXT, "Why it cannot be read.", ours=True),
        Column("since", TIME, "When that was found first.", ours=True),
    ),
)

QUERY_LOG: Final = View(
    name="query_log",
    kind=Kind.METADATA,
    doc="Queries and traces that have ended, a second or two ago or earlier, for `query_log_days`. A key that is "
    "limited to some processes sees none of it.",
    time=("begin", "end"),
    sort=("begin",),
    columns=(
        Column("begin", TIME, "When it was asked.", ours=True),
        Column("end", TIME, "When it was over.", ours=True),
        Column("who", TEXT, "Name of the key it was asked with; empty without keys.", ours=True),
        Column("sql", TEXT, "The statement, its first 10,000 characters; `trace` for a trace.", ours=True),
        Column("rows", pa.int64(), "Rows that were sent.", ours=True),
        Column("bytes", pa.int64(), "Bytes that were sent.", ours=True),
        Column("blocks", pa.int64(), "Blocks that were decoded for it, where it came to its end.", ours=True),
        Column("memory", pa.int64(), "Most bytes that its worker had taken meanwhile, as far as was seen.", ours=True),
        Column("worker", pa.int32(), "Process that ran it last; 0: none.", ours=True),
        Column(
            "outcome",
            TEXT,
            "`done`, `cancelled` (also by leaving), `late` (a limit of time), `limit` (another one), `denied` (by a "
            "rule, or to this key), `unavailable` (of worker, store or PostgreSQL), or `failed`.",
            ours=True,
        ),
        Column("error", TEXT, "The sentence that its client got; empty where it is done.", ours=True),
    ),
)

LAKE_USAGE: Final = View(
    name="lake_usage",
    kind=Kind.METADATA,
    doc="What lies in the lake, by the day on which it came, process, class, view and keep rule, and what it costs a "
    "month by the setting `prices`. Join `processes` for what else is known of one. Objects that were replaced and "
    "wait to be removed are not in it. A key that is limited to some processes sees only theirs, and no rules' names.",
    time=("day",),
    sort=("day",),
    columns=(
        Column(
            "day",
            TIME,
            "Midnight (UTC) of the day on which it came; of files, on which came what they are made of; of "
            "PostgreSQL's row: today's.",
            ours=True,
        ),
        Column("process_id", TEXT, "Process (UUID); NULL in rows of none.", ours=True),
        Column("process_properties", JSON, "The process's properties.", properties=True, ours=True),
        Column(
            "class",
            TEXT,
            "`log`, `metric` or `span`; `other`: what objects hold besides blocks (descriptions of processes, "
            "indexes); `files`: Parquet of views, that of snapshots which have not expired included; `postgresql`: the "
            "tables that say what is there.",
            ours=True,
        ),
        Column("view_name", TEXT, "The view whose files they are; NULL in other rows.", ours=True),
        Column(
            "rule",
            TEXT,
            "The keep rules for which it is still there, after the life of its class, in the order of their names; "
            "empty where none of them is there any more, and NULL where it is not kept by one.",
            ours=True,
        ),
        Column("events", pa.int64(), "Events.", ours=True),
        Column("rows", pa.int64(), "Rows of files.", ours=True),
        Column("blocks", pa.int64(), "Blocks.", ours=True),
        Column("files", pa.int64(), "Files of views.", ours=True),
        Column("bytes", pa.int64(), "Bytes as stored.", ours=True),
        Column("raw_bytes", pa.int64(), "The same before their compression.", ours=True),
        Column("objects", pa.float64(), "Objects: of each that it shares with others its part, by bytes.", ours=True),
        Column("cost", pa.float64(), "US dollars a month for keeping it.", ours=True),
    ),
)

_MINUTE: Final = "The minute, by its begin."

LOG_STATS: Final = View(
    name="log_stats",
    kind=Kind.INCREMENTAL,
    doc="How many logs there were, by minute, process, level and target.",
    time=("time_bin",),
    sort=("time_bin",),
    columns=(
        Column("time_bin", TIME, _MINUTE),
        _PROCESS_ID,
        Column("level", pa.int32(), "As in log_entries."),
        Column("target", TEXT, "As in log_entries."),
        Column("count", pa.int64(), "Logs."),
    ),
)

MEASURE_STATS: Final = View(
    name="measure_stats",
    kind=Kind.INCREMENTAL,
    doc="Metrics of all processes, by minute, name and size of the values: without keeping the values. For quantiles, "
    "weigh the mean of each bucket, `sum / count`, by its count.",
    time=("time_bin",),
    sort=("time_bin",),
    columns=(
        Column("time_bin", TIME, _MINUTE, ours=True),
        Column("name", TEXT, "Name of the metric.", ours=True),
        Column("target", TEXT, "Part of the program that measured it.", ours=True),
        Column("unit", TEXT, "Its unit.", ours=True),
        Column(
            "bucket",
            pa.float64(),
            "Number of the quarter of an octave (a factor of 1.19) that the values are in; greater for greater values, "
            "0 for 0.",
            ours=True,
        ),
        Column("count", pa.int64(), "Values.", ours=True),
        Column("sum", pa.float64(), "Their sum.", ours=True),
        Column("min", pa.float64(), "The least.", ours=True),
        Column("max", pa.float64(), "The greatest.", ours=True),
    ),
)

SPAN_STATS: Final = View(
    name="span_stats",
    kind=Kind.INCREMENTAL,
    doc="Spans of all processes that have ended, by the minute in which they began, name and length: without keeping "
    "the spans. For quantiles, weigh the mean of each bucket, `total / nullif(count, 0)`, by its count. Rows without a "
    "bucket have no spans, but take from `self` what ended inside spans of that name in blocks before theirs.",
    time=("time_bin",),
    sort=("time_bin",),
    columns=(
        Column("time_bin", TIME, _MINUTE, ours=True),
        Column("name", TEXT, "Name of the span.", ours=True),
        Column("target", TEXT, "Part of the program that it is in.", ours=True),
        Column(
            "bucket",
            pa.int32(),
            "Which quarter of an octave (a factor of 1.19) the durations are in: floor(4 log2(ns)); or NULL.",
            ours=True,
        ),
        Column("count", pa.int64(), "Spans.", ours=True),
        Column("total", pa.int64(), "Nanoseconds of all of them together.", ours=True),
        Column("self", pa.int64(), "The same without those of the spans inside them.", ours=True),
        Column("min", pa.int64(), "Of the shortest.", ours=True),
        Column("max", pa.int64(), "Of the longest.", ours=True),
    ),
)

VIEWS: Final[Mapping[str, View]] = MappingProxyType(
    {
        view.name: view
        for view in (
            LOG_ENTRIES,
            MEASURES,
            THREAD_SPANS,
            SPAN_TIMES,
            ASYNC_EVENTS,
            NET_SPANS,
            IMAGES,
            PROCESSES,
            STREAMS,
            BLOCKS,
            BLOCK_ERRORS,
            LOG_STATS,
            MEASURE_STATS,
            SPAN_STATS,
            QUERY_LOG,
            LAKE_USAGE,
        )
    }
)
"""Those of an engine that is given no others."""


def type_name(column: Column) -> str:
    """A column's type as the docs write it."""
    if column.properties:
        return "P"
    names = {TEXT: "D", TIME: "T", TAGS: "List(Utf8)", pa.utf8(): "Utf8", pa.binary(): "Binary"}
    numbers = {
        pa.int32(): "Int32",
        pa.int64(): "Int64",
        pa.uint32(): "UInt32",
        pa.float64(): "Float64",
        pa.bool_(): "Boolean",
    }
    return names.get(column.type) or numbers[column.type]


def tables() -> str:
    """The views as Markdown, for docs/sql.md."""
    lines: list[str] = []
    for view in VIEWS.values():
        time = " and ".join(f"`{name}`" for name in view.time)
        doc = textwrap.wrap(f"{view.doc} ({view.kind.value}; a range applies to {time})", 120)
        lines += [f"### {view.name}", "", *doc, ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        for column in view.columns:
            mark = " +" if column.ours else ""
            lines.append(f"| {column.name}{mark} | {type_name(column)} | {column.doc} |")
        lines.append("")
    return "\n".join(lines)
