"""What the plugin records by itself is in SQL, to the event: frames, hitches, named events, maps, errors, hangs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.cpp.builds import ROOT
from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, SHORT, Played, build, play

PAGE = (ROOT / "docs" / "unreal.md").read_text()
# What does not depend on the version is played on two of them.
TWO = [pytest.param(version, config, id=f"{version}-{config}") for version, config in SHORT]
SHIPPING = pytest.param(508, "shipping", marks=pytest.mark.long)


def measured(game: Played, server: Server, target: str) -> dict[str, tuple[str, int, float, float]]:
    """Unit, number, smallest and largest value of each metric of a target."""
    rows = game.ask(
        server,
        "SELECT name, unit, count(*), min(value), max(value) FROM measures "
        f"WHERE {{process}} AND target = '{target}' GROUP BY 1, 2",
    )
    return {name: (unit, count, round(low, 6), round(high, 6)) for name, unit, count, low, high in rows}


def logged(game: Played, server: Server, target: str) -> list[tuple[int, str]]:
    rows = game.ask(
        server, f"SELECT level, msg FROM log_entries WHERE {{process}} AND target = '{target}' ORDER BY time"
    )
    return [(level, text) for level, text in rows]


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_every_frame_is_measured(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Frames", server.http, tmp_path)
    frames = measured(game, server, "Frame")
    unit, count, _, _ = frames.pop("frame")
    assert (unit, count) == ("seconds", 95)  # from mark to mark
    assert frames == {
        "DeltaTime": ("seconds", 96, 0.03125, 0.03125),
        "GameThreadTime": ("seconds", 96, 0.01, 0.01),
        "IdleTime": ("seconds", 96, 0.007812, 0.007812),
        "IdleTimeOvershoot": ("seconds", 96, 0.000977, 0.000977),
        "GameEngineFrameTime": ("seconds", 96, 0.023438, 0.023438),
        "AsyncLoadingTime": ("seconds", 96, 0.002, 0.002),
        "RenderThreadTime": ("seconds", 96, 0.012, 0.012),
        "RHIThreadTime": ("seconds", 96, 0.006, 0.006),
        "GPUTime": ("seconds", 96, 0.014, 0.014),
        "InputLatencyTime": ("seconds", 96, 0.04, 0.04),
        "DrawCalls": ("count", 96, 1500, 1500),
        "PrimitivesDrawn": ("count", 96, 2000000, 2000000),
    }
    player = measured(game, server, "Player")
    unit, count, least, _ = player.pop("TimeSinceLastInput")
    assert (unit, count) == ("seconds", 3)
    assert least >= 0
    assert player == {
        name: (unit, 3, value, value)
        for name, unit, value in [
            ("PlayerPositionX", "cm", 100),
            ("PlayerPositionY", "cm", 200),
            ("PlayerPositionZ", "cm", 300),
            ("CameraPositionX", "cm", 110),
            ("CameraPositionY", "cm", 210),
            ("CameraPositionZ", "cm", 360),
            ("CameraPitch", "degrees", -10),
            ("CameraYaw", "degrees", 90),
            ("CameraRoll", "degrees", 5),
            ("CameraFOV", "degrees", 75),
        ]
    }
    memory = measured(game, server, "Memory")
    assert {name: (unit, count) for name, (unit, count, _, _) in memory.items()} == {
        "UsedPhysical": ("bytes", 3),
        "PeakUsedPhysical": ("bytes", 3),
        "UsedVirtual": ("bytes", 3),
        "PeakUsedVirtual": ("bytes", 3),
        "UObjects": ("count", 3),
    }
    assert all(least > 0 for _, _, least, _ in memory.values())


@pytest.mark.parametrize(("version", "config"), [*TWO, SHIPPING])
def test_a_server_measures_no_pictures_and_no_player(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Frames", server.http, tmp_path, "-server")
    frames = measured(game, server, "Frame")
    assert {name: count for name, (_, count, _, _) in frames.items()} == {
        "frame": 95,
        **dict.fromkeys(["DeltaTime", "GameThreadTime", "IdleTime", "IdleTimeOvershoot", "GameEngineFrameTime"], 96),
        "AsyncLoadingTime": 96,
    }
    assert measured(game, server, "Player") == {}
    assert measured(game, server, "Scalability") == {}


def expected_hitches(played: str, *, debugger: bool) -> list[str]:
    """The marks that the rule in docs/unreal.md gives for what a scene has played."""
    marks = []
    world = held = debugged = away = flight = False
    budget, heartbeat, mean, growth, since = 0.05, 120.0, 0.0, 1.0, 0.0
    for word in played.split():
        if ":" not in word:
            world = world or word == "world"
            held = word == "held"
            debugged = word == "debugged" and debugger
            away = word == "away"
            if word == "flight":
                flight, heartbeat = True, 5.0
            if word == "off":
                budget, heartbeat = 0.0, 0.0
            continue
        delta, idle = map(float, word.split(":"))
        working = delta - idle
        growth -= (growth - 1) * min(delta / 60, 1)
        if held or not world:
            held = False
            continue
        hitch = budget > 0 and mean > 0 and working > max(budget, mean * 2 * growth)
        mean = mean + (working - mean) / 32 if mean else working
        if away:
            continue
        since += delta
        if hitch and not debugged:
            marks.append(f"flight recorder: hitch, {working * 1e3:.1f} ms")
            growth = min(growth * 1.25, 8)
            since = 0.0
        elif flight and heartbeat and since >= heartbeat:
            marks.append("flight recorder: heartbeat")
            since = 0.0
    return marks


@pytest.mark.parametrize(("version", "config"), [*TWO, SHIPPING])
def test_hitches_of_play_are_marked(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Hitches", server.http, tmp_path)
    marks = [text for _, text in logged(game, server, "tachy")]
    assert marks == expected_hitches(game.said["played"], debugger=config != "shipping")
    assert marks[0] == "flight recorder: hitch, 100.0 ms"
    stutter = marks.count("flight recorder: hitch, 120.0 ms")
    assert 3 <= stutter <= 10  # of 60: they raise the mean and the factor
    assert "flight recorder: hitch, 60.0 ms" in marks  # and it comes back
    assert marks.count("flight recorder: heartbeat") == 3


def events_of(game: Played, server: Server) -> dict[str, int]:
    rows = game.ask(server, "SELECT name, count(*) FROM thread_spans WHERE {process} AND target = 'Engine' GROUP BY 1")
    return dict(rows)


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_named_events_are_spans_among_ours(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Profiler", server.http, tmp_path, "-Tachy", "-statnamedevents")
    events = events_of(game, server)
    if config == "shipping":
        assert events == {}
        assert "no named events in Shipping" in game.output
        return
    assert events.pop("Counted") == 1000
    assert events == {
        "PlayerTick": 100,
        "Größe": 100,
        "STAT_Move": 100,
        **{f"Frame {number}": 10 for number in range(10)},
        "WorkerJob": 1000,
        "Outer": 1,
        "Inner": 1,
        "Deep": 256,
        "After": 1,
        "Whole": 1,
        "Resumed": 1,
        **({"CutOff": 1, "Again": 1} if version >= 506 else {}),
    }
    nested = game.ask(
        server,
        "SELECT name, min(depth), max(depth), min(thread_name) FROM thread_spans WHERE {process} "
        "AND name IN ('PlayerTick', 'Think', 'Größe', 'Frame 3', 'WorkerJob', 'Step', 'After') GROUP BY 1",
    )
    depths = {name: (low, high) for name, low, high, _ in nested}
    top = depths["PlayerTick"][0]
    assert depths == {
        "PlayerTick": (top, top),
        "Think": (top + 1, top + 1),
        "Größe": (top + 2, top + 2),
        "Frame 3": (top + 2, top + 2),
        "WorkerJob": (top, top),
        "Step": (top + 1, top + 1),
        "After": (top, top),
    }
    assert {thread for name, _, _, thread in nested if name == "WorkerJob"} == {"EventWorker"}
    assert game.said["allocations"] == 0
    assert "the engine's named events are recorded" in game.output


@pytest.mark.parametrize(("version", "config"), TWO)
def test_without_its_argument_the_engine_picks_us_not(
    version: int, config: str, server: Server, tmp_path: Path
) -> None:
    game = play(build(version, config), "Profiler", server.http, tmp_path)
    assert events_of(game, server) == {}
    assert "not recorded: start with -Tachy" in game.output


@pytest.mark.parametrize(("version", "config"), TWO)
def test_an_event_may_end_in_another_session_than_it_began(
    version: int, config: str, server: Server, tmp_path: Path
) -> None:
    game = play(build(version, config), "EventsAcrossSessions", server.http, tmp_path, "-Tachy")
    assert game.said["started"] == 1
    spans = game.ask(server, "SELECT name, depth, is_open FROM thread_spans WHERE {process} ORDER BY name")
    assert spans == [["New", 0, False], ["Old", 0, False], ["OldInner", 1, False], ["Ours", 2, False]]


@pytest.mark.parametrize(("version", "config"), TWO)
def test_names_beyond_the_bound_are_one(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "ManyNames", server.http, tmp_path, "-Tachy")
    events = events_of(game, server)
    others = events.pop("(other names)")
    assert sum(events.values()) + others == 18000
    assert others == 2 * (9000 - len(events))
    assert len(events) == 8192
    assert set(events.values()) == {2}


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_maps_and_garbage_are_spans_and_settings_context(
    version: int, config: str, server: Server, tmp_path: Path
) -> None:
    game = play(build(version, config), "Events", server.http, tmp_path)
    rows = game.ask(
        server,
        "SELECT name, event_type, property_get(properties, 'map'), parent_span_id <> 0, count(*) "
        "FROM async_events WHERE {process} AND target = 'Engine' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
    )
    assert rows == [
        ["CollectGarbage", "begin", None, False, 2],
        ["CollectGarbage", "begin", None, True, 2],  # a map that is loaded
        ["CollectGarbage", "end", None, False, 2],
        ["CollectGarbage", "end", None, True, 2],
        ["LoadMap", "begin", "/Game/Maps/Arena", False, 1],
        ["LoadMap", "begin", "/Game/Maps/Hall", False, 1],
        ["LoadMap", "end", "/Game/Maps/Arena", False, 1],
        ["LoadMap", "end", "/Game/Maps/Hall", False, 1],
    ]
    keys = ["map", "VSync", "resolution", "Scalability_ShadowQuality", "Scalability_SingleQualityLevel"]
    columns = ", ".join(f"property_get(properties, '{key}')" for key in keys)
    context = game.ask(
        server, f"SELECT msg, {columns} FROM log_entries WHERE {{process}} AND target = 'Game' ORDER BY time"
    )
    assert context == [
        ["in the arena", "/Game/Maps/Arena", "0", "1280x720", "3", "3"],
        ["in the hall", "/Game/Maps/Hall", "1", "1920x1080", "1", "-1"],
    ]
    levels = game.ask(
        server, "SELECT name, unit, value FROM measures WHERE {process} AND target = 'Scalability' ORDER BY time"
    )
    assert {unit for _, unit, _ in levels} == {"none"}
    names = "ViewDistance AntiAliasing Shadow GlobalIllumination Reflection PostProcess Texture Effects Foliage Shading"
    if version >= 504:
        names += " Landscape"
    assert Counter(name for name, _, _ in levels) == {
        "ResolutionQuality": 1,
        **{f"{name}Quality": 1 + (name == "Shadow") for name in names.split()},
        "SingleQualityLevel": 2,
    }
    assert [value for name, _, value in levels if name == "ShadowQuality"] == [3, 1]
    told = game.ask(
        server,
        "SELECT property_get(properties, 'rhi'), property_get(properties, 'gpu-driver') FROM processes WHERE {process}",
    )
    assert told == [["Shim", "1.2.3"]]


@pytest.mark.parametrize(("version", "config"), [*TWO, SHIPPING])
def test_ensures_are_errors(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Ensures", server.http, tmp_path)
    ensures = logged(game, server, "ensure")
    if config == "shipping":
        assert ensures == []  # the engine has none there
        return
    assert [(level, text.splitlines()[-1]) for level, text in ensures] == [
        (2, ensures[0][1]),
        (2, "on a worker, größer than 1000"),
    ]
    assert ensures[0][1].startswith("Ensure condition failed: good [File:")


@pytest.mark.parametrize(("version", "config"), [*TWO, SHIPPING])
def test_a_hang_is_one_error(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Hang", server.http, tmp_path)
    assert game.said["hung"] == 1
    logs = logged(game, server, "hang")
    assert [level for level, _ in logs] == [2, 3]
    began, went_on = (re.fullmatch(r"(no frame for|frames go on after) ([0-9.]+) s", text) for _, text in logs)
    assert began is not None
    assert went_on is not None
    assert (began[1], went_on[1]) == ("no frame for", "frames go on after")
    assert float(began[2]) >= 0.5
    assert float(went_on[2]) >= float(began[2]) + 0.9  # the scene slept for a second after it


@pytest.mark.parametrize(("version", "config"), [*TWO, SHIPPING])
def test_a_game_that_loads_sleeps_or_is_debugged_does_not_hang(
    version: int, config: str, server: Server, tmp_path: Path
) -> None:
    game = play(build(version, config), "NoHang", server.http, tmp_path)
    assert game.said["hung"] == 1
    assert [level for level, _ in logged(game, server, "hang")] == [2, 3]  # the one at its end


@pytest.mark.parametrize(("scene", "kind"), [("KilledWhileItHangs", "hang"), ("KilledAfterAHang", None)])
@pytest.mark.parametrize(("version", "config"), [*TWO, SHIPPING])
def test_who_is_killed_while_it_hangs_has_died_of_that(
    version: int, config: str, scene: str, kind: str | None, server: Server, tmp_path: Path
) -> None:
    dead = play(build(version, config), scene, server.http, tmp_path, code=-9)
    assert dead.said["hung"] == 1
    assert play(build(version, config), "Recover", server.http, tmp_path).said["recovered"] >= 1
    columns = "end_state, property_get(properties, 'crash-kind')"
    assert dead.ask(server, f"SELECT {columns} FROM processes WHERE {{process}}") == [["crashed", kind]]
    assert [level for level, _ in logged(dead, server, "hang")] == ([2] if kind else [2, 3])


CRASHES = [
    ("CrashBySignal", "crash: Unhandled Exception: SIGSEGV"),
    ("CrashByAssert", "assert: Assertion failed: Health >= 0 "),
    ("CrashOutOfMemory", "out of memory: Assertion failed: Ran out of memory "),
    ("CrashOfGpu", "gpu: Unhandled Exception: SIGSEGV"),
]


# One of each in the short tier: by a signal with modules, by a failed check in one program.
DEATHS = [
    pytest.param(version, config, scene, text, marks=() if short else pytest.mark.long)
    for version, config in [*SHORT, (508, "shipping")]
    for scene, text in CRASHES
    for short in [(config, scene) in [("editor", "CrashBySignal"), ("development", "CrashByAssert")]]
]


@pytest.mark.parametrize(("version", "config", "scene", "text"), DEATHS)
def test_the_next_start_sends_what_a_crash_has_left(
    version: int, config: str, scene: str, text: str, server: Server, tmp_path: Path
) -> None:
    dead = play(build(version, config), scene, server.http, tmp_path, code=-11)
    assert play(build(version, config), "Recover", server.http, tmp_path).said["recovered"] >= 1
    assert dead.ask(server, "SELECT end_state FROM processes WHERE {process}") == [["crashed"]]
    assert dead.ask(
        server,
        "SELECT count(*), sum(value), min(property_get(properties, 'map')) FROM measures "
        "WHERE {process} AND target = 'Game' AND name = 'Steps'",
    ) == [[1000, 499500.0, "/Game/Maps/Arena"]]
    assert dead.ask(server, "SELECT count(*) FROM thread_spans WHERE {process} AND name = 'Step'") == [[1000]]
    assert logged(dead, server, "Game") == [(4, "the last words")]
    ((level, told),) = logged(dead, server, "crash")
    assert level == 1
    assert told.startswith(text)
    asked = dead.ask(server, PAGE.split("### Errors")[1].split("```sql")[1].split("```")[0])
    kinds = {"crash": "fault", "assert": "assert", "out of memory": "memory", "gpu": "gpu"}
    kind = kinds[text.split(":")[0]]
    assert [kind, "/Game/Maps/Arena"] in [row[1:3] for row in asked]
    properties = "SELECT property_get(properties, 'crash-kind') FROM processes WHERE {process}"
    assert dead.ask(server, properties) == [[kind]]
