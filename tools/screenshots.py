"""Takes the pictures of docs/ that a browser shows, from a real run: the page, a notebook, a trace, Grafana's panels.

    python -m tools.screenshots

Three programs record into a server of their own for half a minute; headless Chromium looks at what it knows then. No
two runs are alike, so no test compares these pictures: look at them before you commit them. Grafana itself is not
needed: its panels' queries are asked as a data source asks them, and drawn by tachy.charts.
"""

from __future__ import annotations

import html
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import nbformat
import plotly.graph_objects as go
import plotly.io
import pyarrow as pa
import pyarrow.compute as pc
import tachy
from nbclient import NotebookClient
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from plotly.offline import get_plotlyjs
from tachy import charts
from tachy.client import Connection
from tachy.times import format_time

from tests.grafana.queries import macros_filled_in, variables_filled_in
from tests.perfetto.judge import CHROMIUM, chromium, judge
from tests.serving import Server
from tools.demo import ROOT, build
from tools.grafana import DASHBOARDS, Dashboard, Panel

DOCS: Final = ROOT / "docs"
NOTEBOOK: Final = ROOT / "notebooks" / "2-hunt-a-hitch.ipynb"
SECONDS: Final = 25
_MS: Final = 1_000_000
_PLOTLY: Final = "application/vnd.plotly.v1+json"
_GAME: Final = """
import random, sys, time, tachy
build, seconds, mean = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
tachy.start(properties={"build": build})
end = time.monotonic() + seconds
while time.monotonic() < end:
    with tachy.span("Frame", target="game"):
        time.sleep(random.expovariate(2 / mean) + mean / 2)
        if random.random() < 0.01:
            with tachy.span("LoadTexture", target="streaming"):
                time.sleep(0.05)
            tachy.log("warn", "a texture came late", target="streaming")
        if random.random() < 0.002:
            tachy.log("error", "no path to the goal", target="ai")
    tachy.metric("players", random.randint(1, 8), unit="players")
    tachy.frame()
tachy.stop()
"""
_STYLE: Final = """
body { margin: 0; padding: 12px; background: #fff; color: #1d2127; font: 13px/1.45 system-ui, sans-serif; }
.board { display: grid; grid-template-columns: repeat(24, 1fr); gap: 8px; }
.panel { border: 1px solid #d9dce1; border-radius: 4px; padding: 6px 8px; overflow: hidden; }
h2 { font-size: 13px; margin: 0 0 4px; } h1 { font-size: 20px; margin: 8px 0; }
.stat { font-size: 30px; text-align: center; color: #0062a3; }
table { border: 0; border-collapse: collapse; white-space: nowrap; font-size: 12px; }
th, td { border: 0; border-bottom: 1px solid #e4e7eb; padding: 2px 10px 2px 0; text-align: left; }
pre { background: #f4f5f7; padding: 8px; margin: 6px 0; font: 12px/1.45 ui-monospace, monospace; }
pre { white-space: pre-wrap; }
.shown { margin: 0 0 10px 12px; }
"""


def _play(server: Server) -> None:
    """A simulation, and two builds of a game, the second of which is slower."""
    simulation = [str(build(ROOT / "cpp_sdk", "simulation")), "--seconds", str(SECONDS), "--url", server.http]
    games = [[sys.executable, "-c", _GAME, *given] for given in (("41", "18", ".012"), ("42", "20", ".016"))]
    env = {**os.environ, "TACHY_URL": server.http}
    running = [subprocess.Popen(one, env=env, stdout=subprocess.DEVNULL) for one in (simulation, *games)]
    if sum(one.wait() for one in running):
        sys.exit("a program failed")


def _frame_of_longest_job(lake: Connection, process: str) -> tuple[int, int]:
    """The frame that waited for it: its end, UTC ns, and its length."""
    of = f"process_id = '{process}' AND name ="
    jobs = f"SELECT \"end\" FROM thread_spans WHERE {of} 'Job' ORDER BY duration DESC LIMIT 1"
    frames = (
        f"SELECT CAST(time AS BIGINT) AS at, CAST(value * 1e9 AS BIGINT) AS length FROM measures WHERE {of} 'frame'"
    )
    found = lake.query(f"{frames} AND time >= ({jobs}) ORDER BY time LIMIT 1").to_pylist()[0]
    return found["at"], found["length"]


def _page(browser: Browser, server: Server, process: str, frame: tuple[int, int]) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 880})
    state = f"frame={format_time(frame[0])}&ms={frame[1] / _MS}"
    page.goto(f"{server.http}/#/process/{process}/frames?{state}")
    page.locator(".flame canvas").wait_for()
    page.locator("[data-chart=frames] .scatterlayer .points path").first.wait_for()
    _save("page", page.screenshot())
    page.close()


def _save(name: str, png: bytes) -> None:
    """With a palette: a third of the bytes."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(DOCS / f"{name}.png", optimize=True)


def _shot(browser: Browser, name: str, parts: Iterator[str]) -> None:
    """Markup with plotly's figures in it, as a picture."""
    page: Page = browser.new_page(viewport={"width": 1200, "height": 400})
    page.set_content(f"<!doctype html><style>{_STYLE}</style><script>{get_plotlyjs()}</script>{''.join(parts)}")
    _save(name, page.screenshot(full_page=True))
    page.close()


