"""Materialized views say at every moment what their SELECT says of all events, whatever lies in files by then."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tachy_server.base.errors import QueryError
from tachy_server.base.settings import Settings
from tachy_server.formats.reader import LOG, METRIC, SPAN
from tachy_server.lake import catalog, materialized
from tachy_server.lake.store import LocalStore
from tachy_server.lake.visible import EVERYTHING, Visible
from tachy_server.query import statements
from tachy_server.query.command_runs import Context
from tachy_server.query.commands import parse
from tachy_server.query.engine import QueryEngine
from tachy_server.query.materialized.apart import Share, of_one
from tachy_server.query.materialized.changes import create
from tachy_server.query.materialized.known import BUILT_IN, Stored, defined
from tachy_server.views.declarations import VIEWS
from tachy_server.views.tables import Stop

from tests.lake.conftest import play
from tests.maintain.conftest import SECOND, START, Killed, World, killed_at, opened
from tests.maintain.conftest import ingest_server as ingest_server
from tests.maintain.conftest import world as world
from tests.maintain.test_checking import check
from tests.maintain.test_lives import expire
from tests.maintain.test_rewriting import HOUR, damage, later, processes, session
from tests.model.encoder import Process
from tests.serving import Server
from tests.waiting import until

BY_NAME = """CREATE MATERIALIZED VIEW by_name AS
SELECT date_bin(INTERVAL '1 hour', "begin") AS hour, name, process_id, count(*) AS calls, max(duration) AS longest,
    make_hll("begin") AS begins
FROM thread_spans WHERE duration > 50 GROUP BY 1, 2, 3"""
ERRORS = """CREATE MATERIALIZED VIEW errors AS
SELECT time, process_id, msg, process_properties['build'] AS build FROM log_entries WHERE level <= 4"""


@dataclass
class Views:
    """The materialized views of a lake, and what fills them."""

    world: World
    defined: dict[str, Stored] = field(default_factory=lambda: dict(BUILT_IN))

    def __post_init__(self) -> None:
        self.engine = QueryEngine(self.world.lake, Settings())

    def run(self, statement: str) -> list[dict[str, Any]]:
        """A statement that is no query."""
        command = parse(statement)
        assert command is not None
        planned = statements.plan(command, Context(self.engine, self.world.lake, Stop(), "", EVERYTHING))
        rows: list[dict[str, Any]] = planned.run().cast(planned.schema).to_pylist()
        return rows

    def create(self, statement: str) -> None:
        self.run(statement)
        view = defined(statement)
        self.defined[view.name] = view

    def step(self, now: int) -> str | None:
        return self.engine.materializer(self.world.lake).step(now)

    def fill(self, now: int) -> list[str]:
        """Until nothing is due."""
        done = []
        while (step := self.step(now)) is not None:
            done.append(step)
        return done

    def rows(self, sql: str, **arguments: Any) -> list[str]:
        query = self.engine.plan(sql, **arguments)
        table = pa.Table.from_batches(list(query.batches()), query.schema)
        plain = [(each.name, pa.int64() if pa.types.is_timestamp(each.type) else each.type) for each in table.schema]
        table = table.cast(pa.schema(plain))
        return sorted(repr({name: _rounded(value) for name, value in row.items()}) for row in table.to_pylist())

    def compare(self) -> None:
        for name, view in self.defined.items():
            assert self.rows(f"SELECT * FROM {name}") == self.rows(_ended(view.definition.select)), name

    def compare_parts(self) -> None:
        """Asked for what is before a time and what is not, each view says all that it does, and once."""
        for name, view in self.defined.items():
            time = self.engine.materializer(self.world.lake).shape(view).time
            query = self.engine.plan(f"SELECT {time} FROM {name} WHERE {time} IS NOT NULL ORDER BY 1")
            times = pa.Table.from_batches(list(query.batches()), query.schema).column(0).cast(pa.int64()).to_pylist()
            for at in {times[part * len(times) // 4] for part in range(4)} if times else ():
                first, last = (
                    self.rows(f"SELECT * FROM {name}", **{key: at - (key == "end")}) for key in ("end", "begin")
                )
                unknown = self.rows(f"SELECT * FROM {name} WHERE {time} IS NULL")
                assert sorted(first + last + unknown) == self.rows(_ended(view.definition.select)), (name, at)

    def lose(self, number: int) -> None:
        """A file, if there are any, and somebody finds that out."""
        with self.world.lake.connection() as connection:
            tables = [view.table_id for view in materialized.stored(connection)]
            files = sorted(key for table_id in tables for key in catalog.rows(connection, table_id))
        if files:
            self.world.store.remove(files[number % len(files)])
            self.world.lake.note_lost(files[number % len(files)], "it is gone")

    def files(self, name: str) -> list[str]:
        with self.world.lake.connection() as connection:
            (table_id,) = [row.table_id for row in materialized.stored(connection) if row.name == name]
            return list(catalog.rows(connection, table_id))


def _rounded(value: Any) -> Any:
    """Sums of numbers differ in their last digits by the order in which they are added."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def _ended(select: str) -> str:
    """Of spans those that have ended."""
    return select.replace("FROM thread_spans", "FROM (SELECT * FROM thread_spans WHERE NOT is_open) AS s")


