"""What others cost a native program, in the same run as ours.

Each is a program beside bench_static (bench/native/peer_*), measured in the same windows and turns. LTTng-UST and
spdlog come from `tools/setup.sh bench`; Tracy, Perfetto's C SDK and Micromegas from crates.io, by the versions of
bench/rust. What cannot be had or built is left out, and a line says so.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.budgets import ROOT, BenchError

LEAST = 0.1  # ns: what is left of ours above the same loop may be less than nothing
RUST = ROOT / "bench" / "rust"
SOURCES = {"TACHY_BENCH_TRACY": "tracy-client-sys/tracy", "TACHY_BENCH_PERFETTO": "perfetto-sdk-sys/libperfetto_c"}
PROGRAMS = {  # by what CMake is told of them
    "TACHY_BENCH_TRACY": ("tracy", "tracy_nobody", "tracy_on_demand", "tracy_shared"),
    "TACHY_BENCH_PERFETTO": ("perfetto",),
    "TACHY_BENCH_MICROMEGAS": ("micromegas",),
}


@dataclass(frozen=True, slots=True)
class Peer:
    """A case of a peer's program, and what to say of it."""

    program: str  # bench_PROGRAM
    case: str
    ours: str  # our case that does the same
    when_full: str
    linked: str = "static"  # or "shared": which of our programs
    less: str = ""  # a case of both programs that is taken off: the loop, or the work


GROWS = "keeps all of it until somebody reads, without limit"
OVERWRITES = "drops, or overwrites the oldest, as set"
IN_BLOCKS = "hands full blocks of 10 MB to a sink"
PEERS = (
    Peer("tracy", "tracy_span", "span", GROWS),
    Peer("tracy", "tracy_c_span", "span", GROWS),
    Peer("tracy", "tracy_work_span", "work_span", GROWS, less="work_clocks"),
    Peer("tracy", "tracy_text", "log_short_text", GROWS),
    Peer("tracy", "tracy_plot", "metric_int", GROWS),
    Peer("tracy_shared", "tracy_shared_span", "span", GROWS, linked="shared"),
    Peer("tracy_shared", "tracy_shared_c_span", "span", GROWS, linked="shared"),
    Peer("tracy_nobody", "tracy_nobody_span", "span", GROWS),
    Peer("tracy_on_demand", "tracy_on_demand_span", "disabled_span", "records nothing before that", less="empty"),
    Peer("micromegas", "micromegas_span", "span", IN_BLOCKS),
    Peer("micromegas", "micromegas_two_ints", "log_two_ints", IN_BLOCKS),
    Peer("micromegas", "micromegas_text", "log_short_text", IN_BLOCKS),
    Peer("micromegas", "micromegas_metric", "metric_int", IN_BLOCKS),
    Peer("perfetto", "perfetto_span", "span", OVERWRITES),
    Peer("perfetto", "perfetto_two_ints", "log_two_ints", OVERWRITES),
    Peer("perfetto", "perfetto_text", "log_short_text", OVERWRITES),
    Peer("perfetto", "perfetto_counter", "metric_int", OVERWRITES),
    Peer("perfetto", "perfetto_span_off", "disabled_span", "records nothing: no session wants it", less="empty"),
    Peer("lttng", "lttng_ust_span", "span", "discards, or overwrites the oldest, as set"),
    Peer("spdlog", "spdlog_async_two_ints", "log_two_ints", "blocks, or overwrites the oldest, as set"),
)

BEHIND = "tracy", "perfetto"  # whose programs also measure what happens behind a span


