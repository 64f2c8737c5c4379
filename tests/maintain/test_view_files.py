"""What maintenance does with the catalog's files: expiry, and what `tachy check` and `tachy rebuild` say of them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from tachy_server.formats import parquet
from tachy_server.lake import catalog
from tachy_server.lake.store import LocalStore
from tachy_server.maintain.expiring import expire

from tests.lake.conftest import lake_of
from tests.lake.duck import attached
from tests.maintain.conftest import SECOND, World
from tests.maintain.test_checking import check, execute
from tests.maintain.test_rebuilding import again
from tests.maintain.test_rewriting import processes, session
from tests.serving import Server

SCHEMA = pa.schema([("n", pa.int64())])
GRACE = 900 * SECOND


class Files:
    """A table of the catalog, and its files, each with a row that is its number."""

    def __init__(self, world: World) -> None:
        self.world = world
        with world.lake.connection() as connection:
            catalog.locate(connection, world.store.name)
            self.table = catalog.create_table(connection, "numbers", SCHEMA)
        self.keys: list[str] = []

    def add(self, replaces: tuple[str, ...] = ()) -> str:
        file, data = parquet.write(f"views/numbers/{len(self.keys)}.parquet", pa.table([[len(self.keys)]], SCHEMA))
        self.world.store.put_new(file.key, [data])
        with self.world.lake.connection() as connection:
            catalog.commit(connection, self.table, [file], replaces)
        self.keys.append(file.key)
        return file.key

    def there(self) -> set[str]:
        return {key for key, _ in self.world.store.objects("views/")}

    def seen(self, snapshot: str = "") -> list[int]:
        with attached(self.world.base.dsn) as lake:
            return [n for (n,) in lake.execute(f"SELECT n FROM numbers {snapshot} ORDER BY 1").fetchall()]


@pytest.fixture
def files(world: World) -> Files:
    made = Files(world)
    for _ in range(3):
        made.add()
    return made


def test_replaced_files_stay_for_their_snapshots_and_then_for_who_reads_them(world: World, files: Files) -> None:
    first, second = files.keys[:2]
    files.add((first, second))
    now = time.time_ns()
    assert expire(world.lake, 3600 * SECOND, GRACE, now) == 0
    world.rewrite(now + 2 * GRACE)
    assert files.seen("AT (VERSION => 4)") == [0, 1, 2]
    assert expire(world.lake, 3600 * SECOND, GRACE, now + 3601 * SECOND) == 2
    assert expire(world.lake, 3600 * SECOND, GRACE, now + 3601 * SECOND) == 0
    world.rewrite(now + 3601 * SECOND + GRACE)
    assert files.there() == set(files.keys)
    world.rewrite(now + 3601 * SECOND + GRACE + 1)
    assert files.there() == set(files.keys) - {first, second}
    assert files.seen() == [2, 3]


def test_a_server_expires_snapshots_by_itself(tmp_path: Path) -> None:
    options = ("--role", "ingest,maintain", "--snapshot-days", "0", "--rewrite-seconds", "1", "--rewrite-grace", "1")
    with Server(tmp_path / "data", *options, "--query-seconds", "1") as server, lake_of(server.data) as lake:
        files = Files(World(lake.database, lake, lake.store))
        first = files.add()
        second = files.add((first,))
        until = time.monotonic() + 60
        while files.there() != {second}:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert files.seen() == [1]


def no_object(files: Files) -> None:
    files.world.store.remove(files.keys[0])


def another_object(files: Files) -> None:
    with (files.world.store.root / files.keys[0]).open("ab") as file:
        file.write(b"more")


def no_row(files: Files) -> None:
    files.world.store.put_new("views/numbers/orphan.parquet", [b"PAR1"])


def to_be_removed(files: Files) -> None:
    execute(files.world, "INSERT INTO removals VALUES (%s, 0)", files.keys[0])


@pytest.mark.parametrize(
    ("plant", "kind", "left"),
    [(no_object, "hole", [1, 2]), (another_object, "hole", [1, 2]), (no_row, "orphan", [0, 1, 2]),
     (to_be_removed, "removal", [0, 1, 2])],
)  # fmt: skip
def test_faults_are_found_and_mended(
    world: World, files: Files, plant: Callable[[Files], None], kind: str, left: list[int]
) -> None:
    replaced = files.add()
    files.add((replaced,))
    assert check(world) == []
    plant(files)
    assert [(fault.kind, fault.mended) for fault in check(world)] == [(kind, None)]
    assert [fault.kind for fault in check(world, mend=True) if fault.mended] == [kind]
    # The object of another size is now one that no row names.
    check(world, mend=True)
    assert check(world) == []
    assert files.seen() == [*left, 4]
    with world.lake.connection() as connection:
        rows = connection.execute("SELECT record_count FROM ducklake.ducklake_table_stats").fetchone()
    assert rows == (len(left) + 1,)


def test_young_objects_may_get_a_row(world: World, files: Files) -> None:
    no_row(files)
    assert check(world, grace=3600) == []


def test_files_that_come_and_go_meanwhile_are_no_faults(
    world: World, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two objects that are listed one comes, and one is replaced, expires and is removed."""
    listed = world.store.objects

    def busy(prefix: str = "") -> object:
        for one in list(listed(prefix)):
            yield one
            files.add((files.keys[-1],))
            time.sleep(0.001)
            expire(world.lake, 0, 0, time.time_ns())
            world.rewrite(time.time_ns(), grace=0)

    monkeypatch.setattr(world.store, "objects", busy)
    assert check(world, mend=True) == []
    monkeypatch.undo()
    assert check(world) == []


def test_a_rebuilt_lake_makes_its_views_again(ingest_server: Server, world: World, files: Files) -> None:
    end = session(world, processes(1), random.Random(1), 3)
    with again(ingest_server, world, end) as (other, done):
        assert done.files == 3
        assert check(other) == []
        assert other.keys("removals") == set(files.keys)
        other.rewrite(end + 2 * GRACE)
        assert isinstance(world.store, LocalStore)
        assert files.there() == set()
