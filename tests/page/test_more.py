"""The rest of the page, as a person uses it: metrics, logs that are followed, control, files, keys, Perfetto, looks.

Screenshots are left in build/page.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import expect

from tests.model.encoder import Process
from tests.page.conftest import Game, Visitor, painted
from tests.perfetto.judge import QUERY, chromium
from tests.serving import BATCH_HEADERS, Server

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed"),
]

RUNNING = """
    import sys, tachy
    tachy.start(properties={"build": "running"}, flush_ms=100)
    for line in sys.stdin:
        for level in ("info", "debug"):
            tachy.log(level, line.strip() + " " + level, target="told")
        tachy.flush(10)
    tachy.stop()
"""


class Running:
    """A program that logs, at two levels, each line that it is given."""

    def __init__(self, url: str) -> None:
        self._program = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(RUNNING)],
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, "TACHY_URL": url, "TACHY_EXIT_TIMEOUT": "60"},
        )

    def say(self, line: str) -> None:
        assert self._program.stdin
        self._program.stdin.write(line + "\n")
        self._program.stdin.flush()

    def stop(self) -> None:
        self._program.communicate(timeout=60)


@pytest.fixture
def running(game: Game) -> Iterator[Running]:
    program = Running(game.url)
    yield program
    program.stop()


def test_logs_are_followed_and_the_program_hears_what_it_is_told(
    visitor: Visitor, game: Game, running: Running
) -> None:
    running.say("first")
    tab = visitor.open("#/?q=running")
    row = tab.locator("tbody tr", has_text="running").filter(has=tab.locator(".state.running"))
    row.first.get_by_role("link").click()
    tab.get_by_role("link", name="logs").click()
    tab.get_by_text("first debug").wait_for()
    tab.get_by_label("follow").check()
    running.say("second")
    tab.get_by_text("second debug").wait_for()
    assert "follow=1" in tab.url
    tab.get_by_label("Least important level").select_option("info")
    tab.get_by_text("second debug").wait_for(state="detached")
    tab.get_by_text("second info").wait_for()
    tab.get_by_role("link", name="control").click()
    tab.get_by_text("The program's own configuration.").wait_for()
    tab.locator("select[name=level]").select_option("info")
    tab.get_by_label("categories").fill("net=debug")
    tab.get_by_role("button", name="Tell", exact=True).click()
    tab.locator(".force dd", has_text="info").wait_for()
    tab.locator(".force dd", has_text="debug").wait_for()
    tab.get_by_label("reason").fill("went slow")
    tab.get_by_role("button", name="Send the spans around now").click()
    tab.get_by_text("Told: it holds from the next batch on.").wait_for()
    running.say("third")  # its batch's answer tells it
    running.say("fourth")
    tab.get_by_role("link", name="logs").click()
    tab.get_by_label("follow").check()
    tab.get_by_text("fourth info").wait_for()
    assert tab.get_by_text("fourth debug").count() == 0
    visitor.shot("logs")


def test_metrics_are_laid_over_each_other_and_a_part_is_looked_at_closer(visitor: Visitor, game: Game) -> None:
    tab = visitor.open(f"#/process/{game.process_id}/metrics")
    tab.get_by_label("speed").check()
    tab.locator("[data-chart=metrics] .legendtext", has_text="speed").wait_for()
    assert "m=speed" in tab.url
    plot = tab.locator("[data-chart=metrics] .nsewdrag").first
    box = plot.bounding_box()
    y = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + box["width"] * 0.3, y)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.6, y, steps=5)
    tab.mouse.up()
    tab.locator(".range").wait_for()
    assert "begin=" in tab.url
    values = tab.locator("tr", has_text="speed").locator("td").nth(4)
    expect(values).to_have_text(re.compile(r"^([2-9]|[1-9]\d|1\d\d)$"))  # more than one, fewer than all 200
    tab.keyboard.press("Escape")
    tab.locator(".range").wait_for(state="detached")
    expect(tab.locator("tr", has_text="speed").locator("td").nth(4)).to_have_text("200")


def test_what_is_asked_anew_gives_up_what_was_asked_before(visitor: Visitor, game: Game) -> None:
    tab = visitor.open()
    held: list[Any] = []  # the first question for a chart, which is never answered
    tab.route("**/api/chart", lambda route: route.continue_() if held else held.append(route))
    tab.goto(f"{game.url}/#/process/{game.process_id}/metrics")
    with tab.expect_event("requestfailed", lambda request: request.url.endswith("/api/chart")):
        tab.get_by_label("speed").check()
    tab.locator("[data-chart=metrics] .legendtext", has_text="speed").wait_for()


def test_a_flame_is_gone_into_and_left(visitor: Visitor, game: Game) -> None:
    tab = visitor.open(f"#/process/{game.process_id}/spans")
    canvas = tab.locator(".flame canvas")
    canvas.wait_for()
    tab.locator("[data-chart=top] .bars .point").first.wait_for()
    assert painted(tab) >= 3
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 30)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 30, steps=4)
    tab.mouse.up()
    tab.locator(".range").wait_for()
    tab.locator(".flame canvas").wait_for()
    tab.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 70)
    visitor.shot("spans")
    tab.keyboard.press("Escape")
    tab.locator(".range").wait_for(state="detached")


def test_results_are_saved_as_files(visitor: Visitor, game: Game) -> None:
    tab = visitor.open("#/sql")
    tab.get_by_label("SQL").fill(f"SELECT time, msg FROM log_entries WHERE process_id = '{game.process_id}'")
    found = {}
    for name in ("CSV", "Arrow", "Parquet"):
        with tab.expect_download() as download:
            tab.get_by_role("button", name=name).click()
        found[name] = Path(download.value.path()).read_bytes()
    assert found["CSV"].count(b"\r\n") == 203
    assert pa.ipc.open_stream(found["Arrow"]).read_all().num_rows == 202
    assert pq.read_table(io.BytesIO(found["Parquet"])).num_rows == 202


def test_a_long_result_has_pages_and_a_range_bounds_it(visitor: Visitor, game: Game) -> None:
    tab = visitor.open("#/sql")
    tab.get_by_label("SQL").fill("SELECT value FROM generate_series(1, 5000) ORDER BY value")
    tab.keyboard.press("Control+Enter")
    tab.get_by_text("the first 1000 rows").wait_for()
    tab.get_by_role("button", name="On").click()
    tab.get_by_text("2 of 10").wait_for()
    expect(tab.locator("tbody tr").first).to_have_text("101")
    tab.get_by_label("SQL").fill(f"SELECT count(*) AS n FROM log_entries WHERE process_id = '{game.process_id}'")
    tab.get_by_label("End").fill("2020-01-01T00:00:00")
    tab.get_by_role("button", name="Run").click()
    tab.get_by_text("1 rows").wait_for()
    expect(tab.locator("tbody td")).to_have_text("0")
    tab.get_by_label("End").fill("yesterday")
    tab.get_by_role("button", name="Run").click()
    tab.get_by_text("yesterday is not a time").wait_for()


def test_a_table_s_name_is_put_into_the_question(visitor: Visitor, game: Game) -> None:
    tab = visitor.open("#/sql")
    tab.get_by_label("SQL").fill("SELECT ")
    tab.locator("summary", has_text="log_entries").click()
    tab.locator("details[open]").get_by_role("button", name="msg").click()
    assert tab.get_by_label("SQL").input_value() == "SELECT msg"


def test_the_lake_says_what_comes_in(visitor: Visitor, game: Game) -> None:
    tab = visitor.open("#/lake")
    tab.get_by_text("ingest.stored").wait_for()
    tab.get_by_text("/s").first.wait_for()
    row = tab.locator("tr", has_text="span_stats")
    expect(row.locator("td").nth(4)).to_have_text(re.compile(r"^\d+\.\d %$"))
    tab.get_by_text("The last queries of the last hour").click()
    tab.get_by_text("FROM processes").first.wait_for()
    tab.get_by_text("Settings").click()
    tab.get_by_text("lost_after").wait_for()
    visitor.shot("lake")


def test_a_query_that_runs_is_seen_and_cancelled(visitor: Visitor, game: Game) -> None:
    numbers = "(SELECT value FROM generate_series(1, 400000))"
    asking = visitor.open("#/sql")
    asking.get_by_label("SQL").fill(f"SELECT count(*) FROM {numbers} a, {numbers} b WHERE a.value * b.value % 7 = 3")
    asking.get_by_role("button", name="Run").click()
    tab = visitor.open("#/lake")
    row = tab.locator("tr", has_text="a.value * b.value")
    row.get_by_role("button", name="Cancel").click()
    asking.bring_to_front()
    assert "cancelled" in asking.locator(".error").inner_text()
    tab.bring_to_front()
    row.wait_for(state="detached")
    visitor.troubles.clear()  # the browser notes the refused answer


def test_perfetto_opens_the_seconds_around_a_hitch_and_nothing_leaves(visitor: Visitor, game: Game) -> None:
    tab = visitor.open(f"#/process/{game.process_id}/frames")
    tab.locator(".chips a").first.click()
    arrived: list[str] = []
    visitor.context.on("response", lambda answer: arrived.append(answer.url))
    with visitor.context.expect_page() as opened:
        tab.get_by_role("button", name="Open these seconds in Perfetto").click()
    viewer = opened.value
    viewer.set_default_timeout(60_000)
    viewer.get_by_text("Default Workspace").wait_for()
    viewer.get_by_text("Frames", exact=True).first.wait_for()  # a track of the process, which is unfolded
    assert viewer.evaluate(QUERY, "select count(*) from slice where name like 'load %'") == [[1]]
    assert viewer.evaluate(QUERY, "select count(*) from slice where name = 'tick'")[0][0] > 50
    assert viewer.locator("[role=dialog], .modal-dialog, .pf-modal-dialog").count() == 0
    assert [url for url in arrived if not url.startswith((game.url, "blob:", "data:"))] == []
    Path("build/page").mkdir(parents=True, exist_ok=True)
    viewer.screenshot(path="build/page/perfetto.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(browser: Any, game: Game, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    somebody = Visitor(context, game.url)
    process = f"#/process/{game.process_id}"
    views = ["", *(f"{process}/{name}" for name in ("frames", "spans", "logs", "metrics", "properties", "control"))]
    for view in (*views, "#/sql?q=SELECT+1+AS+one", "#/lake"):
        tab = somebody.open(view)
        tab.wait_for_load_state("networkidle" if "process/" in view and "logs" not in view else "load")
        tab.locator("main h1").wait_for()
        wide = tab.evaluate("document.documentElement.scrollWidth")
        name = re.sub(r"\W+", "-", view.rpartition("/")[2].partition("?")[0]) or "processes"
        somebody.shot(f"{name}-{width}-{scheme}")
        assert wide <= width, view
        ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ("255" in ground) == (scheme == "light")
        tab.close()
    context.close()
    assert somebody.troubles == []


def test_where_there_are_keys_the_page_asks_for_one_and_keeps_it_out_of_urls(browser: Any, tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        command = [sys.executable, "-m", "tachy.cli", "keys", "create", "page", "--scopes", "query,ingest"]
        said = subprocess.run([*command, "--data", str(server.data)], capture_output=True, text=True, check=True)
        (key,) = re.findall(r"tk_\S+", said.stdout + said.stderr)
        for _ in range(100):  # the server reads its keys every second
            if httpx.get(f"{server.http}/api/processes").status_code == 401:
                break
        context = browser.new_context()
        somebody = Visitor(context, server.http)
        tab = somebody.open()
        for typed in ("tk_wrong", key):
            tab.get_by_placeholder("tk_…").fill(typed)
            tab.get_by_role("button", name="Sign in").click()
        tab.get_by_text("No process has sent anything yet").wait_for()
        process = Process(exe="locked")
        process.thread("main").span("guarded", 1_000, 2_000)
        bearer = {"authorization": f"Bearer {key}"}
        batch = process.batch(process.blocks())
        httpx.post(f"{server.http}/ingest/v1/batch", content=batch, headers=BATCH_HEADERS | bearer).raise_for_status()
        tab.get_by_role("link", name="locked").click()
        with context.expect_page() as opened:
            tab.get_by_role("button", name="Open in Perfetto").click()
        viewer = opened.value
        viewer.get_by_text("Default Workspace").wait_for(timeout=60_000)
        assert viewer.evaluate(QUERY, "select count(*) from slice where name = 'guarded'") == [[1]]
        assert key not in viewer.url
        assert key not in tab.url
        assert key not in tab.evaluate("document.cookie + JSON.stringify(localStorage)")
        context.close()
        assert [one for one in somebody.troubles if "401" not in one] == []
