"""The whole way once: `make demo` starts a server, runs a simulation and a Python program against it, asks five
questions in SQL and writes a Perfetto trace. `make demo-doom` does the same with a real game, `make demo-unreal` with a
game of the Unreal plugin on the shim of the engine that its tests use.

Writes build/demo/trace.perfetto-trace, report.json and trace.png (when Chromium is there). DEMO_SECONDS sets how long
the programs run (10), DEMO_SERVE=1 leaves the server up on the default ports, DEMO_OUT another folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import tachy
from tachy_server.postgres.supervisor import dsn_of

from tools import questions
from tools.unreal import write_plugin

ROOT = Path(__file__).resolve().parent.parent
CLASSES = ("log", "metric", "span")
ADDRESSED = ("--url", "{url}", "--report", "{report}")
THREAD_SLICES = "SELECT count(*) FROM slice JOIN thread_track t ON track_id = t.id WHERE category != 'log'"


def say(text: str) -> None:
    """One line of progress."""
    print(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text, flush=True)


@contextlib.contextmanager
def serving(data: Path, fixed_ports: bool) -> Iterator[dict[str, Any]]:
    """A server of our own on `data`; yields its server.json."""
    ports = [] if fixed_ports else ["--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"]
    command = [sys.executable, "-m", "tachy.cli", "serve", "--data", str(data), *ports]
    with open(data.parent / "server.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        ready = data / "server.json"
        deadline = time.monotonic() + 60.0
        while not ready.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the server did not start:\n{(data.parent / 'server.log').read_text()}")
            time.sleep(0.05)
        yield json.loads(ready.read_text())
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def build(source: Path, target: str, *options: str) -> Path:
    """Builds a program of a CMake project; its path."""
    folder = ROOT / "build" / target
    folder.mkdir(parents=True, exist_ok=True)
    configure = ["cmake", "-S", str(source), "-B", str(folder), "-DCMAKE_BUILD_TYPE=RelWithDebInfo", *options]
    configure += [f"-DCMAKE_RUNTIME_OUTPUT_DIRECTORY={folder / 'bin'}"]
    with open(ROOT / "build" / f"{target}.log", "w") as log:
        for command in (configure, ["cmake", "--build", str(folder), "--target", target, "-j2"]):
            if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
                sys.exit(f"{' '.join(command)} failed: see {log.name}")
    return folder / "bin" / target


def build_game() -> Path:
    """Builds the Unreal plugin, the shim of the engine and the game of the plugin's tests; the game's path."""
    plugin = write_plugin(ROOT / "build" / "unreal")
    return build(ROOT / "tests" / "unreal", "game", f"-DTACHY_PLUGIN={plugin}", "-DUE_SHIM_CONFIG=development")


def run_programs(commands: dict[str, list[str]], url: str, out: Path) -> dict[str, dict[str, Any]]:
    """Runs the programs side by side; what each reports of itself, by name. {url} and {report} in their commands: where
    they are to send, and the file for the report.
    """
    running = {}
    for name, command in commands.items():
        filled = [part.format(url=url, report=out / f"{name}.json") for part in command]
        with open(out / f"{name}.log", "w") as log:
            running[name] = subprocess.Popen(filled, stdout=log, stderr=subprocess.STDOUT)
    for name, program in running.items():
        if program.wait() != 0:
            sys.exit(f"{name} failed ({program.returncode}): see {out / name}.log")
    return {name: json.loads((out / f"{name}.json").read_text()) for name in commands}


def save_trace(http: str, ids: list[str], path: Path, window: dict[str, int] | None = None) -> None:
    """One trace of all the processes, of all time or of a window {begin, end} in UTC ns, streamed to `path`."""
    url = f"{http}/api/processes/{','.join(ids)}/trace"
    with httpx.stream("GET", url, params=window, timeout=300.0) as response, open(path, "wb") as file:
        if response.status_code != 200:
            sys.exit(f"{url}: {response.status_code} {response.read().decode()}")
        for chunk in response.iter_bytes():
            file.write(chunk)


def compare_with_duckdb(data: Path, expected: pa.Table) -> None:
    """Prints what DuckDB answers to the same question, from the catalog and the view's files alone."""
    try:
        import duckdb
        from duckdb_extensions import import_extension
    except ModuleNotFoundError:
        say("\nDuckDB is not here to answer the same without the server: pip install '.[duckdb]'")
        return
    for extension in ("ducklake", "postgres_scanner"):
        import_extension(extension)
    say("\nAnd by DuckDB, from the same view's files, without the server?")
    with duckdb.connect() as connection:
        catalog = dsn_of(data)
        connection.execute(f"ATTACH 'ducklake:postgres:{catalog}' AS lake (METADATA_SCHEMA 'ducklake', READ_ONLY)")
        connection.execute("USE lake")
        found = connection.execute(questions.OF_ALL).to_arrow_table()
    print(found.to_pandas().to_string(index=False))
    if found.to_pylist() != expected.to_pylist():
        sys.exit("DuckDB's answer is another one")


