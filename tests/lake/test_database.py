"""The schema moves forward only, and the days' partitions are there when they are needed."""

from __future__ import annotations

import datetime
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tachy_server.base.errors import SettingsError, StoreError
from tachy_server.lake.database import Database, connect, day_of, migrations


def test_many_servers_migrate_one_database_once(dsn: str) -> None:
    with ThreadPoolExecutor(6) as pool:
        bases = list(pool.map(lambda _: Database(dsn, 1), range(6)))
    for base in bases:
        base.ensure_days()
        base.close()
    with connect(dsn) as connection:
        found = connection.execute("SELECT version, name FROM tachy_migrations ORDER BY version").fetchall()
    assert found == [(version, name) for version, name, _ in migrations()]


def test_migrations_are_numbered_without_holes() -> None:
    assert [version for version, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_newer_schema_is_refused(dsn: str) -> None:
    Database(dsn, 1).close()
    with connect(dsn) as connection:
        connection.execute("INSERT INTO tachy_migrations (version, name) VALUES (1000, 'future')")
    with pytest.raises(SettingsError, match="1000"):
        Database(dsn, 1)


def test_partitions_are_made_once_by_whoever_comes_first(dsn: str) -> None:
    days = [datetime.date(2026, 12, 30) + datetime.timedelta(days=number) for number in range(4)]
    bases = [Database(dsn, 2) for _ in range(4)]

    def ensure(base: Database) -> None:
        with base.connection() as connection:
            for day in days:
                base.ensure_day(connection, day)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ensure, bases))
    for base in bases:
        base.close()
    with connect(dsn) as connection:
        names = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'segments'::regclass ORDER BY 1"
        ).fetchall()
        indexes = connection.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'segments_20261231'").fetchone()
    assert names == [(f"segments_{day:%Y%m%d}",) for day in days]
    assert indexes == (3,)


def test_ids_of_batches_are_forgotten_after_a_day(dsn: str) -> None:
    base = Database(dsn, 2)
    today = day_of(time.time_ns())
    with base.connection() as connection:
        for back in (3, 2, 1):
            base.ensure_day(connection, today - datetime.timedelta(days=back))
    base.ensure_days()
    with connect(dsn) as connection:
        first = "SELECT min(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = %s::regclass"
        kept, segments = (connection.execute(first, (table,)).fetchone() for table in ("batches", "segments"))
    base.close()
    assert segments == (f"segments_{today - datetime.timedelta(days=3):%Y%m%d}",)
    assert kept == (f"batches_{today - datetime.timedelta(days=1):%Y%m%d}",)


def test_a_database_of_another_make_is_refused(dsn: str) -> None:
    Database(dsn, 1).close()
    with connect(dsn) as connection:
        connection.execute("UPDATE tachy_migrations SET name = '0001_lake.sql' WHERE version = 1")
    with pytest.raises(SettingsError, match="from before the first release"):
        Database(dsn, 1)


def test_a_server_that_is_not_there_is_said_so_in_one_line() -> None:
    with pytest.raises(StoreError, match="cannot connect to PostgreSQL") as caught:
        connect("host=/nonexistent dbname=x")
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError):
        connect("this is no connection string")
