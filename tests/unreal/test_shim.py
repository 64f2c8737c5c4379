"""The shim of Unreal Engine's API works: what the plugin's tests stand on."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cpp.builds import ROOT, run
from tests.unreal.plugin import SHORT, build
from tests.unreal_shim import symbols

SHIM = ROOT / "tests" / "unreal_shim"
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wundef", "-Wshadow", "-Werror", "-fsyntax-only"]
INI = """[ConsoleVariables]
self.Number=6
[/Script/Self.Settings]
Url="http://from.ini"
+Names=a
+Names=b
[/Script/Self.SelfSettings]
Url=http://from.settings
bOn=True
bBit=1
Budget=2.5
Mode=Some
+Names=x
+Names=y
"""


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers a POST with what it was; leaves a GET without an answer until the test is over."""

    protocol_version = "HTTP/1.1"
    over = threading.Event()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b" ".join([b"POST", self.headers["X-Self"].encode(), body])
        self.send_response(201)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.over.wait(60)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def echo() -> Iterator[str]:
    Echo.over.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Echo.over.set()
        server.shutdown()
        thread.join()


def selftest(version: int, config: str, url: str, folder: Path, mode: str) -> subprocess.CompletedProcess[str]:
    built = build(version, config) / "shim"
    ini = folder / "Engine.ini"
    ini.write_text(INI)
    return subprocess.run(
        [str(built / "shim_selftest"), url, mode, "-Self", "-ini:Engine:[Self]:Key=from the line"],
        env={"UE_SHIM_INI": str(ini), "UE_SHIM_PROJECT": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(("version", "config"), SHORT)
def test_the_shim_does_what_the_engine_promises(version: int, config: str, echo: str, tmp_path: Path) -> None:
    done = selftest(version, config, echo, tmp_path, "run")
    assert (done.returncode, done.stdout) == (0, "all well\n"), done.stdout + done.stderr
    crashed = selftest(version, config, echo, tmp_path, "crash")
    assert crashed.returncode == -11, crashed.stdout + crashed.stderr
    assert crashed.stdout.endswith("error handled\n")


def test_every_symbol_is_listed_with_its_header_and_versions() -> None:
    assert sorted(symbols.listed()) == sorted(symbols.line_of(symbol) for symbol in symbols.declared().values())


@pytest.mark.parametrize(
    ("compiler", "version", "switches"),
    [
        ("clang++", 504, ["-DWITH_EDITOR=1"]),
        ("clang++", 506, ["-DUE_BUILD_SHIPPING=1", "-DUE_SHIM_WCHAR=1"]),
        ("g++", 507, ["-DIS_MONOLITHIC=0"]),
    ],
)
def test_every_header_compiles_without_a_warning(
    compiler: str, version: int, switches: list[str], tmp_path: Path
) -> None:
    headers = [h for h in sorted((SHIM / "include").rglob("*.h")) if not h.read_text().startswith("// Part of")]
    source = tmp_path / "all.cpp"
    source.write_text("".join(f'#include "{h.relative_to(SHIM / "include")}"\n' for h in headers))
    run([compiler, *FLAGS, f"-I{SHIM / 'include'}", f"-DUE_SHIM_VERSION={version}", *switches, source])