def look_at_trace(path: Path, picture: Path, window: dict[str, int] | None) -> dict[str, Any] | None:
    """What the real Perfetto UI says of the trace, and a picture of it or of a window; None without Chromium."""
    if shutil.which("chromium") is None:
        say("no Chromium here, so no screenshot: open the trace at https://ui.perfetto.dev")
        return None
    command = [sys.executable, "-m", "tests.perfetto.judge", str(path), "--png", str(picture), "--sql", THREAD_SLICES]
    if window:
        command += ["--visible", str(window["begin"]), str(window["end"])]
    judged = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if judged.returncode:
        sys.exit(f"the Perfetto UI found errors in the trace: {judged.stdout}")
    verdict: dict[str, Any] = json.loads(judged.stdout)
    verdict["spans"] = verdict.pop("sql")[0][0]
    return verdict


def count_slices(path: Path) -> int:
    """Begins on the tracks of threads in the trace, counted with Perfetto's own protos."""
    from tests.perfetto.readback import thread_slices

    return int(thread_slices(path))


def report_on(reports: dict[str, dict[str, Any]], events: int, spans_in_trace: int) -> dict[str, Any]:
    """The figures of the demo, in one object."""
    recorded = sum(sum(r["recorded"][c] for c in CLASSES) for r in reports.values())
    dropped = sum(sum(r["dropped"][c] for c in CLASSES) for r in reports.values())
    wire = sum(r["wire_bytes"] for r in reports.values())
    return {
        "events_recorded": recorded,
        "events_queryable": events,
        "events_dropped": dropped,
        "spans_in_trace": spans_in_trace,
        "bytes_per_event": round(wire / max(1, recorded - dropped), 3),
        "programs": reports,
    }


