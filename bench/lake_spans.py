"""Where the time of spans went: a call tree of a minute with six million, and quantiles over a day of the fleet.

python -m bench.lake_spans          # bench.lake has the cases
"""

from __future__ import annotations

import random
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Final

import tachy
from tachy.client import Connection
from tachy_server.base.settings import Settings
from tachy_server.lake.database import day_of
from tachy_server.lake.lake import Lake
from tachy_server.query.engine import QueryEngine

from bench.budgets import Cases
from bench.lake_made import HOUR, SECOND, START, introduce, make, write
from bench.moving import Moving
from bench.server import best
from bench.server_workers import cpu
from tests.lake.conftest import lake_of
from tests.model.encoder import Process
from tests.serving import Server

MINUTE: Final = 60 * SECOND
SPANS: Final = 20_000  # of a block
BLOCKS: Final = 300  # of the minute
NAMES: Final = 20
CALLS: Final = 60  # of each name, a minute and process
PROCESSES: Final = 10
HOURS: Final = 24
ROUNDS: Final = 15


def frames(spans: int, length: int) -> bytes:
    """A block: frames of ten spans, up to four deep, on one thread."""
    chance, process = random.Random(3), Process(start_time=START)
    main, step = process.thread("main"), length * 10 // spans
    for number in range(spans // 10):
        at = number * step
        tick = step // 24
        main.begin("Frame", at, target="game", file="loop.cpp", line=1)
        for part in range(3):
            main.begin(f"part {chance.randrange(12)}", at + tick * (7 * part + 1), target="game")
            main.begin("step", at + tick * (7 * part + 2), target="game")
            main.span(f"leaf {chance.randrange(20)}", at + tick * (7 * part + 3), at + tick * (7 * part + 4))
            main.end(at + tick * (7 * part + 5))
            main.end(at + tick * (7 * part + 6))
        main.end(at + tick * 23)
    (block,) = process.blocks(codec="zstd", until=length)
    return block.data


def call_tree(server: Server, lake: Lake) -> dict[str, float]:
    """Of all the minute, by the server: what a client waits, and the processor's time."""
    process = Process(exe="game", start_time=START)
    moving = Moving([frames(SPANS, MINUTE // BLOCKS)], [process], MINUTE // BLOCKS)
    introduce(lake, [process], [moving], START)
    with lake.connection() as connection:
        lake.database.ensure_day(connection, day_of(START))
        for number in range(BLOCKS):
            write(connection, lake, [moving.at(number)], START + (number + 1) * SECOND, 2)
    window = f"'{process.process_id}', TIMESTAMP '2025-06-15T00:00:00Z', TIMESTAMP '2025-06-15T00:01:00Z'"
    sql = f"SELECT * FROM call_tree({window})"
    with tachy.connect(server.flight, url=server.http) as connection:
        calls = sum(connection.query(sql).column("calls").to_pylist())
        if calls != SPANS * BLOCKS:
            raise RuntimeError(f"{calls} calls of {SPANS * BLOCKS}")
        return measured(server, connection, sql) | {"spans": float(calls)}


def measured(server: Server, connection: Connection, sql: str) -> dict[str, float]:
    """The fastest of some runs, and the processor's time of the server for one of them."""
    used = cpu(server)
    seconds = best(partial(connection.query, sql), ROUNDS)
    return {"seconds": seconds, "cpu_s": (cpu(server) - used) / ROUNDS}


def minutes(seed: int) -> bytes:
    """An hour's block of a process, with so many calls of each name in each minute."""
    chance, process = random.Random(seed), Process(start_time=START)
    main = process.thread("main")
    step = MINUTE // (NAMES * CALLS)
    for number in range(60 * NAMES * CALLS):
        took = min(int(chance.lognormvariate(11, 0.6)), step - 1)
        main.span(f"part {number % NAMES}", number * step, number * step + took, target="game")
    (block,) = process.blocks(codec="zstd", until=HOUR)
    return block.data


def quantiles(server: Server, lake: Lake) -> dict[str, float]:
    """Of each name over a day of span_stats, from the files that maintenance left."""
    processes = [Process(exe="game", start_time=START) for _ in range(PROCESSES)]
    make(lake, processes, [Moving([minutes(1), minutes(2)], processes, HOUR)], HOURS)
    materializer = QueryEngine(lake, Settings()).materializer(lake)
    begin = time.process_time()
    while materializer.step(START + 50 * HOUR):
        pass
    filled = time.process_time() - begin
    sql = """SELECT name, sum(count) AS calls,
    approx_percentile_cont_with_weight(count, 0.99) WITHIN GROUP (ORDER BY total / nullif(count, 0)) AS p99
FROM span_stats WHERE time_bin >= TIMESTAMP '2025-06-15T00:00:00Z' AND time_bin < TIMESTAMP '2025-06-16T00:00:00Z'
GROUP BY name ORDER BY calls DESC"""
    with tachy.connect(server.flight, url=server.http) as connection:
        rows = connection.query("SELECT count(*) AS n FROM span_stats").column("n")[0].as_py()
        found = connection.query(sql)
        calls = PROCESSES * HOURS * 60 * NAMES * CALLS
        if sum(found.column("calls").to_pylist()) != calls:
            raise RuntimeError(f"not all of {calls} calls are there: {found}")
        figures = measured(server, connection, sql)
    return {"ms": figures["seconds"] * 1e3, "cpu_s": figures["cpu_s"], "rows": float(rows), "filled_cpu_s": filled}


def cases() -> Cases:
    """Each on a server of its own: their times are the same."""
    found: Cases = {}
    for name, case in (("call_tree", call_tree), ("span_quantiles", quantiles)):
        with (
            tempfile.TemporaryDirectory(prefix="tachy-bench-") as folder,
            Server(Path(folder) / "data", "--role", "ingest,query") as server,
            lake_of(server.data) as lake,
        ):
            found[name] = case(server, lake)
    return found


if __name__ == "__main__":
    for case_, figures_ in cases().items():
        print(case_, {name: float(f"{figure:.4g}") for name, figure in figures_.items()})
