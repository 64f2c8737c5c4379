"""A Flight server for tests of the client: it answers what it is told, and remembers what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from pyarrow import flight


class _Headers(flight.ServerMiddleware):
    def __init__(self, headers: dict[str, list[str]]) -> None:
        self.headers = {name: values[0] for name, values in headers.items()}


class _Factory(flight.ServerMiddlewareFactory):
    def start_call(self, info: Any, headers: dict[str, list[str]]) -> _Headers:
        return _Headers(headers)


class FakeFlight(flight.FlightServerBase):
    """`answer(sql)` gives a table, or batches made one by one, or raises. A context manager."""

    def __init__(self, answer: Callable[[str], pa.Table | tuple[pa.Schema, Iterator[pa.RecordBatch]]]) -> None:
        super().__init__("grpc://127.0.0.1:0", middleware={"headers": _Factory()})
        self.answer = answer
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.uri = f"grpc://127.0.0.1:{self.port}"

    def get_flight_info(self, context: Any, descriptor: Any) -> Any:
        command = descriptor.command
        assert command.startswith(b"\n\x43type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery\x12")
        inner = command[2 + 0x43 + 1 :]
        while inner[0] & 0x80:  # the length of Any.value
            inner = inner[1:]
        inner = inner[2:]
        while inner[0] & 0x80:  # past the tag: the length of the text
            inner = inner[1:]
        sql = inner[1:].decode()
        headers = context.get_middleware("headers").headers
        self.asked.append((sql, headers))
        endpoint = flight.FlightEndpoint(flight.Ticket(sql.encode()), [])
        return flight.FlightInfo(pa.schema([]), descriptor, [endpoint], -1, -1)

    def do_get(self, context: Any, ticket: Any) -> Any:
        made = self.answer(ticket.ticket.decode())
        if isinstance(made, pa.Table):
            return flight.RecordBatchStream(made)
        schema, batches = made
        return flight.RecordBatchStream(pa.RecordBatchReader.from_batches(schema, batches))

    def __enter__(self) -> FakeFlight:
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()


def slow(rows: int, seconds: float, stopped: threading.Event) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """One row at a time, `seconds` between them, until the event is set."""
    schema = pa.schema({"n": pa.int64()})

    def make() -> Iterator[pa.RecordBatch]:
        for index in range(rows):
            if stopped.wait(seconds):
                return
            yield pa.record_batch([pa.array([index])], schema=schema)

    return schema, make()
