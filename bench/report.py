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

SUITES = ("native", "around", "python", "server")
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
    "ns_zstd": "zstd-1, in the sender",
    "ns_batch": "the batch's bytes, in the sender",
    "ns_per_event": "all",
}
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
- Absolute nanoseconds are judged only where the clock leaves room for them; `clock too slow` says where it does not.
- `around` is what tachy costs around its events, with default settings and the SDK's sender: in threads (their first
  event, a short life, resident memory with the session file's), behind them (CPU time of the collector per span; idle,
  per second), in bursts and in a loop that does nothing but record (what is lost, as a count or a share), in the
  slowest of a thousand events (`tail_*`: one every 10 us, each beside two bare readings of the clock, which are
  `of_none`), and in a program's start and end. `above_none` is above the same program without tachy, `above_empty`
  above an empty one.
- In the server suite everything shares one machine's cores and disk, client included. `of_raw_writes` divides by
  fsynced writes of one batch each, `of_ready` by Flight that sends batches which lie ready in memory. To be
  `behind target` breaks nothing.
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


def peer_table(suite: str, cases: dict[str, dict[str, float]]) -> str:
    """Those that ran beside ours, each with our case that does the same; empty when none did."""
    known = {peer.case: (peer.ours, peer.when_full) for peer in native_peers.PEERS} | {
        name: (ours, when_full) for name, (_, _, ours, when_full) in peers.PEERS.items()
    }
    rows = []
    for name, (ours, when_full) in known.items():
        theirs = cases.get(name)
        if theirs is None or ours not in cases:
            continue
        one = [number(theirs.get("ns_per_event")), number(cases[ours].get("ns_per_event"))]
        two = [number(theirs.get("ns_2_threads")), number(cases[ours].get("ns_2_threads"))]
        rows.append([name, ours, *one, *(two if suite == "native" else []), number(theirs["of_tachy"]), when_full])
    if not rows:
        return ""
    heads = ["peer", "our case", "ns", "ours"]
    heads += ["ns, 2 threads", "ours, 2 threads"] if suite == "native" else []
    heads += ["times ours", "when it is full"]
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
