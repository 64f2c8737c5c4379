"""The macros compile everywhere, refuse what must be refused, and vanish when told to."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest

from tests.cpp.builds import HERE, INCLUDES, WARNINGS, precompiled, programs, run
from tests.cpp.test_sanitizers import FLAGS, OPTIONS
from tests.pysdk.sink import Sink
from tests.serving import Server

MISTAKES = [
    "TACHY_SPAN(name);",
    'TACHY_SPAN("a", name);',
    "auto a = TACHY_ASYNC(name);",
    "TACHY_METRIC(name, 1);",
    'TACHY_METRIC("a", name);',
    "TACHY_LOG(TACHY_LEVEL_INFO, name);",
    'TACHY_LOG(TACHY_LEVEL_INFO, "%d", "text");',
    'TACHY_LOG(TACHY_LEVEL_INFO, "%s", 1);',
    'TACHY_LOG(TACHY_LEVEL_INFO, "%d");',
    'TACHY_LOG(TACHY_LEVEL_INFO, "%d", 1, 2);',
    'TACHY_LOG(TACHY_LEVEL_INFO, "%*d", 1, 2);',
    'TACHY_LOG(TACHY_LEVEL_INFO, "");',
    'TACHY_LOG(TACHY_LEVEL_INFO, "%d", Struct{});',
    'TACHY_LOG(TACHY_LEVEL_INFO, "%d", static_cast<__int128>(1));',
    "TACHY_SPAN_VALUE(name, 1);",
    'TACHY_SPAN_VALUE("a", 1, name);',
    'TACHY_SPAN_VALUE("a", Struct{});',
    'TACHY_SPAN_VALUE("a", &name);',
    'TACHY_SPAN_VALUE("a", static_cast<__int128>(1));',
    "TACHY_FLOW(1.5);",
    "TACHY_FLOW(name);",
    "TACHY_FLOW(1, name);",
    "tachy::AsyncSpan a; TACHY_ASYNC_VALUE(a, name, 1);",
    "tachy::AsyncSpan a; TACHY_ASYNC_FLOW(a, name);",
    'TACHY_LOG(TACHY_LEVEL_INFO, "%d%d%d%d%d%d%d%d%d", 1, 2, 3, 4, 5, 6, 7, 8, 9);',
]
STRICT = [*INCLUDES, *WARNINGS, "-fno-exceptions", "-fno-rtti"]
SOURCE = HERE / "programs" / "macros.cpp"


@pytest.mark.parametrize("disabled", [[], ["-DTACHY_ENABLED=0"]], ids=["enabled", "disabled"])
@pytest.mark.parametrize("standard", ["c++17", "c++20"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_every_macro_compiles_without_warnings(
    compiler: str, standard: str, disabled: list[str], tmp_path: Path
) -> None:
    for level in ("-O0", "-O2"):
        run([compiler, f"-std={standard}", level, *STRICT, *disabled, "-c", SOURCE, "-o", tmp_path / "macros.o"])


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_headers_compile_as_c(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "program.c"
    source.write_text("#include <tachy/http_sender.h>\n#include <tachy/report.h>\nint main(void) { return 0; }\n")
    run([compiler, "-std=c11", *INCLUDES, *WARNINGS, "-c", source, "-o", tmp_path / "program.o"])


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_compiled_out_leaves_no_symbol(compiler: str, tmp_path: Path) -> None:
    source = tmp_path / "game.cpp"
    source.write_text("""
        #include <tachy/tachy.hpp>
        int expensive();
        int main(int count, char **) {
          tachy::Session session;
          const tachy::Properties properties{{"a", "b"}};
          TACHY_SPAN("Tick");
          TACHY_SPAN_FUNCTION();
          TACHY_PHASES(phase, "A");
          TACHY_PHASE(phase, "B");
          auto load = TACHY_ASYNC("Load");
          TACHY_SPAN_VALUE("v", expensive());
          TACHY_FLOW(expensive());
          TACHY_ASYNC_VALUE(load, "v", expensive());
          TACHY_LOG_WITH(properties, TACHY_LEVEL_INFO, "%d %d", expensive(), count);
          TACHY_METRIC("m", expensive(), "n", properties);
          TACHY_FRAME();
          tachy::image("screen", "image/png", &count, sizeof count);
          return 0;
        }""")
    command: list[str | Path] = [compiler, "-std=c++17", *STRICT, "-DTACHY_ENABLED=0", source]
    run([*command, "-O2", "-c", "-o", tmp_path / "game.o"])
    symbols = run(["nm", tmp_path / "game.o"])
    assert "tachy" not in symbols
    assert "expensive" not in symbols
    run([*command, "-O0", "-o", tmp_path / "game"])  # links without any library


def test_arguments_are_evaluated_once_or_not_at_all() -> None:
    folder = programs()
    assert run([folder / "macros"]) == "evaluations 6\n"
    assert run([folder / "macros_disabled"]) == "evaluations 0\n"


@pytest.mark.parametrize("disabled", [[], ["-DTACHY_ENABLED=0"]], ids=["enabled", "disabled"])
@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_mistakes_do_not_compile(compiler: str, disabled: list[str], tmp_path: Path) -> None:
    flags = ["-std=c++17", "-Wall", "-Werror", *INCLUDES, *disabled]
    command = [*precompiled([compiler, *flags], "tachy/tachy.hpp", tmp_path), "-fsyntax-only"]

    def compiles(statement: str) -> bool:
        source = tmp_path / "mistake.cpp"
        source.write_text(f"""
            struct Struct {{ int a = 0; }};
            void function(const char *name) {{ {statement} (void)name; }}""")
        return subprocess.run([*command, source], capture_output=True, check=False).returncode == 0

    assert compiles('TACHY_LOG(TACHY_LEVEL_INFO, "%s", name);')
    assert [statement for statement in MISTAKES if compiles(statement)] == []


def test_a_number_that_int64_cannot_hold_is_recorded_as_a_double() -> None:
    with Sink() as sink:
        run([programs() / "numbers", sink.url])
        found: dict[str, list[float]] = {}
        for row in sink.rows("metric"):
            found.setdefault(row["name"], []).append(row["value"])
    unsigned = [2.0**64, 2.0**63, float(2**63 - 1), 0.0]
    assert found == {
        **dict.fromkeys(("uint64", "unsigned long long", "size_t", "C"), unsigned),
        "int64": [-(2.0**63)],
        "enumeration": [2.0**64, 7.0],
        "bool": [1.0],
        "char": [-1.0],
        "uchar": [255.0],
        "unsigned": [2.0**32 - 1],
        "int128": [-(2.0**63), -(2.0**64)],
        "uint128": [2.0**64, 2.0**128, 3.0],
    }


@pytest.mark.parametrize("variant", [(), ("address", *FLAGS["address"])], ids=["plain", "address"])
def test_texts_written_inline_are_those_of_the_c_api(variant: tuple[str, ...]) -> None:
    """Short and long, cut or not, of any bytes: what the macro writes itself is what tachy_log_args would write."""
    with Sink() as sink:
        run([programs(*variant) / "texts", sink.url], env=OPTIONS)
        messages = [row["msg"] for row in sink.rows("log")]
    assert len(messages) == 2 * (3 * (41 + 81 + 41 + 4) + 3)
    assert messages[::2] == messages[1::2]
    assert "0123456789" * 4 in messages
    assert any(message.endswith("… [of 40000 bytes]") for message in messages)
    assert messages[-6:] == ["(null)"] * 2 + ["a\0b"] * 2 + ["|"] * 2


def test_spans_have_the_values_that_they_were_given() -> None:
    with Sink() as sink:
        run([programs() / "values", sink.url])
        found = {row["name"]: row["properties"] for row in sink.rows("span")}
        load = [row["properties"] for row in sink.rows("async") if row["event_type"] == "end"]
    flow, address = found["Inner"].pop("flow")
    assert (flow, address > 2**32) == (7, True)
    assert found == {
        "Outer": {"name": "outer", "after": 2},
        "Inner": {
            "least": -(2**63),
            "most": 2**64 - 1,
            "enumeration": -1,
            "bool": True,
            "float": 0.25,
            "view": "a\0b",
            "null": "(null)",
            "long": "x" * 237 + "… [of 300 bytes]",
        },
    }
    assert load == [{"bytes": 12, "path": "a.png", "flow": 7}]


def test_images_arrive_as_they_were_given(server: Server) -> None:
    name = str(uuid.uuid4())
    run([programs() / "images", server.http, name])
    columns = "format, payload_size, encode(data, 'hex')"
    sql = f"SELECT {columns} FROM images WHERE name = '{name}' ORDER BY payload_size"
    found = server.client.post("/api/query", json={"sql": sql}).json()["rows"]
    images = [bytes((i * i >> 3) & 255 for i in range(size)) for size in (1, 4096, 300_000)]
    assert found == [["image/png", len(image), image.hex()] for image in images]


def test_a_long_literal_that_is_logged_often_is_read() -> None:
    """Its messages are far larger than the blocks that hold it once: what our own recorder made is no bomb."""
    with Sink() as sink:
        run([programs() / "literals", sink.url])
        stored = sum(block.raw_size for head in sink.heads() for _, _, block in head.blocks if block.cls == 1)
        rows = sink.rows("log")
    assert [row["msg"] for row in rows] == ["0123456789 of a log!" * 100] * 5000
    assert stored < 200_000
