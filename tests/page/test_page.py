"""The page as a person uses it, in a real browser on a real lake. (More of it, and its looks: test_more.py.)"""

from __future__ import annotations

import re
import textwrap
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from tachy_server.http import pages

from tests.page.conftest import HOSTILE, Game, Visitor, painted
from tests.perfetto.judge import chromium
from tests.pysdk.programs import run

needs_chromium = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")


@needs_chromium
def test_processes_appear_while_the_page_is_open_and_are_found_by_any_property(visitor: Visitor, game: Game) -> None:
    tab = visitor.open("#/?q=stage-eight")
    tab.get_by_text("No process has all of these words.").wait_for()
    program = 'import tachy; tachy.start(properties={"stage": "stage-eight"}); tachy.log("info", "here"); tachy.stop()'
    run(textwrap.dedent(program), game.url)
    tab.locator("tbody tr").wait_for()
    tab.keyboard.press("Escape")
    tab.keyboard.press("/")
    tab.keyboard.type("page 7")
    row = tab.locator("tbody tr", has_text="page 7")
    row.get_by_text("exited").wait_for()
    expect(tab.locator("tbody tr")).to_have_count(1)
    cells = row.locator("td")
    expect(cells.nth(6)).not_to_be_empty(timeout=30_000)
    assert float(cells.nth(6).inner_text()) > 120
    expect(cells.nth(7)).to_have_text("1")  # an error
    assert "q=page+7" in tab.url
    row.get_by_role("link").click()
    tab.get_by_role("link", name="frames").wait_for()
    assert game.process_id in tab.url


@needs_chromium
def test_a_click_on_a_hitch_shows_what_ran_in_it_and_what_it_said(visitor: Visitor, game: Game) -> None:
    tab = visitor.open(f"#/process/{game.process_id}/frames")
    marks = tab.locator("[data-chart=frames] .scatterlayer .points path")
    marks.first.wait_for()
    boxes = [mark.bounding_box() for mark in marks.all()]
    worst = min(boxes, key=lambda box: box["y"])
    tab.mouse.move(worst["x"] + worst["width"] / 2, worst["y"] + worst["height"] / 2)
    tab.locator(".hoverlayer", has_text="hitch").wait_for()
    tab.mouse.down()
    tab.mouse.up()
    tab.get_by_role("heading", name=re.compile(r"^Frame of (\d{3} ms|\d\.\d+ s)")).wait_for()
    tab.locator(".flame canvas").wait_for()
    assert painted(tab) >= 4  # tick, physics, load, text
    tab.locator(".logs").get_by_text(f"loading takes long {HOSTILE}", exact=True).wait_for()
    tab.locator("td", has_text="heat").wait_for()
    link = tab.url
    tab.keyboard.press("Escape")
    tab.locator(".detail canvas").wait_for(state="detached")
    assert "frame=" in link
    assert "frame=" not in tab.url
    visitor.open(link.removeprefix(f"{game.url}/")).locator(".flame canvas").wait_for()


@needs_chromium
def test_texts_of_programs_stay_texts(visitor: Visitor, game: Game) -> None:
    for view, text in (
        ("logs", "the last words"), ("metrics", "heat"), ("properties", HOSTILE), ("spans", "Where the time goes"),
        ("control", "In force"),
    ):  # fmt: skip
        tab = visitor.open(f"#/process/{game.process_id}/{view}")
        tab.get_by_text(text).first.wait_for()
    tab = visitor.open("#/sql")
    tab.get_by_label("SQL").fill(f"SELECT '{HOSTILE.replace(chr(39), chr(39) * 2)}' AS \"{HOSTILE}\"")
    tab.keyboard.press("Control+Enter")
    expect(tab.locator("td", has_text="<img")).to_have_text(HOSTILE)
    tab.get_by_label("Show as").select_option("chart")
    tab.get_by_text("nothing to draw").wait_for()


