"""What the macros of the Unreal plugin cost in a modular build, beside the recorder's own calls in the same module.

    python -m bench.unreal            # build/bench/unreal.json; exit 1 when a budget is broken

The game of tests/unreal on the shim of the engine. `of_native` is the macro's time by that of
the recorder's C call, both through the modules' exports, in one run whose samples take turns. A sink takes what is
recorded.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.budgets import Cases, finish, machine

NATIVE = {
    "span": "native_span",
    "span_conditional": "native_span",
    "span_name": "native_span",
    "span_name_text": "native_span",
    "span_with_value": "native_span",
    "metric_int": "native_metric_int",
    "metric_float": "native_metric_float",
    "log_ansi": "native_log",
    "log_text": "native_log",
}
RUNS = 5


def measure() -> dict[str, float]:
    """Nanoseconds per event of each case, the best of several processes."""
    from tests.pysdk.sink import Sink
    from tests.unreal.plugin import build, play

    game = build(508, "editor")
    best: dict[str, float] = {}
    with Sink() as sink, tempfile.TemporaryDirectory() as folder:
        for _ in range(RUNS):
            said = play(game, "Bench", sink.url, Path(folder), "-Tachy").said
            for name, ns in said.items():
                if name != "process_id":
                    best[name] = min(best.get(name, float("inf")), ns)
    return best


def main() -> int:
    """Measures, writes, judges."""
    about = machine()
    found = measure()
    cases: Cases = {name: {"ns_per_event": ns} for name, ns in found.items()}
    for name, native in NATIVE.items():
        cases[name]["of_native"] = found[name] / found[native]
    return finish("unreal", cases, about)


if __name__ == "__main__":
    sys.exit(main())
