"""The flame of the page in a real browser: 20,000 nodes of which every one is drawn.

python -m bench.page        # prints ms, the best of ten
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.budgets import Cases
from tests.model.encoder import Process
from tests.perfetto.judge import CHROMIUM, chromium
from tests.serving import Server

NODES: Final = 20_000
_ROUNDS: Final = 10
_WIDTH: Final = 1280
# The page's own module, given rows as the server sends them: the time from rows in hand to pixels that can be read.
_PAINT: Final = """async ({nodes, width, rounds}) => {
  const {layout, paint} = await import('/page/flame.js');
  const rows = [], lanes = nodes / 200;
  for (let lane = 0; lane < lanes; lane++) for (let at = 0; at < 200; at++) {
    rows.push({stream_id: `s${lane % 4}`, thread_name: `t${lane % 4}`, depth: Math.floor(lane / 4), spans: 1,
      from: at * 5e6, to: at * 5e6 + 4.9e6, name: `node ${at % 40}`, target: 'bench'});
  }
  const canvas = document.createElement('canvas'), took = [];
  document.body.append(canvas);
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    paint(canvas, layout(rows, 1e9, width), width);
    canvas.getContext('2d').getImageData(0, 0, 1, 1);
    took.push(performance.now() - start);
  }
  return Math.min(...took); }"""


def flame(server: Server) -> Cases:
    """Layout and painting, in ms."""
    from playwright.sync_api import sync_playwright

    process = Process()
    process.thread("main").span("tick", 1_000, 2_000)
    server.post(process.batch(process.blocks())).raise_for_status()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM))
        tab = browser.new_page(viewport={"width": _WIDTH, "height": 900})
        tab.goto(server.http)
        best: float = tab.evaluate(_PAINT, {"nodes": NODES, "width": _WIDTH, "rounds": _ROUNDS})
        browser.close()
    return {"flame_20000": {"ms": best}}


def main() -> int:
    """Prints the figure."""
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder) / "data") as server:
        for name, value in flame(server)["flame_20000"].items():
            print(f"flame of {NODES:,} nodes: {value:.1f} {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
