"""The ends of programs: exit, exceptions, forks, children, exec. Nothing is lost, nothing hangs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from uuid import UUID

import pytest
import tachy

from tests.pysdk.programs import run
from tests.pysdk.sink import Sink


def processes(sink: Sink) -> dict[UUID, dict[str, object]]:
    return {head.process_id: head.description for head in sink.heads()}


def test_exit_without_stop_sends_everything(sink: Sink) -> None:
    run(
        """
        import tachy
        tachy.start()
        for i in range(5000):
            with tachy.span("s"):
                tachy.metric("m", i)
        """,
        sink.url,
    )
    assert sink.events() == {"metric": 5000, "span": 5000}
    assert next(iter(processes(sink).values()))["state"] == "exited"


def test_an_exception_at_the_top_sends_everything(sink: Sink) -> None:
    run(
        """
        import tachy
        tachy.start()
        with tachy.span("s"):
            raise KeyError("the program's own")
        """,
        sink.url,
        code=1,
    )
    assert sink.events() == {"span": 1}


def test_threads_that_run_at_exit_do_not_crash_it(sink: Sink) -> None:
    run(
        """
        import threading, time, tachy
        tachy.start()
        def work():
            while True:
                with tachy.span("s"):
                    tachy.metric("m", 1)
                    tachy.log("info", "x")
        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.2)
        """,
        sink.url,
    )
    assert sink.events()["span"] > 0


def test_exit_with_the_server_away_is_quick() -> None:
    begin = time.monotonic()
    run(
        """
        import tachy
        tachy.start(exit_timeout=0.2)
        tachy.metric("m", 1)
        """,
        "http://127.0.0.1:9",
    )
    assert time.monotonic() - begin < 6


def test_a_forked_child_records_nothing_until_it_starts(sink: Sink) -> None:
    out = run(
        """
        import json, os, sys, tachy
        parent = tachy.start(logging=True)
        tachy.metric("parent", 1)
        with tachy.span("open at the fork"):
            pid = os.fork()
            if pid == 0:
                tachy.metric("nobody's", 1)
                with tachy.span("nobody's"):
                    pass
                assert not tachy.flush(0)
                child = tachy.start()
                assert child != parent
                with tachy.span("child"):
                    tachy.metric("child", 1)
                tachy.stop()
                assert tachy.stats().recorded == {"log": 0, "metric": 1, "span": 1}, tachy.stats()
                os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        tachy.metric("parent", 2)
        tachy.stop()
        print(json.dumps([str(parent), tachy.stats().as_dict()]))
        """,
        sink.url,
    )
    parent, stats = json.loads(out)
    assert stats["recorded"] == {"log": 0, "metric": 2, "span": 1}
    assert sink.events() == {"metric": 3, "span": 2}
    assert {row["name"] for row in sink.rows("metric")} == {"parent", "child"}
    parents = {str(key): value["parent_process_id"] for key, value in processes(sink).items()}
    assert len(parents) == 2
    assert parents[parent] is None
    assert [value for key, value in parents.items() if key != parent] == [parent]


def test_a_forked_child_that_only_exits_is_quick_and_silent(sink: Sink) -> None:
    run(
        """
        import os, sys, tachy
        tachy.start()
        tachy.metric("m", 1)
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                sys.exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        """,
        sink.url,
    )
    assert sink.events() == {"metric": 1}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing_children_send_what_they_record(sink: Sink, method: str, tmp_path: object) -> None:
    program = f"""
        import multiprocessing, tachy

        def work(number):
            tachy.start()
            with tachy.span("work"):
                tachy.metric("number", number)

        if __name__ == "__main__":
            parent = tachy.start()
            context = multiprocessing.get_context({method!r})
            children = [context.Process(target=work, args=(n,)) for n in range(3)]
            for child in children:
                child.start()
            for child in children:
                child.join()
                assert child.exitcode == 0
        """
    path = f"{tmp_path}/program.py"
    with open(path, "w") as file:
        file.write(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, path], env={**os.environ, "TACHY_URL": sink.url}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sink.events() == {"metric": 3, "span": 3}
    assert {row["value"] for row in sink.rows("metric")} == {0.0, 1.0, 2.0}


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.usefixtures("session_folder")
def test_a_pool_ends_its_workers_and_their_events_arrive_with_the_parents(
    sink: Sink, method: str, tmp_path: Path
) -> None:
    """It ends them by SIGTERM: they have not crashed, and nobody else has to start before they are seen."""
    path = tmp_path / "program.py"
    path.write_text(
        textwrap.dedent(f"""
        import multiprocessing, tachy

        def begin():
            tachy.start(flush_ms=3600_000)

        def work(number):
            tachy.metric("number", number)

        if __name__ == "__main__":
            tachy.start()
            with multiprocessing.get_context({method!r}).Pool(2, begin) as pool:
                pool.map(work, range(10))
            pool.join()
        """)
    )
    env = {**os.environ, "TACHY_URL": sink.url, "TACHY_EXIT_TIMEOUT": "60"}
    done = subprocess.run([sys.executable, path], env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(row["value"] for row in sink.rows("metric")) == list(range(10))
    described = processes(sink)
    assert {description["state"] for description in described.values()} == {"exited"}
    assert len({description["parent_process_id"] for description in described.values()} - {None}) == 1


def test_a_subprocess_knows_its_parent(session: Sink) -> None:
    run("import tachy; tachy.start(); tachy.metric('child', 1)", session.url)
    parent = tachy.stats().process_id
    tachy.metric("parent", 1)
    tachy.stop()
    assert "TACHY_PARENT_PROCESS_ID" not in os.environ
    described = processes(session)
    assert {key == parent: value["parent_process_id"] for key, value in described.items()} == {
        True: None,
        False: str(parent),
    }


def test_exec_in_the_middle_loses_only_what_was_not_flushed(sink: Sink) -> None:
    run(
        """
        import os, sys, tachy
        tachy.start()
        tachy.metric("before", 1)
        assert tachy.flush(10)
        os.execv(sys.executable, [sys.executable, "-c",
            "import tachy; tachy.start(); tachy.metric('after', 1)"])
        """,
        sink.url,
    )
    assert [row["name"] for row in sink.rows("metric")] == ["before", "after"]


def test_a_second_start_changes_nothing(session: Sink, caplog: pytest.LogCaptureFixture) -> None:
    first = tachy.stats().process_id
    assert tachy.start("http://127.0.0.1:9") == first
    tachy.metric("m", 1)
    tachy.stop()
    assert session.events() == {"metric": 1}
    assert [r.getMessage() for r in caplog.records if r.name == "tachy"] == [
        "tachy.start was called again: the running session goes on, unchanged"
    ]


def test_importing_has_no_side_effects() -> None:
    out = run(
        """
        import sys, threading, os
        before = dict(os.environ)
        import tachy
        assert threading.active_count() == 1
        assert dict(os.environ) == before
        print([name for name in ("httpx", "pyarrow", "pandas", "asyncio", "tachy_server") if name in sys.modules])
        """,
        "http://127.0.0.1:9",
    )
    assert out.strip() == "[]"


@pytest.mark.parametrize("events_before", [0, 1])
def test_thread_names_can_be_given(events_before: int, session: Sink) -> None:
    def work() -> None:
        for i in range(events_before):
            tachy.metric("m", i)
        tachy.set_thread_name("game")
        tachy.metric("m", 1)

    thread = threading.Thread(target=work, name="by threading")
    thread.start()
    thread.join()
    tachy.stop()
    assert {row["thread"] for row in session.rows("metric")} == {"game"}


def test_the_largest_description_that_a_program_can_make_is_one_that_the_server_takes(sink: Sink) -> None:
    """Keys and values are cut, with their true length at the end; what is worst for JSON is in them."""
    run(
        r"""
        import tachy
        tachy.start(properties={f"{i} " + "\x01" * 2000: "\x02" * 100_000 for i in range(254)})
        tachy.log("info", "hello")
        """,
        sink.url,
    )
    (head,) = {head.process_id: head for head in sink.heads()}.values()  # sink checks as the server does
    properties = head.description["properties"]
    own = {key: value for key, value in properties.items() if key not in ("pid", "python")}
    assert len(own) == 254
    assert {len(key.encode()) for key in own} == {255}
    assert all(key.endswith(f"… [of {len(key.split()[0]) + 2001} bytes]") for key in own)
    assert all(value.endswith("… [of 100000 bytes]") and len(value.encode()) == 1023 for value in own.values())


@pytest.mark.parametrize("end", ["", "tachy.stop(600)"])
@pytest.mark.parametrize("server", ["away", "silent"])
def test_an_end_does_not_wait_for_a_server_where_files_protect_what_is_left(
    server: str, end: str, session_folder: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # connects, and never answers
        port = listening.getsockname()[1] if server == "silent" else 1
        program = f"import tachy; tachy.start('http://127.0.0.1:{port}', exit_timeout=600); tachy.metric('m', 1); {end}"
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert list(session_folder.glob("*.batch"))
