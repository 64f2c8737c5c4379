"""Metadata as large as a fleet's, written straight into PostgreSQL, and joins of many spans with few processes."""

from __future__ import annotations

import asyncio
import statistics
import time
import uuid
from functools import partial
from hashlib import md5

import tachy
from tachy.client import Connection
from tachy_server.lake import database

from bench.budgets import Cases
from bench.server import best, owned, send_all
from tests.lake.conftest import rows_of
from tests.lake.heads import Head, Thread, add_segment
from tests.model.encoder import Process
from tests.serving import Server

PROCESSES = 100_000
BLOCKS = 500_000  # of three threads each: 1.5 million rows of the view
BEGIN = 1_750_000_000_000_000_000
SPANS = 200_000  # of a block
GAMES, BLOCKS_OF_A_GAME = 5, 10
BLOCKS_OF_A_SEGMENT = 500
SECOND = 10**9
REPEATS = 9
TURNS = 7  # of joins, each question once in a turn
_PROCESSES = f"""
INSERT INTO processes (process_id, exe, username, realname, computer, distro, cpu_brand, tsc_frequency, start_time,
    start_ticks, clock, sdk, state, properties, insert_time, last_update_time, last_block_end_ticks,
    last_block_end_time)
SELECT md5('p' || n)::uuid, 'game' || n % 50, 'user' || n % 1000, 'User', 'pc' || n % 5000, 'Linux', 'CPU', 1000000000,
    {BEGIN} + n * 1000000000, 0, 'tsc', 'bench', 'running', jsonb_build_object('build', (n % 100)::text),
    {BEGIN} + n * 1000000000, {BEGIN} + n * 1000000000 + 60000000000, 5, {BEGIN} + n * 1000000000 + 60000000000
FROM generate_series(0::bigint, {PROCESSES - 1}) AS n
"""


def fill(connection: database.Connection) -> None:
    """The rows; md5 of a number is a seeded generator of ids."""
    connection.execute(_PROCESSES.encode())
    processes = [uuid.UUID(md5(f"p{n}".encode()).hexdigest()) for n in range(PROCESSES)]
    for first in range(0, BLOCKS, BLOCKS_OF_A_SEGMENT):
        heads = []
        for n in range(first, first + BLOCKS_OF_A_SEGMENT):
            at = BEGIN + n % PROCESSES * SECOND
            threads = [Thread(number, 100, at, at + SECOND) for number in (1, 2, 3)]
            heads.append(Head(processes[n % PROCESSES], n // PROCESSES, threads))
        add_segment(connection, heads, time.time_ns())
    connection.execute("VACUUM ANALYZE processes, segments")


def games(server: Server) -> list[Process]:
    """Processes that differ in name, with the same spans in all their blocks; sent."""
    made = [Process(exe=f"join{number}") for number in range(GAMES)]
    main = made[0].thread("main")
    for number in range(SPANS):
        main.begin(f"part {number % 50}", number * 1_000, target="bench", file="bench.py", line=number % 50)
        main.end(number * 1_000 + 500)
    (block,) = made[0].blocks(codec="zstd")
    for process in made:
        batches = (process.batch([owned(block.data, process, at)]) for at in range(BLOCKS_OF_A_GAME))
        asyncio.run(send_all(server.http, batches))
    return made


def _median_ms(connection: Connection, sql: str, rows: int) -> float:
    """Of some runs, after one; each must give so many rows."""
    taken = []
    for _ in range(REPEATS + 1):
        begin = time.perf_counter()
        found = connection.query(sql).num_rows
        taken.append((time.perf_counter() - begin) * 1e3)
        if found != rows:
            raise RuntimeError(f"{found} rows of {rows}: {sql}")
    return statistics.median(taken[1:])


def metadata(server: Server) -> Cases:
    """A page of 100 of 100,000 processes, and the number of rows of `blocks`."""
    with rows_of(server.data) as rows:
        fill(rows)
    page = "SELECT process_id, exe, start_time, properties, end_state FROM processes"
    with tachy.connect(server.flight, url=server.http) as connection:
        count = connection.query("SELECT count(*) AS n FROM blocks").column("n")[0].as_py()
        if count < BLOCKS * 3:
            raise RuntimeError(f"{count} rows of {BLOCKS * 3}")
        newest = f"{page} ORDER BY insert_time DESC, start_time DESC LIMIT 100"
        return {
            "processes_100": {
                "ms": _median_ms(connection, f"{page} LIMIT 100", 100),
                "newest_ms": _median_ms(connection, newest, 100),
            },
            "count_blocks": {"ms": _median_ms(connection, "SELECT count(*) AS n FROM blocks", 1)},
        }


def joins(server: Server) -> Cases:
    """Spans with processes, written both ways, and held to some processes by their names and by their ids."""
    made = games(server)
    total = GAMES * BLOCKS_OF_A_GAME * SPANS
    mine = "WHERE p.exe LIKE 'join%' GROUP BY p.exe"
    aggregate = "SELECT p.exe, count(*) AS n, sum(s.duration) AS d"
    two = ", ".join(f"'{process.process_id}'" for process in made[:2])
    asked = {
        "spans_first": f"{aggregate} FROM thread_spans s JOIN processes p USING (process_id) {mine}",
        "spans_last": f"{aggregate} FROM processes p JOIN thread_spans s USING (process_id) {mine}",
        "named": "SELECT sum(duration) AS d FROM thread_spans WHERE process_id IN "
        "(SELECT process_id FROM processes WHERE exe IN ('join0', 'join1'))",
        "given": f"SELECT sum(duration) AS d FROM thread_spans WHERE process_id IN ({two})",
    }
    with tachy.connect(server.flight, url=server.http) as connection:
        counted = connection.query(asked["spans_first"]).column("n").to_pylist()
        if sum(counted) != total:
            raise RuntimeError(f"{sum(counted)} spans of {total}")
        turns = [{name: best(partial(connection.query, sql), 1) for name, sql in asked.items()} for _ in range(TURNS)]
    seconds = {name: min(turn[name] for turn in turns) for name in asked}
    both = seconds["spans_first"], seconds["spans_last"]
    return {
        "join_orders": {"slower_of_faster": max(both) / min(both), "rows_per_second": total / max(both)},
        "in_subquery": {"of_given_ids": seconds["named"] / seconds["given"]},
    }
