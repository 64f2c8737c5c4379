"""What the documents show in C++ compiles and runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.cpp.builds import ROOT, WARNINGS, installed, run
from tests.pysdk.sink import Sink

PAGE = (ROOT / "docs" / "cpp.md").read_text()
SAMPLES = re.findall(r"```cpp\n(.*?)```", PAGE + (ROOT / "docs" / "hitch.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_samples_run(number: int, tmp_path: Path) -> None:
    source = tmp_path / "game.cpp"
    source.write_text(SAMPLES[number])
    (packages,) = {path.parent for path in installed().rglob("tachy-sdk.pc")}
    flags = run(["pkg-config", "--cflags", "--libs", "tachy-sdk"], env={"PKG_CONFIG_PATH": str(packages)}).split()
    program = tmp_path / "game"
    run(["g++", "-std=c++17", *WARNINGS, source, *flags, "-o", program])
    with Sink() as sink:
        run([program], env={"TACHY_URL": sink.url, "LD_LIBRARY_PATH": str(packages.parent)})
        assert sink.events().total() > 0
        assert sink.heads()[-1].description["properties"]["pid"].isdigit()


def test_the_commands_that_need_no_build_system_build(tmp_path: Path) -> None:
    (block,) = (text for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "native/src" in text)
    for folder in ("native", "cpp_sdk"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "game.cpp").write_text(SAMPLES[0])
    done = subprocess.run(["sh", "-ec", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with Sink() as sink:
        run([tmp_path / "game"], env={"TACHY_URL": sink.url})
        assert sink.events()["span"] == 1 + 4 * 100


def test_every_macro_and_setting_is_described() -> None:
    header = (ROOT / "cpp_sdk/include/tachy/tachy.hpp").read_text()
    public = set(re.findall(r"#define (TACHY_[A-Z_]*[A-Z])\(", header))
    assert {name for name in public if name not in PAGE} == set()
    source = (ROOT / "cpp_sdk/src/finstrument/finstrument.cpp").read_text()
    assert {name for name in re.findall(r'"(TACHY_[A-Z_]+)"', source) if f"`{name}`" not in PAGE} == set()
