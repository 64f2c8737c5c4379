"""docs/benchmarks.md from the last results in build/bench.

python -m bench.report
"""

from __future__ import annotations

import json
import sys
import textwrap
from typing import Any

from bench import native_peers, peers
from bench.budgets import RESULTS, ROOT

SUITES = ("native", "around", "python", "unreal", "server", "shape", "lake")
FIGURES = {
    "native": (
        "ns_per_event", "clock_ns", "ratio", "ns_2_threads", "of_inline", "bytes_per_event",
    ),
    "python": ("ns_per_event",),
}  # fmt: skip
STAGES = {
    "ns_columns": "reading the chunks, columns, delta",
    "ns_blocks": "blocks: tables, assembly, checksum, outbox",
    "ns_file": "the session file: commits",
    "ns_zstd": "zstd-1, by the collector for the sender",
    "ns_batch": "the batch's bytes, in the sender",
    "ns_per_event": "all",
}
BEHIND = (  # part of a pair of figures, figure, what it is
    (0, "ns_behind", "CPU time of other threads, ns per span"),
    (0, "bytes_per_event", "bytes per span, sent (Perfetto: kept)"),
    (0, "started_mb", "resident memory of a started program, MB"),
    (1, "bytes_with_exceptions", "code of a span, C++, bytes"),
    (1, "bytes_without", "the same without exceptions"),
    (1, "bytes_c", "code of a span, C, bytes"),
)
FULL = "When full, tachy drops the event, counts it, and says in the data where."
INTRO = """# Benchmarks

Written by `make bench` (`python -m bench.report`) from build/bench/*.json; the budgets are those of bench/budgets.toml.

## How to read it
- **The clock is the floor.** An event reads it once, a span twice (begin and end), and that is nearly all of the time.
  `ratio` is the event's time divided by that of its readings, both measured in the same loop; compare that across
  machines, not nanoseconds.
- A figure is the best of many short samples, each case taking its turn in every round: other work on the machine makes
  the run longer, not the figure worse. Samples are shorter than the pool, which is emptied in between, so what
  happens behind an event is not in it but in `collector`: CPU time per span, also stage by stage.
- `of_one_thread`: two threads at once against one. `of_inline`: linked to libtachy.so, whose thread pointer and slow
  paths are in the library, against the static recorder; each over its own clock read.
- Instructions are counted by callgrind, for the event alone, and are the same in every run. A span is a begin and an
  end: `span_begin` and `span_end` count one each, `span` both.
- `disabled_*` is what is left of an event that its level has switched off, less the loop around it; so is `span_value`,
  a number on an open span. `work_span` is a span around work that keeps the core's issue slots busy, above the same
  work between two bare clock reads.
- A peer's program takes turns with ours, its cases in the same windows. `tracy` and `tracy_shared` (the client in a
  shared library) have somebody connected who takes all that they send, `tracy_nobody` has nobody and keeps 64 bytes a
  span, `tracy_on_demand` is built to record only when somebody is; `_c_` is the C macro. All are without Tracy's
  sampling and system events. Perfetto records in a session of its own process; Micromegas's blocks are thrown away when
  they are full. What tachy records costs the same whether anybody listens or not. Within 5 % is a tie.
  `tracy_work_span` is above the work too; `*_on_demand` and `*_off` stand beside our events that are switched off.
- An Intel Xeon of 2.3 GHz hides nothing behind its clock (HACKING.md, 2026-11-28): there a span takes 1.16 to 1.19
  times its readings, logs of numbers, metrics and frames 1.15 to 1.24, texts 1.36 to 1.72, and `work_span` is 3.2 ns
  (Tracy's 4.7 to 6.7). The figures of `native` below are an AMD EPYC's.
- Absolute nanoseconds are judged only where the clock leaves room for them; `clock too slow` says where it does not.
- `around` is what tachy costs around its events, with default settings and the SDK's sender: in threads (their first
  event, a short life, resident memory with the session file's), behind them (CPU time of the collector per span,
  without compression; idle, per second, after a program's first minute, in it, and of a thread that only wakes once a
  second; of spans that no trigger wanted, once the pool has filled, for until then its memory is made: 4 to 8 ns), in
  bursts and in a loop that does nothing but record (what is lost, as a count or a share), in the slowest of a thousand
  events (`tail_*`: one every 10 us, median of three runs, each beside two bare readings of the clock, which are
  `of_none`), and in a program's start and end. `above_none` is above the same program without tachy, `above_empty`
  above an empty one. Unlike an event's own time, these are worse on a machine that has other work: see the load.
- In the server suite everything shares one machine's cores and disk, client included. `of_raw_writes` divides by
  fsynced writes of one batch each, `of_ready` by Flight that sends batches which lie ready in memory. To be
  `behind target` breaks nothing.
- `processes_100` is a page of 100 of 100,000 processes, any and the newest, `count_blocks` how many rows `blocks` has,
  of 1.5 million; `join_orders` 10 million spans joined with processes, written both ways, `in_subquery` those of two
  processes by name, beside the same by their ids.
- `keys_ingest` (small batches, 32 connections) and `keys_select_1` divide a server with keys by one without, turn by
  turn; `door_us` is what of it the door takes by itself.
- `visible_*` is a log's way from its call to a query that finds it: flushed, or an error, which nobody flushes.
- `merge` makes one block of each class of ten minutes of a small program's (579 events and three blocks in 10 s), CPU
  with decompressing and compressing; `merge_busy` is the merging alone, of blocks of 20,000 spans.
- `small_blocks`, `chart`, `fleet_minute`, `span_sums` and `trace_of_blocks` run on the server's engine out of memory:
  CPU without PostgreSQL, the store and the wire.
- `shape` is a thousand small programs, 57,900 events a second in all, for ten minutes; `one_busy_process` one with
  100,000 a second. Per event: objects written, bytes as they came and after merging, bytes of PostgreSQL and of its
  log, CPU of all server processes and PostgreSQL. Rows of processes and their streams, some 5 KB each, weigh on runs
  as short as this one.
- `lake`: what a lake costs to keep, and what questions to a large one take. `stored` to `bill` are ten minutes of
  those thousand programs, written as ingest writes it, and what maintenance makes of it until the next day is over,
  by the benchmark's clock: objects and bytes that were written are all of them, those of materialized views too;
  `with_parquet` is with files of all logs and metrics, `bill` is `tachy cost` for these figures, 57,700 events a
  second and 90 days. `metric_*`, `last_errors`, `text_of_all` and `log_of_one` are asked 60 times each, always of
  others, of a lake that has 110 million metrics and 50 million logs of 1,100 processes which run for 90 days, after
  maintenance, in blocks too small to be cached (of an hour each, or of a day for logs, but for the last one's): one
  metric of one process over an hour, and by a server whose objects are on S3 (moto, which takes some 5 ms for a
  read); one metric of all processes over five minutes; the last 200 errors of the last hour; a text in an hour's logs
  of all; all 90 days of one process's log. `nothing` is what PostgreSQL takes to find that five seconds after the end
  have no block, `growth` how many times as long the metric of one process takes as in a lake of one day, asked in
  turns. `expiry` is the end of one day's life in that lake. `call_tree` is of a minute with six million spans,
  `span_quantiles` of each of 20 names over a day of `span_stats`.
- Bytes are whole blocks, headers included, as they travel.
"""


