"""Indexes of segments that were read are kept, the ones used last."""

from __future__ import annotations

from tachy_server.lake.indexes import Indexes

from tests.lake.conftest import game, lake_of
from tests.serving import Server


class Database:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, keys: list[str]) -> list[tuple[str, bytes]]:
        self.asked.append("".join(keys))
        return [(key, key.encode() * 10) for key in reversed(keys)]


def of(keys: str, version: str = "1") -> list[tuple[str, str]]:
    return [(key, version) for key in keys]


def test_only_those_that_are_not_kept_are_read() -> None:
    database, indexes = Database(), Indexes(30)
    assert indexes.of([], database.read) == []
    assert indexes.of(of("ab"), database.read) == [b"a" * 10, b"b" * 10]
    assert indexes.of(of("ca"), database.read) == [b"c" * 10, b"a" * 10]
    assert indexes.of(of("d"), database.read) == [b"d" * 10]  # in the place of b, which was used first
    assert indexes.of(of("acd"), database.read) == [b"a" * 10, b"c" * 10, b"d" * 10]
    assert indexes.of(of("d", "2"), database.read) == [b"d" * 10]
    assert database.asked == ["ab", "c", "d", "d"]
    assert indexes.size == 30


def test_more_than_there_is_room_for_is_given_all_the_same() -> None:
    database, indexes = Database(), Indexes(15)
    for _ in range(2):
        assert indexes.of(of("abc"), database.read) == [b"a" * 10, b"b" * 10, b"c" * 10]
    assert indexes.size == 10


def test_an_index_that_was_mended_in_the_database_is_read_again(ingest_server: Server) -> None:
    one, two = game(), game()
    ids = [one.process_id, two.process_id]
    for process in (one, two):
        assert ingest_server.post(process.batch()).status_code == 200
    with lake_of(ingest_server.data) as lake, lake.connection() as connection:
        before = list(lake.select_blocks(0, process_ids=ids))
        keys = sorted({row.segment_key for row in before})
        indexes = dict(
            connection.execute("SELECT key, block_index FROM segments WHERE key = ANY(%s)", (keys,)).fetchall()
        )
        update = "UPDATE segments SET block_index = %s WHERE key = %s"
        for key in keys:
            connection.execute(update, (indexes[keys[0]], key))
        assert list(lake.select_blocks(0, process_ids=ids)) != before
        for key in keys:
            connection.execute(update, (indexes[key], key))
        assert list(lake.select_blocks(0, process_ids=ids)) == before
