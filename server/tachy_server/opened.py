"""What commands open of a server that runs on this machine or does not: its database, its store."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tachy_server.base import settings as settings_table
from tachy_server.base.settings import Settings
from tachy_server.lake.database import Database, create_database
from tachy_server.lake.store import Store, open_store
from tachy_server.postgres.supervisor import DataFolder, FolderInUse, Postgres, dsn_of


def add_options(command: argparse.ArgumentParser, *, store: bool = False) -> None:
    """Which server's."""
    command.add_argument("--data", metavar="DIR", help="data folder of the server (TACHY_DATA)")
    command.add_argument("--dsn", help="its PostgreSQL, if it has another than its own (TACHY_DSN)")
    if store:
        command.add_argument("--store", help="its object store, if it has another than its own (TACHY_STORE)")
    command.add_argument("--config", metavar="FILE", help="its TOML file (TACHY_CONFIG)")


def load_settings(args: argparse.Namespace) -> Settings:
    """Those of the options, the environment and the file. Raises SettingsError."""
    names: Sequence[str] = ("data", "dsn", "store", "config")
    options = [f"--{name}={value}" for name in names if (value := getattr(args, name, None)) is not None]
    return settings_table.load(options, os.environ)


def store_of(settings: Settings) -> Store:
    """As `tachy serve` opens it."""
    return open_store(settings, settings.data.absolute() / "store")


@contextmanager
def database_of(settings: Settings, connections: int = 1) -> Iterator[Database]:
    """Of a server that runs, or of its own PostgreSQL, which is started for as long."""
    if settings.dsn:
        with _migrated(settings.dsn, connections) as base:
            yield base
        return
    try:
        folder = DataFolder(settings.data)
    except FolderInUse:
        with _migrated(dsn_of(settings.data.absolute()), connections) as base:
            yield base
        return
    postgres = Postgres(folder)
    try:
        postgres.start()
        create_database(postgres.dsn)
        with _migrated(postgres.dsn, connections) as base:
            yield base
    finally:
        postgres.stop()
        folder.close()


@contextmanager
def _migrated(dsn: str, connections: int) -> Iterator[Database]:
    base = Database(dsn, connections)
    try:
        yield base
    finally:
        base.close()
