"""What the front sees of its workers, over an engine in this process: no process, and nothing is killed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
from tachy_server.base.errors import TachyError
from tachy_server.base.who import BY_ITSELF, Asked
from tachy_server.http.figures import figure
from tachy_server.query_process import forms
from tachy_server.views.declarations import VIEWS

FORMS = forms()
Chunks = Callable[[], Iterator[tuple[int, list[bytes]]]]


class InProcessRun:
    def __init__(self, pool: InProcess, chunks: Chunks, cancel: Callable[[], None]) -> None:
        self.handle: bytes | None = None
        self.reason: TachyError | None = None
        self.schema_bytes = self.parameter_schema_bytes = b""
        self._pool, self._chunks, self._cancel = pool, chunks, cancel

    @property
    def schema(self) -> pa.Schema:
        return pa.ipc.read_schema(pa.py_buffer(self.schema_bytes))

    def chunks(self) -> Iterator[bytes]:
        self._pool.active.append(self)
        try:
            for _, parts in self._chunks():
                if self.reason is not None:
                    raise self.reason
                yield b"".join(parts)
        except TachyError:
            if self.reason is not None:
                raise self.reason from None
            raise
        finally:
            self._cancel()
            self._pool.active.remove(self)

    def cancel(self, reason: TachyError) -> None:
        self.reason = self.reason or reason
        self._cancel()

    def close(self) -> None:
        self._cancel()


class InProcess:
    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.active: list[InProcessRun] = []
        self._closed: TachyError | None = None

    def tables(self) -> list[Any]:
        return self._engine.tables() if hasattr(self._engine, "tables") else list(VIEWS.values())

    def made_by_users(self) -> list[str]:
        return []

    def plan(
        self,
        sql: str,
        *,
        command: None = None,
        asked: Asked = BY_ITSELF,
        form: str = "flight",
        then: str = "end",
        when_over: Callable[[Callable[[], None]], None] = lambda work: None,
        **arguments: Any,
    ) -> InProcessRun:
        query = self._engine.plan(sql, **arguments)
        described, encode = FORMS[form]
        schema = described(query.schema)
        run = InProcessRun(self, lambda: encode(schema, query.batches()), query.cancel)  # type: ignore[arg-type]
        run.schema_bytes = bytes(schema.serialize())
        run.parameter_schema_bytes = bytes(query.parameter_schema.serialize())
        return run

    def chart(
        self,
        chart: Any,
        sql: str,
        *,
        asked: Asked = BY_ITSELF,
        when_over: Callable[[Callable[[], None]], None],
        **arguments: Any,
    ) -> InProcessRun:
        query = self._engine.plan(sql, limit=chart.limit, **arguments)
        return InProcessRun(self, lambda: figure(chart, query.schema, query.batches()), query.cancel)

    def trace(
        self,
        *,
        process_ids: list[Any],
        visible: object,
        asked: Asked = BY_ITSELF,
        when_over: Callable[[Callable[[], None]], None] = lambda work: None,
        **arguments: Any,
    ) -> InProcessRun:
        made = sys.modules["tachy_server.traces.export"].write_trace(None, process_ids, **arguments)
        gone = threading.Event()
        when_over(gone.set)

        def chunks() -> Iterator[tuple[int, list[bytes]]]:
            for chunk in made:
                if gone.is_set():
                    return
                yield 0, [chunk]

        return InProcessRun(self, chunks, made.close)

    def running(self) -> list[InProcessRun]:
        return list(self.active)

    def cancel_all(self, reason: TachyError) -> None:
        for run in self.running():
            run.cancel(reason)
