"""The object store: a folder or an S3 bucket, with the same few promises.

put_new() returns when the object is durable, and never replaces one. Keys are relative paths with slashes, such as
`segments/2026-11-23/0d9e….tseg`. Failures are StoreError, in one sentence.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from tachy_server.base.errors import NotFound, SettingsError, StoreError
from tachy_server.base.settings import Settings
from tachy_server.lake.s3_store import Patience, S3Store

_SCRATCH_SECONDS = 3600.0


class Store(Protocol):
    """What the lake needs of an object store."""

    # Its folder or s3://bucket/prefix, with a slash at its end.
    name: str
    # Reads that are closer together than this are cheaper as one.
    coalesce_gap: int
    # How long batches wait for one another, to be one object: as dear as one is.
    group_seconds: float

    def put_new(self, key: str, parts: Sequence[bytes | memoryview]) -> None:
        """Makes the object of these bytes; durable on return. StoreError, also when the key exists."""

    def read(self, key: str, offset: int, size: int) -> memoryview:
        """Exactly these bytes. NotFound without the object or when it is shorter, StoreError when it is unreachable."""

    def size(self, key: str) -> int:
        """Bytes of the object; NotFound."""

    def written(self, key: str) -> int:
        """When the object was, as the store says: UTC nanoseconds; NotFound."""

    def objects(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Key and size of every object whose key begins so, ordered by the keys' bytes. Of those that are made or
        removed meanwhile, some. StoreError.
        """

    def remove(self, key: str) -> None:
        """Removes the object, if it is there. Tried once."""

    def remove_all(self, keys: Iterable[str]) -> None:
        """Removes those that are there. StoreError with the first that stays; others may stay then, too."""

    def check(self) -> None:
        """StoreError when nothing could be written now."""


def open_store(settings: Settings, default: Path) -> Store:
    """The store that the setting `store` names; `default` is the folder for an empty one."""
    text = settings.store
    if text.startswith("s3://"):
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        return S3Store(bucket, prefix, Patience.of(settings))
    if "://" in text:
        raise SettingsError(f"there is no object store {text}: give a folder or s3://bucket/prefix")
    return LocalStore(Path(text).expanduser() if text else default)


class LocalStore:
    """A folder. Objects are written beside their place, synced, linked to their name, and the folder synced."""

    coalesce_gap = 64 << 10
    group_seconds = 0.002

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.name = f"{self.root}/"
        self._scratch = self.root / ".new"
        self._folders: set[Path] = set()
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"cannot use the store {self.root}: {error.strerror}") from None
        self._sweep()
        self.check()

    def put_new(self, key: str, parts: Sequence[bytes | memoryview]) -> None:
        """Write, fsync, link if absent, fsync the folder."""
        target = self._path(key)
        scratch = self._scratch / uuid.uuid4().hex
        try:
            self._make_folder(target.parent)
            file = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                try:
                    _write_all(file, parts)
                    os.fsync(file)
                finally:
                    os.close(file)
                os.link(scratch, target)  # rename would replace an object silently
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(scratch)
            _sync_folder(target.parent)
        except OSError as error:
            self._folders.discard(target.parent)
            raise StoreError(f"cannot write to the store {self.root}: {error.strerror}") from None

    def read(self, key: str, offset: int, size: int) -> memoryview:
        """One pread, or as many as it takes."""
        try:
            file = os.open(self._path(key), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if not self._scratch.is_dir():  # it is not the object that is missing
                raise StoreError(f"the store {self.root} is not there") from None
            raise NotFound(f"the store {self.root} has no {key}") from None
        except OSError as error:
            raise StoreError(f"cannot read {key} in the store {self.root}: {error.strerror}") from None
        try:
            data = os.pread(file, size, offset)
            while 0 < len(data) < size:
                more = os.pread(file, size - len(data), offset + len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise StoreError(f"cannot read {key} in the store {self.root}: {error.strerror}") from None
        finally:
            os.close(file)
        if len(data) != size:
            raise NotFound(f"{key} in the store {self.root} is too short: {offset + size} bytes were expected")
        return memoryview(data)

    def size(self, key: str) -> int:
        """From its stat."""
        return self._stat(key).st_size

    def written(self, key: str) -> int:
        """From its stat."""
        return self._stat(key).st_mtime_ns

    def _stat(self, key: str) -> os.stat_result:
        try:
            return self._path(key).stat()
        except FileNotFoundError:
            raise NotFound(f"the store {self.root} has no {key}") from None
        except OSError as error:
            raise StoreError(f"cannot read {key} in the store {self.root}: {error.strerror}") from None

    def objects(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """From the folders that can have them."""
        folder, _, start = prefix.rpartition("/")
        try:
            found = list(self._entries(self._path(folder)))
            if not found and not self._scratch.is_dir():
                raise StoreError(f"the store {self.root} is not there")
            for name, entry in found:
                if not name.startswith(start):
                    continue
                key = f"{folder}/{name}" if folder else name
                if name.endswith("/"):
                    yield from self.objects(key)
                else:
                    with contextlib.suppress(FileNotFoundError):
                        yield key, entry.stat().st_size
        except OSError as error:
            raise StoreError(f"cannot list the store {self.root}: {error.strerror}") from None

    def _entries(self, folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """By name, as their keys are ordered; the names of folders end in a slash. None where there is no folder."""
        try:
            with os.scandir(folder) as entries:
                found = {entry.name + "/" * entry.is_dir(): entry for entry in entries}
        except (FileNotFoundError, NotADirectoryError):
            return
        for name in sorted(found, key=os.fsencode):
            if found[name].path != str(self._scratch):
                yield name, found[name]

    def remove(self, key: str) -> None:
        """Its name is gone; readers that have it open go on."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot remove {key} in the store {self.root}: {error.strerror}") from None

    def remove_all(self, keys: Iterable[str]) -> None:
        """One after the other."""
        for key in keys:
            self.remove(key)

    def check(self) -> None:
        """Makes a small file and removes it."""
        scratch = self._scratch / uuid.uuid4().hex
        try:
            scratch.write_bytes(b"tachy")
            scratch.unlink()
        except OSError as error:
            raise StoreError(f"cannot write to the store {self.root}: {error.strerror}") from None

    def _sweep(self) -> None:
        """Removes what a killed server was writing; another one may be writing there now."""
        for left in self._scratch.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > _SCRATCH_SECONDS:
                    left.unlink()

    def _path(self, key: str) -> Path:
        return self.root / key

    def _make_folder(self, folder: Path) -> None:
        """As mkdir -p, and every new entry is durable."""
        if folder in self._folders:
            return
        missing = [folder, *(parent for parent in folder.parents if parent.is_relative_to(self.root))]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            _sync_folder(path.parent)
        self._folders.add(folder)


def _write_all(file: int, parts: Sequence[bytes | memoryview]) -> None:
    pending = [memoryview(part) for part in parts if len(part)]
    while pending:
        written = os.writev(file, pending[:512])
        while pending and written >= len(pending[0]):
            written -= len(pending.pop(0))
        if written:
            pending[0] = pending[0][written:]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
