"""Figures against bench/budgets.toml, and the JSON that each suite writes."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "bench"
ROOM = 1.025  # above the clock's own readings, which an absolute budget must leave to mean anything

Cases = dict[str, dict[str, float]]  # case: figure: value


class BenchError(Exception):
    """A program of the benchmark did not do its work; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One budget and what was measured. `figure` None: the case could not run here."""

    case: str
    name: str
    budget: float
    figure: float | None
    verdict: str  # "ok", "BROKEN", "behind target", "clock too slow", "not run"


def budgets(table: str) -> Cases:
    """The budgets of a suite, or its targets (SUITE_targets); empty when there are none."""
    with (ROOT / "bench" / "budgets.toml").open("rb") as file:
        return dict(tomllib.load(file).get(table, {}))


def judge(wanted: Cases, cases: Cases, beyond: str = "BROKEN") -> list[Verdict]:
    """A verdict per budget. Names that begin with `least_` are floors; the others are ceilings."""
    found = []
    for case, limits in wanted.items():
        for name, budget in limits.items():
            figures = cases.get(case, {})
            figure = figures.get(name)
            if figure is None:
                verdict = "not run"
            elif (figure < budget) if name.startswith("least_") else (figure > budget):
                clocks = figures.get("clock_ns", 0.0) * figures.get("clocks", 0.0)
                verdict = "clock too slow" if name == "ns_per_event" and clocks * ROOM > budget else beyond
            else:
                verdict = "ok"
            found.append(Verdict(case, name, budget, figure, verdict))
    return found


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else platform.machine()
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False).stdout.partition("\n")[
        0
    ]
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "hypervisor": cpuinfo.exists() and " hypervisor" in cpuinfo.read_text(),
        "compiler": compiler,
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def finish(suite: str, cases: Cases, about: dict[str, Any]) -> int:
    """Writes build/bench/SUITE.json and prints the table; 1 when a budget is broken."""
    verdicts = judge(budgets(suite), cases) + judge(budgets(f"{suite}_targets"), cases, "behind target")
    RESULTS.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": about,
        "cases": cases,
        "verdicts": [[v.case, v.name, v.budget, v.figure, v.verdict] for v in verdicts],
    }
    (RESULTS / f"{suite}.json").write_text(json.dumps(content, indent=1) + "\n")
    print(f"{suite + ':':28} {'':24} {'budget':>10} {'figure':>10}")
    for v in verdicts:
        figure = "" if v.figure is None else f"{v.figure:.4g}"
        print(f"{v.case:28} {v.name:24} {v.budget:10.4g} {figure:>10}  {v.verdict}")
    return int(any(v.verdict == "BROKEN" for v in verdicts))