@pytest.fixture
def views(world: World) -> Views:
    return Views(world)


def test_those_of_the_server_are_declared_as_they_are(views: Views) -> None:
    for name in BUILT_IN:
        schema = views.engine.plan(f"SELECT * FROM {name}", preserve_dictionary=True).schema
        assert [(each.name, each.type) for each in schema] == [(each.name, each.type) for each in VIEWS[name].schema]


def test_they_say_the_same_before_during_and_after(views: Views) -> None:
    world = views.world
    views.compare()
    end = session(world, processes(3), random.Random(1), 100)
    views.compare()
    expected = {name: views.rows(f"SELECT * FROM {name}") for name in BUILT_IN}
    assert all(expected.values())
    for now in range(START + 700 * SECOND, end + 4 * HOUR, 1000 * SECOND):
        world.rewrite(now)
        while views.step(now) is not None:
            for name, wanted in expected.items():
                assert views.rows(f"SELECT * FROM {name}") == wanted, name
    assert {name: len(views.files(name)) for name in BUILT_IN} == dict.fromkeys(BUILT_IN, 2)
    views.compare_parts()
    views.fill(end + 30 * HOUR)
    assert {name: len(views.files(name)) for name in BUILT_IN} == dict.fromkeys(BUILT_IN, 1)
    views.compare()


def test_partitions_are_the_files(views: Views) -> None:
    views.create(BY_NAME)
    session(views.world, processes(2), random.Random(3), 60)
    sql = "SELECT * FROM list_partitions() ORDER BY 1, file_path"
    assert views.rows(sql) == []
    views.fill(START + 2 * HOUR)
    query = views.engine.plan(sql)
    rows = pa.Table.from_batches(list(query.batches()), query.schema).to_pylist()
    assert {name: views.files(name) for name in views.defined} == {
        name: [row["file_path"] for row in rows if row["view_set_name"] == name] for name in views.defined
    }
    for row in rows:
        name, time = row["view_set_name"], "hour" if row["view_set_name"] == "by_name" else "time_bin"
        assert len(views.world.lake.file(row["file_path"], row["file_size"])) == row["file_size"]
        assert row["updated"] is not None
        said = {"a": row["min_event_time"].value, "b": row["max_event_time"].value, "n": row["num_rows"]}
        assert views.rows(f"SELECT min({time}) AS a, max({time}) AS b, count(*) AS n FROM {name}") == [repr(said)]
    incompatible = (
        "SELECT * FROM list_partitions() p JOIN list_view_sets() vs ON p.view_set_name = vs.view_set_name "
        "WHERE p.file_schema_hash != vs.current_schema_hash"
    )
    assert views.rows(incompatible) == []
    assert views.rows(sql, visible=Visible("p.properties ->> 'n' = '1'")) == []