def _output(what: str, *command: str | Path) -> str | None:
    """What a command printed; None, and a line of `what` is not measured and why, when it failed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    why = next(
        (line for line in (done.stderr + done.stdout).splitlines() if "error" in line.lower()), f"{command[0]} failed"
    )
    print(f"{what}: not measured: {why.strip()}", file=sys.stderr)
    return None


def crates(build: Path) -> dict[str, str]:
    """{what CMake is told: a path}, empty paths for what cannot be had here. Sources stay where cargo unpacks them."""
    found = dict.fromkeys(PROGRAMS, "")
    if not PEERS:
        return found
    if shutil.which("cargo") is None:
        print("Tracy, Perfetto, Micromegas: not measured: no cargo here", file=sys.stderr)
        return found
    of = "--locked", "--manifest-path", RUST / "Cargo.toml"
    text = _output("Tracy, Perfetto", "cargo", "metadata", "--format-version=1", "--features=sources", *of)
    packages = json.loads(text)["packages"] if text else []
    folders = {package["name"]: Path(package["manifest_path"]).parent for package in packages}
    for name, path in SOURCES.items():
        crate, folder = path.split("/")
        if crate in folders:
            found[name] = str(folders[crate] / folder)
    target = build / "cargo"
    if _output("Micromegas", "cargo", "build", "--release", "--target-dir", target, *of) is not None:
        found["TACHY_BENCH_MICROMEGAS"] = str(target / "release" / "libpeers.a")
    return found


def make(build: Path, found: dict[str, str]) -> dict[str, str]:
    """Builds the programs of crates(), once CMake has been told; what is left of `found` when some do not build."""
    built = dict(found)
    for name, programs in PROGRAMS.items():
        for program in programs:
            file = f"bench_{program}"
            if not found[name] or _output(program, "cmake", "--build", build, "--target", file) is None:
                (build / file).unlink(missing_ok=True)  # of an earlier run
                built[name] = ""
    return built


def _free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


class _Lttng:
    """A recording session in flight recorder mode, so that no disk has a part in it.

    A session daemon that already runs is used and left alone; one that is started here is stopped by its process id.
    """

    def __init__(self, home: str) -> None:
        self.environment = os.environ | {"LTTNG_HOME": home, "LTTNG_UST_REGISTER_TIMEOUT": "5000"}
        self.name = f"tachy-bench-{os.getpid()}"
        self.home = home
        self.pid = Path(home) / "sessiond.pid"

    def run(self, *command: str) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise BenchError(f"{command}: {done.stdout}{done.stderr}")

    def start(self) -> None:
        with suppress(BenchError):  # one runs already, perhaps
            self.run("lttng-sessiond", "--daemonize", "--no-kernel", "--pidfile", str(self.pid))
        lttng = "lttng", "--no-sessiond"
        self.run(*lttng, "create", self.name, "--snapshot", "--output", self.home)
        of = "--userspace", "--session", self.name
        self.run(*lttng, "enable-channel", *of, "--subbuf-size=1M", "--num-subbuf=4", "spans")
        self.run(*lttng, "enable-event", *of, "--channel", "spans", "bench:*")
        self.run(*lttng, "start", self.name)

    def stop(self) -> None:
        with suppress(BenchError):
            self.run("lttng", "--no-sessiond", "destroy", self.name)
        with suppress(FileNotFoundError, ProcessLookupError, ValueError):
            number = int(self.pid.read_text())
            os.kill(number, signal.SIGTERM)
            for _ in range(100):
                time.sleep(0.05)
                os.kill(number, 0)


@contextmanager
def ready(build: Path) -> Iterator[dict[str, dict[str, str]]]:
    """{program: the environment to run it in} of the peers that can be measured here."""
    found = {
        peer.program: os.environ | {"TRACY_PORT": _free_port(), "TRACY_NO_INVARIANT_CHECK": "1"}
        for peer in PEERS
        if (build / f"bench_{peer.program}").exists()
    }
    if "lttng" not in found or shutil.which("lttng-sessiond") is None:
        found.pop("lttng", None)
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="tachy-lttng-") as home:
        session = _Lttng(home)
        try:
            session.start()
            found["lttng"] = session.environment
            yield found
        finally:
            session.stop()


def compare(peer: Peer, theirs: dict[str, dict[str, float]], ours: dict[str, dict[str, float]]) -> dict[str, float]:
    """A peer's case beside ours: nanoseconds of one thread, and of two where both were measured with them."""
    figures: dict[str, float] = {}
    for name, measured in (("ns", "ns_per_event"), ("ns_2_threads", "ns_2_threads")):
        both = theirs[peer.case].get(name), ours[peer.ours].get(name)
        if both[0] is not None and both[1] is not None:
            off = [program[peer.less]["ns"] if peer.less else 0.0 for program in (theirs, ours)]
            figures |= {measured: both[0] - off[0], f"ours_{measured}": both[1] - off[1]}
    return figures | {"of_tachy": figures["ns_per_event"] / max(figures["ours_ns_per_event"], LEAST)}
