"""The encoder under the sanitizers: whatever the blocks are, it stays in bounds and what it writes balances."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from tachy_server.formats.perfetto import PerfettoTrace
from tachy_server.traces.export import head_packets

from tests.model.encoder import Process
from tests.model.records import Block
from tests.perfetto.encoding import traced
from tests.perfetto.readback import read

ROOT = Path(__file__).resolve().parents[2]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def everything(seed: int) -> tuple[Process, list[Block]]:
    """Blocks of every class in which every kind of row occurs, losses and open spans included."""
    rng = random.Random(seed)
    process = Process()
    threads = [process.thread(f"thread {i}") for i in range(3)]
    blocks: list[Block] = []
    opened: list[int] = []
    at = 1_000
    for _ in range(300):
        at += rng.choice((1, 10, 500))
        thread = rng.choice(threads)
        match rng.randrange(9):
            case 0 | 1:
                if len(thread.stack) < 9:
                    thread.begin(f"span {rng.randrange(6)}", at, target="t", file="f.c", line=3)
            case 2 | 3:
                if thread.stack:
                    thread.end(at, lost=rng.random() < 0.2)
            case 4:
                opened.append(thread.async_begin(at, "job", parent=rng.choice(opened) if opened else 0, target="net"))
            case 5:
                if opened:
                    thread.async_end(at, opened.pop(rng.randrange(len(opened))))
            case 6:
                thread.log(at, "%s is %d of %f %u", "it", 4, 0.5, 7, level=rng.randrange(7), properties={"k": "v"})
            case 7:
                thread.metric(at, "n", rng.choice((1, 2.5, -7)), unit="bytes", ticks=False)
            case 8:
                thread.frame(at, "Frame", rng.randrange(500))
        if rng.random() < 0.03:
            blocks += process.blocks()
    return process, blocks + process.blocks()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("clang") or shutil.which("gcc")
    assert compiler is not None
    program = tmp_path_factory.mktemp("hostile") / "hostile"
    sources = [*sorted((ROOT / "native/src/reader").glob("*.c")), ROOT / "native/src/base/hash.c"]
    flags = ["-std=c11", "-g", "-O0", *SANITIZERS, "-Wall", "-Wextra", "-Wconversion", "-Werror"]
    command = [compiler, *flags, f"-I{ROOT / 'native/include'}", str(Path(__file__).parent / "hostile.c")]
    subprocess.run([*command, *map(str, sources), "-o", str(program)], check=True)
    return program


def run(program: Path, folder: Path, rounds: int, seed: int) -> None:
    process, blocks = everything(seed)
    corpus = b"".join(struct.pack("<II", len(b.head), len(b.raw)) + b.head + b.raw for b in blocks)
    (folder / "corpus").write_bytes(corpus)
    # Allocations of what a header claims, rather than of what is there, would trip this.
    options = {"ASAN_OPTIONS": "max_allocation_size_mb=512:detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    command = [str(program), str(folder / "corpus"), str(rounds), str(seed), str(folder / "trace")]
    done = subprocess.run(command, env=os.environ | options, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-4000:]
    added, refused, _ = map(int, done.stdout.split())
    assert added
    assert refused
    head = head_packets([traced(process)], [1], process.start_time)
    read(head + (folder / "trace").read_bytes())


@pytest.mark.xdist_group("hostile")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_damaged_blocks_are_harmless_and_traces_balance(hostile: Path, tmp_path: Path, seed: int) -> None:
    run(hostile, tmp_path, 150, seed)


@pytest.mark.long
@pytest.mark.xdist_group("hostile")
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_damaged_blocks_are_harmless(hostile: Path, tmp_path: Path, seed: int) -> None:
    run(hostile, tmp_path, 5_000, seed)


def test_a_block_that_becomes_far_more_trace_than_it_is_is_written_in_parts_of_bounded_size() -> None:
    """200 threads at 300 places with long names: 120 MiB of trace of 230 KB."""
    process = Process()
    for i in range(200):
        thread = process.thread(f"thread {i}")
        for line in range(300):
            thread.span("n" * 1024, 1_000 + line, 1_000 + line, file="f" * 1024, line=line + 1)
    [block] = process.blocks()
    trace = PerfettoTrace()
    sizes = [len(part) for part in trace.parts(block.head, block.raw)]
    assert sum(sizes) > 256 * len(block.raw)
    assert max(sizes) < 6 << 20
    assert trace.counts.slices == 60_000
