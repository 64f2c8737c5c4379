"""What a span takes in code: two files that differ by a hundred spans, compiled with -O2; ours, and of peers.

Counted are instructions and what an exception needs to find its way; the site itself is 48 bytes of data.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.budgets import ROOT, BenchError, Cases

FEW, MANY = 20, 120
CXX, C = ("c++", "-std=c++17"), ("cc", "-std=gnu11")
FIGURES = {  # the compiler, and which of a library's spans
    "bytes_with_exceptions": (CXX, "cxx"),
    "bytes_without": ((*CXX, "-fno-exceptions"), "cxx"),
    "bytes_c": (C, "c"),
}


@dataclass(frozen=True, slots=True)
class Library:
    """How a library's span is written; %d is a number of its own."""

    flags: tuple[str, ...]
    head: str
    cxx: tuple[str, str]  # before the work in the scope, after it
    c: tuple[str, str]


OURS = Library(
    ("-DTACHY_STATIC", *(f"-I{ROOT / part / 'include'}" for part in ("cpp_sdk", "native"))),
    "#ifdef __cplusplus\n#include <tachy/tachy.hpp>\n#else\n#include <tachy/tachy.h>\n#endif",
    ('TACHY_SPAN("site %d");', ""),
    (
        'TACHY_DEFINE_SPAN(s, "game", "site %d"); const tachy_scope scope = tachy_span_begin(&s);',
        "tachy_span_end(scope);",
    ),
)
PEERS = {  # by what CMake is told of where they are
    "TACHY_BENCH_TRACY": (
        "tracy",
        Library(
            ("-DTRACY_ENABLE",),
            "#ifdef __cplusplus\n#include <tracy/Tracy.hpp>\n#else\n#include <tracy/TracyC.h>\n#endif",
            ('ZoneScopedN("site %d");', ""),
            ('TracyCZoneN(zone, "site %d", 1);', "TracyCZoneEnd(zone);"),
        ),
    ),
    "TACHY_BENCH_PERFETTO": (
        "perfetto",
        Library(
            (),
            "#include <perfetto_c.h>\nextern struct PerfettoTeCategory on;",
            ('PERFETTO_TE_SCOPED(on, PERFETTO_TE_SLICE("site %d"));', ""),
            (
                'PERFETTO_TE(on, PERFETTO_TE_SLICE_BEGIN("site %d"));',
                "PERFETTO_TE(on, PERFETTO_TE_SLICE_END());",
            ),
        ),
    ),
}


def _size(scopes: int, compiler: tuple[str, ...], head: str, before: str, after: str) -> int:
    """Bytes of code of a function with so many scopes."""
    with tempfile.TemporaryDirectory(prefix="tachy-bench-") as folder:
        source, made = Path(folder, "scopes.cpp" if compiler[0] == CXX[0] else "scopes.c"), Path(folder, "scopes.o")
        texts = [(before.replace("%d", str(n)), n) for n in range(100, 100 + scopes)]
        lines = [f"{{ {begin} work(a); work({n}); {after} }}" for begin, n in texts]
        source.write_text("\n".join([head, "void work(int);", "void f(int a) {", *lines, "}"]))
        command: list[str | Path] = [*compiler, "-O2", "-c", source, "-o", made]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(done.stderr[-4000:])
        listing = subprocess.run(["size", "-A", made], capture_output=True, text=True, check=True).stdout
    sections = re.findall(r"^\.(?:text|gcc_except_table|eh_frame)\S*\s+(\d+)", listing, re.MULTILINE)
    return sum(int(size) for size in sections)


def of(library: Library) -> dict[str, float]:
    """Bytes per span, above the same scope without one."""
    figures = {}
    for name, (compiler, language) in FIGURES.items():
        span = library.cxx if language == "cxx" else library.c
        with_spans, empty = (
            (_size(MANY, flags, library.head, *parts) - _size(FEW, flags, library.head, *parts)) / (MANY - FEW)
            for flags in [(*compiler, *library.flags)]
            for parts in (span, ("", ""))
        )
        figures[name] = with_spans - empty
    return figures


def cases(found: Mapping[str, str]) -> Cases:
    """Ours, and of the peers whose sources are there: {what CMake is told: a path}."""
    measured = {"code_of_a_span": of(OURS)}
    for told, (name, library) in PEERS.items():
        if found.get(told):
            there = Library((*library.flags, f"-I{found[told]}"), library.head, library.cxx, library.c)
            measured[f"code_of_a_{name}_span"] = of(there)
    return measured
