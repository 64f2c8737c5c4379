"""Ten minutes of the shape's thousand processes, and what maintenance makes of it until the day is over.

    python -m bench.lake_day [seconds]          # bench.lake has the cases; 600 seconds by default

The clock is the benchmark's: 57,900 events a second in blocks of ten seconds lie there as ingest writes them, an object
a second, and every ten minutes maintenance merges, fills the files of materialized views and removes. What a process
takes of PostgreSQL is spread over an hour, as if that were its life. bench.shape has ingest itself.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tachy_server.base import prices
from tachy_server.base.settings import PARQUET, Settings
from tachy_server.http import bill
from tachy_server.lake import described
from tachy_server.lake.database import Connection, day_of
from tachy_server.lake.lake import Lake
from tachy_server.maintain.rewriting import Rewriter
from tachy_server.query.engine import QueryEngine

from bench import merging
from bench.budgets import Cases
from bench.lake_made import HOUR, SECOND, START, introduce, write
from bench.moving import Moving
from bench.server_workers import cpu
from bench.shape import SHAPE
from tests.lake.conftest import lake_of
from tests.model.encoder import Process
from tests.model.records import LOG, METRIC, SPAN
from tests.serving import Server

SECONDS: Final = 600
SLOT: Final = 600  # seconds; the default of rewrite_seconds
RATE: Final = 57_700.0  # of the published bill
DAYS: Final = 90.0
LIFE: Final = 3600  # seconds of a process
_GRACE: Final = 900
_CLASSES: Final = {LOG: "logs", METRIC: "metrics", SPAN: "spans"}
_SEGMENTS: Final = "SELECT classes, sum(size)::bigint FROM segments GROUP BY 1"
_FILES: Final = """
SELECT count(*), coalesce(sum(file_size_bytes), 0)::bigint,
    coalesce(sum(file_size_bytes) FILTER (WHERE end_snapshot IS NULL), 0)::bigint FROM ducklake.ducklake_data_file
"""
_TABLES: Final = """
SELECT coalesce(sum(size) FILTER (WHERE name ~ '^(processes|streams)$'), 0)::bigint,
    coalesce(sum(size) FILTER (WHERE name !~ '^(processes|streams)$'), 0)::bigint
FROM (SELECT relname AS name, pg_total_relation_size(oid) AS size FROM pg_class
    WHERE relkind = 'r' AND (relnamespace = 'ducklake'::regnamespace OR relnamespace = 'public'::regnamespace)) AS t
"""


@dataclass
class Day:
    """A lake, what came into it, and the processor's time that maintenance took, with PostgreSQL's."""

    server: Server
    lake: Lake
    moving: list[Moving]
    came: int = 0
    merging: float = 0.0
    filling: float = 0.0

    def __post_init__(self) -> None:
        self.now = START
        self.rewriter = Rewriter(self.lake, SLOT, _GRACE, clock=lambda: self.now)
        self.engine = QueryEngine(self.lake, Settings())

    def live(self, seconds: int) -> None:
        """Sent and merged as it goes, and what follows until the next day is over."""
        for second in range(seconds):
            self.second(second)
            if second % SLOT == 60 and second > SLOT:
                self.maintain()
        for later in (60 * SECOND, 660 * SECOND, HOUR, 26 * HOUR):
            self.now = START + seconds * SECOND + later
            self.maintain()

    def second(self, second: int) -> None:
        """A tenth of the processes send what they recorded in the ten seconds before."""
        tenth, sequence = second % 10, second // 10
        step = SHAPE.processes // 10
        some = slice(tenth * step, (tenth + 1) * step)
        self.now = START + (second + 10) * SECOND
        with self.lake.connection() as connection:
            self.lake.database.ensure_day(connection, day_of(self.now))
            said, _ = described.read(connection, self.moving[0].process_ids[some], 0, 0)
            groups = [one.at(sequence, some) for one in self.moving]
            self.came += write(connection, self.lake, groups, self.now, 0, said)

    def maintain(self) -> None:
        """As the role does; what autovacuum does beside it in these ten minutes comes after."""
        filled = 0.0

        def fill() -> None:
            nonlocal filled
            filled += self.taken(lambda: self.fill(self.engine))

        self.merging += self.taken(lambda: self.rewriter.run(fill)) - filled
        self.filling += filled
        with self.lake.connection() as connection:
            connection.execute("VACUUM")

    def fill(self, engine: QueryEngine) -> None:
        """All files that are due."""
        materializer = engine.materializer(self.lake)
        while materializer.step(self.now):
            pass

    def taken(self, action: Callable[[], object]) -> float:
        """Seconds of this process and PostgreSQL's."""
        before = time.process_time() + cpu(self.server)
        action()
        return time.process_time() + cpu(self.server) - before


