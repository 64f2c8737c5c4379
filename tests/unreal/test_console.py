"""What the console's variables and commands, and the settings page, switch and print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, Played, build, play

SECTION = "[/Script/Tachy.TachySettings]\n"


def steps(game: Played, server: Server) -> dict[str, str]:
    """By step, which of log, metric and span were recorded."""
    found: dict[str, str] = {}
    for letter, view in (("l", "log_entries"), ("m", "measures"), ("s", "thread_spans")):
        for target, count in game.ask(server, f"SELECT target, count(*) FROM {view} WHERE {{process}} GROUP BY 1"):
            if target.startswith("Console."):
                assert count == 1 or target == "Console.Set"
                found[target.removeprefix("Console.")] = found.get(target.removeprefix("Console."), "") + letter
    return found


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_each_switch_switches_what_it_says(version: int, config: str, server: Server, tmp_path: Path) -> None:
    ini = SECTION + "bSpansInEditor=True\n+LogFilter=Console.None=Off"
    game = play(build(version, config), "ConsoleSwitches", server.http, tmp_path, ini=ini)
    assert steps(game, server) == {
        "All": "lms",
        "NoSpans": "lm",
        "NoLog": "ms",
        "NoMetrics": "ls",
        "AllAgain": "lms",
        "Set": "l",
    }
    logs = game.ask(server, "SELECT msg FROM log_entries WHERE {process} AND target = 'LogConsoleScene' ORDER BY time")
    assert logs == ([] if config == "shipping" else [["passes"], ["passes again"]])
    moods = game.ask(
        server,
        "SELECT msg, property_get(properties, 'mood') FROM log_entries WHERE {process} AND target = 'Console.Set' "
        "ORDER BY msg",
    )
    assert moods == [["set", "grim"], ["unset", None]]
    marks = game.ask(server, "SELECT msg FROM log_entries WHERE {process} AND target = 'tachy'")
    assert ["flight recorder: here it was"] in marks
    for line in (
        "tachy: LogConsoleScene=Warning",
        "tachy: loud is no level: Fatal, Error, Warning, Display, Log, Verbose, Off",
        "tachy: everything was sent",
        "tachy: on: logs, metrics, spans, Console.None=Off, to " + server.http,
        f"tachy: process {game.said['process_id']}: {server.http}/#/process/{game.said['process_id']}",
        f"WHERE process_id = '{game.said['process_id']}'",
    ):
        assert line in game.output


def test_the_flight_recorder_keeps_spans_until_somebody_takes_a_snapshot(server: Server, tmp_path: Path) -> None:
    built = build(508, "development")
    spans = "SELECT count(*) FROM thread_spans WHERE {process} AND target = 'Console.Flight'"
    assert play(built, "ConsoleFlight", server.http, tmp_path).ask(server, spans) == [[0]]
    game = play(built, "ConsoleSnapshot", server.http, tmp_path)
    assert game.ask(server, spans) == [[7]]
    assert f"tachy: process {game.said['process_id']}, everything was sent" in game.output
    assert game.ask(server, "SELECT msg FROM log_entries WHERE {process} AND target = 'tachy'") == [
        ["flight recorder: the door is stuck"]
    ]


def test_settings_and_the_command_line_set_the_switches(server: Server, tmp_path: Path) -> None:
    ini = SECTION + "bMetrics=False\nbSpans=False\nbLog=False"
    game = play(
        build(508, "development"), "Session", server.http, tmp_path, "-dpcvars=tachy.Metrics=1", "-TachyNoLog", ini=ini
    )
    assert "tachy: on: no logs, metrics, no spans, to " in game.output


def test_the_settings_page_holds_at_once_and_the_console_wins_over_it(server: Server, tmp_path: Path) -> None:
    ini = f"{SECTION}Url={server.http}\nbSpansInEditor=False\nHitchBudgetMs=33\nHangSeconds=-5"
    game = play(build(503, "editor"), "SettingsPage", "", tmp_path, ini=ini)
    assert (game.said["url"], game.said["section"]) == (server.http, "Plugins/Tachy")
    assert steps(game, server) == {"Before": "lm", "Changed": "ls", "Unfiltered": "ls"}
    values = re.findall(r'tachy\.(Hitch\.\w+|HangSeconds) = "(\d+)', game.output)
    assert values == [
        ("Hitch.BudgetMs", "33"), ("HangSeconds", "0"), ("Hitch.IdleSeconds", "7"),  # which the console sets
        ("Hitch.BudgetMs", "80"), ("Hitch.IdleSeconds", "7"), ("HangSeconds", "9"),
    ]  # fmt: skip
