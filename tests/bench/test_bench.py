"""The benchmark itself: every case runs, and none of the budgets is without its figure. Nothing here is timed."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from bench import (
    around,
    budgets,
    decoding,
    lake,
    lake_day,
    lake_queries,
    lake_spans,
    merging,
    native,
    native_peers,
    server_keys,
    server_metadata,
    server_visible,
    server_workers,
    shape,
)  # fmt: skip
from bench import server as server_suite
from tests.serving import Server


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> budgets.Cases:
    # a build of its own: the other workers' tests and `make bench` must not meet it half linked
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "BUILD", tmp_path_factory.mktemp("bench"))
        patch.setattr(native, "TURNS", 1)
        patch.setattr(native, "ROUNDS", 2)
        patch.setattr(native, "CALLS", (1, 3))
        patch.setattr(native, "games", dict)
        patch.setattr(native_peers, "PEERS", ())
        return native.measure(native.build())


@pytest.mark.long
@pytest.mark.xdist_group("bench")
def test_every_native_budget_has_its_figure(cases: budgets.Cases) -> None:
    verdicts = budgets.judge(budgets.budgets("native"), cases)
    assert {v.case for v in verdicts if v.verdict == "not run"} == {"simulation", "doom"}


@pytest.mark.long
@pytest.mark.xdist_group("bench")
def test_every_budget_around_the_events_has_its_figure(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(around, "BUILD", tmp_path_factory.mktemp("around"))
    monkeypatch.setattr(around, "MEMORY", {name: (64, at_a_time) for name, (_, at_a_time) in around.MEMORY.items()})
    monkeypatch.setattr(around, "AMOUNTS", {name: min(most, 2) for name, most in around.AMOUNTS.items()})
    with around.ready() as programs:
        measured = around.measure(programs)
    verdicts = budgets.judge(budgets.budgets("around"), measured)
    assert [v for v in verdicts if v.verdict == "not run"] == []


@pytest.mark.long
@pytest.mark.xdist_group("bench")
def test_what_does_not_depend_on_the_machine_holds(cases: budgets.Cases) -> None:
    assert cases["compiled_out"]["instructions_per_event"] == 0
    assert cases["span_begin"]["instructions_inline"] <= 20
    assert cases["span_begin"]["instructions_shared"] <= 25
    assert cases["code_of_a_span"]["bytes_with_exceptions"] <= 240
    assert cases["code_of_a_span"]["bytes_without"] <= 160


def test_peers_of_crates_are_left_out_with_one_line_where_there_is_no_cargo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = native_peers.crates(tmp_path)
    assert set(found.values()) == {""}
    assert capsys.readouterr().err.splitlines() == ["Tracy, Perfetto, Micromegas: not measured: no cargo here"]


def test_a_peer_that_does_not_build_is_left_out_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench_micromegas").touch()  # an earlier run's
    (tmp_path / "bench_tracy").touch()
    none = dict.fromkeys(native_peers.PROGRAMS, "")
    assert native_peers.make(tmp_path, none | {"TACHY_BENCH_MICROMEGAS": "/nowhere.a"}) == none
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith("micromegas: not measured: ")
    with native_peers.ready(tmp_path) as environments:
        assert environments == {}


def test_a_peer_is_compared_above_the_same_loop() -> None:
    peer = native_peers.Peer("them", "their_span", "span", "drops", less="empty")
    theirs = {"their_span": {"ns": 6.0, "ns_2_threads": 8.0}, "empty": {"ns": 2.0}}
    ours = {"span": {"ns": 3.0}, "empty": {"ns": 1.0}}
    assert native_peers.compare(peer, theirs, ours) == {"ns_per_event": 4.0, "ours_ns_per_event": 2.0, "of_tachy": 2.0}


def test_a_budget_is_broken_from_either_side() -> None:
    wanted = {"a": {"ns_per_event": 20.0, "ratio": 1.25}, "b": {"least_rate": 5.0}, "c": {"bytes": 0.0}}
    found = {"a": {"ns_per_event": 21.0, "ratio": 1.0, "clock_ns": 9.0, "clocks": 2.0}, "b": {"least_rate": 4.0}}
    assert [v.verdict for v in budgets.judge(wanted, found)] == ["BROKEN", "ok", "BROKEN", "not run"]
    found["a"]["clock_ns"] = 10.0  # two readings leave no room for anything
    assert budgets.judge(wanted, found)[0].verdict == "clock too slow"


def test_what_is_written_holds_machine_cases_and_verdicts(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "RESULTS", tmp_path_factory.mktemp("results"))
    assert budgets.finish("native", {"span": {"ns_per_event": 1.0}}, budgets.machine()) == 0
    written = json.loads((budgets.RESULTS / "native.json").read_text())
    assert {"cpu", "cores", "compiler"} <= set(written["machine"])
    with (budgets.ROOT / "bench" / "budgets.toml").open("rb") as file:
        assert {case for case, *_ in written["verdicts"]} == set(tomllib.load(file)["native"])


@pytest.mark.long
@pytest.mark.xdist_group("bench")
def test_every_server_target_has_its_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A few rows; that the server stores everything that is sent to it is the suite's own check."""
    for name, few in {"SPANS": 800, "LOGS": 100, "LOG_BLOCKS": 2, "REQUESTS": 40, "ROUNDS": 2, "BATCH": 4096}.items():
        monkeypatch.setattr(server_suite, name, few)
    for name, few in {"PROCESSES": 200, "BLOCKS": 100, "SPANS": 100, "BLOCKS_OF_A_GAME": 2, "REPEATS": 2}.items():
        monkeypatch.setattr(server_metadata, name, few)
    for name, few in {"QUERIES": 40, "SELECTS": 64}.items():
        monkeypatch.setattr(server_workers, name, few)
    for name, few in {"TURNS": 4, "QUERIES": 4, "BATCHES": 4, "DOOR": 200}.items():
        monkeypatch.setattr(server_keys, name, few)
    for name, few in {"BLOCKS": 3, "ROUNDS": 1, "BUSY_SPANS": 40}.items():
        monkeypatch.setattr(merging, name, few)
    for name, few in {"SMALL": 3, "SPANS": 40, "LARGE": 2, "FLEET": 2}.items():
        monkeypatch.setattr(decoding, name, few)
    monkeypatch.setattr(server_visible, "ROUNDS", 3)
    with Server(tmp_path / "data") as server:
        measured = server_suite.measure(server, tmp_path)
    wanted = budgets.budgets("server") | budgets.budgets("server_targets")
    verdicts = budgets.judge(wanted, measured, "behind target")
    assert [v for v in verdicts if v.verdict == "not run"] == []


@pytest.mark.long
@pytest.mark.xdist_group("bench")
def test_every_lake_budget_has_its_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Few events; that queries find all that was made is the suite's own check."""
    for name, few in {
        "PROCESSES": 3,
        "HOURS": 72,
        "METRICS": 24,
        "LOGS": 400,
        "VARIANTS": 2,
        "ROUNDS": 2,
        "WARM": 0,
    }.items():
        monkeypatch.setattr(lake_queries, name, few)
    for name, few in {"SPANS": 40, "BLOCKS": 2, "CALLS": 1, "PROCESSES": 2, "HOURS": 2, "ROUNDS": 2}.items():
        monkeypatch.setattr(lake_spans, name, few)
    for name, few in {"SECONDS": 20, "SHAPE": replace(shape.SHAPE, processes=10)}.items():
        monkeypatch.setattr(lake_day, name, few)
    measured = lake.measure(tmp_path)
    verdicts = [v for table in ("lake", "lake_targets") for v in budgets.judge(budgets.budgets(table), measured)]
    assert [v for v in verdicts if v.verdict == "not run"] == []
