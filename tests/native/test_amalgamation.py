"""The recorder as two files (tools/amalgamate.py): it compiles as C11, C++17 and C++20, and records alike."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.native import capture
from tests.native.capture import LOG, METRIC, SPAN
from tests.native.test_recorder import ROOT
from tools.amalgamate import write_amalgamation

WARNINGS = ["-Wall", "-Wextra", "-Wundef", "-Wshadow", "-Werror"]
LANGUAGES = {
    "c11": ["cc", "-std=c11"],
    "gnu-c++20": ["g++", "-x", "c++", "-std=c++20"],
    "clang-c++17": ["clang++", "-x", "c++", "-std=c++17"],
}
SCENARIOS = [
    "two_threads",
    "phases",
    "async_across_threads",
    "logs",
    "metrics",
    "flushes",
    "retry",
    "levels",
    "interned",
]


def program_files() -> list[str]:
    """The files of the recorder's test program."""
    found = re.search(
        r"add_executable\(recorder_tests\S* ([^)]*)\)", (ROOT / "tests/native/CMakeLists.txt").read_text()
    )
    assert found
    return found[1].split()


def run_compiler(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_file_records_what_the_separate_files_do(language: str, tmp_path: Path) -> None:
    """The test program knows nothing but the amalgamated header, and is C whatever the library is compiled as."""
    write_amalgamation(tmp_path / "tachy")
    library, program = str(tmp_path / "tachy.o"), str(tmp_path / "program")
    run_compiler(*LANGUAGES[language], "-O1", *WARNINGS, "-c", str(tmp_path / "tachy" / "tachy.c"), "-o", library)
    sources = [str(ROOT / "tests" / "native" / name) for name in program_files()]
    options = ["-std=c11", "-D_GNU_SOURCE", "-DTACHY_STATIC", f"-I{tmp_path}"]
    run_compiler("cc", *options, *sources, library, "-o", program, "-pthread", "-ldl", "-lm")
    for scenario in SCENARIOS:
        batches = tmp_path / scenario
        ran = subprocess.run([program, scenario, str(batches)], capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr
        reported = {each["process_id"]: each for each in map(json.loads, ran.stdout.splitlines())}
        for session in capture.read(batches):
            if session.process_id.hex not in reported:  # the scenario checks the numbers of such a session itself
                continue
            for cls in (LOG, METRIC, SPAN):
                assert session.events(cls) == reported[session.process_id.hex]["sent"][cls]


def test_a_host_without_an_operating_system_compiles_the_same_file(tmp_path: Path) -> None:
    write_amalgamation(tmp_path / "tachy")
    options = ["-std=c11", *WARNINGS, "-DTACHY_OS_HOST", "-DTACHY_STATIC", f"-I{tmp_path}"]
    files = [str(ROOT / "tests" / "native" / "refused.c"), str(tmp_path / "tachy" / "tachy.c")]
    run_compiler("cc", *options, *files, "-o", str(tmp_path / "refused"))
    assert subprocess.run([str(tmp_path / "refused")], timeout=10, check=False).returncode == 0


def test_the_same_sources_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_amalgamation(tmp_path / name)
    for file in ("tachy.c", "tachy.h"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        assert str(ROOT) not in (tmp_path / "a" / file).read_text()
