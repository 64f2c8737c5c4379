"""The native suite: times bench/native, counts its instructions with callgrind, weighs what goes on the wire.

    python -m bench.native            # build/bench/native.json; exit 1 when a budget is broken

Static and shared programs and the peers take turns, and the best of all turns counts.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import code, native_peers
from bench.budgets import RESULTS, ROOT, BenchError, Cases, finish, machine

BUILD = RESULTS / "native"
TURNS, ROUNDS, BEHIND_ROUNDS = 6, 150, 6
THREADS = 128
CALLS = 100, 1100
EVENTS = (
    "span", "log_two_ints", "log_short_text", "log_c_string", "log_string", "log_c_string_int",
    "metric_int", "metric_float", "metric_two_properties", "frame_mark", "phase",
)  # fmt: skip
STAGES = "columns", "blocks", "file", "zstd", "batch"  # of what bench/native/collector.c prints
CLOCKLESS = "span_value", "disabled_span", "disabled_log", "disabled_metric"


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """Runs a command to its end; what it printed. Raises BenchError."""
    done = subprocess.run(
        [str(part) for part in command], env=environment, capture_output=True, text=True, check=False, timeout=900
    )
    if done.returncode != 0:
        raise BenchError(f"{command} gave {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


def build() -> dict[str, str]:
    """Brings bench_static, bench_shared and the peers' programs up to date; where the peers of crates.io are."""
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    crates = native_peers.crates(BUILD)
    told = [f"-D{name}={path}" for name, path in crates.items()]
    run("cmake", "-S", ROOT / "bench" / "native", "-B", BUILD, *generator, *told)
    run("cmake", "--build", BUILD)
    return native_peers.make(BUILD, crates)


