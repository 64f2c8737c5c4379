"""Every command and every sample of the README runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.perfetto import readback
from tests.serving import Server

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def samples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = "\n".join(samples("sh")).splitlines()
    return [line.split("#")[0].strip() for line in lines if line.strip()]


def run(command: list[str], **kwargs: object) -> str:
    done = subprocess.run(command, text=True, capture_output=True, check=False, **kwargs)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
    return str(done.stdout)


def test_readme_is_one_screen() -> None:
    assert len(README.splitlines()) <= 70
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), f"README links to {target}, which is not there"


def test_readme_commands_are_the_two_we_know() -> None:
    assert commands() == ["make demo", "make test"]
    run(["make", "-n", "test"], cwd=ROOT)


@pytest.mark.xdist_group("demo")
def test_make_demo_adds_up(tmp_path: Path) -> None:
    env = {**os.environ, "DEMO_SECONDS": "3", "DEMO_OUT": str(tmp_path / "demo")}
    env.pop("DEMO_SERVE", None)
    printed = run(["make", "demo"], cwd=ROOT, env=env, timeout=500)
    report = json.loads((tmp_path / "demo/report.json").read_text())
    assert report["events_dropped"] == 0
    assert report["events_recorded"] == report["events_queryable"] > 10_000
    assert report["spans_in_trace"] > 1_000
    assert report["perfetto_ui"]["errors"] == []
    found = readback.read((tmp_path / "demo/trace.perfetto-trace").read_bytes())
    assert len(found.thread_slices) == report["spans_in_trace"]
    assert (tmp_path / "demo/trace.png").stat().st_size > 10_000
    for question in ("How long do frames take?", "Where does the time go?", "by DuckDB"):
        assert question in printed


def test_cpp_sample_is_recorded(server: Server, tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text(samples("cpp")[0])
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\nproject(sample CXX C)\n"
        f'add_subdirectory("{ROOT}/cpp_sdk" tachy)\n'
        "add_executable(sample main.cpp)\ntarget_link_libraries(sample tachy::sdk)\n"
    )
    run(["cmake", "-S", str(tmp_path), "-B", str(tmp_path / "build")])
    run(["cmake", "--build", str(tmp_path / "build"), "--target", "sample"])
    run([str(tmp_path / "build/sample")], env={**os.environ, "TACHY_URL": server.http})
    counts = ask(
        server,
        "SELECT count(*) AS n FROM processes AS p JOIN thread_spans AS s ON s.process_id = p.process_id "
        f"WHERE s.name = 'Tick' AND p.exe = '{tmp_path}/build/sample'",  # other tests' spans are called so, too
    )
    assert counts[0]["n"] % 100 == 0
    assert counts[0]["n"] > 0
    assert ask(server, "SELECT max(value) AS v FROM measures WHERE name = 'speed'")[0]["v"] == 3.5 * 99
    assert ask(server, "SELECT count(*) AS n FROM log_entries WHERE msg = 'frame 42'")[0]["n"] > 0


def test_python_sample_is_recorded(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(samples("python")[0])
    with Server(tmp_path / "data") as server:  # it prints all that there is, and pandas not more than 60 rows
        env = {**os.environ, "TACHY_URL": server.http, "TACHY_FLIGHT_URL": server.flight}
        assert "bake" in run([sys.executable, str(sample)], env=env)


def ask(server: Server, sql: str) -> list[dict[str, float]]:
    import tachy

    with tachy.connect(server.flight) as lake:
        rows: list[dict[str, float]] = lake.query(sql).to_pylist()
    return rows
