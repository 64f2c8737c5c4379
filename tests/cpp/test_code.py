"""What a span is made of in the code of a program, as gcc for x86-64 compiles it."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

import pytest

from tests.cpp.builds import INCLUDES, WARNINGS, run
from tools.amalgamate import write_amalgamation

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="written for x86-64")
SPANS, FUNCTIONS = 10, 60
PROGRAM = r"""
#include <stdio.h>
#include <tachy/tachy.hpp>

static double deep(int n, double a, double b) {
  TACHY_SPAN("deep");
  if (n == 0) throw a;
  const double c = a * b;
  return deep(n - 1, c, b) + c;
}

static double sums(const int *of, double weight) {
  double sum = 0;
  int a = of[0], b = of[1], c = of[2], d = of[3], e = of[4], f = of[5], g = of[6], h = of[7];
  {
    TACHY_SPAN("leaf");
    sum = weight * (a + b * c + d * e + f * g * h);
  }
  return sum + a * b + c * d + e * f + g + h;
}

int main() {
  static int numbers[] = {1, 2, 3, 4, 5, 6, 7, 8};
  tachy_config config{};
  config.session_folder = "-";
  tachy_start(&config);
  double all = 0;
  const std::uint64_t before = tachy_here_()->span.head;
  for (int i = 0; i < 250; i++) {
    try {
      TACHY_SPAN("outer");
      all += deep(5, 1, 0.5);
    } catch (double thrown) {
      all += thrown;
    }
    all += sums(numbers, 0.5) / 1000;
  }
  const tachy_thread *const thread = tachy_here_();
  printf("%d spans, %u open, %d mismatched, %.1f\n", static_cast<int>((thread->span.head - before) / 16),
         TACHY_DEPTH_AT_(thread->top), static_cast<int>(tachy::stats().mismatched), all);
}
"""


def listing(folder: Path, *options: str) -> str:
    """The instructions of many functions of many spans, nested in each other, which exceptions may leave."""
    source, made = folder / "spans.cpp", folder / "spans.o"
    scopes = "".join(f'{{ TACHY_SPAN("{n}"); work({n}); {{ TACHY_SPAN("in {n}"); work(a); }} }}' for n in range(SPANS))
    functions = "\n".join(f"void f{n}(int a) {{ {scopes} }}" for n in range(FUNCTIONS))
    source.write_text(f"#include <tachy/tachy.hpp>\nvoid work(int);\n{functions}\n")
    run(["g++", "-std=c++17", "-O2", "-DTACHY_STATIC", *options, *INCLUDES, *WARNINGS, "-c", source, "-o", made])
    command = ["objdump", "-dr", "--no-show-raw-insn", made]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_span_ends_by_a_call_where_an_exception_leaves_it_and_nowhere_else(tmp_path: Path) -> None:
    sections = re.split(r"^Disassembly of section ", listing(tmp_path), flags=re.MULTILINE)[1:]
    ends = sum(text.count("rdtsc") for text in sections if text.startswith(".text:"))
    assert ends == 2 * 2 * SPANS * FUNCTIONS
    calls = [text.split(":")[0] for text in sections for _ in re.findall(r"detail8span_endEm-0x4$", text, re.MULTILINE)]
    assert set(calls) == {".text.unlikely"}


def test_the_assembler_is_the_same_in_both_ways_to_write_it(tmp_path: Path) -> None:
    assert listing(tmp_path, "-masm=intel") == listing(tmp_path)


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorder")
    write_amalgamation(folder)
    run(["gcc", "-O1", "-c", folder / "tachy.c", "-o", folder / "tachy.o"])
    return folder / "tachy.o"


@pytest.mark.parametrize("options", ["-O0", "-O1", "-O2 -fPIC", "-O2 -flto", "-Os"])
def test_spans_end_once_whatever_leaves_them_and_what_is_computed_around_them_stays(
    options: str, recorder: Path, tmp_path: Path
) -> None:
    source, made = tmp_path / "program.cpp", tmp_path / "program"
    source.write_text(PROGRAM)
    run(
        ["g++", "-std=c++17", *options.split(), *INCLUDES, *WARNINGS, source, recorder, "-o", made, "-lpthread", "-ldl"]
    )
    assert run([made]) == "2000 spans, 0 open, 0 mismatched, 67.9\n"
