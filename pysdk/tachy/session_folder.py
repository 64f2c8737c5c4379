"""What lies in a session folder: the command `tachy recover --list` and `--delete`. docs/format.md has the files."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tachy.errors import NotFound, ServerUnavailable

_BATCH = struct.Struct("<IHH16s16sIIQQ")  # magic, version, 0, batch, process, description size, blocks, size, hash
_BATCH_MAGIC = 0x54414254
_LIFE = {0: "new", 1: "killed", 2: "ended", 3: "sent", 4: "saved"}


@dataclass(frozen=True, slots=True)
class Leaving:
    """What one session file, or one process that has none any more, has in the folder. age: of its oldest file, in
    seconds; size: storage in bytes. state: runs (or is being recovered), killed, ended (neither had time to make
    batches of all it had), or left (batches alone).
    """

    id: str
    process_id: str
    exe: str
    destination: str
    state: str
    batches: int
    size: int
    age: float


def look(folder: str | os.PathLike[str]) -> list[Leaving]:
    """Everything in `folder`, the oldest first. NotFound: no such folder."""
    return sorted((_read(files) for files in _groups(folder).values()), key=lambda one: -one.age)


def delete(folder: str | os.PathLike[str], older_than: float = 0.0, patience: float = 10.0) -> list[Leaving]:
    """Deletes what programs that are gone left, if it is so many seconds old; returns that. What runs, or is being
    recovered, stays. ServerUnavailable: another program was at work in the folder for all of `patience` seconds.
    """
    gone = []
    with _locked(folder, patience):
        for files in _groups(folder).values():
            session = next((path for path in files if path.suffix == ".session"), None)
            with contextlib.ExitStack() as stack:
                if session is not None and not _take(stack, session):
                    continue
                one = _read(files)
                if one.age < older_than:
                    continue
                for path in sorted(files, key=lambda path: path.suffix == ".session"):  # which is the last to go
                    path.unlink(missing_ok=True)
                gone.append(one)
    return sorted(gone, key=lambda one: -one.age)


def table(found: list[Leaving]) -> str:
    """As the command prints it."""
    head = ("process", "for", "program", "state", "batches", "bytes", "age")
    rows = [
        (one.process_id, one.destination, one.exe, one.state, str(one.batches), str(one.size), _duration(one.age))
        for one in found
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    batches, size = sum(one.batches for one in found), sum(one.size for one in found)
    return "".join(f"{line.rstrip()}\n" for line in [*lines, f"{len(found)} programs, {batches} batches, {size} bytes"])


def _groups(folder: str | os.PathLike[str]) -> dict[str, list[Path]]:
    if not Path(folder).is_dir():
        raise NotFound(f"there is no folder {os.fspath(folder)} that could be read")
    groups: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(Path(folder).iterdir()):
        if path.name.endswith((".session", ".batch", ".batch.new")) and path.name[36:37] == ".":
            groups[path.name[:36]].append(path)
    return groups


def _read(files: list[Path]) -> Leaving:
    description: dict[str, object] = {}
    destination, state = "", "left"
    size, written = 0, time.time()
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # sent just now
            about = path.stat()
            size += about.st_blocks * 512
            written = min(written, about.st_mtime)
            if path.suffix == ".session":
                destination, state = _session(path)
            elif path.suffix == ".batch" and not description:
                description = _description(path)
    return Leaving(
        id=files[0].name[:36],
        process_id=str(description.get("process_id", "")),
        exe=str(description.get("exe", "")),
        destination=str(description.get("destination", destination)),
        state=state,
        batches=sum(path.suffix == ".batch" for path in files),
        size=size,
        age=max(time.time() - written, 0.0),
    )


def _description(path: Path) -> dict[str, object]:
    with path.open("rb") as file:
        head = file.read(_BATCH.size)
        if len(head) < _BATCH.size or _BATCH.unpack(head)[0] != _BATCH_MAGIC:
            return {}
        try:
            found = json.loads(file.read(_BATCH.unpack(head)[5]))
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def _session(path: Path) -> tuple[str, str]:
    """Destination and state."""
    with path.open("rb") as file:
        head = file.read(272)
    with contextlib.ExitStack() as stack:
        runs = not _take(stack, path)
    state = _LIFE.get(int.from_bytes(head[8:12], "little"), "unknown")
    return head[16:].split(b"\0", 1)[0].decode(errors="replace"), "runs" if runs else state


def _take(stack: contextlib.ExitStack, session: Path) -> bool:
    """Locks a session file until the stack is left. False: somebody has it, or it has gone."""
    try:
        file = stack.enter_context(session.open("r+b"))
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _locked(folder: str | os.PathLike[str], patience: float) -> Iterator[None]:
    """The folder's lock, which whoever changes batches without a session file has."""
    if not Path(folder).is_dir():
        raise NotFound(f"there is no folder {os.fspath(folder)} that could be read")
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServerUnavailable(f"another program is at work in {os.fspath(folder)}; try again") from None
                time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
