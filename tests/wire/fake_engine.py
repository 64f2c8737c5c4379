"""A stand-in for the query engine: tables in memory, and a few that misbehave on purpose.

`endless` never stops giving rows, `stuck` never gives any, `broken` fails after its first batch, `buggy` raises what no
query should; each counts its runs, so that a test can see that nothing goes on after the client has left.
"""

from __future__ import annotations

import datetime
import decimal
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from datafusion import SessionConfig, SessionContext, SQLOptions
from tachy_server.base.errors import QueryError
from tachy_server.base.plain_types import plain_schema
from tachy_server.lake.visible import EVERYTHING, Visible

PROCESS = "5ca1ab1e-0000-4000-8000-00000000000a"
OTHER = "5ca1ab1e-0000-4000-8000-00000000000b"
START = 1_800_000_000_000_000_000  # 2027-01-15T08:00:00Z
SECOND = 1_000_000_000

_name = pa.dictionary(pa.int32(), pa.string())
_time = pa.timestamp("ns", tz="UTC")


def _log_entries() -> pa.RecordBatch:
    rows = 1_000
    return pa.record_batch(
        {
            "process_id": pa.array([PROCESS if row % 4 else OTHER for row in range(rows)], _name),
            "time": pa.array([START + row * SECOND for row in range(rows)], _time),
            "target": pa.array(["game" if row % 2 else "net" for row in range(rows)], _name),
            "level": pa.array([row % 6 + 1 for row in range(rows)], pa.int32()),
            "msg": pa.array([f'message {row} "quoted"\n' for row in range(rows)], pa.string()),
        }
    )


def _processes() -> pa.RecordBatch:
    return pa.record_batch(
        {
            "process_id": pa.array([PROCESS, OTHER], _name),
            "exe": pa.array(["game.exe", "server"], _name),
            "username": pa.array(["ada", "bob"], _name),
            "computer": pa.array(["desk", "rack"], _name),
            "start_time": pa.array([START, START + 500 * SECOND], _time),
            "insert_time": pa.array([START, START + 500 * SECOND], _time),
            "last_update_time": pa.array([START + 900 * SECOND, None], _time),
            "parent_process_id": pa.array([None, PROCESS], _name),
            "properties": pa.array(['{"build": "dev"}', "{}"], _name),
        }
    )


def _streams() -> pa.RecordBatch:
    return pa.record_batch(
        {
            "stream_id": pa.array(["57e4a000-0000-4000-8000-000000000001"], _name),
            "process_id": pa.array([PROCESS], _name),
            "tags": pa.array([["log"]], pa.list_(pa.string())),
        }
    )