def test_the_lakes_usage_has_their_files_by_view_and_day(views: Views) -> None:
    now = session(views.world, processes(2), random.Random(13), 30) + HOUR
    views.create(BY_NAME)
    views.fill(now)
    query = views.engine.plan(
        "SELECT view_name, day, files, rows, bytes, objects FROM lake_usage WHERE class = 'files'"
    )
    used = {row["view_name"]: row for row in pa.Table.from_batches(list(query.batches()), query.schema).to_pylist()}
    shown = {row["name"]: row for row in views.run("SHOW MATERIALIZED VIEWS")}
    assert used.keys() == views.defined.keys()
    with views.world.lake.connection() as connection:
        sizes, tables = catalog.sizes(connection), {row.name: row.table_id for row in materialized.stored(connection)}
    for name, row in used.items():
        files = {key: size for key, size in sizes.items() if key.startswith(f"views/{tables[name]}/")}
        assert (row["files"], row["bytes"]) == (len(files), sum(files.values()))
        assert row["objects"] == row["files"] > 0
        assert row["rows"] >= shown[name]["rows"] > 0
        assert f"{row['day']:%Y-%m-%d}" in views.files(name)[0]


def test_what_is_in_files_is_not_read_from_blocks(views: Views) -> None:
    world = views.world
    (playing,) = processes(1)
    session(world, [playing], random.Random(2), 20)
    views.fill(START + 2 * HOUR)
    play(playing, later(playing))
    world.store_group([playing.batch()], START + 3 * HOUR)
    query = views.engine.plan("SELECT sum(count) FROM log_stats")
    list(query.batches())
    assert query.blocks_read == 1
    query = views.engine.plan("SELECT sum(count) FROM log_stats WHERE time_bin > TIMESTAMP '2030-01-01'")
    list(query.batches())
    assert query.blocks_read == 0, "a bound on the bin is one on what it is made of"


