"""The recorder on Windows: built with mingw, run under wine, and read by Microsoft's dialect as clang knows it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from tests.native import capture, wine
from tests.native.capture import LOG, METRIC, SPAN, Session
from tests.native.test_amalgamation import program_files
from tests.native.test_random_programs import ROOMY, SMALL, compare, settings
from tests.native.test_recorder import LIFE, OUTBOX, RECORDING, ROOT, SITES, check_tree
from tools.amalgamate import write_amalgamation

NATIVE = ROOT / "native"
# There is no fork(); wine has no names of threads.
NOT_HERE = ("forks", "everything_in_a_fork", "little_memory", "named_later")
SCENARIOS = [name for name in [*RECORDING, *LIFE, *OUTBOX, *SITES] if name not in NOT_HERE]
WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
LANGUAGES = {
    "c11": ["x86_64-w64-mingw32-gcc", "-std=c11"],
    "c++17": ["x86_64-w64-mingw32-g++", "-x", "c++", "-std=c++17"],
}
# What C's library has that the recorder uses: clang brings no headers of Microsoft's.
STRING_H = """
#include <stddef.h>
void *memcpy(void *, const void *, size_t);
void *memmove(void *, const void *, size_t);
void *memset(void *, int, size_t);
void *memchr(const void *, int, size_t);
int memcmp(const void *, const void *, size_t);
int strcmp(const char *, const char *);
int strncmp(const char *, const char *, size_t);
size_t strlen(const char *);
"""
STDLIB_H = """
#include <stddef.h>
void *malloc(size_t);
void *realloc(void *, size_t);
void free(void *);
void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
"""


def run_compiler(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def read_dialect(folder: Path, architecture: str, *arguments: str) -> None:
    """Parses as Microsoft's compiler would, with the branches that are for it alone."""
    (folder / "string.h").write_text(STRING_H)
    (folder / "stdlib.h").write_text(STDLIB_H)
    dialect = [f"--target={architecture}-pc-windows-msvc", "-U__clang__", "-ffreestanding", "-fsyntax-only"]
    run_compiler("clang", *dialect, "-Wall", "-Wextra", "-Werror", f"-I{NATIVE}/include", f"-I{folder}", *arguments)


@pytest.mark.parametrize("language", [["-x", "c", "-std=c11"], ["-x", "c++", "-std=c++17"]], ids=["c11", "c++17"])
@pytest.mark.parametrize("linking", ["-DTACHY_STATIC", "-UTACHY_STATIC"])
def test_the_headers_are_microsofts_dialect_too(linking: str, language: list[str], tmp_path: Path) -> None:
    source = tmp_path / "user.c"
    source.write_text(
        "#include <tachy/tachy.h>\nvoid use(void);\n"
        'void use(void) {\n  TACHY_DEFINE_SPAN(span, "a", "b");\n  TACHY_DEFINE_FLOAT_METRIC(metric, "a", "b", "c");\n'
        "  tachy_span_end(tachy_span_begin(&span));\n  tachy_metric_float(&metric, 0, 1.5);\n}\n"
    )
    read_dialect(tmp_path, "x86_64", linking, *language, str(source))


def test_the_recorder_is_microsofts_dialect_too(tmp_path: Path) -> None:
    sources = [
        str(file)
        for folder in ("recorder", "encode", "base")
        for file in sorted((NATIVE / "src" / folder).rglob("*.c"))
    ]
    read_dialect(tmp_path, "x86_64", "-std=c11", "-DTACHY_BUILD", *sources)


def check_session(session: Session, scenario: str, reported: dict[str, list[int]]) -> None:
    for cls in (LOG, METRIC, SPAN):
        assert session.events(cls) == reported["sent"][cls] + reported["kept"][cls]
    if scenario in {"one_thread", "two_threads", "eight_threads"}:
        check_tree(session, lost=False)
    elif scenario in {"full_pool", "full_pool_alone", "cuts_under_load"}:
        check_tree(session, lost=True)
    elif scenario == "thread_churn":
        threads = [thread for block in session.of(SPAN) for thread in block.head.threads]
        assert {thread.number for thread in threads} == set(range(1, 1001))
        assert {thread.name for thread in threads} == {"mayfly"}


def check_output(scenario: str, output: str, batches: Path) -> None:
    reported = {each["process_id"]: each for each in map(json.loads, output.splitlines())}
    for session in capture.read(batches, holes=scenario == "overflow"):
        assert session.descriptions[-1]["clock"] == "tsc"
        if session.process_id.hex in reported:  # else the scenario checks the numbers of such a session itself
            check_session(session, scenario, reported[session.process_id.hex])


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_windows_records_what_this_machine_does(scenario: str, tmp_path: Path) -> None:
    """Through tachy.dll, with a plugin that is another DLL."""
    programs = wine.build()
    plugin = str(programs / "tests" / "librecorder_plugin.dll")
    batches = tmp_path / "batches"
    variables = {"TACHY_SESSION_FOLDER": str(tmp_path / "sessions")}
    output = wine.run(programs / "recorder_tests.exe", scenario, str(batches), plugin, variables=variables)
    check_output(scenario, output, batches)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 5))
