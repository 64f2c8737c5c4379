"""The notebooks run from top to bottom on the demo's data, and each shows what it promises.

What they showed is left in build/notebooks, as HTML-free notebooks with their outputs.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.serving import Server
from tools.demo import build

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PLOTLY = "application/vnd.plotly.v1+json"
# The types of plotly's traces that each notebook draws, in order.
FIGURES = {
    "1-first-look": [{"scatter"}, {"bar"}],
    "2-hunt-a-hitch": [{"bar"}, {"icicle"}],
    "3-compare-two-runs": [{"bar"}, {"scatter"}],
    "4-metrics-of-a-fleet": [{"scatter"}, {"bar"}, {"heatmap"}],
    "5-a-trace-from-sql": [],
}
SAID = {
    "1-first-look": r"simulation",
    "2-hunt-a-hitch": r"\d+\.\d\d ms(.|\n)*perfetto/#!/viewer",
    "3-compare-two-runs": r"",
    "4-metrics-of-a-fleet": r"draw commands",
    "5-a-trace-from-sql": r"perfetto/#!/viewer(.|\n)*[\d,]{5,} bytes in longest.perfetto-trace",
}
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server that knows what the demo's programs have done."""
    with Server(tmp_path_factory.mktemp("demo") / "data") as server:
        simulation = build(ROOT / "cpp_sdk", "simulation")
        terrain = [sys.executable, str(ROOT / "pysdk/examples/bake_terrain.py"), "--size", "24"]
        for program in ([str(simulation)], terrain):
            subprocess.run([*program, "--seconds", "4", "--url", server.http], check=True, capture_output=True)
        yield server


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_promises(path: Path, demo: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TACHY_URL", demo.http)
    monkeypatch.setenv("TACHY_FLIGHT_URL", demo.flight)
    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    figures = [output.data[PLOTLY] for output in outputs if PLOTLY in output.get("data", {})]
    assert [{trace["type"] for trace in figure["data"]} for figure in figures] == FIGURES[path.stem]
    assert all("no " not in str(figure["layout"].get("annotations", "")) for figure in figures)  # none is empty
    said = "\n".join(output.get("text", "") + "".join(map(str, output.get("data", {}).values())) for output in outputs)
    assert re.search(SAID[path.stem], said)
    assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    shown = ROOT / "build" / "notebooks"
    shown.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, shown / path.name)


def test_notebooks_are_kept_without_outputs() -> None:
    assert [path.stem for path in NOTEBOOKS] == list(FIGURES) == list(SAID)
    for path in NOTEBOOKS:
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
        assert all(cell.outputs == [] and cell.execution_count is None for cell in cells), path.name
