"""What the Blueprint nodes record is in SQL, to the event; spans that are ended late or twice harm nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, build, play


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_blueprint_nodes_are_counted_to_the_event(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Blueprint", server.http, tmp_path)
    said = {name: game.said[name] for name in ("same", "context", "full", "changed", "properties", "flushed")}
    assert said == {"same": 1, "context": 1, "full": 1, "changed": 1, "properties": 32, "flushed": 1}
    assert "map = Hall" in game.output
    rows = game.ask(
        server,
        "SELECT s.name, p.name, s.properties, count(*) FROM thread_spans s LEFT JOIN thread_spans p "
        "ON p.process_id = s.process_id AND p.stream_id = s.stream_id AND p.id = s.parent "
        "WHERE s.{process} AND (s.target LIKE 'Game%') GROUP BY 1, 2, 3",
    )
    assert sorted((name, parent or "", json.loads(properties), count) for name, parent, properties, count in rows) == [
        ("A", "", {}, 1),
        ("Around", "", {}, 1),
        ("B", "A", {"open": True}, 1),
        ("Forgotten", "Around", {}, 1),
        ("Inner", "Outer", {"boss": "größer"}, 10),
        ("Native", "", {}, 10),
        ("Next", "Outer", {"open": 1.0}, 10),
        ("Outer", "Native", {"enemies": 12.5}, 10),
    ]
    rows = game.ask(
        server,
        "SELECT e.name, p.name, e.depth, e.properties FROM async_events e LEFT JOIN async_events p "
        "ON p.process_id = e.process_id AND p.span_id = e.parent_span_id AND p.event_type = 'begin' "
        "WHERE e.{process} AND e.event_type = 'end'",
    )
    assert sorted((name, parent, depth, json.loads(properties)) for name, parent, depth, properties in rows) == [
        ("Part", "Quest", 1, {}),
        ("PartOfPart", "Part", 2, {}),
        ("Quest", None, 0, {"gold": 30.0, "giver": "größer"}),
    ]
    logs = game.ask(
        server,
        "SELECT level, property_get(properties, 'map'), property_get(properties, 'boss'), min(msg), count(*) "
        "FROM log_entries WHERE {process} AND target = 'Game.Bp' GROUP BY 1, 2, 3 ORDER BY 1",
    )
    assert logs == [
        [2, None, None, "cleared", 1],
        [3, "Arena", None, "größer 0", 10],
        [4, None, "Ogre", "own", 10],
    ]
    metrics = game.ask(
        server,
        "SELECT name, unit, property_get(properties, 'map'), property_get(properties, 'boss'), sum(value), count(*) "
        "FROM measures WHERE {process} AND target = 'Game.Bp' GROUP BY 1, 2, 3, 4 ORDER BY 1",
    )
    assert metrics == [
        ["Foes", "1", "Arena", None, 45.0, 10],
        ["Health", "percent", "Arena", None, 22.5, 10],
        ["Speed", "m/s", None, "Ogre", 20.0, 10],
    ]
    marks = game.ask(server, "SELECT count(*) FROM log_entries WHERE {process} AND msg LIKE '%boss fight'")
    assert marks == [[1]]