def test_random_programs_on_windows(seed: int, tmp_path: Path) -> None:
    pool = SMALL if seed % 2 else ROOMY
    arguments = ("random_program", str(tmp_path / "batches"))
    variables = settings(tmp_path, seed, 5000, pool) | {"TACHY_SESSION_FOLDER": str(tmp_path / "sessions")}
    output = wine.run(wine.build() / "recorder_tests.exe", *arguments, variables=variables)
    compare(tmp_path, json.loads(output), pool)


@pytest.mark.long
def test_what_a_killed_program_left_is_sent_by_the_next_one(tmp_path: Path) -> None:
    """long_spans ends a span every 100 ms and makes its first batch after a second, by which time it is dead."""
    program = wine.build() / "recorder_tests.exe"
    folder, batches = tmp_path / "sessions", tmp_path / "batches"
    variables = {"TACHY_SESSION_FOLDER": str(folder)}
    command = ["wine", str(program), "long_spans", str(tmp_path / "lost")]
    with subprocess.Popen(command, env=wine.environment(variables)) as victim:
        try:
            while not any(file.stat().st_size for file in folder.glob("*.session")):
                assert victim.poll() is None
                time.sleep(0.01)
            time.sleep(0.5)
        finally:
            victim.kill()
    wine.run(program, "inherits", str(batches), variables=variables)
    left, own = sorted(capture.read(batches), key=lambda session: session.events(SPAN), reverse=True)
    assert own.events(SPAN) == 0
    names = {row["name"] for row in left.rows(SPAN)}
    assert names == {"given", "limit", "inner"}
    assert "slept" in {row["name"] for block in left.of(SPAN) for row in block.still_open}
    assert not list(folder.iterdir())


@pytest.mark.long
def test_tachy_dll_shows_the_listed_symbols_and_no_others() -> None:
    """A DLL cannot show a thread-local variable: it shows where its pointer lies, and who else knows."""
    library = wine.build() / "tachy.dll"
    dump = subprocess.run(
        ["x86_64-w64-mingw32-objdump", "-p", str(library)], capture_output=True, text=True, check=True
    )
    table = dump.stdout.partition("[Ordinal/Name Pointer] Table")[2].partition("\n\n")[0]
    listed = set((NATIVE / "symbols.txt").read_text().split()) - {"tachy_this_thread_"}
    shown = [line.split()[-1] for line in table.splitlines() if line.strip().startswith("[")]
    assert sorted(shown) == sorted(listed | {"tachy_thread_far_", "tachy_thread_offset_"})


@pytest.mark.long
def test_tachy_dll_needs_windows_and_nothing_else() -> None:
    library = wine.build() / "tachy.dll"
    dump = subprocess.run(
        ["x86_64-w64-mingw32-objdump", "-p", str(library)], capture_output=True, text=True, check=True
    )
    needed = {line.split()[-1].lower() for line in dump.stdout.splitlines() if "DLL Name:" in line}
    assert needed == {"advapi32.dll", "kernel32.dll", "msvcrt.dll"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_file_is_compiled_for_windows(language: str, tmp_path: Path) -> None:
    write_amalgamation(tmp_path)
    run_compiler(*LANGUAGES[language], *WARNINGS, "-fsyntax-only", str(tmp_path / "tachy.c"))


@pytest.mark.long
@pytest.mark.parametrize("language", LANGUAGES)
def test_one_file_records_on_windows_what_the_separate_files_do(language: str, tmp_path: Path) -> None:
    """Linked into the program, without a DLL."""
    wine.build()
    write_amalgamation(tmp_path / "tachy")
    library, program = str(tmp_path / "tachy.o"), tmp_path / "program.exe"
    run_compiler(*LANGUAGES[language], "-O1", *WARNINGS, "-c", str(tmp_path / "tachy" / "tachy.c"), "-o", library)
    sources = [str(ROOT / "tests" / "native" / name) for name in program_files()]
    options = ["-std=c11", "-D_GNU_SOURCE", "-DTACHY_STATIC", f"-I{tmp_path}"]
    run_compiler(wine.COMPILER, *options, *sources, library, "-o", str(program), "-static", "-pthread")
    for scenario in ("two_threads", "logs", "levels", "thread_churn", "many_sessions", "names_and_properties"):
        batches = tmp_path / scenario
        variables = {"TACHY_SESSION_FOLDER": str(tmp_path / "sessions")}
        check_output(scenario, wine.run(program, scenario, str(batches), variables=variables), batches)
