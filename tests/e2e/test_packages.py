"""What goes to PyPI installs and works where there is no checkout: the source distribution and the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.installing import run

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.xdist_group("distributions")
PROGRAM = """
import json, pathlib, signal, subprocess, sys, time
import tachy, tachy_server.formats.reader
assert "site-packages" in tachy.__file__ and "site-packages" in tachy_server.formats.reader.__file__
tachy_command = pathlib.Path(sys.executable).with_name("tachy")
command = [tachy_command, "serve", "--data", "data", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
with subprocess.Popen(command) as server:
    try:
        ready = pathlib.Path("data/server.json")
        while not ready.exists():
            assert server.poll() is None, "the server has ended"
            time.sleep(0.05)
        where = json.loads(ready.read_text())
        tachy.start(where["http"])
        with tachy.span("bake"):
            tachy.metric("tiles", 12)
        tachy.log("info", "done")
        tachy.stop()
        with tachy.connect(where["flight"]) as lake:
            for view in ("thread_spans", "measures", "log_entries"):
                print(view, lake.query(f"SELECT count(*) AS n FROM {view}").to_pylist()[0]["n"])
    finally:
        server.send_signal(signal.SIGTERM)
"""


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sdist", "wheel"])
def test_what_is_distributed_installs_and_works_from_an_empty_folder(
    kind: str, distributions: dict[str, Path], tmp_path: Path
) -> None:
    run([sys.executable, "-m", "venv", "fresh"], cwd=tmp_path)
    python = tmp_path / "fresh/bin/python"
    run([python, "-m", "pip", "install", "-q", f"{distributions[kind]}[server,notebook]"], cwd=tmp_path)
    (tmp_path / "empty").mkdir()
    said = run([python, "-c", PROGRAM], cwd=tmp_path / "empty", seconds=120)
    assert "thread_spans 1\nmeasures 1\nlog_entries 1" in said


@pytest.mark.long
def test_the_wheel_holds_both_packages_and_no_source_of_the_extensions(distributions: dict[str, Path]) -> None:
    names = zipfile.ZipFile(distributions["wheel"]).namelist()
    for folder, package in (("pysdk/", "tachy"), ("server/", "tachy_server")):
        listed = ["git", "ls-files", folder + package]
        tracked = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
        assert {name.removeprefix(folder) for name in tracked} - set(names) == set()
    assert sum(name.endswith(".so") for name in names) == 2
    assert not [name for name in names if name.endswith((".c", ".h"))]
