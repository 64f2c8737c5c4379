"""What the macros and UE_LOG record is in SQL, to the event, for every version and configuration of the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, build, play


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_a_game_is_counted_to_the_event(version: int, config: str, server: Server, tmp_path: Path) -> None:
    check(build(version, config), config, server, tmp_path)


@pytest.mark.long
def test_a_game_is_counted_on_a_system_that_the_recorder_does_not_know(server: Server, tmp_path: Path) -> None:
    check(build(508, "development", "-DTACHY_OS_HOST=ON", variant="-host"), "development", server, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".session", ".batch")]


def check(built: Path, config: str, server: Server, tmp_path: Path) -> None:
    game = play(built, "Macros", server.http, tmp_path)
    spans = game.ask(
        server, "SELECT target, name, count(*) FROM thread_spans WHERE {process} GROUP BY 1, 2 ORDER BY 1, 2"
    )
    assert [row for row in spans if row[0].startswith("Game")] == [
        ["Game", "PlayFrame", 50],
        ["Game.Ai", "Größe \U0001f600", 50],
        ["Game.Worker", "Half", 500],
        ["Game.Worker", "Job", 1000],
    ]
    logs = game.ask(
        server,
        "SELECT target, level, count(*), min(msg), min(property_get(properties, 'map')), "
        "min(property_get(properties, 'boss')) FROM log_entries "
        "WHERE {process} AND (target LIKE 'Game%' OR target = 'LogShimGame') GROUP BY 1, 2 ORDER BY 1, 2",
    )
    assert logs == [
        ["Game.Ai", 2, 50, "the boss", None, "Ogre"],
        ["Game.Ai", 3, 50, "plain", "Arena", None],
        ["Game.Ai", 4, 50, "0 foes, größer", "Arena", None],
        *([] if config == "shipping" else [["LogShimGame", 3, 50, "frame 0", "Arena", None]]),
        *([] if config == "shipping" else [["LogShimGame", 4, 10, "job 0", "Arena", None]]),
    ]
    metrics = game.ask(
        server,
        "SELECT name, unit, count(*), sum(value), min(property_get(properties, 'map')) FROM measures "
        "WHERE {process} AND target = 'Game' GROUP BY 1, 2 ORDER BY 1",
    )
    assert metrics == [["Foes", "1", 50, 1225.0, "Arena"], ["Speed", "m/s", 50, 1837.5, "Arena"]]
    threads = game.ask(server, "SELECT DISTINCT thread_name FROM thread_spans WHERE {process}")
    assert ["Worker"] in threads
