"""Builds the extension `tachy._native`: the recorder's C sources and native/*.c here, in one cffi API-mode module.

`pip install .` comes here through setup.py; `python pysdk/build_native.py` builds in place. The recorder is linked
statically and hidden: nothing of it is visible to other modules of the process.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).parent.parent
if __name__ == "__main__":
    ROOT = ROOT.resolve()  # ffi.compile() changes the folder; setuptools wants relative paths
NATIVE = ROOT / "native"

# What Python calls through cffi: life and sending. Recording goes through the C functions of native/*.c.
CDEF = """
typedef struct { const char *key; const char *value; } tachy_property;
typedef struct tachy_config {
  const char *exe; const char *sdk; const char *parent_process_id; const tachy_property *properties;
  size_t property_count; int level; uint64_t pool_bytes;
  uint32_t flush_ms; uint32_t block_bytes; uint64_t outbox_bytes; const char *session_folder;
  uint64_t spool_bytes; uint32_t spool_seconds; const char *destination; int mode;
  uint32_t flight_before_ms; uint32_t flight_after_ms; uint32_t frame_budget_us;
  uint32_t flight_ignore_errors; ...;
} tachy_config;
typedef struct tachy_stats {
  uint8_t process_id[16]; uint64_t recorded[4]; uint64_t dropped[4]; uint64_t sent[4]; uint64_t kept[4];
  uint64_t not_retained; uint64_t flight_overwritten; uint64_t batches;
  uint64_t blocks; uint64_t raw_bytes; uint64_t wire_bytes; uint64_t collector_ns; uint64_t compressor_ns;
  uint64_t outbox_bytes; uint64_t spool_bytes; uint64_t survives; uint64_t unprotected;
  uint64_t recovered_batches; uint64_t recovered_lost; uint64_t left_dropped[4]; uint64_t threads;
  uint64_t sites; uint64_t clock_backwards; uint64_t too_deep; uint64_t mismatched; uint64_t async_untracked;
  uint64_t values_dropped; uint64_t refused; uint64_t frequency; const char *clock;
  uint64_t control_version; uint64_t control_refused; ...;
} tachy_stats;
typedef struct tachy_recovery {
  uint64_t sessions; uint64_t crashed; uint64_t batches; uint64_t events[4]; uint64_t busy; uint64_t unreadable;
} tachy_recovery;
typedef struct tachy_batch tachy_batch;
typedef struct { uint32_t first_ms; uint32_t longest_ms; ...; } tachy_retry;
int tachy_start(const tachy_config *config);
void tachy_stop(uint32_t timeout_ms);
uint64_t tachy_flush_begin(uint32_t timeout_ms);
int tachy_flush_wait(uint64_t flush, uint32_t timeout_ms);
void tachy_stop_recording(void);
void tachy_get_stats(tachy_stats *stats);
int tachy_recover(const char *folder, tachy_recovery *found);
void tachy_set_process_property(const char *key, const char *value);
void tachy_set_thread_name(const char *name);
void tachy_set_level(int level);
void tachy_set_category(const char *category, int level);
void tachy_unset_category(const char *category);
void tachy_control(const char *text);
void tachy_mark(const char *reason);
void tachy_image(const char *name, const char *format, const void *bytes, size_t size);
tachy_batch *tachy_batch_take(uint32_t timeout_ms, int *ended);
tachy_batch *tachy_batch_take_raw(void);
uint64_t tachy_sender_begin(uint32_t timeout_ms);
void tachy_sender_end(uint64_t turn);
void tachy_batch_moves(void);
uint32_t tachy_batch_block_count(const tachy_batch *batch);
const void *tachy_batch_body(const tachy_batch *batch, uint32_t block, uint64_t *size);
#define TACHY_BODY_PARTS_MAX ...
uint32_t tachy_body_parts(const void *body, uint64_t size, uint64_t *ends, uint32_t room);
int tachy_batch_codec(const tachy_batch *batch, uint32_t block);
int tachy_batch_replace(tachy_batch *batch, uint32_t block, int codec, const void *bytes, uint64_t size);
const void *tachy_batch_bytes(tachy_batch *batch, uint64_t *size);
const uint8_t *tachy_batch_id(const tachy_batch *batch);
void tachy_batch_done(tachy_batch *batch, int outcome);
int tachy_retry_answer(tachy_retry *retry, uint32_t status, double retry_after_s, uint32_t *pause_ms);
int tachy_python_install(const char *module_name);
"""

SOURCE = """
#include <tachy/tachy.h>
int tachy_python_install(const char *module_name);
"""


def sources() -> list[str]:
    """The C files, relative to the current folder for setuptools and absolute when run as a program."""
    if sys.platform == "win32":
        raise SystemExit("tachy's recorder does not run on Windows yet: it needs Linux or another POSIX system")
    rooms = ["recorder", "encode", "base", "os/posix"]
    folders = [*(NATIVE / "src" / room for room in rooms), ROOT / "pysdk/native"]
    found = [str(file) for folder in folders for file in sorted(folder.rglob("*.c"))]
    if not found:
        raise SystemExit(f"no C sources below {NATIVE}: run this from a complete copy of the repository")
    return found


def flags() -> list[str]:
    """Compiler options; the warnings are those of the native build, which lints the same files."""
    return ["-std=c11", "-O2", "-fvisibility=hidden", "-pthread", *os.environ.get("TACHY_CFLAGS", "").split()]


ffi = FFI()
ffi.cdef(CDEF)
ffi.set_source(
    "tachy._native",
    SOURCE,
    sources=sources(),
    include_dirs=[str(NATIVE / "include"), str(NATIVE / "src")],
    # our own types need more of CPython than its limited API has, so the extension is for one version
    define_macros=[("TACHY_STATIC", "1"), ("_GNU_SOURCE", "1"), ("_CFFI_NO_LIMITED_API", None)],
    py_limited_api=False,
    extra_compile_args=flags(),
    extra_link_args=["-pthread"],
)


def main() -> None:
    """Builds into a temporary folder and renames: a running process keeps the file that it has loaded."""
    target = ROOT / "pysdk/tachy" / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    with tempfile.TemporaryDirectory(dir=target.parent.parent) as folder:
        made = ffi.compile(tmpdir=folder)
        os.replace(made, target)
    print(f"built {target}")


if __name__ == "__main__":
    main()
