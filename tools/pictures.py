"""Draws the pictures of docs/ from docs/figures.json, the same bytes for the same figures.

make pictures                       # python -m tools.pictures
python -m tools.pictures measure    # first runs what the figures are of, on this machine: a quarter of an hour
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any, Final

from tachy_server.base import prices
from tachy_server.http import bill

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
FIGURES: Final = DOCS / "figures.json"
SECONDS: Final = 10
RATE: Final = 57_700.0
DAYS: Final = 90.0
_MONTH: Final = 365.25 / 12 * 86_400
_PUBLISHED: Final = {"storage, PostgreSQL, machines": 1000.0, "writes, missing from that bill": 197.0}
"""Micromegas, in production: 449 billion events of 90 days, 8.5 TB, 118 million objects."""
_INK: Final = "#707070"  # is read on a light ground and on a dark one
_THEIRS: Final = ("#8c8c8c", "#c0c0c0", "#6b6b6b")
_COLOURS: Final = ("#4c78a8", "#72b7b2", "#54a24b", "#eeca3b", "#f58518", "#b279a2")


def measure() -> dict[str, Any]:
    """What the pictures show: a simulated game at 60 frames a second, and a thousand programs in a lake."""
    from bench import lake_day
    from tests.serving import Server
    from tools.demo import ROOT, build

    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        with Server(Path(folder) / "data") as server:
            program = [str(build(ROOT / "cpp_sdk", "simulation")), "--seconds", str(SECONDS), "--url", server.http]
            subprocess.run([*program, "--report", str(report)], check=True, stdout=subprocess.DEVNULL)
        recorded = json.loads(report.read_text())["recorded"]
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "events_per_second": {name: recorded[name] / SECONDS for name in ("log", "metric", "span")},
        "lake": {
            case: {name: float(f"{value:.4g}") for name, value in of_case.items()}
            for case, of_case in lake_day.cases(lake_day.SECONDS).items()
        },
    }


def draw(figures: dict[str, Any], folder: Path) -> None:
    """Writes events.svg, cost.svg and peers.svg."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "tachy", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
    for name in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"):
        mpl.rcParams[name] = _INK
    _events(figures["events_per_second"], folder / "events.svg")
    _cost(figures["lake"], folder / "cost.svg")
    _peers(figures["lake"], folder / "peers.svg")


def _events(rates: dict[str, float], path: Path) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 1.8))
    bars = axes.barh([f"{name}s" for name in rates], list(rates.values()), color=_COLOURS[: len(rates)])
    axes.bar_label(bars, [f" {rate:,.0f}" for rate in rates.values()])
    axes.set_xscale("log")
    axes.set_xlim(1, 10 * max(rates.values()))
    axes.set_xlabel("events a second, of one simulated game at 60 frames a second")
    _save(figure, path)


def cost(measured: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The bill of Micromegas's published size, by what an event took in the measured lake."""
    lake = bill.Lake(RATE, DAYS, measured["stored"]["bytes_per_event"], measured["postgres"]["bytes_per_event"])
    return bill.bill(lake, prices.read(""))


def _cost(measured: dict[str, dict[str, float]], path: Path) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 2.6))
    ours = {item["item"]: item["dollars"] for item in cost(measured)["items"]}
    for row, (parts, colours) in enumerate(((ours, _COLOURS), (_PUBLISHED, _THEIRS))):
        left = 0.0
        for colour, (name, dollars) in zip(colours, parts.items(), strict=False):
            axes.barh([row], [dollars], left=left, color=colour, label=name)
            left += dollars
        axes.text(left, row, f" ${left:,.0f}", va="center")
    axes.set_xlim(0, 1.15 * sum(_PUBLISHED.values()))
    axes.set_yticks([0, 1], ["tachy", "Micromegas,\nas published"])
    axes.invert_yaxis()
    axes.set_xlabel("dollars a month: 449 billion events, kept for 90 days")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), frameon=False, fontsize=8)
    _save(figure, path)


def peers(measured: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """What a month of the same events costs elsewhere, by what is charged for; queries are in none of it."""
    listed = tomllib.loads((DOCS / "list_prices.toml").read_text())
    row, timestream, influxdb = listed["event"]["bytes"], listed["timestream"], listed["influxdb"]
    kept, came = (RATE * seconds * row for seconds in (DAYS * 86_400, _MONTH))
    return {
        "tachy: all of it": {"store, database, servers": cost(measured)["dollars"]},
        "Amazon S3 alone, rows as they are": {"storage": kept / 1e9 * prices.read("").gigabyte_month},
        timestream["name"]: {
            "writes": came / 1024 / 1e6 * timestream["million_writes_of_1_kb"],
            "an hour in memory": RATE * 3600 * row / 1e9 * _MONTH / 3600 * timestream["memory_gigabyte_hour"],
            "storage": kept / 1e9 * timestream["magnetic_gigabyte_month"],
        },
        influxdb["name"]: {"data in": came / 1e6 * influxdb["megabyte_in"]},
    }


def _peers(measured: dict[str, dict[str, float]], path: Path) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.6, 2.4))
    bills = peers(measured)
    for row, (name, items) in enumerate(bills.items()):
        left = 0.0
        for colour, dollars in zip(_COLOURS if name.startswith("tachy") else _THEIRS, items.values(), strict=False):
            axes.barh([row], [dollars], left=left, color=colour)
            left += dollars
        axes.text(left, row, f" ${left:,.0f}: {', '.join(items)}", va="center", fontsize=9)
    axes.set_yticks(range(len(bills)), [name.replace(": ", ":\n").replace(", ", ",\n") for name in bills])
    axes.set_xlim(0, 1.2 * max(sum(items.values()) for items in bills.values()))
    axes.invert_yaxis()
    axes.set_xlabel("dollars a month: 449 billion events, kept for 90 days, without queries")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.axes[0].spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Measures where it is told to, and draws."""
    if sys.argv[1:] == ["measure"]:
        FIGURES.write_text(json.dumps(measure(), indent=2) + "\n")
    draw(json.loads(FIGURES.read_text()), DOCS)


if __name__ == "__main__":
    main()
