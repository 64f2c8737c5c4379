"""Builds `tachy_server.formats._reader` (cffi, API mode) from native/src/reader, json and merge.

The declarations come from reader.h itself. `python server/build_reader.py` builds it in place, beside the package;
setup.py builds it for a wheel.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ROOT / "native/include"
ROOMS = ["reader", "json", "merge"]
BASE = ["buffer.c", "columns.c", "hash.c", "parts.c"]
STRUCTS = ["tachy_block_header", "tachy_block_thread", "tachy_batch_header"]

CONSTANTS = """
#define TACHY_FORMAT_VERSION ...
#define TACHY_CLASS_LOG ...
#define TACHY_CLASS_METRIC ...
#define TACHY_CLASS_SPAN ...
#define TACHY_BODY_PARTS_MAX ...
typedef enum tachy_codec { TACHY_CODEC_NONE, TACHY_CODEC_ZSTD, ... } tachy_codec;
"""


def declarations(name: str) -> str:
    """A header as cffi reads it: without comments, preprocessor lines and inline functions."""
    text = (HEADERS / "tachy" / name).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"\n#(?:[^\n]*\\\n)*[^\n]*", "", text)
    text = re.sub(r"static inline .*?\n\}\n|static inline [^\n]*\}\n", "", text, flags=re.DOTALL)
    text = re.sub(r"TACHY_STATIC_ASSERT\(.*?\);", "", text, flags=re.DOTALL)
    return text.replace('extern "C" {', "").rstrip().removesuffix("}")


def make_ffi(root: Path) -> FFI:
    """The builder; its paths begin with `root` (setuptools wants them relative to the project)."""
    header = declarations("format.h")
    structs = [re.search(rf"typedef struct {name} \{{.*?\}} {name};", header, re.DOTALL) for name in STRUCTS]
    sources = [path for room in ROOMS for path in sorted((ROOT / "native/src" / room).glob("*.c"))]
    sources += [ROOT / "native/src/base" / name for name in BASE]
    builder = FFI()
    builder.cdef(
        CONSTANTS
        + "\n".join(match.group() for match in structs if match)
        + declarations("status.h")
        + declarations("reader.h")
    )
    builder.set_source(
        "tachy_server.formats._reader",
        "#include <tachy/reader.h>\n",
        sources=[str(root / path.relative_to(ROOT)) for path in sources],
        include_dirs=[str(root / HEADERS.relative_to(ROOT))],
        define_macros=[("NDEBUG", "1"), ("TACHY_STATIC", "1")],
        py_limited_api=False,  # pip's build has the same name as main()'s, so that none shadows a newer other
        extra_compile_args=[] if sys.platform == "win32" else ["-std=c11", "-O3", "-fvisibility=hidden"],
    )
    return builder


ffi = make_ffi(Path())


def main() -> None:
    """Builds in place. Processes that have loaded the old extension keep it: the new one is another file."""
    scratch = ROOT / "build"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        built = Path(make_ffi(ROOT).compile(tmpdir=folder))
        os.replace(built, ROOT / "server/tachy_server/formats" / built.name)


if __name__ == "__main__":
    main()