def program(kind: str, mode: str, amount: int, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """What a program printed: kind "static", "shared" or a peer's, modes of bench/native/main.c."""
    found: dict[str, Any] = json.loads(run(BUILD / f"bench_{kind}", mode, str(amount), environment=environment))
    if found.get("dropped", 0):
        raise BenchError(f"bench_{kind} {mode} dropped {found['dropped']} events: its times mean nothing")
    return found


def times(environments: dict[str, dict[str, str]]) -> dict[str, dict[str, dict[str, float]]]:
    """{kind: {case: {"ns", "clocks", "ns_2_threads"?}}}, the best of all turns, of ours and of the peers."""
    best: dict[str, dict[str, dict[str, float]]] = {kind: {} for kind in ("static", "shared", *environments)}
    for _ in range(TURNS):
        for kind, cases in best.items():
            for name, figures in program(kind, "time", ROUNDS, environments.get(kind))["cases"].items():
                kept = cases.setdefault(name, figures)
                for figure, value in figures.items():
                    kept[figure] = min(kept.get(figure, value), value)
    return best


def instructions(kind: str) -> dict[str, float]:
    """{case: instructions per call of its function, less those of an empty one}."""
    totals = []
    for calls in CALLS:
        file = BUILD / f"callgrind.{kind}"
        run(
            "valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={file}",
            BUILD / f"bench_{kind}", "count", str(calls),
        )  # fmt: skip
        listing = run("callgrind_annotate", "--inclusive=yes", "--threshold=100", "--show-percs=no", file)
        found = re.findall(r"^\s*([\d,]+)\s+\S*:once_(\w+?)(?:'\d+)? ", listing, re.MULTILINE)
        totals.append({name: int(count.replace(",", "")) for count, name in found})
    few, many = totals
    per_call = {name: (many[name] - few[name]) / (CALLS[1] - CALLS[0]) for name in many}
    return {name: count - per_call["empty"] for name, count in per_call.items()}


def wire(command: list[str | Path]) -> float:
    """Bytes per span event of what a program sends: its span blocks, headers included."""
    from tests.pysdk.sink import SPAN, Sink

    with Sink() as sink:
        run(*[sink.url if part == "URL" else part for part in command])
        blocks = [(size, head) for batch in sink.heads() for _, size, head in batch.blocks if head.cls == SPAN]
    size, events = sum(size for size, _ in blocks), sum(head.events for _, head in blocks)
    return float(size / events)


def measure(crates: dict[str, str]) -> Cases:
    """Every case of the native suite, with the peers that build() has found."""
    with native_peers.ready(BUILD) as environments:
        ns = times(environments)
        behind_peers: Cases = {
            f"{kind}_behind": program(kind, "behind", BEHIND_ROUNDS, environments[kind])
            for kind in native_peers.BEHIND
            if kind in environments
        }
    counts = {kind: instructions(kind) for kind in ("static", "shared")}
    static, shared = ns["static"], ns["shared"]
    clock, loop = static["clock"]["ns"], static["empty"]["ns"]
    two_clocks = static["clock"]["ns_2_threads"]
    cases: Cases = {"clock": {"ns_per_event": clock, "ns_2_threads": two_clocks}}
    for name in EVENTS:
        clocks = static[name]["clocks"]
        cases[name] = case = {
            "ns_per_event": static[name]["ns"],
            "clock_ns": clock,
            "clocks": clocks,
            "ratio": static[name]["ns"] / (clocks * clock),
            "of_inline": (shared[name]["ns"] / shared["clock"]["ns"]) / (static[name]["ns"] / clock),
        }
        if name in counts["static"]:
            case["instructions_per_event"] = counts["static"][name]
            case["instructions_shared"] = counts["shared"][name]
        if "ns_2_threads" in static[name]:
            case["ns_2_threads"] = static[name]["ns_2_threads"]
            # each against the clock read of as many threads, where that costs more with two of them
            case["of_one_thread"] = (static[name]["ns_2_threads"] / static[name]["ns"]) / max(two_clocks / clock, 1.0)
    cases["phase"]["of_span"] = static["phase"]["ns"] / static["span"]["ns"]
    for name in CLOCKLESS:
        cases[name] = {"ns_per_event": static[name]["ns"] - loop, "clock_ns": clock}
        if name in counts["static"]:
            cases[name]["instructions_per_event"] = counts["static"][name]
    cases["compiled_out"] = {"instructions_per_event": counts["static"]["compiled_out"]}
    cases["work_span"] = {
        "ns_above_clock": static["work_span"]["ns"] - static["work_clocks"]["ns"],
        "ns_per_event": static["work_span"]["ns"],
        "ns_of_the_work": static["work_clocks"]["ns"] - static["two_clocks"]["ns"],
    }
    cases["span_begin"] = {}
    cases["span_end"] = {}
    for kind, name in (("static", "instructions_inline"), ("shared", "instructions_shared")):
        cases["span_begin"][name] = counts[kind]["span_begin"]
        cases["span_end"][name] = counts[kind]["span_end"]
    behind = program("static", "collector", BEHIND_ROUNDS)
    stages = {f"ns_{stage}": behind[f"{stage}_ns"] for stage in STAGES}
    cases["collector"] = {
        "ns_per_event": sum(stages.values()),
        **stages,
        "bytes_raw": behind["raw_bytes"],
        "bytes_per_event": behind["wire_bytes"],
    }
    for peer in native_peers.PEERS:
        if peer.program in ns:
            cases[peer.case] = native_peers.compare(peer, ns[peer.program], ns[peer.linked])
    # the collector may have begun to read while they were counted: the least of a few programs is without it
    runs = [program("static", "memory", THREADS) for _ in range(TURNS)]
    memory = min(runs, key=lambda run: float(run["recorded"]))
    cases["idle_thread_never_recorded"] = {"bytes": memory["never"]}
    cases["idle_thread_recorded_spans"] = {
        "bytes": memory["recorded"],
        "bytes_of_the_collector": memory["collector"],
    }
    return cases | behind_peers | code.cases(crates) | games()


def games() -> Cases:
    """What real programs send."""
    cpp = RESULTS / "cpp"
    run("cmake", "-S", ROOT / "cpp_sdk", "-B", cpp, *(["-G", "Ninja"] if shutil.which("ninja") else []))
    run("cmake", "--build", cpp, "--target", "simulation")
    simulation = cpp / "examples" / "simulation" / "simulation"
    cases = {"simulation": {"bytes_per_event": wire([simulation, "--seconds", "5", "--url", "URL"])}}
    if (ROOT / "build" / "doom" / "instrumented").exists():
        doom = ROOT / "cpp_sdk" / "examples" / "doom" / "doom.sh"
        cases["doom"] = {"bytes_per_event": wire(["sh", doom, "--url", "URL"])}
    return cases


def main() -> int:
    """Builds, measures, writes, judges."""
    about = machine()
    return finish("native", measure(build()), about)


if __name__ == "__main__":
    sys.exit(main())
