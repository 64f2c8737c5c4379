"""A lake made by programs, and a browser in front of it, in which nothing may go wrong unnoticed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.perfetto.judge import CHROMIUM, chromium
from tests.pysdk.programs import run
from tests.serving import Server

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")

HOSTILE = "<img src=x onerror=document.title='owned'>"
SHOTS = Path(__file__).resolve().parents[2] / "build" / "page"
PATIENCE = 30_000  # ms that an element may take to appear, or a text to become what it should: the machine may be busy

# Two hundred frames of a few ms; the 150th takes 120 ms, of which it says what it did. All names are hostile ones, too.
GAME = """
    import time, tachy
    hostile = {hostile!r}
    tachy.start(properties={{"build": "page 7", hostile: hostile}})
    tachy.set_thread_name("main")
    for frame in range(200):
        with tachy.span("tick", target="game"):
            with tachy.span("physics", target="game"):
                time.sleep(0.001)
            if frame == 150:
                with tachy.span("load " + hostile, target="disk", file=hostile):
                    tachy.log("warn", "loading takes long " + hostile, target="disk")
                    time.sleep(0.12)
        tachy.metric("speed", frame / 2, unit="m/s", properties={{"team": hostile}})
        tachy.metric("heat " + hostile, frame, unit="C")
        tachy.log("info", "frame %d" % frame, target="game")
        tachy.frame()
    tachy.log("error", "the last words " + hostile, target=hostile)
    tachy.stop()
"""


@dataclass
class Game:
    """A program that has run, and the server that knows it."""

    url: str
    process_id: str


@pytest.fixture(scope="session")
def game(server: Server) -> Game:
    run(textwrap.dedent(GAME).format(hostile=HOSTILE), server.http)
    sql = "SELECT process_id FROM processes WHERE property_get(properties, 'build') = 'page 7'"
    (row,) = httpx.post(f"{server.http}/api/query", json={"sql": sql}).json()["rows"]
    return Game(server.http, row[0])


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Not for the whole session: while playwright lives, its event loop runs in this thread, and nobody else's can."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM))
        yield running
        running.close()


@dataclass
class Visitor:
    """Somebody in front of the browser. `tab` is playwright's page; what went wrong in it is in `troubles`."""

    context: Any
    url: str
    troubles: list[str] = field(default_factory=list)
    tab: Any = None

    def open(self, hash_: str = "") -> Any:
        """A new tab with this part of the page."""
        self.tab = self.context.new_page()
        self.watch(self.tab)
        self.tab.goto(f"{self.url}/{hash_}")
        return self.tab

    def watch(self, tab: Any) -> None:
        tab.set_default_timeout(PATIENCE)
        tab.on("console", lambda said: self.troubles.append(said.text) if said.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: self.troubles.append(str(error)))
        tab.on("dialog", lambda dialog: self.troubles.append(f"a dialog: {dialog.message}"))

        def asked(request: Any) -> None:
            if not request.url.startswith((self.url, "data:", "blob:")):
                self.troubles.append(f"asked {request.url}")

        tab.on("request", asked)

    def shot(self, name: str) -> bytes:
        SHOTS.mkdir(parents=True, exist_ok=True)
        taken: bytes = self.tab.screenshot(path=SHOTS / f"{name}.png", full_page=True)
        return taken


@pytest.fixture
def visitor(browser: Any, game: Game) -> Iterator[Visitor]:
    """At 1280 pixels. Nothing in the browser's console, no dialog, no other host, no element out of a text."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    somebody = Visitor(context, game.url)
    yield somebody
    for tab in context.pages:
        if tab.url.startswith(game.url) and "/perfetto/" not in tab.url:
            assert tab.evaluate("document.querySelectorAll('main img, main script, main iframe').length") == 0
            assert tab.title() != "owned"
    context.close()
    assert somebody.troubles == []


def painted(tab: Any, selector: str = "canvas") -> int:
    """How many different colours a canvas has."""
    script = """(canvas) => {
        const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height), seen = new Set();
        for (let at = 0; at < data.length; at += 4) if (data[at + 3] === 255)
          seen.add(data[at] << 16 | data[at + 1] << 8 | data[at + 2]);
        return seen.size; }"""
    colours: int = tab.locator(selector).first.evaluate(script)
    return colours
