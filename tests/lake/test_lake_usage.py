"""lake_usage adds up: to what lies in the store, to what the views have, and to what the prices say."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tachy_server.base import prices
from tachy_server.base.errors import SettingsError

from tests.model.encoder import Process
from tests.serving import Server

PRICES = """
date = 2026-01-31
source = "ours"
gigabyte_month = 2000.0
put = 1
get = 0
postgres_gigabyte_month = 3000.0
postgres_month = 0
cpu_month = 0
"""


def rows(server: Server, sql: str) -> list[list[Any]]:
    answer = server.client.post("/api/query", json={"sql": sql}).json()
    assert "error" not in answer, answer
    found: list[list[Any]] = answer["rows"]
    return found


def test_what_is_used_adds_up_by_process_class_and_day(tmp_path: Path) -> None:
    chance = random.Random(7)
    (tmp_path / "prices.toml").write_text(PRICES)
    with Server(tmp_path / "data", "--prices", str(tmp_path / "prices.toml")) as server:
        assert rows(server, "SELECT count(*) FROM lake_usage WHERE class <> 'postgresql'") == [[0]]
        expected: dict[tuple[str, str], int] = {}
        builds: dict[str, int] = {}
        for _ in range(5):
            build = chance.choice(["1", "2"])
            process = Process(properties={"build": build})
            thread = process.thread("main")
            counts = {name: chance.randrange(1, 60) for name in ("log", "metric", "span")}
            for at in range(counts["log"]):
                thread.log(at, "line")
            for at in range(counts["metric"]):
                thread.metric(at, "speed", at)
            for at in range(counts["span"]):
                thread.span("tick", 1000 * at, 1000 * at + 500)
            assert server.post(process.batch(process.blocks())).status_code == 200
            expected |= {(str(process.process_id), name): count for name, count in counts.items()}
            builds[build] = builds.get(build, 0) + sum(counts.values())
        found = rows(server, "SELECT process_id, class, events FROM lake_usage WHERE process_id IS NOT NULL")
        assert {(process_id, cls): events for process_id, cls, events in found} == expected
        found = rows(
            server,
            "SELECT property_get(process_properties, 'build') AS build, sum(events) FROM lake_usage "
            "WHERE process_id IS NOT NULL GROUP BY 1",
        )
        assert dict(found) == builds
        files = list((tmp_path / "data" / "store").rglob("*.tseg"))
        ((size, objects, cost, blocks),) = rows(
            server,
            "SELECT sum(bytes), sum(objects), sum(cost), sum(blocks) FROM lake_usage WHERE class <> 'postgresql'",
        )
        assert size == sum(path.stat().st_size for path in files)
        assert objects == pytest.approx(len(files))
        assert cost == pytest.approx(size * 2e-6)
        assert blocks == 15
        ((size, cost),) = rows(server, "SELECT bytes, cost FROM lake_usage WHERE class = 'postgresql'")
        assert size > 0
        assert cost == pytest.approx(size * 3e-6)
        one = next(iter(expected))[0]
        assert rows(server, f"SELECT DISTINCT process_id FROM lake_usage WHERE process_id = '{one}'") == [[one]]
        assert rows(server, "SELECT count(*) FROM lake_usage WHERE day < '2020-01-01'") == [[0]]
        assert rows(server, "SELECT count(*) FROM lake_usage") == [[len(expected) + 2]]


def test_a_month_is_reckoned_from_what_the_lake_holds_of_an_event(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    with Server(tmp_path / "data", "--prices", str(tmp_path / "prices.toml")) as server:
        assert "The lake has 0 events" in server.client.get("/api/cost").json()["error"]
        process = Process()
        thread = process.thread("main")
        for at in range(100_000):
            thread.metric(at, "speed", at)
        assert server.post(process.batch(process.blocks())).status_code == 200
        sql = "SELECT sum(bytes) FROM lake_usage WHERE class <> 'postgresql'"
        each = rows(server, sql)[0][0] / 100_000
        bill = server.client.get("/api/cost", params={"events_per_second": 1000, "days": 10}).json()
        assert bill["events_kept"] == 864e6
        assert bill["bytes_per_event"] == pytest.approx(each)
        items = {item["item"]: item["dollars"] for item in bill["items"]}
        assert items["storage"] == pytest.approx(864e6 * each / 1e9 * 2000)
        assert items["writes"] == pytest.approx(365.25 / 12 * 86_400)
        assert bill["dollars"] == pytest.approx(sum(items.values()))
        assert bill["prices"] == {"date": "2026-01-31", "source": "ours"}
        assert server.client.get("/api/cost").json()["events_per_second"] > 0
        for wrong in ("-1", "nan", "inf", "many"):
            assert server.client.get("/api/cost", params={"days": wrong}).status_code == 400
        command = [sys.executable, "-m", "tachy.cli", "cost", "--events-per-second", "1000", "--days", "10"]
        said = subprocess.run([*command, "--url", server.http], capture_output=True, text=True, check=True).stdout
        assert "864,000,000" in said
        assert f"{items['writes']:,.2f}" in said
        assert "prices of 2026-01-31: ours" in said


def test_prices_are_a_dated_file_whose_mistakes_are_named(tmp_path: Path) -> None:
    assert prices.read("").gigabyte_month > 0
    file = tmp_path / "prices.toml"
    for text, said in (
        ("put = ", "cannot be read"), (PRICES + "more = 1", "more"), (PRICES.replace("put = 1", ""), "put"),
        (PRICES.replace("put = 1", "put = true"), "put must be"),
        (PRICES.replace("put = 1", "put = -1"), "put must be"),
    ):  # fmt: skip
        file.write_text(text)
        with pytest.raises(SettingsError, match=said):
            prices.read(str(file))
    with pytest.raises(SettingsError, match="cannot be read"):
        prices.read(str(tmp_path / "nowhere.toml"))
