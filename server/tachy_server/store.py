"""The object store: a folder or an S3 bucket, with the same few promises.

put_new() returns when the object is durable, and never replaces one. Keys are relative paths with slashes, such as
`segments/span/2026-11-23/0d9e….tseg`. Failures are StoreError, in one sentence.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tachy_server.errors import NotFound, SettingsError, StoreError

_SCRATCH_SECONDS = 3600.0


class Store(Protocol):
    """What the lake needs of an object store."""

    # Reads that are closer together than this are cheaper as one.
    coalesce_gap: int

    def put_new(self, key: str, parts: Sequence[bytes | memoryview]) -> None:
        """Makes the object of these bytes; durable on return. StoreError, also when the key exists."""

    def read(self, key: str, offset: int, size: int) -> memoryview:
        """Exactly these bytes. NotFound without the object or when it is shorter, StoreError when it is unreachable."""

    def size(self, key: str) -> int:
        """Bytes of the object; NotFound."""

    def remove(self, key: str) -> None:
        """Removes the object, if it is there."""

    def check(self) -> None:
        """StoreError when nothing could be written now."""


def open_store(text: str, default: Path) -> Store:
    """The store that the setting names; `default` is the folder for an empty one."""
    if text.startswith("s3://"):
        bucket, _, prefix = text.removeprefix("s3://").partition("/")
        return S3Store(bucket, prefix)
    if "://" in text:
        raise SettingsError(f"there is no object store {text}: give a folder or s3://bucket/prefix")
    return LocalStore(Path(text).expanduser() if text else default)


class LocalStore:
    """A folder. Objects are written beside their place, synced, linked to their name, and the folder synced."""

    coalesce_gap = 64 << 10

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
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
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            raise NotFound(f"the store {self.root} has no {key}") from None
        except OSError as error:
            raise StoreError(f"cannot read {key} in the store {self.root}: {error.strerror}") from None

    def remove(self, key: str) -> None:
        """Its name is gone; readers that have it open go on."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"cannot remove {key} in the store {self.root}: {error.strerror}") from None

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


class _ConditionError(StoreError):
    """If-None-Match found an object."""


class S3Store:
    """A bucket and a prefix; write-once by conditional PUT, which the server at the other end must honour."""

    coalesce_gap = 1 << 20

    def __init__(self, bucket: str, prefix: str) -> None:
        """Raises SettingsError when the bucket is not there or a PUT-if-absent replaces an object."""
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        config = Config(
            retries={"max_attempts": 3, "mode": "standard"},
            connect_timeout=5,
            read_timeout=30,
            max_pool_connections=32,
            # S3's default checksums of newer SDKs are not understood by older compatible servers.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        if not bucket:
            raise SettingsError("the store s3:// has no bucket: give s3://bucket/prefix")
        try:
            self._client: Any = boto3.client("s3", config=config)
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(f"cannot use the store {self.name}: {error}") from None
        self._probe()

    @property
    def name(self) -> str:
        """As the setting writes it."""
        return f"s3://{self._bucket}/{self._prefix}"

    def put_new(self, key: str, parts: Sequence[bytes | memoryview]) -> None:
        """PUT If-None-Match: *."""
        body = b"".join(parts)
        if self._put_if_absent(key, body):
            return
        # A retry of our own request finds what its first attempt wrote: keys are random, the bytes decide.
        if self.size(key) != len(body) or self.read(key, 0, len(body)) != body:
            raise StoreError(f"{self.name}{key} exists already")

    def read(self, key: str, offset: int, size: int) -> memoryview:
        """A range GET."""
        if size == 0:
            return memoryview(b"")
        span = f"bytes={offset}-{offset + size - 1}"
        data: bytes = self._call("get_object", key, lambda answer: answer["Body"].read(), Range=span)
        if len(data) != size:
            raise NotFound(f"{self.name}{key} is too short: {offset + size} bytes were expected")
        return memoryview(data)

    def size(self, key: str) -> int:
        """HEAD."""
        return int(self._call("head_object", key, lambda answer: answer["ContentLength"]))

    def remove(self, key: str) -> None:
        """DELETE, which says nothing about absent keys."""
        self._call("delete_object", key, lambda answer: None)

    def check(self) -> None:
        """PUT of a small object (replacing it: what is checked is the way, not the condition)."""
        self._call("put_object", f".new/check-{os.getpid()}", lambda answer: None, Body=b"tachy")

    def _probe(self) -> None:
        key = f".new/probe-{uuid.uuid4().hex}"
        try:
            twice = self._put_if_absent(key, b"1") and self._put_if_absent(key, b"2")
            self.remove(key)
        except (StoreError, NotFound) as error:
            raise SettingsError(f"cannot use the store {self.name}: {error}") from None
        if twice:
            raise SettingsError(
                f"the store {self.name} ignores If-None-Match, so objects could be replaced: use another server for it"
            )

    def _put_if_absent(self, key: str, body: bytes) -> bool:
        """Whether the object was absent and has been made."""
        try:
            self._call("put_object", key, lambda answer: None, Body=body, IfNoneMatch="*")
        except _ConditionError:
            return False
        return True

    def _call(self, operation: str, key: str, take: Any, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            answer = getattr(self._client, operation)(Bucket=self._bucket, Key=self._prefix + key, **arguments)
            return take(answer)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchKey", "404"):
                raise NotFound(f"the store {self.name} has no {key}") from None
            if code == "InvalidRange":
                raise NotFound(f"{self.name}{key} is too short") from None
            if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (409, 412):
                raise _ConditionError(f"{self.name}{key} exists already") from None
            raise StoreError(f"the store {self.name} refuses {operation}: {error}") from None
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StoreError(f"cannot reach the store {self.name}: {error}") from None
