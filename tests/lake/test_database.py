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
        indexes = connection.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 'segments_20261231'").fetchone()
    assert partitions(dsn) == [f"segments_{day:%Y%m%d}" for day in days]
    assert indexes == (3,)


INSERT = "INSERT INTO segments VALUES (%s, 'a', 0, 0, 0, 0, '{}', '', 0, '{}', 0)"


def partitions(dsn: str) -> list[str]:
    with connect(dsn) as connection:
        found = connection.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'segments'::regclass ORDER BY 1"
        )
        return [name for (name,) in found]


def test_old_days_without_segments_are_dropped(dsn: str) -> None:
    base = Database(dsn, 2)
    days = [day_of(time.time_ns()) + datetime.timedelta(days=number) for number in range(-4, 3)]
    with base.connection() as connection:
        for day in days[:4]:
            base.ensure_day(connection, day)
        connection.execute(INSERT, (days[1],))
        base.ensure_days()
        assert partitions(dsn) == [f"segments_{day:%Y%m%d}" for day in (days[1], *days[3:])]
        base.ensure_day(connection, days[0])
        connection.execute(INSERT, (days[0],))
    base.close()


def test_who_uses_an_old_day_keeps_it_and_waits_for_nobody(dsn: str) -> None:
    base, day = Database(dsn, 5), day_of(time.time_ns()) - datetime.timedelta(days=9)
    name = f"segments_{day:%Y%m%d}"
    with base.connection() as connection, base.connection() as other:
        base.ensure_day(connection, day)
        with connection.transaction():
            connection.execute(INSERT, (day,))
            base.ensure_days()
            other.execute("SELECT count(*) FROM segments")
        assert name in partitions(dsn)
        connection.execute("DELETE FROM segments")
        with base.old_days(connection):
            base.ensure_days()
            assert name in partitions(dsn)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: base.ensure_days(), range(3)))
        assert name not in partitions(dsn)
    base.close()


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
