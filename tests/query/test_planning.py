"""Planning has threads of its own, an end, and begins nothing for those who have left."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tachy_server.base.errors import Cancelled, QueryError, StoreError, TookTooLong
from tachy_server.query.planning import Planner
from tachy_server.views.scans import NO_SCANS

from tests.query.conftest import MakeWorld, World


def _never() -> bool:
    return False


def test_work_for_a_caller_who_has_left_is_not_begun() -> None:
    planner = Planner(60, threads=1)
    going_on, holding, left = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        holding.set()
        going_on.wait()

    def never() -> None:
        pytest.fail("it was begun")

    with ThreadPoolExecutor(46) as pool:
        first = pool.submit(planner.run, hold, _never)
        holding.wait()
        waiting = [pool.submit(planner.run, never, left.is_set) for _ in range(45)]
        left.set()
        for one in waiting:
            with pytest.raises(Cancelled):
                one.result()
        going_on.set()
        first.result()
    assert planner.run(lambda: 7, _never) == 7
    assert planner.begun == 2
    planner.close()


def test_a_caller_is_answered_when_the_time_is_up_and_waiting_work_is_not_begun() -> None:
    planner = Planner(0.1, threads=1)
    going_on = threading.Event()
    with pytest.raises(TookTooLong, match="plan_seconds"):
        planner.run(going_on.wait, _never)
    with pytest.raises(TookTooLong, match="plan_seconds"):
        planner.run(lambda: pytest.fail("begun"), _never)
    going_on.set()
    planner.close()


def test_errors_and_results_are_the_callers() -> None:
    planner = Planner(60)
    with pytest.raises(KeyError):
        planner.run(lambda: {}["x"], _never)
    assert planner.run(lambda: threading.current_thread().name, _never).startswith("tachy-plan")
    planner.close()
    with pytest.raises(StoreError, match="stopping"):
        planner.run(threading.Event().wait, _never)


def test_a_statement_is_planned_and_started_by_the_planner(world: World) -> None:
    before = world.engine.planner.begun
    assert world.value("SELECT 7") == 7
    assert world.engine.planner.begun == before + 2
    with pytest.raises(Cancelled):
        world.engine.plan("SELECT 7", gone=lambda: True)


def test_planning_has_an_end(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(plan_seconds=0.2)
    going_on = threading.Event()
    monkeypatch.setattr("tachy_server.query.planned_scans.scans", lambda *_: going_on.wait() and NO_SCANS)
    with pytest.raises(TookTooLong, match="plan_seconds"):
        world.query("SELECT 7")
    going_on.set()


def test_expressions_are_taken_apart_once_however_long_their_lists(world: World) -> None:
    for count in (10, 20_000):
        numbers = ", ".join(map(str, range(count)))
        sql = f"SELECT count(*) FROM log_entries WHERE level IN ({numbers}) AND level > $1"
        assert world.engine.plan(sql).parameter_schema.names == ["$1"]


def test_a_bad_statement_is_still_the_callers_error(world: World) -> None:
    with pytest.raises(QueryError, match="no table"):
        world.engine.plan("SELECT * FROM nowhere")