@needs_chromium
def test_sql_is_answered_restored_from_its_link_and_its_mistakes_are_shown_where_they_are(
    visitor: Visitor, game: Game
) -> None:
    tab = visitor.open("#/sql")
    sql = f"SELECT name, count(*) AS calls FROM thread_spans WHERE process_id = '{game.process_id}' GROUP BY name"
    tab.get_by_label("SQL").fill(sql)
    tab.get_by_role("button", name="Run").click()
    expect(tab.locator("tr", has_text="physics").locator("td").nth(1)).to_have_text("200")
    link = tab.url.removeprefix(game.url + "/")
    tab = visitor.open(link)
    tab.locator("tr", has_text="tick").wait_for()
    assert tab.get_by_label("SQL").input_value() == sql
    tab.get_by_label("Show as").select_option("chart")
    tab.locator("[data-chart=result] .bars .point").nth(2).wait_for()
    visitor.troubles.clear()
    tab.get_by_label("Show as").select_option("table")
    tab.get_by_label("SQL").fill("SELECT 1\nFROM nowhere")
    tab.keyboard.press("Control+Enter")
    assert "nowhere" in tab.locator(".error").inner_text()
    assert "\n" not in tab.locator(".error").inner_text()
    assert [one for one in visitor.troubles if "400" not in one] == []  # the browser itself notes the answer
    visitor.troubles.clear()


@needs_chromium
def test_an_address_with_a_time_that_is_none_says_so_and_the_search_is_a_key_away(visitor: Visitor, game: Game) -> None:
    for state in ("frames?frame=noon", "frames?begin=noon", "spans?end=noon"):
        tab = visitor.open(f"#/process/{game.process_id}/{state}")
        expect(tab.locator(".error")).to_have_text("noon is not a time: write 2026-11-23T19:05:00 or -10m")
    for view in ("#/lake", "#/sql", f"#/process/{game.process_id}/frames"):
        tab = visitor.open(view)
        tab.locator("main h1").wait_for()
        tab.keyboard.press("/")
        expect(tab.get_by_label("Search processes")).to_be_focused()
        assert tab.url == f"{game.url}/#/"


def test_the_page_is_under_a_policy_that_runs_nothing_of_others(game: Game) -> None:
    for path in ("/", "/page/app.js", "/perfetto/"):
        answer = httpx.get(game.url + path)
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
        scripts = policy["script-src"].split()
        assert "'self'" in scripts
        assert "'unsafe-inline'" not in scripts
        assert "'unsafe-eval'" not in scripts
        sources = " ".join(policy.values()).split()
        assert [one for one in sources if not one.startswith("'") and one not in ("data:", "blob:")] == []
    assert "unsafe" not in httpx.get(game.url).headers["content-security-policy"]
    assert httpx.get(game.url, headers={"host": "evil.example"}).status_code == 403
    for outside in ("/page/../app.py", "/page/%2e%2e/app.py", "/perfetto/../../etc/passwd"):
        assert httpx.get(game.url + outside).status_code == 404


def test_plotly_is_sent_compressed_once_and_for_good_by_the_name_that_the_page_knows(game: Game) -> None:
    (name,) = re.findall(r"'(page/plotly-[\d.]+min\.js)'", (pages.FILES / "charts.js").read_text())
    answer = httpx.get(f"{game.url}/{name}", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < 1_600_000 < len(answer.content)
    assert "immutable" in answer.headers["cache-control"]
    assert httpx.get(f"{game.url}/{name}", headers={"accept-encoding": "identity"}).content == answer.content


def test_the_page_is_small_and_names_no_other_host() -> None:
    files = [path for path in pages.FILES.iterdir() if path.suffix in (".js", ".css", ".html")]
    texts: dict[str, Any] = {path.name: path.read_text() for path in files}
    assert sum(text.count("\n") for text in texts.values()) < 1500
    for name, text in texts.items():
        assert not re.search(r"https?://", text), name
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|\bstyle=", text
        ), name