def _oddities() -> pa.RecordBatch:
    return pa.record_batch(
        {
            "f": pa.array([1.5, float("nan"), float("inf"), float("-inf"), None], pa.float64()),
            "big": pa.array([2**63 - 1, -(2**63), 0, 1, None], pa.int64()),
            "raw": pa.array([b"\x00\xff", b"", b"abc", b"x", None], pa.binary()),
            "at": pa.array([START + 1, 0, -1, START, None], _time),
            "local": pa.array([START // 1000, 0, -1, 1, None], pa.timestamp("us")),
            "day": pa.array([datetime.date(2026, 11, 23)] * 4 + [None], pa.date32()),
            "took": pa.array([1, 2, 3, 4, None], pa.duration("ms")),
            "cash": pa.array([decimal.Decimal("1.50")] * 4 + [None], pa.decimal128(9, 2)),
            "tags": pa.array([["a", None], [], ["b"], ["c"], None], pa.list_(_name)),
            "pair": pa.array(
                [{"x": 1, "y": float("nan")}] * 4 + [None], pa.struct({"x": pa.int8(), "y": pa.float64()})
            ),
            "yes": pa.array([True, False, True, False, None], pa.bool_()),
        }
    )


def _numbers() -> list[pa.RecordBatch]:
    return [
        pa.record_batch({"n": pa.array(range(start, start + 50_000), pa.int64())}) for start in range(0, 10**6, 50_000)
    ]


TABLES: dict[str, list[pa.RecordBatch]] = {
    "log_entries": [_log_entries()],
    "processes": [_processes()],
    "streams": [_streams()],
    "oddities": [_oddities()],
    "numbers": _numbers(),
}
ENDLESS = pa.schema([("n", pa.int64()), ("text", pa.string())])


@dataclass(frozen=True)
class FakeTable:
    name: str
    kind: str
    schema: pa.Schema
    doc: str = ""


class FakeQuery:
    def __init__(
        self,
        schema: pa.Schema,
        make: Callable[[FakeQuery], Iterator[pa.RecordBatch]],
        parameter_schema: pa.Schema | None = None,
    ) -> None:
        self.schema = schema
        self.parameter_schema = parameter_schema or pa.schema([])
        self._make = make
        self.cancelled = threading.Event()
        self.finished = threading.Event()
        self.batches_given = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._make(self):
                if self.cancelled.is_set():
                    raise QueryError("The query was cancelled.")
                self.batches_given += 1
                yield batch
        finally:
            self.finished.set()

    def cancel(self) -> None:
        self.cancelled.set()


class FakeEngine:
    def __init__(self) -> None:
        self.queries: list[FakeQuery] = []

    def tables(self) -> list[FakeTable]:
        return [FakeTable(name, "eager", batches[0].schema) for name, batches in TABLES.items()]

    def plan(
        self,
        sql: str,
        *,
        begin: int | None = None,
        end: int | None = None,
        limit: int | None = None,
        parameters: Sequence[pa.Scalar] | None = None,
        preserve_dictionary: bool = False,
        visible: Visible = EVERYTHING,
    ) -> FakeQuery:
        query = self._misbehave(sql) or self._select(sql, begin, end, limit, parameters, preserve_dictionary)
        self.queries.append(query)
        return query

    def _misbehave(self, sql: str) -> FakeQuery | None:
        for name, make in (("endless", _endless), ("stuck", _stuck), ("broken", _broken)):
            if re.search(rf"\bFROM {name}\b", sql, re.IGNORECASE):
                return FakeQuery(ENDLESS, make)
        if re.search(r"\bFROM buggy\b", sql, re.IGNORECASE):
            raise RuntimeError(f"a bug, seen in {__file__}")
        return None

    def _select(
        self,
        sql: str,
        begin: int | None,
        end: int | None,
        limit: int | None,
        parameters: Sequence[pa.Scalar] | None,
        preserve_dictionary: bool,
    ) -> FakeQuery:
        config = (
            SessionConfig()
            .with_default_catalog_and_schema("tachy", "public")
            .with_information_schema(True)
            .set("datafusion.sql_parser.map_string_types_to_utf8view", "false")
        )
        context = SessionContext(config)
        for name, batches in TABLES.items():
            table = pa.Table.from_batches(batches)
            if name == "log_entries" and (begin is not None or end is not None):
                times = table["time"].cast(pa.int64()).to_pylist()
                keep = [(begin is None or begin <= at) and (end is None or at <= end) for at in times]
                table = table.filter(pa.array(keep, pa.bool_()))
            context.register_record_batches(name, [table.to_batches() or batches[0].slice(0, 0)])
        options = SQLOptions().with_allow_ddl(False).with_allow_dml(False).with_allow_statements(False)
        values = None if parameters is None else {str(at): value for at, value in enumerate(parameters, 1)}
        try:
            frame = context.sql_with_options(sql, options, param_values=values)
            if limit is not None:
                frame = frame.limit(limit)
            names = sorted(set(re.findall(r"\$(\d+)", sql)), key=int) if parameters is None else []
            schema = frame.schema()
        except Exception as error:
            raise QueryError(str(error).splitlines()[0]) from None
        given = schema if preserve_dictionary else plain_schema(schema)

        def run(_query: FakeQuery) -> Iterator[pa.RecordBatch]:
            for batch in frame.execute_stream():
                yield batch.to_pyarrow().cast(given)

        return FakeQuery(given, run, pa.schema([(f"${name}", pa.null()) for name in names]))


def _endless(query: FakeQuery) -> Iterator[pa.RecordBatch]:
    batch = pa.record_batch([pa.array(range(8_192), pa.int64()), pa.array(["some text"] * 8_192)], schema=ENDLESS)
    while True:
        yield batch


def _stuck(query: FakeQuery) -> Iterator[pa.RecordBatch]:
    while not query.cancelled.is_set():
        time.sleep(0.01)
    raise QueryError("The query was cancelled.")
    yield


def _broken(query: FakeQuery) -> Iterator[pa.RecordBatch]:
    yield pa.record_batch([pa.array([1], pa.int64()), pa.array(["first"])], schema=ENDLESS)
    raise QueryError("A block\ncould not be read.")
