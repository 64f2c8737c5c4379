"""The connections to PostgreSQL, the schema's migrations, and the daily partitions of tables.

Connections are autocommit: an earlier SELECT would otherwise have opened a transaction, and the `with transaction()`
that was to commit would be a savepoint in it.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.resources
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool

from tachy_server.base.errors import SettingsError, StoreError
from tachy_server.lake.arrow_reads import ArrowReads

Connection = psycopg.Connection[tuple[Any, ...]]

_LOCK_MIGRATE = 0x74616368_0001  # advisory locks: "tach" and a number
_LOCK_PARTITION = 0x74616368_0002
_LOCK_OLD_DAYS = 0x74616368_0004
_MIGRATION = re.compile(r"(\d{4})_\w+\.sql")

_SELECT_VERSIONS = "SELECT version, name FROM tachy_migrations ORDER BY version"
_CREATE_VERSIONS = """
CREATE TABLE IF NOT EXISTS tachy_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied timestamptz NOT NULL DEFAULT now()
)
"""
_PARTITION_EXISTS = """
SELECT EXISTS (SELECT FROM pg_inherits WHERE inhparent = 'segments'::regclass AND inhrelid = to_regclass(%s))
"""
_PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'segments'::regclass"


def migrations() -> list[tuple[int, str, str]]:
    """(version, file name, SQL) of all migrations that this version knows, in order."""
    found: list[tuple[int, str, str]] = []
    for entry in importlib.resources.files("tachy_server.lake.migrations").iterdir():
        match = _MIGRATION.fullmatch(entry.name)
        if match:
            found.append((int(match[1]), entry.name, entry.read_text(encoding="utf-8")))
    return sorted(found)


def connect(dsn: str) -> Connection:
    """One connection. Raises StoreError, in one sentence."""
    try:
        connection = psycopg.connect(dsn, autocommit=True, connect_timeout=10, application_name="tachy")
        _configure(connection)
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        raise StoreError(f"cannot connect to PostgreSQL: {one_line(error)}") from None
    return connection


def _configure(connection: Connection) -> None:
    """Psycopg prepares a statement that comes back, and PostgreSQL would plan it once for all values: a generic plan
    prunes neither days nor processes (0.4 ms became 120 to 335).
    """
    connection.execute("SET plan_cache_mode = force_custom_plan")


def one_line(error: BaseException) -> str:
    """The first line of a message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def create_database(dsn: str) -> None:
    """Creates the database that the connection string names, on a server of our own, if it is not there."""
    name = str(conninfo_to_dict(dsn)["dbname"])
    with connect(make_conninfo(dsn, dbname="postgres")) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


class Database:
    """A pool of connections to a database whose schema is the one that this version needs."""

    def __init__(self, dsn: str, connections: int, *, migrate: bool = True) -> None:
        """Migrates the schema, unless somebody has. Raises StoreError (cannot connect) or SettingsError (schema of a
        newer version).
        """
        self.dsn = dsn
        self._days: set[datetime.date] = set()
        self._days_lock = threading.Lock()
        if migrate:
            with connect(dsn) as connection:
                _migrate(connection)
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            min_size=1,
            max_size=max(1, connections),
            open=True,
            timeout=10.0,
            kwargs={"autocommit": True, "connect_timeout": 10, "application_name": "tachy"},
            check=ConnectionPool.check_connection,
            configure=_configure,
            name="tachy",
        )
        self.reads = ArrowReads(dsn, max(1, connections))

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A pooled autocommit connection. Raises StoreError when there is none within 10 s, or when it breaks."""
        try:
            connection = self._pool.getconn()
        except psycopg.OperationalError as error:  # the pool's own errors are of this kind: timeout, closed
            raise StoreError(f"no connection to PostgreSQL: {one_line(error)}") from None
        try:
            yield connection
        except psycopg.OperationalError as error:
            raise StoreError(f"PostgreSQL did not do its part: {one_line(error)}") from None
        finally:
            self._pool.putconn(connection)

    def check(self) -> None:
        """Raises StoreError when PostgreSQL does not answer."""
        try:
            with psycopg.connect(self.dsn, connect_timeout=2, application_name="tachy readyz") as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise StoreError(f"PostgreSQL does not answer: {one_line(error)}") from None

    def ensure_day(self, connection: Connection, day: datetime.date) -> None:
        """Makes a day's partition of segments, if nobody has yet. Not inside a transaction."""
        with self._days_lock:
            if day in self._days:
                return
            if connection.execute(_PARTITION_EXISTS, (_partition(day),)).fetchone() != (True,):
                _create_partition(connection, day)
            self._days.add(day)

    @contextmanager
    def old_days(self, connection: Connection) -> Iterator[None]:
        """Meanwhile nobody drops a day that is empty, since it may be about to have something."""
        connection.execute("SELECT pg_advisory_lock_shared(%s)", (_LOCK_OLD_DAYS,))
        try:
            yield
        finally:
            connection.execute("SELECT pg_advisory_unlock_shared(%s)", (_LOCK_OLD_DAYS,))

    def ensure_days(self, ahead: int = 2) -> None:
        """Makes today's partition of segments and those of the next days, and drops old ones that are empty."""
        today = day_of(time.time_ns())
        with self.connection() as connection:
            for offset in range(ahead + 1):
                self.ensure_day(connection, today + datetime.timedelta(days=offset))
            first = today - datetime.timedelta(days=1)
            _drop_old(connection, first)
        with self._days_lock:
            self._days = {day for day in self._days if day >= first}

    def close(self) -> None:
        """Ends all connections."""
        self.reads.close()
        self._pool.close()


