"""What others cost a native program, in the same run as ours: LTTng-UST and spdlog, from `tools/setup.sh bench`.

Each is a program beside bench_static (bench/native/peer_*), measured in the same windows and turns.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.budgets import BenchError


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer's program, and what to say of its one case."""

    program: str  # bench_PROGRAM
    case: str
    ours: str  # our case that does the same
    when_full: str


PEERS = (
    Peer("lttng", "lttng_ust_span", "span", "discards, or overwrites the oldest, as set"),
    Peer("spdlog", "spdlog_async_two_ints", "log_two_ints", "blocks, or overwrites the oldest, as set"),
)


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
    found = {peer.program: dict(os.environ) for peer in PEERS if (build / f"bench_{peer.program}").exists()}
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
