"""The suite around the events: threads, memory, bursts, the collector, a program's start, what travels.

    python -m bench.around            # build/bench/around.json; exit 1 when a budget is broken

Programs of bench/around, each mode a process of its own, with default settings and the C++ SDK's sender; the server is
one that says 200 and does nothing. "Above none" is above the same program that does the same without tachy.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.budgets import RESULTS, ROOT, BenchError, Cases, finish, machine

BUILD = RESULTS / "around"
MEMORY = {"one_after_another": (20000, 1), "32_at_a_time": (24000, 32), "50_at_a_time": (8000, 50)}
TURNS = 3
AMOUNTS = {  # of each mode of bench/around
    "first_event": 300,
    "parked": 1000,
    "burst": 200000,
    "tight_loop": 3000,
    "collector": 50,
    "young": 61000,  # ms: a program's first minute, in which the collector looks for news every second
    "idle": 20000,
    "flight": 50,
    "started": 40,
    "tail": 10000,
}


class Programs:
    """The built programs, with a server and a session folder of their own."""

    def __init__(self, build: Path, url: str, folder: str) -> None:
        self.build = build
        self.environment = os.environ | {"TACHY_URL": url, "TACHY_SESSION_FOLDER": folder}

    def run(self, program: str, *arguments: str | int) -> dict[str, float]:
        """What a program printed, of one case."""
        found: dict[str, float] = json.loads(self._output(program, *arguments))
        return found

    def cases(self, program: str, *arguments: str | int) -> Cases:
        """What a program printed, of several."""
        found: Cases = json.loads(self._output(program, *arguments))
        return found

    def _output(self, program: str, *arguments: str | int) -> str:
        command = [str(self.build / program), *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=900)
        if done.returncode != 0:
            raise BenchError(f"{command} gave {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout

    def once(self, program: str) -> tuple[float, float]:
        """Milliseconds that a run takes: wall, CPU."""
        path = str(self.build / program)
        begin = time.perf_counter()
        pid = os.posix_spawn(path, [path], self.environment)
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - begin
        if status != 0:
            raise BenchError(f"{program} gave {status}")
        return wall * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3


@contextmanager
def ready() -> Iterator[Programs]:
    """Builds the programs, and has a server while they run."""
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    for command in (["-S", ROOT / "bench" / "around", "-B", BUILD, *generator], ["--build", BUILD]):
        done = subprocess.run(["cmake", *map(str, command)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(done.stdout[-4000:] + done.stderr[-4000:])
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where sessions lie unless they are told otherwise
    with (
        tempfile.TemporaryDirectory(prefix="tachy-bench-", dir=memory) as folder,
        subprocess.Popen([BUILD / "around", "sink"], stdout=subprocess.PIPE, text=True) as sink,
    ):
        assert sink.stdout is not None
        try:
            yield Programs(BUILD, sink.stdout.readline().strip(), folder)
        finally:
            sink.kill()


def threads(programs: Programs) -> Cases:
    """A thread's first event, and what many threads cost in time and memory."""
    cases: Cases = {"first_event_of_a_thread": programs.run("around", "first_event", AMOUNTS["first_event"])}
    for name, (total, at_a_time) in MEMORY.items():
        turns = [
            [programs.run("around", "thread_lives", traced, total, at_a_time) for traced in (0, 1)]
            for _ in range(TURNS)
        ]
        none, ours = (
            {figure: min(run[figure] for run in runs) for figure in runs[0]} for runs in zip(*turns, strict=True)
        )
        most = {figure: max(run[figure] for _, run in turns) for figure in ours}
        cases[f"threads_{name}"] = {
            "us_cpu_above_none": ours["us_cpu"] - none["us_cpu"],
            "mb_peak_above_none": most["mb_peak"] - none["mb_peak"],
            "mb_at_the_end_above_none": most["mb"] - none["mb"],
            "lost": most["lost"],
        }
    count = AMOUNTS["parked"]
    none = programs.run("parked", count, 0)
    for name in ("parked", "parked_finstrument"):
        ours = programs.run(name, count, 1)
        cases[f"threads_{name}"] = {"kib_above_none": (ours["kib"] - none["kib"]) / count, "lost": ours["lost"]}
    return cases


def starts(programs: Programs) -> Cases:
    """A program's start, one event and its end; in turns with a program that does nothing."""
    turns = [(programs.once("started"), programs.once("empty")) for _ in range(AMOUNTS["started"])]
    wall, cpu = (statistics.median(ours[i] - empty[i] for ours, empty in turns) for i in (0, 1))
    return {
        "start_event_end": {"wall_ms_above_empty": wall, "cpu_ms_above_empty": cpu},
        "started_program": {"mb": programs.run("started", "resident")["mb"]},
    }


def tails(programs: Programs) -> Cases:
    """How long one event takes of a thousand, at a game's rate: the median of some runs, all of their page faults."""
    runs = [programs.cases("around", "tail", AMOUNTS["tail"]) for _ in range(TURNS)]
    return {
        name: {figure: statistics.median(run[name][figure] for run in runs) for figure in figures}
        | {"page_faults": max(run[name]["page_faults"] for run in runs)}
        for name, figures in runs[0].items()
    }


def measure(programs: Programs) -> Cases:
    """Every case of the suite."""
    behind = programs.run("around", "collector", AMOUNTS["collector"])
    cases = threads(programs) | starts(programs)
    return cases | {
        "burst": programs.run("around", "burst", AMOUNTS["burst"]),
        "tight_loop": programs.run("around", "tight_loop", AMOUNTS["tight_loop"]),
        "frame_loop": {"bytes_per_event": behind.pop("bytes_per_event")},
        "collector": behind,
        "idle_collector": programs.run("around", "idle", AMOUNTS["young"], AMOUNTS["idle"]),
        "flight_unwanted": programs.run("around", "flight", AMOUNTS["flight"]),
        **tails(programs),
    }


def main() -> int:
    """Builds, measures, writes, judges."""
    about = machine()
    with ready() as programs:
        return finish("around", measure(programs), about)


if __name__ == "__main__":
    sys.exit(main())
