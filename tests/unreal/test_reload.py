"""Modules of a game are unloaded and loaded again while others record: each event is there, under its own name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import VERSIONS, build, play


@pytest.mark.parametrize(
    "version", [pytest.param(each, marks=() if each == 503 else pytest.mark.long) for each in VERSIONS]
)
def test_modules_that_come_and_go_lose_and_rename_nothing(version: int, server: Server, tmp_path: Path) -> None:
    game = play(build(version, "editor"), "Reload", server.http, tmp_path)
    assert game.said["unloaded"] == 20
    spans = game.ask(
        server,
        "SELECT name, count(*) FROM thread_spans WHERE {process} AND target IN ('Level', 'Steady') "
        "GROUP BY 1 ORDER BY 1",
    )
    assert spans == [["Step", game.said["steady"]], ["level One", 500], ["level Two", 500]]
    metrics = game.ask(
        server,
        "SELECT name, count(*), sum(value) FROM measures WHERE {process} AND target = 'Level' GROUP BY 1 ORDER BY 1",
    )
    assert metrics == [["level One", 500, 12250.0], ["level Two", 500, 12250.0]]
    logs = game.ask(
        server, "SELECT msg, count(*) FROM log_entries WHERE {process} AND target = 'Level' GROUP BY 1 ORDER BY 1"
    )
    assert logs == [["level One", 10], ["level Two", 10]]
