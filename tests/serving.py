"""A real server for tests: `tachy serve` as a process of its own, on ports that the system chooses.

    with Server(tmp_path / "data") as server:          # starts, waits until it is ready
        server.post(process.batch())                   # → httpx.Response
        server.http, server.flight, server.data, server.pid
        server.kill(); server.start()                  # as after a power cut

A new data folder gets a copy of the PostgreSQL that one server has made in this run of the tests. Servers that are
`fresh`, or another `user`'s, make their own.

Other tests use the fixture `server` (tests/conftest.py): one for the whole session of a worker, shared, so give your
processes random ids (tests.model.encoder.Process does).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx
import psutil

BATCH_HEADERS = {"content-type": "application/octet-stream"}
_ROOT = Path(__file__).resolve().parent.parent


_kept: Path | None = None


def keep_postgres(folder: Path) -> None:
    """New data folders start from what one server makes in this one, which all workers share."""
    global _kept
    _kept = folder


def _kept_postgres(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "postgres").exists():
            with Server(folder / "data", "--role", "ingest", fresh=True):
                pass
            (folder / "data" / "postgres").rename(folder / "postgres")
    return folder / "postgres"


class ServerError(AssertionError):
    """The server did not start or stop as it should; the text is what it said."""


def control_in(answer: httpx.Response) -> str | None:
    """The control that an answer to a batch carries, without what it says where somebody looks at the process."""
    parts = str(answer.headers.get("Tachy-Control", "")).split("; ")
    return "; ".join(part for part in parts if part != "flush=1s") or None


def computing(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those of the processes that have not ended. One that has may wait for a while until somebody asks for its end."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


class Server:
    """One data folder and the server that runs on it."""

    def __init__(
        self,
        data: Path,
        *options: str,
        env: dict[str, str] | None = None,
        user: int | None = None,
        python: Path | None = None,
        files: str = "",
        fresh: bool = False,
    ) -> None:
        """`python`: one that has tachy_server installed, in the place of this one and the checkout's."""
        self.data = data
        self._python = python
        self.http = ""
        self.flight = ""
        self._options = options
        self._env = env or {}
        self._user = user
        self._fresh = fresh or user is not None or "--dsn" in options
        self._files = files  # how many it may open, soft:hard
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            code = self.stop()
            if code != 0 and error is None:
                raise ServerError(f"exit code {code} at the end\n{self.output()}")
        self._forget()

    @property
    def pid(self) -> int:
        """Of the server's process."""
        assert self._process is not None
        return self._process.pid

    @property
    def client(self) -> httpx.Client:
        """Connections that stay open between requests; any thread may use it."""
        assert self._client is not None, "the server is not running"
        return self._client

    def client_elsewhere(self) -> httpx.Client:
        """From another address of this machine, whose refusals are its own: for who asks until he is let in."""
        transport = httpx.HTTPTransport(local_address="127.0.0.2")
        return httpx.Client(base_url=self.http, timeout=60, transport=transport)

    def launch(self) -> None:
        """Starts the process; does not wait."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        (self.data / "server.json").unlink(missing_ok=True)
        if _kept is not None and not self._fresh and not self.data.exists():
            self.data.mkdir()
            self.data.chmod(0o711 if os.geteuid() == 0 else 0o700)  # as a server would
            subprocess.run(["cp", "-a", _kept_postgres(_kept), self.data / "postgres"], check=True)
        command = [str(self._python or sys.executable), "-m", "tachy_server.serve", "--data", str(self.data)]
        command += ["--http", "127.0.0.1:0", "--flight", "127.0.0.1:0", *self._options]
        prefix = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        if self._files:
            prefix += ["prlimit", f"--nofile={self._files}"]
        if self._user is not None:
            # An ordinary user, who may reach this checkout and its Python nevertheless.
            prefix += [f"--reuid={self._user}", f"--regid={self._user}", "--clear-groups"]
            prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
            prefix += ["--securebits=+no_setuid_fixup"]  # in access() too
        env = {name: value for name, value in os.environ.items() if not name.startswith("TACHY_")}
        if self._python is None:
            env["PYTHONPATH"] = os.pathsep.join([str(_ROOT / "server"), env.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        with self._output_file.open("ab") as output:
            self._process = subprocess.Popen(
                [*prefix, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=env | self._env
            )

    def start(self, seconds: float = 300) -> None:
        """Starts and waits until it is ready. Raises ServerError."""
        self.launch()
        self.wait_until_ready(seconds)

    def wait_until_ready(self, seconds: float = 300) -> None:
        """After launch(). Raises ServerError."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise ServerError(f"it ended with {self._process.returncode}\n{self.output()}")
            try:
                content = json.loads((self.data / "server.json").read_text())
            except (OSError, ValueError):
                time.sleep(0.02)
                continue
            self.http, self.flight = content["http"], content["flight"]
            self._client = httpx.Client(base_url=self.http, timeout=60, trust_env=False)
            return
        self.kill()
        raise ServerError(f"not ready after {seconds} s\n{self.output()}")

    def stop(self, seconds: float = 40) -> int:
        """SIGTERM; returns the exit code. Raises ServerError when it goes on."""
        return self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        """SIGKILL: as if the power had gone for this process."""
        self._end(signal.SIGKILL, 10)

    def wait(self, seconds: float = 30) -> int:
        """Until it has ended by itself; returns the exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def post(self, batch: bytes) -> httpx.Response:
        """Sends one batch."""
        return self.client.post("/ingest/v1/batch", content=batch, headers=BATCH_HEADERS)

    def output(self) -> str:
        """Everything it has printed, in all its starts."""
        return self._output_file.read_text(errors="replace")

    @property
    def _output_file(self) -> Path:
        return self.data.with_name(self.data.name + ".out")

    def _end(self, number: signal.Signals, seconds: float) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise ServerError(f"it goes on {seconds} s after {number.name}\n{self.output()}") from None
        self._forget()
        return code

    def _forget(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
