"""The whole way once: `make demo` starts a server, runs a simulation and a Python program against it, asks five questions in
SQL and writes a Perfetto trace. `make demo-doom` does the same with a real game.

Writes build/demo/trace.perfetto-trace, report.json and trace.png (when Chromium is there). DEMO_SECONDS sets how long the programs
run (10), DEMO_SERVE=1 leaves the server up on the default ports, DEMO_OUT another folder.
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

import tachy

ROOT = Path(__file__).resolve().parent.parent
CLASSES = ("log", "metric", "span")

COUNTS = """
SELECT (SELECT count(*) FROM log_entries WHERE process_id IN ({ids}))
     + (SELECT count(*) FROM measures WHERE process_id IN ({ids}))
     + (SELECT count(*) FROM async_events WHERE process_id IN ({ids}))
     + (SELECT count(*) FROM thread_spans WHERE process_id IN ({ids}) AND NOT is_open) AS events,
       (SELECT count(*) FROM thread_spans WHERE process_id IN ({ids})) AS spans
"""

QUESTIONS = {
    "How long do frames take?": """
        SELECT exe, count(*) AS frames, round(avg(value) * 1e3, 2) AS avg_ms,
               round(approx_percentile_cont(value, 0.99) * 1e3, 2) AS p99_ms, round(max(value) * 1e3, 2) AS worst_ms
        FROM measures WHERE process_id IN ({ids}) AND unit = 'seconds' GROUP BY exe""",
    "Where does the time go?": """
        SELECT name, count(*) AS calls, round(sum(duration) / 1e6, 1) AS total_ms,
               round(avg(duration) / 1e3, 2) AS avg_us, round(max(duration) / 1e3, 1) AS max_us
        FROM thread_spans WHERE process_id IN ({ids}) GROUP BY name ORDER BY total_ms DESC LIMIT 8""",
    "What ran in the worst frame?": """
        WITH worst AS (SELECT process_id, time, value FROM measures
                       WHERE process_id = '{main}' AND unit = 'seconds' ORDER BY value DESC LIMIT 1)
        SELECT s.thread_name, s.name, count(*) AS calls, round(sum(s.duration) / 1e3, 1) AS us
        FROM thread_spans s JOIN worst w ON s.process_id = w.process_id
        WHERE s.process_id = '{main}' AND s.end <= w.time
          AND s.begin >= w.time - arrow_cast(CAST(w.value * 1e9 AS BIGINT), 'Duration(Nanosecond)')
        GROUP BY s.thread_name, s.name ORDER BY us DESC LIMIT 8""",
    "What was logged, and how often?": """
        SELECT level, target, count(*) AS lines, max(msg) AS example
        FROM log_entries WHERE process_id IN ({ids}) GROUP BY level, target ORDER BY level, lines DESC LIMIT 8""",
    "What did the metrics say?": """
        SELECT name, unit, count(*) AS n, round(min(value), 3) AS min, round(avg(value), 3) AS avg,
               round(max(value), 3) AS max
        FROM measures WHERE process_id IN ({ids}) GROUP BY name, unit ORDER BY n DESC LIMIT 8""",
}


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


def build_simulation() -> Path:
    """Builds the C++ SDK with its examples; the path of the simulation."""
    build = ROOT / "build" / "cpp"
    build.mkdir(parents=True, exist_ok=True)
    with open(ROOT / "build" / "cpp.log", "w") as log:
        for command in (
            ["cmake", "-S", str(ROOT / "cpp_sdk"), "-B", str(build), "-DCMAKE_BUILD_TYPE=RelWithDebInfo"],
            ["cmake", "--build", str(build), "--target", "simulation", "-j2"],
        ):
            if subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
                sys.exit(f"{' '.join(command)} failed: see {log.name}")
    return next(build.rglob("simulation"))


def run_programs(commands: dict[str, list[str]], out: Path) -> dict[str, dict[str, Any]]:
    """Runs the programs side by side; what each reports of itself, by name."""
    running = {}
    for name, command in commands.items():
        report = out / f"{name}.json"
        with open(out / f"{name}.log", "w") as log:
            running[name] = subprocess.Popen([*command, "--report", str(report)], stdout=log, stderr=subprocess.STDOUT)
    for name, program in running.items():
        if program.wait() != 0:
            sys.exit(f"{name} failed ({program.returncode}): see {out / name}.log")
    return {name: json.loads((out / f"{name}.json").read_text()) for name in commands}


def save_trace(http: str, ids: list[str], path: Path) -> None:
    """One trace of all the processes, streamed to `path`."""
    url = f"{http}/api/processes/{','.join(ids)}/trace"
    with httpx.stream("GET", url, timeout=300.0) as response, open(path, "wb") as file:
        if response.status_code != 200:
            sys.exit(f"{url}: {response.status_code} {response.read().decode()}")
        for chunk in response.iter_bytes():
            file.write(chunk)


def look_at_trace(path: Path, picture: Path) -> dict[str, Any] | None:
    """What the real Perfetto UI says of the trace, and a picture of it; None without Chromium."""
    if shutil.which("chromium") is None:
        say("no Chromium here, so no screenshot: open the trace at https://ui.perfetto.dev")
        return None
    command = [sys.executable, "-m", "tests.perfetto.judge", str(path), "--png", str(picture)]
    judged = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if judged.returncode:
        sys.exit(f"the Perfetto UI found errors in the trace: {judged.stdout}")
    verdict: dict[str, Any] = json.loads(judged.stdout)
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
    parser.add_argument("--doom", action="store_true", help="a real game instead of the simulation")
    doom: bool = parser.parse_args().doom
    seconds = os.environ.get("DEMO_SECONDS", "10")
    stay = os.environ.get("DEMO_SERVE") == "1"
    out = Path(os.environ.get("DEMO_OUT", ROOT / "build" / ("demo-doom" if doom else "demo"))).resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)

    if doom:
        say("building a real game: chocolate-doom, with -finstrument-functions")
        commands = {"doom": [str(ROOT / "cpp_sdk/examples/doom/doom.sh")]}
    else:
        say("building the simulation")
        commands = {
            "simulation": [str(build_simulation()), "--seconds", seconds],
            "terrain": [sys.executable, str(ROOT / "pysdk/examples/bake_terrain.py"), "--seconds", seconds],
        }
    with serving(out / "data", stay) as server:
        say(f"server at {server['http']} and {server['flight']}; running {' and '.join(commands)} …")
        addressed = {name: [*command, "--url", server["http"]] for name, command in commands.items()}
        reports = run_programs(addressed, out)
        ids = [r["process_id"] for r in reports.values()]
        words = {"ids": ", ".join(f"'{i}'" for i in ids), "main": ids[0]}
        with tachy.connect(server["flight"]) as lake:
            for question, sql in QUESTIONS.items():
                say(f"\n{question}")
                print(lake.query(sql.format(**words)).to_pandas().to_string(index=False))
            counts = lake.query(COUNTS.format(**words)).to_pylist()[0]

        trace = out / "trace.perfetto-trace"
        save_trace(server["http"], ids, trace)
        slices = count_slices(trace)
        report = report_on(reports, counts["events"], slices)
        verdict = look_at_trace(trace, out / "trace.png")
        if verdict:
            report["perfetto_ui"] = verdict
        (out / "report.json").write_text(json.dumps(report, indent=2) + "\n")

        say(f"\n{trace} ({trace.stat().st_size / 1e6:.1f} MB, {slices} spans): open it at https://ui.perfetto.dev")
        print(json.dumps({key: value for key, value in report.items() if not isinstance(value, dict)}, indent=2))
        kept = report["events_recorded"] - report["events_dropped"]
        if not (kept == counts["events"] and counts["spans"] == slices):
            sys.exit(f"the figures do not add up: {kept} events kept, {counts['events']} queryable; "
                     f"{counts['spans']} spans queryable, {slices} in the trace")
        if stay:
            say(f"\nthe server stays up at {server['http']} and {server['flight']}; Ctrl-C stops it")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()


if __name__ == "__main__":
    main()
