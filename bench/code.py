"""What a span of the C++ SDK takes in code: two files that differ by a hundred spans, compiled with -O2.

Counted are instructions and what an exception needs to find its way; the site itself is 48 bytes of data.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from bench.budgets import ROOT, BenchError, Cases

INCLUDES = [f"-I{ROOT / part / 'include'}" for part in ("cpp_sdk", "native")]
FEW, MANY = 20, 120


def _size(folder: str, scopes: int, span: str, flags: list[str]) -> int:
    """Bytes of code of a function with so many scopes."""
    source, made = Path(folder, "scopes.cpp"), Path(folder, "scopes.o")
    lines = [f"{{ {span.format(number)} work(a); work({number}); }}" for number in range(100, 100 + scopes)]
    source.write_text("\n".join(["#include <tachy/tachy.hpp>", "void work(int);", "void f(int a) {", *lines, "}"]))
    command: list[str | Path] = [
        "c++",
        "-std=c++17",
        "-O2",
        "-DTACHY_STATIC",
        *INCLUDES,
        *flags,
        "-c",
        source,
        "-o",
        made,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(done.stderr[-4000:])
    listing = subprocess.run(["size", "-A", made], capture_output=True, text=True, check=True).stdout
    sections = re.findall(r"^\.(?:text|gcc_except_table|eh_frame)\S*\s+(\d+)", listing, re.MULTILINE)
    return sum(int(size) for size in sections)


def cases() -> Cases:
    """Bytes per span, above the same scope without one."""
    figures = {}
    with tempfile.TemporaryDirectory(prefix="tachy-bench-") as folder:
        for name, flags in (("bytes_with_exceptions", []), ("bytes_without", ["-fno-exceptions"])):
            with_spans, empty = (
                (_size(folder, MANY, span, flags) - _size(folder, FEW, span, flags)) / (MANY - FEW)
                for span in ('TACHY_SPAN("site {}");', "")
            )
            figures[name] = with_spans - empty
    return {"code_of_a_span": figures}