def number(value: float | None) -> str:
    """Four digits are more than the noise allows; empty for what was not measured."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---", *["---:" for _ in heads[1:]]], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def section(suite: str, found: dict[str, Any]) -> str:
    """One suite: its machine, its budgets, all its figures."""
    m = found["machine"]
    guest = ", virtual" if m["hypervisor"] else ""
    about = (
        f"{m['cpu']}, {m['cores']} cores{guest}, {m['system']}, {m['compiler']}, Python {m['python']}; load "
        f"{m['load_before']} when the run began."
    )
    judged = [
        [f"{case} {name}", number(budget), number(figure), verdict]
        for case, name, budget, figure, verdict in found["verdicts"]
    ]
    out = f"\n## {suite.capitalize()}\n{textwrap.fill(about, 120)}\n\n" + table(
        ["budget", "limit", "figure", "verdict"], judged
    )
    cases: dict[str, dict[str, float]] = found["cases"]
    heads = FIGURES.get(suite)
    if heads:
        shown = [
            [case, *[number(figures.get(head)) for head in heads]]
            for case, figures in cases.items()
            if heads[0] in figures and "of_tachy" not in figures
        ]
        return (
            out
            + "\n"
            + table(["case", *heads], shown)
            + instruction_table(cases)
            + stage_table(cases)
            + peer_table(suite, cases)
            + behind_table(suite, cases)
        )
    rows = [[f"{case} {name}", number(value)] for case, figures in cases.items() for name, value in figures.items()]
    return out + "\n" + table(["figure", "value"], rows)


def stage_table(cases: dict[str, dict[str, float]]) -> str:
    """What the collector and the sender spend on a span."""
    behind = cases.get("collector")
    if behind is None:
        return ""
    rows = [[what, number(behind.get(name))] for name, what in STAGES.items()]
    return "\nBehind a span, in CPU time of other threads:\n\n" + table(["stage", "ns per span"], rows)


def behind_table(suite: str, cases: dict[str, dict[str, float]]) -> str:
    """What is not in an event's own time: ours beside the peers that measure it; empty when none did."""
    measured = {name: cases[f"{name}_behind"] for name in native_peers.BEHIND if f"{name}_behind" in cases}
    if suite != "native" or not measured:
        return ""
    ours = {
        "ns_behind": cases["collector"]["ns_per_event"],
        "bytes_per_event": cases["collector"]["bytes_per_event"],
    }
    around = RESULTS / "around.json"
    if around.exists():
        ours["started_mb"] = json.loads(around.read_text())["cases"]["started_program"]["mb"]
    everyone = {"tachy": (ours, cases["code_of_a_span"])} | {
        name: (figures, cases.get(f"code_of_a_{name}_span", {})) for name, figures in measured.items()
    }
    rows = [[what, *[number(pair[part].get(figure)) for pair in everyone.values()]] for part, figure, what in BEHIND]
    return "\nThe same frames of 41 spans, and what else a peer costs:\n\n" + table(["what", *everyone], rows)


