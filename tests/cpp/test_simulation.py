"""The example is a real program: deterministic, multi-threaded, and all it records arrives."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

from tests.cpp.builds import run, simulation
from tests.pysdk.sink import Sink


def test_everything_it_records_arrives(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with Sink() as sink:
        printed = run([simulation(), "--seconds", "3", "--threads", "4", "--url", sink.url, "--report", report])
        found = json.loads(report.read_text())
        assert found["process_id"] in printed
        assert found["dropped"] == {"log": 0, "metric": 0, "span": 0}
        assert sink.events() == found["sent"] == found["recorded"]
        assert found["bytes_per_event"] < 8
        assert found["mismatched"] == 0

        spans = sink.rows("span")
        assert {row["thread"] for row in spans} == {"main", "worker 0", "worker 1", "worker 2", "streaming"}
        names = {row["name"] for row in spans}
        assert {
            "Frame",
            "Input",
            "Simulate",
            "Pace",
            "Job",
            "Integrate",
            "Separate",
            "Steer",
            "Animate",
            "Cull",
        } <= names
        assert {row["name"] for row in sink.rows("async")} == {"LoadAsset", "ReadAsset", "UnpackAsset", "UploadAsset"}
        logs = sink.rows("log")
        assert {3, 4, 5, 6} >= {row["level"] for row in logs} - {2} >= {4, 5, 6}
        loaded = [row for row in logs if row["msg"].startswith("loaded ")]
        assert loaded
        assert all(re.fullmatch(r"loaded \w+/\d+: \d+ bytes in \d+\.\d\d ms", row["msg"]) for row in loaded)
        assert {json.dumps(row["properties"]) for row in loaded} == {'{"pool": "streaming", "device": "disk"}'}
        metrics = {(row["name"], row["unit"]) for row in sink.rows("metric")}
        assert {("frame", "seconds"), ("frame work", "ms"), ("contacts", ""), ("memory", "bytes")} <= metrics


def test_the_world_depends_on_the_seed_alone(tmp_path: Path) -> None:
    def worlds(threads: int, seed: int) -> dict[str, str]:
        """Checksum of the world after each of the first frames."""
        with Sink() as sink:
            run([simulation(), "--seconds", "1", "--threads", str(threads), "--seed", str(seed), "--url", sink.url])
            found = (re.match(r"frame (\d+): (\d+ contacts, hands at \S+)", row["msg"]) for row in sink.rows("log"))
            return {match[1]: match[2] for match in found if match}

    one, four, other = worlds(2, 7), worlds(4, 7), worlds(2, 8)
    common = one.keys() & four.keys()
    assert len(common) >= 10
    assert all(one[frame] == four[frame] for frame in common)
    assert one != other


def test_wrong_arguments_are_explained() -> None:
    done = subprocess.run([simulation(), "--fast"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")


def test_the_next_run_sends_what_a_killed_one_left(tmp_path: Path, session_folder: Path) -> None:
    with Sink() as sink:
        killed = subprocess.Popen([simulation(), "--seconds", "30", "--url", sink.url], stdout=subprocess.DEVNULL)
        time.sleep(1.5)
        killed.kill()
        killed.wait()
        assert list(session_folder.glob("*.session"))
        before = {head.process_id for head in sink.heads()}
        assert len(before) == 1
        run([simulation(), "--seconds", "1", "--url", sink.url])
        ends = {head.process_id: head.description["state"] for head in sink.heads()}  # of each, its last batch
        (first,) = before
        assert ends.pop(first) == "crashed"
        assert list(ends.values()) == ["exited"]
        spans = [
            block for head in sink.heads() if head.process_id == first for _, _, block in head.blocks if block.cls == 3
        ]
        assert sorted(block.sequence for block in spans) == list(range(len(spans)))
    assert not list(session_folder.iterdir())