def main() -> None:
    """Runs the demo; exit status 1 when a figure does not add up."""
    parser = argparse.ArgumentParser(description=__doc__)
    programs = parser.add_mutually_exclusive_group()
    programs.add_argument("--doom", action="store_true", help="a real game instead of the simulation")
    programs.add_argument("--unreal", action="store_true", help="a game of the Unreal plugin")
    given = parser.parse_args()
    doom: bool = given.doom
    seconds = os.environ.get("DEMO_SECONDS", "10")
    stay = os.environ.get("DEMO_SERVE") == "1"
    out = Path(
        os.environ.get(
            "DEMO_OUT", ROOT / "build" / ("demo-doom" if doom else "demo-unreal" if given.unreal else "demo")
        )
    ).resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)

    if doom:
        say("building a real game: chocolate-doom, with -finstrument-functions")
        commands = {"doom": [str(ROOT / "cpp_sdk/examples/doom/doom.sh"), *ADDRESSED]}
    elif given.unreal:
        say("building the plugin, a shim of the engine and a game")
        game = ["env", f"UE_SHIM_PROJECT={out}", str(build_game()), "Demo", f"-Seconds={seconds}", "-Tachy"]
        commands = {"game": [*game, "-TachyUrl={url}", "-Report={report}"]}
    else:
        say("building the simulation")
        simulation = build(ROOT / "cpp_sdk", "simulation")
        terrain = ROOT / "pysdk/examples/bake_terrain.py"
        commands = {
            "simulation": [str(simulation), "--seconds", seconds, *ADDRESSED],
            "terrain": [sys.executable, str(terrain), "--seconds", seconds, *ADDRESSED],
        }
    with serving(out / "data", stay) as server:
        say(f"server at {server['http']} and {server['flight']}; running {' and '.join(commands)} …")
        reports = run_programs(commands, server["http"], out)
        ids = [r["process_id"] for r in reports.values()]
        words = {"ids": ", ".join(f"'{i}'" for i in ids), "main": ids[0]}
        with tachy.connect(server["flight"]) as lake:

            def ask(sql: str, **more: object) -> list[dict[str, Any]]:
                rows: list[dict[str, Any]] = lake.query(sql.format(**words, **more)).to_pylist()
                return rows

            asked = questions.OF_DOOM if doom else questions.OF_UNREAL if given.unreal else questions.OF_THE_DEMO
            for question, sql in asked.items():
                say(f"\n{question}")
                print(lake.query(sql.format(**words)).to_pandas().to_string(index=False))
            say("\nAnd of all programs that ever ran? (span_stats, a materialized view)")
            of_all = lake.query(questions.OF_ALL)
            print(of_all.to_pandas().to_string(index=False))
            lake.query(questions.INTO_FILES)
            compare_with_duckdb(out / "data", of_all)
            say("\nWhat does the lake hold, and what does that cost a month? (lake_usage)")
            print(lake.query(questions.HELD).to_pandas().to_string(index=False))
            counts = ask(questions.COUNTS)[0]
            window = ask(questions.MIDDLE)[0] if doom else None
            counts["pictured"] = ask(questions.IN_RANGE, **window)[0]["spans"] if window else counts["spans"]

        trace = pictured = out / "trace.perfetto-trace"
        save_trace(server["http"], ids, trace)
        slices = count_slices(trace)
        if window:
            pictured = out / "window.perfetto-trace"
            save_trace(server["http"], ids, pictured, window)
        say("\nWhat would a month of a thousand such programs cost? (tachy cost)")
        tachy_command = Path(sys.executable).with_name("tachy")
        rate = ["--events-per-second", "57700", "--days", "90", "--url", server["http"]]
        subprocess.run([tachy_command, "cost", *rate], check=False)  # says itself when the lake is too small for it

        report = report_on(reports, counts["events"], slices)
        verdict = look_at_trace(pictured, out / "trace.png", window)
        if verdict:
            report["perfetto_ui"] = verdict
        (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")

        say(f"\n{trace} ({trace.stat().st_size / 1e6:.1f} MB, {slices} spans): open it at https://ui.perfetto.dev")
        print(json.dumps({key: value for key, value in report.items() if not isinstance(value, dict)}, indent=2))
        kept = report["events_recorded"] - report["events_dropped"]
        seen = verdict["spans"] if verdict else counts["pictured"]
        if not (kept == counts["events"] and counts["spans"] == slices and counts["pictured"] == seen):
            sys.exit(
                f"the figures do not add up: {kept} events kept, {counts['events']} queryable; {counts['spans']} spans"
                f" queryable, {slices} in the trace; {counts['pictured']} of them to be seen in the UI, {seen} seen"
            )
        if stay:
            say(f"\nlook at it: {server['http']}/#/process/{ids[0]}")
            say(f"the server stays up, with FlightSQL at {server['flight']}; Ctrl-C stops it")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
        else:
            say(f"\nlook at it: {tachy_command} serve --data {out / 'data'}")
            say(f"then http://127.0.0.1:9000/#/process/{ids[0]}")
            say("or DEMO_SERVE=1 make demo, which stays up")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except (tachy.TachyError, httpx.HTTPError) as error:
        sys.exit(f"the demo stopped: {error}")
