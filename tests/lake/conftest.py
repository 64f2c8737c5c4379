"""A server that only ingests, and ways to look at what it has written from outside."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tachy_server.lake.database import Connection, Database, create_database
from tachy_server.lake.lake import Lake
from tachy_server.lake.store import LocalStore

from tests.model.encoder import Process
from tests.serving import Server


@pytest.fixture(scope="session")
def ingest_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One per worker, with the role ingest only; shared by its tests."""
    with Server(tmp_path_factory.mktemp("lake") / "data", "--role", "ingest") as running:
        yield running


def dsn_of(data: Path) -> str:
    """The database of the server that runs on this data folder."""
    return make_conninfo("", host=str(data / "run"), port=5432, user="tachy", dbname="tachy")


@pytest.fixture
def dsn(ingest_server: Server) -> Iterator[str]:
    """An empty database beside the server's."""
    name = f"test_{uuid.uuid4().hex}"
    text = make_conninfo(dsn_of(ingest_server.data), dbname=name)
    create_database(text)
    create_database(text)
    yield text
    with psycopg.connect(dsn_of(ingest_server.data), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def rows_of(data: Path) -> Iterator[Connection]:
    """A connection to that database."""
    with psycopg.connect(dsn_of(data), autocommit=True) as connection:
        yield connection


@contextmanager
def lake_of(data: Path) -> Iterator[Lake]:
    """The lake, seen by another process than the server's."""
    base = Database(dsn_of(data), 2)
    lake = Lake(base, LocalStore(data / "store"))
    try:
        yield lake
    finally:
        lake.close()
        base.close()


def play(process: Process, begin: int, events: int = 20, seed: int = 0) -> None:
    """Some spans, logs and metrics on two threads, from `begin` ticks on."""
    chance = random.Random(seed)
    known = {thread.name: thread for thread in process.threads}
    for name in ("main", "worker"):
        thread = known.get(name) or process.thread(name)
        at = begin
        for number in range(events):
            thread.begin("Frame", at, target="loop")
            thread.log(at + 10, "frame %d", number, level=4)
            thread.metric(at + 20, "load", chance.random(), unit="percent")
            thread.end(at + 100)
            at += 200


def game(events: int = 20) -> Process:
    """A process that has done something since its last batch."""
    process = Process(exe="game", properties={"build": "42"})
    play(process, 1_000, events)
    return process


def batch_id_of(batch: bytes) -> uuid.UUID:
    """As its header says."""
    return uuid.UUID(bytes=batch[8:24])


def process_id_of(batch: bytes) -> uuid.UUID:
    """As its header says."""
    return uuid.UUID(bytes=batch[24:40])
