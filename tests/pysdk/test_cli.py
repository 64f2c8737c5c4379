"""The command: every format exact, every failure one sentence, quiet pipes, prompt Ctrl-C, and docs that match."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest
import tachy
from tachy import cli
from tachy.times import parse_time

from tests.model.encoder import Process
from tests.pysdk.fake_flight import FakeFlight, slow
from tests.pysdk.sink import Sink
from tests.serving import Server, control_in

ROOT = Path(__file__).resolve().parents[2]
TABLE = pa.table({"name": ["a", "bb", None], "n": [1, 20, 300]})


def start(*arguments: str, **keywords: object) -> subprocess.Popen[str]:
    settings: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "tachy.cli", *arguments], **(settings | keywords))  # type: ignore[call-overload,no-any-return]


PROGRESS = re.compile(r"^\w+: (?:[\d,]+ rows, )?(?:[\d.]+ \w+, )?\d+ s\n", re.MULTILINE)


def ran(*arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tachy.cli", *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def run(*arguments: str, given: str | None = None) -> tuple[int, str, str]:
    """Exit code, output, and errors; without what says how far it is, where the machine is busy."""
    done = ran(*arguments, given=given)
    return done.returncode, done.stdout, PROGRESS.sub("", done.stderr)


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeFlight]:
    with FakeFlight(lambda sql: TABLE) as server:
        yield server


def test_formats_are_what_the_docs_say(fake: FakeFlight, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ask(*more: str) -> str:
        assert cli.main(["query", "SELECT 1", "--uri", fake.uri, *more]) == 0
        return capsys.readouterr().out

    assert ask() == "name    n\n────  ───\na       1\nbb     20\nNULL  300\n(3 rows)\n"
    assert list(csv.reader(io.StringIO(ask("--format", "csv")))) == [
        ["name", "n"],
        ["a", "1"],
        ["bb", "20"],
        ["", "300"],
    ]
    lines = [json.loads(line) for line in ask("--format", "json").splitlines()]
    assert lines == [{"name": "a", "n": 1}, {"name": "bb", "n": 20}, {"name": None, "n": 300}]
    out = tmp_path / "out.arrow"
    assert ask("--format", "arrow", "-o", str(out)) == ""
    assert pa.ipc.open_stream(out.read_bytes()).read_all() == TABLE
    assert ask("--format", "csv", "-o", str(tmp_path / "x.csv")) == ""
    assert (tmp_path / "x.csv").read_text() == "name,n\na,1\nbb,20\n,300\n"
    assert "first 2 rows, there are more" in ask("--rows", "2")


def test_arrow_goes_to_a_pipe_but_not_to_a_terminal(fake: FakeFlight) -> None:
    command = [sys.executable, "-m", "tachy.cli", "query", "SELECT 1", "--format", "arrow", "--uri", fake.uri]
    done = subprocess.run(command, capture_output=True, check=True)
    assert pa.ipc.open_stream(done.stdout).read_all() == TABLE
    master, slave = pty.openpty()
    refused = subprocess.run(command, stdout=slave, stderr=subprocess.PIPE, text=True, check=False)
    os.close(master)
    os.close(slave)
    assert refused.returncode == 1
    assert refused.stderr == "tachy: an Arrow stream is not for a terminal: redirect it, or give -o FILE\n"


def test_range_limit_and_stdin_arrive(fake: FakeFlight) -> None:
    before = time.time_ns()
    code, _, err = run(
        "query", "-", "--begin", "-10m", "--end=now", "--limit", "5", "--uri", fake.uri, given="SELECT 'ж'\n"
    )
    assert (code, err) == (0, "")
    sql, headers = fake.asked[-1]
    assert sql == "SELECT 'ж'\n"
    assert headers["limit"] == "5"
    begin = parse_time(headers["query_range_begin"])
    assert abs(begin - (before - 600 * 10**9)) < 60 * 10**9
    assert run("query", "SELECT 1", "--rows", "7", "--uri", fake.uri)[0] == 0
    assert fake.asked[-1][1]["limit"] == "8"
    assert run("query", "SELECT 1", "--format", "csv", "--uri", fake.uri)[0] == 0
    assert "limit" not in fake.asked[-1][1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "tachy: the following arguments are required: COMMAND; see tachy --help"),
        (["quary"], "invalid choice: 'quary'"),
        (["query"], "tachy query: the following arguments are required: SQL; see tachy query --help"),
        (["query", "q", "--limit", "many"], "argument --limit: 'many' is not a whole number"),
        (["query", "q", "--format", "xml"], "invalid choice: 'xml'"),
        (["query", "q", "--colour"], "unrecognized arguments: --colour"),
        (["trace", "latest"], "the following arguments are required: -o/--output"),
        (["processes", "--limit", "-5"], "argument --limit"),
        (["control"], "the following arguments are required: PROCESS_ID"),
        (["control", "latest", "--level", "loud"], "argument --level: invalid choice: 'loud'"),
        (["control", "latest", "--level", "none"], "argument --level: invalid choice: 'none'"),
        (["control", "latest", "--category", "net"], "argument --category: 'net' is not NAME=LEVEL"),
        (["control", "latest", "--category", "=info"], "argument --category: '=info' is not NAME=LEVEL"),
        (["control", "latest", "--category", "net=loud"], "argument --category: 'net=loud' is not NAME=LEVEL"),
        (["control", "latest", "--mode", "some"], "argument --mode: invalid choice: 'some'"),
        (["control", "latest", "--seconds", "1.5"], "argument --seconds: '1.5' is not a whole number"),
        (["control", "latest", "--seconds", "60"], "--seconds needs --level, --category or --mode"),
        (["control", "latest", "--clear", "--mode", "all"], "--clear stands alone"),
        (["control", "latest", "--clear", "--seconds", "0"], "--clear stands alone"),
        (["mark", "latest"], "the following arguments are required: REASON"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    err = capsys.readouterr().err
    assert left.value.code == 2
    assert said in err
    assert err.count("\n") == 1
    assert "see tachy" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["query", "SELECT 1", "--uri", "grpc://127.0.0.1:9"], "start one with `tachy serve`"),
        (["processes", "--uri", "grpc://127.0.0.1:9"], "start one with `tachy serve`"),
        (["trace", str(uuid4()), "-o", "/dev/null", "--url", "http://127.0.0.1:9"], "start one with `tachy serve`"),
        (["query", "SELECT 1", "--uri", "127.0.0.1"], "flight_url must be an address like grpc://"),
        (["query", "SELECT 1", "--begin", "soon"], "begin: 'soon' is not a time"),
        (["query", "  "], "the question is empty"),
        (["query", "SELECT 1", "-o", "/no/such/folder/x", "--uri", "FAKE"], "No such file or directory"),
        (["trace", "xyz!", "-o", "/dev/null"], "is no process id"),
        (["control", str(uuid4()), "--url", "http://127.0.0.1:9"], "start one with `tachy serve`"),
        (["control", "xyz!"], "is no process id"),
        (["mark", str(uuid4()), "why", "--url", "http://127.0.0.1:9"], "start one with `tachy serve`"),
        (["mark", str(uuid4()), "why", "--url", "127.0.0.1"], "url must be an address like http://"),
    ],
)
def test_failures_are_one_sentence(
    arguments: list[str], said: str, fake: FakeFlight, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([fake.uri if argument == "FAKE" else argument for argument in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tachy: ")
    assert said in err
    assert err.count("\n") == 1


def test_without_its_extras_the_command_names_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.flight", None)
    monkeypatch.setitem(sys.modules, "tachy_server.serve", None)
    assert cli.main(["query", "SELECT 1"]) == 1
    assert "pip install 'tachy[notebook]'" in capsys.readouterr().err
    assert cli.main(["serve"]) == 1
    assert "pip install 'tachy[server]'" in capsys.readouterr().err


def test_serve_hands_its_arguments_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import tachy_server.serve

    got: list[list[str]] = []
    monkeypatch.setattr(tachy_server.serve, "main", lambda argv: got.append(argv) or 3)
    assert cli.main(["serve", "--data", "x", "--help"]) == 3
    assert got == [["--data", "x", "--help"]]


def test_head_makes_no_noise() -> None:
    stopped = threading.Event()
    with FakeFlight(lambda sql: slow(10**6, 0.0, stopped)) as fake:
        for form in ("csv", "json", "arrow"):
            process = start("query", "SELECT 1", "--format", form, "--uri", fake.uri)
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.buffer.read(64)
            process.stdout.close()
            assert process.wait(20) == 0
            assert process.stderr.read() == ""
            process.stderr.close()
        stopped.set()


def test_ctrl_c_is_prompt_and_clean() -> None:
    stopped = threading.Event()
    with FakeFlight(lambda sql: slow(10**6, 0.05, stopped)) as fake:
        process = start("query", "SELECT 1", "--format", "csv", "--uri", fake.uri)
        assert process.stdout is not None
        assert process.stderr is not None
        while not fake.asked:
            time.sleep(0.02)
        time.sleep(0.3)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert time.monotonic() - begin < 2
        assert process.stderr.read() == "\n"
        process.stdout.close()
        process.stderr.close()
        stopped.set()


def test_what_takes_long_says_how_far_it_is() -> None:
    stopped = threading.Event()
    with FakeFlight(lambda sql: slow(26, 0.1, stopped)) as fake:
        done = ran("query", "SELECT 1", "--format", "csv", "--uri", fake.uri)
        assert done.returncode == 0
        assert len(done.stdout.splitlines()) == 27
        assert PROGRESS.match(done.stderr)
        assert PROGRESS.sub("", done.stderr) == ""
        stopped.set()


def test_version_and_help_answer(capsys: pytest.CaptureFixture[str]) -> None:
    commands = ("query", "trace", "control", "mark", "processes")
    for arguments in (["--version"], ["--help"], *([command, "--help"] for command in commands)):
        with pytest.raises(SystemExit) as left:
            cli.main(arguments)
        assert left.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"tachy {tachy.__version__}\n")
    lines = cli.parser().format_help().splitlines()
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert {line.split()[0] for line in lines if line.startswith("  ")} == cli.parser().commands().choices.keys()
    assert f'version = "{tachy.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_docs_describe_every_command_and_option() -> None:
    text = (ROOT / "docs/cli.md").read_text()
    sections = dict(re.findall(r"^## tachy (\w+)[^\n]*\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    commands = cli.parser().commands().choices
    assert sections.keys() == commands.keys()
    for name, command in commands.items():
        if name in ("keys", "rebuild", "check"):  # their options are the server's (tests/access, tests/maintain)
            continue
        real = {option for action in command._actions for option in action.option_strings} - {"-h", "--help"}
        told = set(re.findall(r"`(--?[a-z-]+)(?: [A-Z]+)?`", sections[name]))
        assert real == told, name


@pytest.mark.xdist_group("server")
def test_the_real_server_answers_every_command(server: Server, tmp_path: Path) -> None:
    me = tachy.start(server.http)
    with tachy.span("answer"):
        tachy.metric("value", 42, unit="u")
    tachy.log("info", "日本 hello")
    tachy.stop()
    uri = ["--uri", server.flight]
    code, out, err = run("query", f"SELECT msg FROM log_entries WHERE process_id = '{me}'", *uri, "--begin", "-10m")
    assert (code, out.splitlines()[2], err) == (0, "日本 hello", "")
    code, out, _ = run(
        "query", f"SELECT name, value, time FROM measures WHERE process_id = '{me}'", "--format", "json", *uri
    )
    row = json.loads(out)
    assert (row["name"], row["value"]) == ("value", 42.0)
    assert abs(parse_time(row["time"]) - time.time_ns()) < 600 * 10**9
    code, out, _ = run("processes", "--limit", "1000", *uri)
    assert code == 0
    assert str(me) in out
    trace = tmp_path / "t.perfetto-trace"
    code, out, err = run("trace", str(me)[:18], "-o", str(trace), "--url", server.http, *uri)
    assert (code, out) == (0, "")
    assert trace.stat().st_size > 100
    assert f"{trace}: " in err
    assert b"answer" in trace.read_bytes()
    command = [sys.executable, "-m", "tachy.cli", "trace", str(me), "-o", "-", "--url", server.http]
    assert subprocess.run(command, capture_output=True, check=True).stdout == trace.read_bytes()
    code, _, err = run("trace", str(uuid4()), "-o", str(tmp_path / "none"), "--url", server.http)
    assert code == 1
    assert err.count("\n") == 1
    code, _, err = run("query", "SELEC 1", *uri)
    assert code == 1
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.xdist_group("server")
def test_a_running_process_is_told_what_to_record(server: Server) -> None:
    process = Process(exe="steered")
    server.post(process.batch([]))
    me = str(process.process_id)
    url = ["--url", server.http]

    def told() -> str:
        return re.sub(r"^version=\d+", "version=N", control_in(server.post(process.batch([]))) or "")

    own = "nothing is in force: the recorder follows its own configuration\n"
    assert run("control", me, *url) == (0, own, "")
    wanted = ["--level", "info", "--category", "net=debug", "--category", "Game AI=none", "--mode", "flight"]
    said = "in force until the process ends: level info, net debug, Game AI none, mode flight\n"
    assert run("control", me[:13], *wanted, *url, "--uri", server.flight) == (0, said, "")
    assert told() == "version=N; level=info; level.net=debug; level.Game%20AI=none; mode=flight"
    assert run("control", me, *url) == (0, said, "")
    code, out, err = run("control", me, "--level", "warn", "--seconds", "1000", *url)
    assert (code, re.sub(r"\d+", "N", out), err) == (0, "in force for N s: level warn\n", "")
    assert re.fullmatch(r"version=N; seconds=\d+; level=warn", told())
    assert run("mark", me, "frame 7: 80 ms", *url) == (0, "", "")
    assert told().endswith("; level=warn; mark=frame%207%3A%2080%20ms")
    assert run("control", me, "--clear", *url) == (0, own, "")
    assert told().startswith("version=N")
    assert "level" not in told()
    unknown = str(uuid4())
    for arguments in (["control", unknown], ["control", unknown, "--clear"], ["mark", unknown, "why"]):
        assert run(*arguments, *url) == (1, "", f"tachy: There is no process {unknown}.\n")
    assert run("mark", me, "\udcff", *url)[0] == 1
    server.post(process.batch([], state="exited"))
    code, out, err = run("control", me, "--mode", "all", *url)
    assert (code, out, err) == (1, "", f"tachy: Process {me} has exited: nothing reaches it any more.\n")


@pytest.mark.xdist_group("server")
def test_logs_are_plain_lines_by_level_and_are_followed(server: Server) -> None:
    process = Process(exe="chatty", start_time=time.time_ns())
    main = process.thread("main")
    main.message(1_000, "first", level=4, target="told")
    main.message(2_000, "second\x1b[2J", level=3, target="told")
    server.post(process.batch(process.blocks()))
    only = ["--process", str(process.process_id), "--uri", server.flight]
    code, out, err = run("logs", *only)
    assert (code, err) == (0, "")
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
    assert re.fullmatch(rf"{stamp} info  told: first\n{stamp} warn  told: second�\[2J\n", out)
    assert run("logs", *only, "--level", "warn")[1].count("\n") == 1
    assert run("logs", *only, "--limit", "1")[1].endswith("second�[2J\n")
    assert run("logs", *only, "--end", "2020-01-01") == (0, "", "")
    assert run("logs", "-f", "--begin", "-1m")[0] == 2
    with start("logs", "-f", *only, "--limit", "1") as following:
        assert following.stdout
        assert "second" in following.stdout.readline()
        for number in (3, 4):
            main.message(number * 1_000, f"line {number}", level=4, target="told")
            server.post(process.batch(process.blocks()))
            assert following.stdout.readline().endswith(f"told: line {number}\n")
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 130
        assert following.stdout.read() == ""


@pytest.mark.xdist_group("server")
def test_top_shows_frames_spans_and_drops_of_the_last_seconds(server: Server) -> None:
    start = time.time_ns()
    process = Process(exe="/opt/game", start_time=start, properties={"build": "top"})
    main = process.thread("main")
    for frame in range(200):  # 10 of 20 seconds
        at = frame * 100_000_000
        main.span("[bold]tick\x1b[2J", at, at + 40_000_000)
        main.frame(at + 50_000_000, "frame", 250_000_000 if frame == 150 else 16_000_000)
    main.message(1_000_000_000, "long ago", level=2)
    main.message(19_000_000_000, "broken", level=2)
    server.post(process.batch(process.blocks()))
    command = ["top", str(process.process_id), "--uri", server.flight]
    code, out, err = run(*command)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("game  running  20 s  ")
    assert re.fullmatch(r"(9\.9|10\.[01]) frames/s  p50 16\.00 ms  p99 \d+\.\d\d ms  worst 250\.00 ms *", lines[1])
    assert lines[2].rstrip() == "1 errors  0 warnings  0 dropped  in its last 10 s"
    name, calls, own, longest = lines[5].rsplit(maxsplit=3)
    assert name == "[bold]tick�[2J"
    assert float(calls) == pytest.approx(10, abs=0.2)
    assert float(own) == pytest.approx(400, abs=8)
    assert longest == "40.000"
    assert max(map(len, lines)) <= 80
    assert run("top", str(uuid4()), "--uri", server.flight)[0] == 1
    program, terminal = pty.openpty()
    with start_on(terminal, *command) as live:
        shown = b""
        while shown.count(b"frames/s") < 2:  # drawn, and drawn again
            shown += os.read(program, 65536)
        live.send_signal(signal.SIGINT)
        assert live.wait(20) == 130
    os.close(program)
    assert b"\x1b[2J" not in shown.replace(b"\x1b[2J\x1b[H", b"")


def start_on(terminal: int, *arguments: str) -> subprocess.Popen[bytes]:
    """A command whose output is that terminal, of 80 columns."""
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-m", "tachy.cli", *arguments]
    started = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=env)
    os.close(terminal)
    return started


@pytest.mark.xdist_group("server")
def test_the_page_is_opened_and_the_status_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    url = ["--url", server.http]
    some = str(uuid4())
    for more, path in (([], "/"), ([some], f"/#/process/{some}")):
        assert run("open", *more, *url) == (0, f"{server.http}{path}\n", "")
        assert (tmp_path / "opened").read_text() == f"{server.http}{path}\n"
    code, out, err = run("status", *url)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"{server.http}: ready"
    assert "  ingest.stored: " in out
    for command in ("status", "open"):
        code, out, err = run(command, "--url", "http://127.0.0.1:9")
        assert (code, out) == (1, "")
        assert err.startswith("tachy: no tachy server answers at http://127.0.0.1:9 ")


def test_somebody_elses_server_is_one_sentence() -> None:
    with Sink() as sink:  # answers POST alone
        code, out, err = run("trace", str(uuid4()), "-o", "-", "--url", sink.url)
    assert (code, out, err) == (1, "", "tachy: 501 Unsupported method ('GET')\n")
