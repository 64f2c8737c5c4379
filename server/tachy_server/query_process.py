"""The program whose forks run queries: it imports what they need once, and each of them puts it together.

    python -m tachy_server.query_process DESCRIPTOR      # of a socket to query/workers/process.py, which starts it

Knows all rooms below http and flight, and how those two write answers.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tachy_server.base.imports import without_dataframes

if TYPE_CHECKING:
    import pyarrow as pa

    from tachy_server.base.settings import Settings
    from tachy_server.base.who import Asked
    from tachy_server.http.figures import Chart
    from tachy_server.lake.lake import Lake
    from tachy_server.lake.visible import Visible
    from tachy_server.query.commands import Command
    from tachy_server.query.engine import QueryEngine
    from tachy_server.query.workers.wire import Part
    from tachy_server.query.workers.worker import Answer, Chunks, Handler
    from tachy_server.views.tables import Stop

_CONNECTIONS: Final = 2  # of a worker, at least


def main() -> NoReturn:
    """Forks for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # until it forks: nothing of what is imported is garbage
    control = socket.socket(fileno=int(sys.argv[1]))
    without_dataframes()
    # A join that explodes holds a thread of DataFusion's for each core, which is all that there are by default; 16 made
    # `SELECT 1` of 16 clients a third more expensive than 8.
    os.environ.setdefault("TOKIO_WORKER_THREADS", str(2 * (os.cpu_count() or 2) + 4))
    import adbc_driver_postgresql.dbapi  # noqa: F401 - for the forks

    from tachy_server.flight import data  # noqa: F401
    from tachy_server.http import answers  # noqa: F401
    from tachy_server.lake import s3_store  # noqa: F401
    from tachy_server.query import engine, statements  # noqa: F401
    from tachy_server.query.workers.worker import fork_for_ever
    from tachy_server.traces import export  # noqa: F401

    start_with = control.recv(1 << 20)
    if not start_with:  # who asked has ended
        sys.exit(0)
    settings, dsn, folder = pickle.loads(start_with)
    fork_for_ever(control, lambda given: work(given, settings, dsn, folder))


def work(control: socket.socket, settings: Settings, dsn: str, folder: Path) -> NoReturn:
    """A worker: whatever it keeps, connections and decoded blocks, it has its share of."""
    from tachy_server.formats.reader import Limits
    from tachy_server.lake.database import Database
    from tachy_server.lake.lake import Lake
    from tachy_server.lake.store import open_store
    from tachy_server.query.engine import QueryEngine, start_threads
    from tachy_server.query.workers.worker import Worker, in_background

    base = Database(dsn, max(_CONNECTIONS, settings.connections // settings.workers), migrate=False)
    lake = Lake(base, open_store(settings, folder / "store"), Limits.of(settings))
    engine = QueryEngine(lake, replace(settings, query_cache=settings.query_cache // settings.workers))
    in_background(start_threads)
    Worker(control, handlers(engine, lake)).serve()


def forms() -> dict[str, tuple[Callable[[pa.Schema], pa.Schema], Callable[[pa.Schema, Iterator[Any]], Chunks]]]:
    """Of each form of an answer: the schema as clients get it, and the answer with that."""
    from tachy_server.flight import data
    from tachy_server.flight.column_metadata import described
    from tachy_server.http import answers, downloads

    def same(schema: pa.Schema) -> pa.Schema:
        return schema

    return {
        "flight": (described, data.messages),
        "arrow": (same, answers.arrow),
        "json": (same, answers.json),
        "csv": (same, downloads.csv),
        "parquet": (same, downloads.parquet),
    }


def handlers(engine: QueryEngine, lake: Lake) -> dict[str, Handler]:
    """What a worker can be asked."""
    import pyarrow as pa

    from tachy_server.http.figures import figure
    from tachy_server.query import statements
    from tachy_server.query.command_runs import Context
    from tachy_server.query.denials import Denials
    from tachy_server.query.workers.run import join
    from tachy_server.query.workers.worker import Answer
    from tachy_server.traces.export import write_trace

    known = forms()
    denials = Denials(lake)

    def counts() -> dict[str, int]:
        """Since somebody was told last."""
        unreadable, readable_again = lake.counts.unreadable, lake.counts.readable_again
        lake.counts.unreadable -= unreadable
        lake.counts.readable_again -= readable_again
        return {"unreadable": unreadable, "readable_again": readable_again}

    def head(schema: pa.Schema, parameters: pa.Schema) -> Sequence[Part]:
        return join(bytes(schema.serialize()), bytes(parameters.serialize()))

    def query(
        stop: Stop, *, form: str, asked: Asked, sql: str, parameters: Sequence[pa.Array] | None, **arguments: Any
    ) -> Answer:
        denials.check(asked, sql)
        values = None if parameters is None else [column[0] for column in parameters]
        planned = engine.plan(sql, stop=stop, asked=asked, parameters=values, **arguments)
        described, encoded = known[form]
        schema = described(planned.schema)
        return Answer(
            head(schema, planned.parameter_schema),
            lambda: encoded(schema, planned.batches()),
            lambda: {"blocks": planned.blocks_read, "cached": engine.cached} | counts(),
            at_once=planned.is_answered,
        )

    def command(
        stop: Stop, *, form: str, command: Command, asked: Asked, sql: str, visible: Visible, **unused: Any
    ) -> Answer:
        """Ranges, limits and dictionaries are for queries."""
        denials.check(asked, sql)
        planned = statements.plan(command, Context(engine, lake, stop, asked.name, visible))
        described, encoded = known[form]
        schema = described(planned.schema)
        return Answer(
            head(schema, pa.schema([])),
            lambda: encoded(schema, statements.batches(planned)),
            counts,
        )

    def chart(stop: Stop, *, chart: Chart, asked: Asked, sql: str, **arguments: Any) -> Answer:
        denials.check(asked, sql)
        planned = engine.plan(sql, stop=stop, limit=chart.limit, **arguments)
        return Answer(
            [],
            lambda: figure(chart, planned.schema, planned.batches()),
            lambda: {"blocks": planned.blocks_read, "cached": engine.cached} | counts(),
        )

    def trace(stop: Stop, *, visible: Visible, asked: Asked, **arguments: Any) -> Answer:
        denials.check(asked, "trace")
        made = write_trace(lake.seen_by(visible), **arguments)

        def chunks() -> Chunks:
            for chunk in made:
                yield 0, [chunk]

        return Answer([], chunks, counts)

    def materialize(stop: Stop) -> Answer:
        def chunks() -> Chunks:
            done = engine.materializer(lake, stop).step()
            if done is not None:
                yield 0, [done.encode()]

        return Answer([], chunks, counts)

    return {"query": query, "command": command, "chart": chart, "trace": trace, "materialize": materialize}


if __name__ == "__main__":
    main()