def figures(server: Server, lake: Lake, seconds: int) -> Cases:
    """Of some seconds, and the maintenance of their day."""
    programs = [merging.program(seed, START) for seed in range(seconds // int(SHAPE.every))]
    made = [[block.data for block in merging.ten_seconds(*one, 0)] for one in programs]
    processes = [Process(exe="game.exe", start_time=START) for _ in range(SHAPE.processes)]
    moving = [Moving(blocks, processes, int(SHAPE.every * SECOND)) for blocks in zip(*made, strict=True)]
    with lake.connection() as connection:
        empty = tables(connection)
    introduce(lake, processes, moving, START)
    day = Day(server, lake, moving)
    day.live(seconds)
    events = sum(one.events for one in moving) * seconds // int(SHAPE.every)
    with lake.connection() as connection:
        connection.execute("VACUUM FULL segments")  # what a slot's rows took is used again, day long: 3 MB
        grown = [after - before for after, before in zip(tables(connection), empty, strict=True)]
        sizes: dict[int, int] = dict(connection.execute(_SEGMENTS).fetchall())
        ((files, of_files, live),) = connection.execute(_FILES).fetchall()
    counts = day.rewriter.stats()
    stored = (sum(sizes.values()) + live) / events
    of_processes, rest = (size / events for size in grown)
    kept = {"of_processes": of_processes * seconds / LIFE, "of_the_rest": rest}
    postgres = sum(kept.values())
    written = day.came + counts["written_bytes"] + of_files
    parquet, bytes_of_parquet = as_parquet(day)
    rows = sum(one.events for one in moving if one.cls != SPAN) * seconds // int(SHAPE.every)
    priced = bill.bill(bill.Lake(RATE, DAYS, stored, postgres), prices.read(""))
    by_class = {1 << (one.cls - 1): one for one in moving}
    return {
        "stored": {
            "bytes_per_event": stored,
            "bytes_as_it_came": day.came / events,
            "events": float(events),
            "events_of_a_block": events / len(lake.select_blocks(0)),
        }
        | {
            f"bytes_per_event_{_CLASSES[one.cls]}": sizes[bit] / one.events / (seconds // int(SHAPE.every))
            for bit, one in by_class.items()
            if bit in sizes
        },
        "written": {
            "objects_per_billion": (seconds + counts["written_segments"] + files) / events * 1e9,
            "write_amplification": written / day.came,
            "with_parquet": (written + bytes_of_parquet) / day.came,
        },
        "postgres": {"bytes_per_event": postgres} | kept,
        "maintenance": {
            "least_merged_per_cpu_s": events / day.merging,
            "least_filled_per_cpu_s": events / day.filling,
            "least_parquet_rows_per_cpu_s": rows / parquet,
            "parquet_bytes_per_row": bytes_of_parquet / rows,
        },
        "bill": {"dollars": priced["dollars"]}
        | {f"{item['item'].replace(' ', '_')}": item["dollars"] for item in priced["items"]},
    }


def tables(connection: Connection) -> list[int]:
    """Bytes of PostgreSQL that grow with the lake: of processes, and of all else."""
    return list(connection.execute(_TABLES).fetchall()[0])


def as_parquet(day: Day) -> tuple[float, int]:
    """The processor's time for files of all logs and metrics, and the bytes that were written."""

    def written() -> int:
        with day.lake.connection() as connection:
            ((_, size, _),) = connection.execute(_FILES).fetchall()
        return int(size)

    before, engine = written(), QueryEngine(day.lake, Settings(parquet_views=PARQUET))
    seconds = day.taken(lambda: day.fill(engine))
    return seconds, written() - before


def cases(seconds: int) -> Cases:
    """On a server of their own, whose PostgreSQL it is."""
    with (
        tempfile.TemporaryDirectory(prefix="tachy-bench-") as name,
        Server(Path(name) / "data", "--role", "ingest") as server,
        lake_of(server.data) as lake,
    ):
        return figures(server, lake, seconds)


def main() -> None:
    """Prints."""
    for case, found in cases(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS).items():
        print(case, {name: float(f"{figure:.4g}") for name, figure in found.items()})


if __name__ == "__main__":
    main()