def faster(ratio: float) -> str:
    """Of a peer's time over ours."""
    return "tie" if 0.95 <= ratio <= 1.05 else "tachy" if ratio > 1 else "peer"


def peer_table(suite: str, cases: dict[str, dict[str, float]]) -> str:
    """Those that ran beside ours, each with our case that does the same; empty when none did."""
    known = {
        peer.case: (peer.ours + (", shared" if peer.linked == "shared" else ""), peer.ours, peer.when_full)
        for peer in native_peers.PEERS
    } | {name: (ours, ours, when_full) for name, (_, _, ours, when_full) in peers.PEERS.items()}
    rows = []
    for name, (label, ours, when_full) in known.items():
        theirs = cases.get(name)
        if theirs is None or ours not in cases:
            continue
        both = [number(theirs["ns_per_event"]), number(theirs.get("ours_ns_per_event", cases[ours]["ns_per_event"]))]
        if suite == "native":
            both += [number(theirs.get("ns_2_threads")), number(theirs.get("ours_ns_2_threads"))]
        rows.append([name, label, *both, number(theirs["of_tachy"]), faster(theirs["of_tachy"]), when_full])
    if not rows:
        return ""
    heads = ["peer", "our case", "ns", "ours"]
    heads += ["ns, 2 threads", "ours, 2 threads"] if suite == "native" else []
    heads += ["times ours", "faster", "when it is full, or nobody reads"]
    return f"\nPeers, in the same run. {FULL}\n\n" + table(heads, rows)


def instruction_table(cases: dict[str, dict[str, float]]) -> str:
    """What callgrind counts for each event, compiled into the program and linked to libtachy.so."""
    rows = []
    for case, figures in cases.items():
        inline = figures.get("instructions_inline", figures.get("instructions_per_event"))
        if inline is not None and "instructions_shared" in figures:
            rows.append([case, number(inline), number(figures["instructions_shared"])])
    return "\n" + table(["instructions", "inline", "shared library"], rows) if rows else ""


def kept(suite: str, page: str) -> str:
    """The section of a suite in a page that has been written before; empty when there is none."""
    head = f"\n## {suite.capitalize()}\n"
    _, found, rest = page.partition(head)
    return head + rest.partition("\n## ")[0].rstrip("\n") + "\n" if found else ""


def main() -> int:
    """Writes the page; suites without results keep the section that they have. 1 when nothing has been measured."""
    path = ROOT / "docs" / "benchmarks.md"
    before = path.read_text() if path.exists() else ""
    results = {suite: RESULTS / f"{suite}.json" for suite in SUITES}
    if not any(file.exists() for file in results.values()):
        print("nothing has been measured yet: make bench", file=sys.stderr)
        return 1
    sections = [
        section(suite, json.loads(file.read_text())) if file.exists() else kept(suite, before)
        for suite, file in results.items()
    ]
    path.write_text(INTRO + "".join(sections))
    return 0


if __name__ == "__main__":
    sys.exit(main())