def test_rows_of_times_that_one_file_alone_has_are_not_merged(views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    def shares(name: str) -> tuple[int, int]:
        """Of the rows of a view's files, how many are merged, and how many are not."""
        counts = Counter[bool]()

        def of(share: Share, batch: pa.RecordBatch, time: str) -> pa.RecordBatch:
            given = taken(share, batch, time)
            counts[share.inside] += given.num_rows
            return given

        taken = Share.of
        with monkeypatch.context() as counted:
            counted.setattr(Share, "of", of)
            views.rows(f"SELECT * FROM {name}")
        return counts[False], counts[True]

    def rows(name: str) -> int:
        return len(views.rows(f"SELECT * FROM {name}"))

    world, playing = views.world, processes(2)
    views.create(LAST)
    chance, end = random.Random(2), START + HOUR
    for _ in range(9):
        world.store_group([_played(process, chance) for process in playing], end)
    views.fill(end + 30 * HOUR)
    assert {name: shares(name) for name in BUILT_IN} == {name: (0, rows(name)) for name in BUILT_IN}
    assert shares("last_values") == (rows("last_values"), 0), "its rows are merged whatever their times are"
    world.store_group([_played(playing[0], chance)], end + 31 * HOUR)
    merged, apart = shares("log_stats")
    assert 0 < merged < apart, "what came since may belong to rows of its times alone"
    assert shares("span_stats")[1] == 0, "and what comes of spans to rows of any time"
    views.compare()
    views.fill(end + 32 * HOUR)
    assert len(views.files("log_stats")) == 2
    assert shares("log_stats") == (0, rows("log_stats")), "two files may have nothing in common"
    views.compare()
    views.compare_parts()


EDGES = st.tuples(st.integers(0, 20), st.integers(1, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(EDGES), st.lists(EDGES))
def test_times_of_one_file_are_those_that_no_other_and_nothing_else_has(
    files: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    found = of_one(files, others)
    for at in range(30):
        alone = sum(begin <= at < end for begin, end in files) == 1
        beside = any(begin <= at < end for begin, end in others)
        assert any(begin <= at < end for begin, end in found) == (alone and not beside)


def test_a_range_applies_to_the_column_of_its_time(views: Views) -> None:
    end = session(views.world, processes(2), random.Random(3), 30)
    whole = views.rows("SELECT * FROM log_stats")
    middle = START + 15 * 60 * SECOND
    for _ in range(2):
        first, last = (
            views.rows("SELECT * FROM log_stats", end=middle - 1),
            views.rows("SELECT * FROM log_stats", begin=middle),
        )
        assert sorted(first + last) == whole
        views.fill(end + HOUR)


def test_a_block_that_cannot_be_read_is_not_covered(views: Views) -> None:
    world = views.world
    end = session(world, processes(2), random.Random(4), 10)
    (key, *_) = sorted(world.keys())
    damage(world, key, 200)
    views.fill(end + HOUR)
    with world.lake.connection() as connection:
        rows = connection.execute("SELECT key FROM segments WHERE covered = '{}'").fetchall()
        assert [row[0] for row in rows] == [key]
    views.compare()
    damage(world, key, 200)
    views.compare()
    (
        views.rows("SELECT * FROM log_entries"),
        views.rows("SELECT * FROM measures"),
        views.rows("SELECT * FROM thread_spans"),
    )
    views.fill(end + HOUR)
    with world.lake.connection() as connection:
        assert connection.execute("SELECT count(*) FROM segments WHERE covered = '{}'").fetchone() == (0,)
    views.compare()


def truncated(views: Views, key: str) -> None:
    path = views.world.store.root / key
    path.write_bytes(path.read_bytes()[:-10])


def changed(views: Views, key: str) -> None:
    """In the middle of what it has of rows: only a checksum tells."""
    damage(views.world, key, 100)


@pytest.mark.parametrize("lose", [lambda views, key: views.world.store.remove(key), truncated, changed])
@pytest.mark.parametrize("hours", [1, 30])
def test_a_file_that_is_lost_is_said_and_made_again(
    views: Views, lose: Callable[[Views, str], None], hours: int
) -> None:
    world = views.world
    now = session(world, processes(2), random.Random(7), 30) + hours * HOUR
    world.rewrite(now)
    views.fill(now)
    before = {name: set(views.files(name)) for name in BUILT_IN}
    key = min(before["log_stats"])
    lose(views, key)
    with pytest.raises(QueryError, match="a file of log_stats is lost"):
        views.rows("SELECT * FROM log_stats")
    views.rows("SELECT * FROM span_stats")
    assert "is lost" in str(views.step(now))
    views.compare()
    views.fill(now)
    views.compare()
    assert not before["log_stats"] & set(views.files("log_stats"))
    assert {name: set(views.files(name)) for name in BUILT_IN if name != "log_stats"} == {
        name: keys for name, keys in before.items() if name != "log_stats"
    }
    world.rewrite(now + 1)
    assert check(world) == []


def test_a_lost_file_is_found_and_made_again_by_whoever_merges_it(views: Views) -> None:
    now = session(views.world, processes(2), random.Random(8), 100) + 4 * HOUR
    while "segments" in str(views.step(now)):
        pass
    views.world.store.remove(max(views.files("log_stats")))
    with pytest.raises(QueryError, match="is lost"):
        views.fill(now)
    views.fill(now)
    views.compare()
    views.world.rewrite(now)
    assert check(views.world) == []


def test_who_has_just_merged_files_leaves_them_to_nobody_else(views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another merges them after somebody has seen that they are due, and before he has them for himself."""
    now = session(views.world, processes(2), random.Random(8), 100) + 4 * HOUR
    while "segments" in str(views.step(now)):
        pass
    have, merged = materialized.have, list[str]()

    def have_late(connection: Any, name: str) -> bool:
        with monkeypatch.context() as patch:
            patch.setattr(materialized, "have", have)
            merged.append(str(views.step(now)))
        return have(connection, name)

    monkeypatch.setattr(materialized, "have", have_late)
    assert "are one" in str(views.step(now)), "of another view, or later ones"
    assert "are one" in merged[0]
    monkeypatch.undo()
    views.fill(now)
    views.compare()


def test_a_check_finds_lost_files_and_has_them_made_again(views: Views) -> None:
    now = session(views.world, processes(2), random.Random(9), 30) + HOUR
    views.fill(now)
    views.world.store.remove(min(views.files("span_stats")))
    changed(views, min(views.files("log_stats")))
    assert [fault.kind for fault in check(views.world)] == ["hole", "hole"]
    assert {fault.mended for fault in check(views.world, mend=True)} == {
        "it is made again, with all of its view's and day"
    }
    views.compare()
    views.fill(now)
    views.compare()


def test_what_cannot_be_made_again_is_let_go_by_a_check_alone(views: Views) -> None:
    world = views.world
    now = session(world, processes(2), random.Random(10), 30) + HOUR
    views.fill(now)
    with world.lake.connection() as connection:
        connection.execute("INSERT INTO expired VALUES (1, '2100-01-01')")
    key = min(views.files("log_stats"))
    world.store.remove(key)
    for _ in range(2):
        with pytest.raises(QueryError, match="is lost"):
            views.rows("SELECT * FROM log_stats")
        assert views.fill(now + 30 * HOUR) is not None
    assert key in views.files("log_stats")
    assert [fault.mended for fault in check(world, mend=True)] == [
        "the catalog forgets it, its rows are lost to the view"
    ]
    views.rows("SELECT * FROM log_stats")


def test_nothing_is_dropped_that_is_not_in_files(views: Views) -> None:
    """Whoever drops has filled them before; another maintainer may have let go of a day's files since."""
    now = session(views.world, processes(2), random.Random(12), 30) + 40 * 24 * HOUR
    lives = dict.fromkeys((LOG, METRIC, SPAN), 1.0)
    views.fill(now)
    sql = "SELECT * FROM log_stats"
    rows = views.rows(sql)
    views.world.store.remove(key := min(views.files("log_stats")))
    views.world.lake.note_lost(key, "it is gone")
    views.step(now)
    assert expire(views.world, now, lives) == 0
    views.compare()
    views.fill(now)
    assert expire(views.world, now, lives) > 0
    assert views.rows("SELECT * FROM log_entries") == []
    assert views.rows(sql) == rows


def test_a_file_that_can_be_read_after_all_is_not_lost(views: Views) -> None:
    now = session(views.world, processes(2), random.Random(11), 30) + HOUR
    views.fill(now)
    key = min(views.files("log_stats"))
    changed(views, key)
    with pytest.raises(QueryError, match="is lost"):
        views.rows("SELECT * FROM log_stats")
    changed(views, key)
    assert check(views.world, mend=True, blocks=False) == []
    assert views.fill(now) == []
    views.compare()


def test_a_row_that_a_check_makes_again_is_covered_as_before(views: Views) -> None:
    world = views.world
    now = session(world, processes(2), random.Random(12), 10) + HOUR
    views.fill(now)
    with world.lake.connection() as connection:
        connection.execute("UPDATE segments SET size = size + 8")
    assert {fault.kind for fault in check(world, mend=True)} == {"row"}
    views.compare()


def test_who_sees_some_processes_sees_what_is_theirs(views: Views) -> None:
    world = views.world
    end = session(world, processes(2), random.Random(5), 10)
    visible = Visible("p.properties ->> 'n' = '1'")
    queries = ["SELECT * FROM log_stats", "SELECT sum(count) FROM span_stats"]  # span_stats says of no process
    before = [views.rows(sql, visible=visible) for sql in queries]
    for sql, rows in zip(queries, before, strict=True):
        assert rows
        assert rows != views.rows(sql)
    views.fill(end + HOUR)
    assert [views.rows(sql, visible=visible) for sql in queries] == before


ACTIONS = st.one_of(
    st.tuples(st.just("store"), st.integers(1, 7)),
    st.tuples(st.just("merge"), st.integers(0, 60)),
    st.tuples(st.just("fill"), st.integers(0, 60)),
    st.tuples(st.just("lose"), st.integers(0, 60)),
)


@dataclass(frozen=True, slots=True)
class Life:
    """What is done to a lake: an action with its processes, or the call at which it is killed (0: it is not)."""

    actions: list[tuple[str, int]]
    seed: int


LIVES = st.builds(Life, st.lists(ACTIONS, min_size=4, max_size=12), st.integers(0, 1 << 16))
OF_OURS = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(OF_OURS, max_examples=5)
@given(life=LIVES)
def test_whatever_was_stored_merged_filled_and_killed(
    ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: Life
) -> None:
    live(ingest_server, tmp_path, monkeypatch, life)


@pytest.mark.long
@settings(OF_OURS, max_examples=100)
@given(life=LIVES)
def test_whatever_was_stored_merged_filled_and_killed_in_a_hundred_lives(
    ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: Life
) -> None:
    live(ingest_server, tmp_path, monkeypatch, life)


def live(ingest_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: Life) -> None:
    chance, now, playing = random.Random(life.seed), START, processes(3)
    with opened(ingest_server, LocalStore(tmp_path / uuid.uuid4().hex)) as world:
        views = Views(world)
        for action, value in life.actions:
            if chance.random() < 0.2 and len(views.defined) < 5:
                views.create(ERRORS if "by_name" in views.defined else BY_NAME)
            now += chance.choice([20, 200, 700, 2000, 90_000]) * SECOND
            if action == "store":
                world.store_group(
                    [_played(process, chance) for at, process in enumerate(playing) if value >> at & 1], now
                )
                continue
            if action == "lose":
                views.lose(value)
                continue
            with monkeypatch.context() as dying:
                if value:
                    killed_at(world, value, dying)
                with suppress(Killed):
                    world.rewrite(now, grace=chance.choice([0, 1000])) if action == "merge" else views.fill(now)
        if any(action == "lose" for action, _ in life.actions):
            views.fill(now)
        views.compare()
        views.compare_parts()
        views.fill(now + HOUR)
        views.compare()


def _played(process: Process, chance: random.Random) -> bytes:
    """Up to five minutes after the last time; a level may go on from one batch to others."""
    at = later(process) + chance.randrange(300) * SECOND
    main = process.threads[0] if process.threads else process.thread("main")
    if main.stack:
        main.end(at)
    if chance.random() < 0.7:
        main.begin("Level", at + 10)
    play(process, at + 1_000, 2)
    return process.batch()


def test_who_makes_one_at_the_same_time_finds_it_there(views: Views) -> None:
    made, asked = threading.Event(), threading.Event()
    waits = "SELECT FROM pg_locks WHERE relation = 'materialized_views'::regclass AND NOT granted"

    def first() -> None:
        with views.world.lake.connection() as connection, connection.transaction():
            create(connection, BUILT_IN["log_stats"], shape, START, "")
            made.set()
            assert asked.wait(30)
            until(lambda: connection.execute(waits).fetchall())

    def second() -> None:
        assert made.wait(30)
        asked.set()
        with views.world.lake.connection() as connection:
            create(connection, BUILT_IN["log_stats"], shape, START, "")

    shape = views.engine.materializer(views.world.lake).shape(BUILT_IN["log_stats"])
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(first), pool.submit(second)]:
            done.result()
    with views.world.lake.connection() as connection:
        assert [row.name for row in materialized.stored(connection)] == ["log_stats"]


REFUSED = {
    "SELECT name, time, avg(value) AS mean FROM measures GROUP BY 1, 2": "mean does not add up",
    "SELECT name, time, count(DISTINCT value) AS n FROM measures GROUP BY 1, 2": "n does not add up",
    "SELECT name, time, 2 * sum(value) AS n FROM measures GROUP BY 1, 2": "say how its results are merged",
    "SELECT time FROM log_entries ORDER BY time LIMIT 3": "does not add up",
    "SELECT now() AS time, msg FROM log_entries": r"now\(\) is another one",
    "SELECT start_time FROM processes": "there is no table processes",
    "SELECT a.time FROM log_entries AS a JOIN measures AS b ON a.process_id = b.process_id": "Join does not add up",
    "SELECT time FROM measures WHERE value > (SELECT max(value) FROM measures)": "no subqueries",
    "SELECT msg FROM log_entries": "which column is its time",
    "SELECT arrow_cast(time, 'Timestamp(µs)') AS time FROM log_entries": "which column is its time, in nanoseconds",
    "SELECT time, row_number() OVER () AS n FROM log_entries": "WindowExpr does not add up",
    "SELECT time_bin FROM log_stats": "there is no table log_stats",
    "SELECT nothing FROM log_entries": "nothing",
    "SELECT time, make_hll_of(msg) AS h FROM log_entries": "make_hll_of",
}


@pytest.mark.parametrize("select", REFUSED)
def test_what_does_not_add_up_is_refused(views: Views, select: str) -> None:
    with pytest.raises(QueryError, match=REFUSED[select]):
        views.run(f"CREATE MATERIALIZED VIEW mine AS {select}")
    with pytest.raises(QueryError, match="there is no table mine"):
        views.rows("SELECT * FROM mine")


def test_options_and_names_are_checked(views: Views) -> None:
    for statement, reason in (
        ("CREATE MATERIALIZED VIEW log_stats AS SELECT time FROM log_entries", "another name"),
        ("CREATE MATERIALIZED VIEW m WITH (order = 'time') AS SELECT time FROM log_entries", "no option order"),
        (
            "CREATE MATERIALIZED VIEW m WITH (time = 'msg') AS SELECT time, msg FROM log_entries",
            "is no column",
        ),
        ("CREATE MATERIALIZED VIEW m WITH (merge = 'SELECT 1') AS SELECT time FROM log_entries", "No field named time"),
        ("DROP MATERIALIZED VIEW log_stats", "stays"),
        ("DROP MATERIALIZED VIEW nothing", "there is no materialized view nothing"),
    ):
        with pytest.raises(QueryError, match=reason):
            views.run(statement)
    assert views.run("DROP MATERIALIZED VIEW IF EXISTS nothing") == [{"name": "nothing", "status": "was not there"}]


LAST = """CREATE MATERIALIZED VIEW last_values WITH (merge = 'SELECT process_id, name, max(time) AS time,
    last_value(value ORDER BY time) AS value FROM source GROUP BY process_id, name') AS
SELECT process_id, name, max(time) AS time, last_value(value ORDER BY time) AS value FROM measures GROUP BY 1, 2"""


def test_one_is_made_filled_shown_replaced_and_dropped(views: Views) -> None:
    end = session(views.world, processes(2), random.Random(6), 30)
    views.fill(end + HOUR)
    views.create(LAST)
    views.create(LAST)
    views.create(BY_NAME)
    shown = {row["name"]: row for row in views.run("SHOW MATERIALIZED VIEWS")}
    assert list(shown) == sorted([*BUILT_IN, "by_name", "last_values"])
    assert (shown["log_stats"]["covered"], shown["by_name"]["covered"]) == (1.0, 0.0)
    assert shown["by_name"]["uncovered_since"].timestamp() == START // SECOND
    assert shown["log_stats"]["files"] > 0
    views.compare()
    while views.step(end + HOUR) is not None:
        views.compare()
    assert [row["covered"] for row in views.run("SHOW MATERIALIZED VIEWS")] == [1.0] * 5
    with pytest.raises(QueryError, match="there is a materialized view by_name"):
        views.run(BY_NAME.replace("50", "70"))
    views.create(BY_NAME.replace("50", "70").replace("CREATE", "CREATE OR REPLACE"))
    views.compare()
    assert views.rows("SELECT * FROM by_name")
    planned = views.engine.plan("SELECT * FROM by_name")
    assert views.run("DROP MATERIALIZED VIEW by_name") == [{"name": "by_name", "status": "dropped"}]
    del views.defined["by_name"]
    with pytest.raises(QueryError, match="was dropped"):
        list(planned.batches())
    with pytest.raises(QueryError, match="there is no table by_name"):
        views.rows("SELECT * FROM by_name")
    views.fill(end + 2 * HOUR)
    views.compare()