def day_of(nanoseconds: int) -> datetime.date:
    """The UTC day of a time."""
    return datetime.datetime.fromtimestamp(nanoseconds // 1_000_000_000, datetime.UTC).date()


def start_of(day: datetime.date) -> int:
    """When a UTC day begins, UTC nanoseconds."""
    return (day - datetime.date(1970, 1, 1)).days * 86_400_000_000_000


def _partition(day: datetime.date) -> str:
    return f"segments_{day:%Y%m%d}"


def _create_partition(connection: Connection, day: datetime.date) -> None:
    """CREATE + ATTACH, which does not lock out readers of the other days as CREATE … PARTITION OF would."""
    name = sql.Identifier(_partition(day))
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_PARTITION,))
        if connection.execute(_PARTITION_EXISTS, (_partition(day),)).fetchone() == (True,):
            return
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE segments INCLUDING DEFAULTS)").format(name))
        connection.execute(
            sql.SQL("ALTER TABLE segments ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                name, sql.Literal(day), sql.Literal(day + datetime.timedelta(days=1))
            )
        )


def _drop_old(connection: Connection, first: datetime.date) -> None:
    """Partitions of days before that one that are empty."""
    for (name,) in connection.execute(_PARTITIONS).fetchall():
        if name < _partition(first):
            # The next time; or somebody else has done it.
            with contextlib.suppress(psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
                _drop_partition(connection, name)


def _drop_partition(connection: Connection, name: str) -> None:
    """If it is empty. Others who use the table wait while this waits for it: 0.1 s at most."""
    is_empty = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(sql.Identifier(name))
    if connection.execute(is_empty).fetchone() != (True,):
        return
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '100ms'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_OLD_DAYS,))
        connection.execute("LOCK TABLE ONLY segments IN ACCESS EXCLUSIVE MODE")
        if connection.execute(is_empty).fetchone() == (True,):
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))


def _migrate(connection: Connection) -> None:
    known = migrations()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_MIGRATE,))
        connection.execute(_CREATE_VERSIONS)
        applied = connection.execute(_SELECT_VERSIONS).fetchall()
        names = {number: name for number, name, _ in known}
        if any(names.get(version, name) != name for version, name in applied):
            raise SettingsError(
                "the database was made by a tachy from before the first release: begin with an empty one"
            )
        version = int(applied[-1][0]) if applied else 0
        if version > known[-1][0]:
            raise SettingsError(
                f"the database has schema version {version}, this tachy knows {known[-1][0]}: install a newer tachy"
            )
        for number, name, script in known:
            if number > version:
                connection.execute(script.encode())
                connection.execute("INSERT INTO tachy_migrations (version, name) VALUES (%s, %s)", (number, name))