def _figure(figure: go.Figure) -> str:
    text: str = plotly.io.to_html(figure, include_plotlyjs=False, full_html=False, config={"displayModeBar": False})
    return text


def _board(board: Dashboard, lake: Connection, values: dict[str, str | list[str]]) -> Iterator[str]:
    """A dashboard of Grafana: each panel in its place, asked for the last minute."""
    end = datetime.now(UTC)
    begin = end - timedelta(minutes=1)
    yield f"<h1>{board.title}</h1><div class=board>"
    for panel in board.panels:
        asked = variables_filled_in(panel.sql, values, begin, end)
        rows = lake.query(macros_filled_in(asked, begin, end, timedelta(seconds=1)))
        size = f"grid-column: span {panel.width}; height: {panel.height * 34}px"
        yield f'<div class=panel style="{size}"><h2>{html.escape(panel.title)}</h2>{_panel(panel, rows)}</div>'
    yield "</div>"


def _panel(panel: Panel, rows: pa.Table) -> str:
    if panel.kind == "stat":
        (value,) = rows.to_pylist()[0].values()
        return f"<div class=stat>{value:{'.2%' if panel.unit == 'percentunit' else ',g'}}</div>"
    if panel.kind == "series":
        figure = charts.metrics(_long(rows, "" if panel.unit == "short" else panel.unit))
        if not panel.lines:
            bars = [go.Bar(x=line.x, y=line.y, name=line.name) for line in figure.data]
            figure = go.Figure(bars, figure.layout).update_layout(barmode="stack")
        return _figure(figure.update_layout(height=panel.height * 34 - 30, margin={"l": 40, "r": 8, "t": 24, "b": 24}))
    shown = [_shortened(rows.slice(0, 40).column(name), name) for name in rows.schema.names]
    table = pa.table(shown, rows.schema.names).to_pandas()
    return str(table.to_html(index=False, border=0, float_format="{:.4g}".format))


def _shortened(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Times to the millisecond, programs without their folders."""
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("ms"), safe=False)
    return pc.replace_substring_regex(column, "^.*/", "") if name == "exe" else column


def _long(rows: pa.Table, unit: str) -> pa.Table:
    """A series' rows as charts.metrics takes them: a name of labels and column, for each number."""
    labels = [rows.column(name) for name in rows.schema.names if pa.types.is_string(rows.schema.field(name).type)]
    numbers = [field.name for field in rows.schema if field.type in (pa.int64(), pa.float64())]
    tables = []
    for name in numbers:
        named = pc.binary_join_element_wise(*labels, pa.array([name] * rows.num_rows, pa.utf8()), " ")
        columns = {"time": rows.column("time"), "name": named, "value": rows.column(name).cast(pa.float64())}
        tables.append(pa.table({**columns, "unit": pa.array([unit] * rows.num_rows, pa.utf8())}))
    return pa.concat_tables(tables)


def _executed(server: Server) -> Any:
    """The notebook, with its outputs."""
    os.environ |= {"TACHY_URL": server.http, "TACHY_FLIGHT_URL": server.flight}
    book: Any = nbformat.reads(NOTEBOOK.read_text(), as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    return book


def _notebook(book: Any) -> Iterator[str]:
    """A notebook as a person sees it: what was typed, and below it what it showed."""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            title, _, text = cell.source.partition("\n")
            head = f"<h1>{html.escape(title[2:])}</h1>" if title.startswith("# ") else f"<p>{html.escape(title)}</p>"
            yield head + f"<p>{html.escape(text)}</p>"
            continue
        yield f"<pre>{html.escape(cell.source)}</pre>"
        for output in cell.outputs:
            data = output.get("data", {})
            if _PLOTLY in data:
                shown = _figure(go.Figure(data[_PLOTLY]))
            else:
                shown = data.get("text/html") or f"<pre>{html.escape(output.get('text') or data['text/plain'])}</pre>"
            yield f"<div class=shown>{shown}</div>"


def main() -> None:
    """Runs the programs and takes all pictures."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        _play(server)
        with tachy.connect(server.flight, url=server.http) as lake:
            found = lake.query("SELECT process_id, exe, properties FROM processes").to_pylist()
            simulation = next(one["process_id"] for one in found if one["exe"].endswith("simulation"))
            game = next(one for one in found if '"42"' in one["properties"])
            frame = _frame_of_longest_job(lake, simulation)
            values = {
                "process": game["process_id"],
                "exe": sorted({one["exe"] for one in found}),
                "text": "",
                "page": "",
            }
            boards = {board.name: list(_board(board, lake, values)) for board in DASHBOARDS}
        book = _executed(server)
        trace = server.client.get(f"/api/processes/{simulation}/trace").content
        with sync_playwright() as started:
            browser = started.chromium.launch(executable_path=chromium(), args=list(CHROMIUM))
            _page(browser, server, simulation, frame)
            _shot(browser, "notebook", _notebook(book))
            for name, parts in boards.items():
                _shot(browser, f"grafana-{name}", iter(parts))
            browser.close()
        picture = Path(folder) / "trace.png"
        judge(trace, png=picture, visible=(frame[0] - 2 * frame[1], frame[0] + frame[1]), size=(1280, 880))
        _save("trace", picture.read_bytes())


if __name__ == "__main__":
    main()
