"""What the macros and UE_LOG record is in SQL, to the event, for every version and configuration of the engine.

And what must not compile does not, and with TACHY_ENABLED=0 there is nothing left.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.cpp import windows
from tests.cpp.builds import ROOT, precompiled, run
from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, Played, build, packaged, play
from tests.unreal.test_compiles import CXX, options


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


def spans(game: Played, server: Server, where: str) -> dict[tuple[str, str], int]:
    """How many spans there are by target and name."""
    rows = game.ask(
        server, f"SELECT target, name, count(*) FROM thread_spans WHERE {{process}} AND {where} GROUP BY 1, 2"
    )
    return {(target, name): count for target, name, count in rows}


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_names_of_run_time_are_found_again_within_a_bound(
    version: int, config: str, server: Server, tmp_path: Path
) -> None:
    game = play(build(version, config), "Names", server.http, tmp_path)
    found = spans(game, server, "target LIKE 'Game.%'")
    enemies = {key: found.pop(key) for key in list(found) if key[1].startswith("Enemy_")}
    others = found.pop(("Game.Names", "(other names)"))
    world = game.said["world"]
    assert found == {
        ("Game.Some", "Wanted"): 5,
        ("Game.Some", world): 5,
        ("Game.Text", "Größe \U0001f600"): 10,
        ("Game.Text", "plain"): 10,
        ("Game.Text", "odd"): 5,
        ("Game.Text", "even"): 5,
        ("Game.Text", "third 0"): 8,
        ("Game.Text", "third 1"): 6,
        ("Game.Text", "third 2"): 6,
        ("Game.Object", world): 20,
        ("Game.Object", "None"): 10,
        ("Game.Names", "Door"): 15,
        ("Game.Names", "Door_0"): 5,
        **{("Game.Elsewhere", f"Shared_{number}"): 160 for number in range(50)},
    }
    assert game.said["evaluated"] == 5
    assert set(enemies.values()) == {2}
    assert 3900 < len(enemies) + len(found) <= 4096
    assert others == 12000 - 2 * len(enemies)


def values(properties: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(properties)
    return read


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_async_spans_have_parents_and_values_on_any_thread(
    version: int, config: str, server: Server, tmp_path: Path
) -> None:
    game = play(build(version, config), "Async", server.http, tmp_path)
    rows = game.ask(
        server,
        "SELECT event_type, span_id, parent_span_id, depth, name, properties, stream_id FROM async_events "
        "WHERE {process} AND target = 'Game.Assets' ORDER BY time",
    )
    begins = {row[1]: row for row in rows if row[0] == "begin"}
    ends = {row[1]: row for row in rows if row[0] == "end"}
    assert len(rows) == 40
    assert begins.keys() == ends.keys()
    names = {span: row[4] for span, row in begins.items()}
    families = Counter((names.get(row[2]), row[4], row[3], begins[span][6] != row[6]) for span, row in ends.items())
    assert families == {
        (None, "Load", 0, True): 5,
        ("Load", "Read", 1, True): 5,
        ("Read", "Decode", 2, False): 5,
        ("Decode", "Moved", 3, False): 5,
    }
    given = [(row[4], values(row[5])) for row in ends.values()]
    assert sorted((v["path"], v["flow"]) for name, v in given if name == "Load") == [
        (f"/Game/Größe{number}", 100 + number) for number in range(5)
    ]
    assert [v for name, v in given if name == "Read"] == [{"bytes": 4096}] * 5
    assert [v for name, v in given if name == "Decode"] == [{"name": "Mesh_7"}] * 5
    assert [v for name, v in given if name == "Moved"] == [{}] * 5
    assert game.said["empty"] == 0
    on_threads = game.ask(
        server, "SELECT name, properties FROM thread_spans WHERE {process} AND target = 'Game.Values'"
    )
    mark = "… [of 3000 bytes]"
    assert {name: values(properties) for name, properties in on_threads} == {
        "Outer": {"after": 1.5},
        "Inner": {
            "least": -(2**63),
            "most": 2**64 - 1,
            "enumeration": -3,
            "bool": True,
            "float": 0.25,
            "again": 2,
            "string": "größer",
            "text": "\U0001f600",
            "ansi": "plain",
            "name": "Door_3",
            "long": "x" * (255 - len(mark.encode())) + mark,
            "flow": 7,
        },
    }


LITERALS = "a static site takes literals"
MISTAKES = [
    ('TACHY_SPAN_SCOPE("a", *FString::Printf(TEXT("%d"), 1));', LITERALS),
    ('TACHY_SPAN_SCOPE("a", Name);', LITERALS),
    ('TACHY_SPAN_SCOPE(Text, "b");', LITERALS),
    ('TCHAR Buffer[8] = {}; TACHY_SPAN_SCOPE("a", Buffer);', "constant expression"),
    ('TACHY_SPAN_NAME(Text, FName("b"));', LITERALS),
    ('TACHY_LOG(*Name, Tachy::Info, "b");', LITERALS),
    ('TACHY_IMETRIC("a", Tachy::Min, Text, "1", 1);', LITERALS),
    ('TACHY_ASYNC("a", Text);', "Text|capture"),
    ("TACHY_SPAN_VALUE(Text, 1);", LITERALS),
    ('TACHY_SPAN_VALUE("a", &Name);', "no matching function"),
    ("TACHY_FLOW(1.5);", "a flow is a whole number or an address"),
    ('if (Text) TACHY_SPAN_SCOPE("a", "b");', "not declared|undeclared"),
    ('MICROMEGAS_SPAN_SCOPE("a", *Name);', LITERALS),
    ('MICROMEGAS_IMETRIC("a", MicromegasTracing::Verbosity::Min, *FString("b"), TEXT("1"), 1);', LITERALS),
]


@pytest.mark.parametrize("compiler", ["g++", pytest.param("clang++", marks=pytest.mark.long)])
def test_mistakes_do_not_compile_and_say_why(compiler: str, tmp_path: Path) -> None:
    flags = [flag for flag in CXX if flag != "-fsyntax-only"]
    settings = options(packaged(), "Tachy", 508, "development", "monolithic")
    command = [*precompiled([compiler, *flags, *settings], "TachyFromMicromegas.h", tmp_path), "-fsyntax-only"]

    def error(statement: str) -> str:
        source = tmp_path / "mistake.cpp"
        source.write_text(
            f"void F([[maybe_unused]] const FString &Name, [[maybe_unused]] const TCHAR *Text) {{ {statement} }}"
        )
        done = subprocess.run([str(part) for part in [*command, source]], capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stderr

    assert error('TACHY_SPAN_NAME("a", *FString::Printf(TEXT("%d"), 1)); TACHY_SPAN_NAME("a", Text);') == ""
    missed = {statement: text for statement, why in MISTAKES if not re.search(why, text := error(statement))}
    assert missed == {}


OFF = ["-DTACHY_ENABLED=0"]


@pytest.mark.parametrize("compiler", ["g++", pytest.param("clang++", marks=pytest.mark.long)])
def test_compiled_out_every_macro_and_call_is_nothing(compiler: str, tmp_path: Path) -> None:
    """Of scenes that use all of them nothing of tachy is left in the object, and no argument is evaluated."""
    flags = [flag for flag in CXX if flag != "-fsyntax-only"]
    settings = options(packaged(), "Tachy", 508, "development", "monolithic")
    for name in ("Macros", "Names", "Async", "Micromegas"):
        scene = ROOT / "tests" / "unreal" / "game" / f"{name}.cpp"
        run([compiler, *flags, "-O1", *OFF, *settings, "-c", scene, "-o", tmp_path / "scene.o"])
        symbols = run(["nm", "-C", tmp_path / "scene.o"])
        assert [line for line in symbols.splitlines() if re.search(r"tachy_|Tachy::(?!Disabled)", line)] == []


@pytest.mark.long
@pytest.mark.parametrize("config", ["editor", "development", "shipping"])
def test_where_the_plugin_is_compiled_out_nothing_is_recorded(config: str, server: Server, tmp_path: Path) -> None:
    built = build(508, config, "-DTACHY_OFF=ON", variant="-off")
    for scene in ("Macros", "Names", "Async", "Blueprint", "Micromegas"):
        game = play(built, scene, server.http, tmp_path)
        assert game.said["process_id"] == "00000000-0000-0000-0000-000000000000"
        assert game.ask(server, "SELECT count(*) FROM processes WHERE {process}") == [[0]]


def test_every_macro_and_call_has_an_empty_form() -> None:
    public = ROOT / "unreal" / "Tachy" / "Source" / "Tachy" / "Public"
    disabled = (public / "TachyDisabled.h").read_text()
    recording = "\n".join((public / f"Tachy{name}.h").read_text() for name in ("", "Names", "Values", "Async"))
    pattern = re.compile(r"^#define (TACHY_\w+)\(", re.MULTILINE)
    offered = {name for name in pattern.findall(recording) if not re.fullmatch(r"TACHY_CAT(_2)?|\w+_AT", name)}
    assert len(offered) > 20
    assert offered - set(pattern.findall(disabled)) == set()
    functions = set(re.findall(r"^TACHY_API [\w<>:*&, ]+?(\w+)\(", recording, re.MULTILINE))
    functions -= {"Log", "LogLate", "AddNamedSite", "SpanText", "AsyncText"}  # what the macros are made of
    assert functions >= {"SetContext", "Flush", "ProcessId"}
    assert {name for name in functions if f" {name}(" not in disabled} == set()


def test_scenes_are_microsofts_dialect_too(tmp_path: Path) -> None:
    scenes = [ROOT / "tests" / "unreal" / "game" / f"{name}.cpp" for name in ("Names", "Async", "Micromegas")]
    settings = options(packaged(), "Tachy", 508, "development", "monolithic")
    run([*windows.microsofts(tmp_path), "-DUE_SHIM_WCHAR=1", *CXX, *settings, *scenes])
