"""The SDK is usable as a CMake package, as a subdirectory, through pkg-config and with plain g++."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cpp.builds import HERE, ROOT, cmake, installed, locked, run
from tests.pysdk.sink import Sink

CONSUMER = HERE / "consumer"


def check_programs(folder: Path) -> None:
    with Sink() as sink:
        env = {"TACHY_URL": sink.url}
        run([folder / "consumer"], env=env)
        assert sink.events() == {"span": 1, "log": 1, "metric": 1}
        assert [row["msg"] for row in sink.rows("log")] == [f"hello from {CONSUMER / 'main.cpp'}"]
        run([folder / "consumer_c"])
    for name in ("consumer_traced", "consumer_traced_shared"):
        with Sink() as sink:
            run([folder / name], env={"TACHY_URL": sink.url})
            assert sorted(row["name"] for row in sink.rows("span")) == ["answer", "main"], name


def test_find_package_gives_what_a_program_needs() -> None:
    check_programs(cmake("consumer-package", CONSUMER, "-DHOW=package", f"-DCMAKE_PREFIX_PATH={installed()}"))


def test_add_subdirectory_gives_the_same_targets() -> None:
    check_programs(cmake("consumer-subdirectory", CONSUMER, "-DHOW=subdirectory"))


@pytest.mark.parametrize("package", ["tachy", "tachy-sdk", "tachy-finstrument"])
def test_pkg_config_gives_the_flags_for_a_compiler(package: str) -> None:
    prefix = installed()
    (found,) = {path.parent for path in prefix.rglob("tachy.pc")}
    env = {"PKG_CONFIG_PATH": str(found)}
    source = {"tachy": "main.c", "tachy-sdk": "main.cpp", "tachy-finstrument": "traced.c"}[package]
    compiler = ["g++", "-std=c++17"] if source.endswith("cpp") else ["gcc", "-std=c11"]
    flags = run(["pkg-config", "--cflags", "--libs", package], env=env).split()
    with locked(f"pkg-config-{package}") as folder:
        program = folder / "program"
        run([*compiler, CONSUMER / source, *flags, "-o", program])
    static = package == "tachy-sdk"
    assert ("libtachy" in run(["readelf", "--dynamic", program])) is not static
    with Sink() as sink:
        run([program], env={"TACHY_URL": sink.url, "LD_LIBRARY_PATH": "" if static else str(found.parent)})
        expected = {"tachy": {}, "tachy-sdk": {"span": 1, "log": 1, "metric": 1}, "tachy-finstrument": {"span": 2}}[
            package
        ]
        assert {name: count for name, count in sink.events().items() if count} == expected
    assert run(["pkg-config", "--modversion", package], env=env).strip() == "0.1.0"


def test_versions_agree() -> None:
    header = (ROOT / "native/include/tachy/tachy.h").read_text()
    version = header.split('#define TACHY_VERSION "')[1].split('"')[0]
    config = next(installed().rglob("tachyConfigVersion.cmake")).read_text()
    assert f'set(PACKAGE_VERSION "{version}")' in config
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()


def test_a_program_without_a_server_ends_in_time() -> None:
    folder = cmake("consumer-subdirectory", CONSUMER, "-DHOW=subdirectory")
    env = {"TACHY_URL": "http://127.0.0.1:1", "TACHY_STOP_TIMEOUT_MS": "300"}
    run([folder / "consumer_traced"], env=env, timeout=5)
