"""An S3 bucket as object store. Whatever the server at the other end does, a call ends in time.

Every request is tried again while its total time lasts, reads whose body was cut short or stopped coming included: what
is read is a range of an object that never changes, and what is written has a name of its own.
"""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from tachy_server.base.errors import NotFound, SettingsError, StoreError
from tachy_server.base.settings import Settings

T = TypeVar("T")
_FIRST_PAUSE: Final = 0.05  # seconds; it doubles
_LONGEST_PAUSE: Final = 2.0
_PASSING: Final = frozenset((408, 425, 429))  # beside 5xx: states of the server, not of the request
_PIECE: Final = 1 << 20
_SCRATCH: Final = ".new/"
_REMOVERS: Final = 8


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for a connection, for the next bytes of an answer, and for a request with all its tries."""

    connect: float = 5.0
    read: float = 10.0
    total: float = 30.0

    @staticmethod
    def of(settings: Settings) -> Patience:
        """As the settings say."""
        return Patience(settings.store_connect_seconds, settings.store_read_seconds, settings.store_seconds)


class _ConditionError(StoreError):
    """If-None-Match found an object."""


class S3Store:
    """A bucket and a prefix; write-once by conditional PUT, which the server at the other end must honour."""

    coalesce_gap = 1 << 20
    group_seconds = 1.0

    def __init__(self, bucket: str, prefix: str, patience: Patience | None = None) -> None:
        """Raises SettingsError when the bucket is not there or a PUT-if-absent replaces an object."""
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.name = f"s3://{bucket}/{self._prefix}"
        self._patience = patience or Patience()
        config = Config(
            retries={"total_max_attempts": 1},  # _call has its own, which read bodies too, and know the time
            connect_timeout=self._patience.connect,
            read_timeout=self._patience.read,
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

    def put_new(self, key: str, parts: Sequence[bytes | memoryview]) -> None:
        """PUT If-None-Match: *."""
        body = b"".join(parts)
        until = self._until()
        if self._put_if_absent(key, body, until):
            return
        # A retry of our own request finds what its first attempt wrote: keys are random, the bytes decide.
        if self._size(key, until) != len(body) or self._read(key, 0, len(body), until) != body:
            raise StoreError(f"{self.name}{key} exists already")

    def read(self, key: str, offset: int, size: int) -> memoryview:
        """A range GET."""
        return self._read(key, offset, size, self._until())

    def size(self, key: str) -> int:
        """HEAD."""
        return self._size(key, self._until())

    def written(self, key: str) -> int:
        """HEAD; whole seconds."""
        return self._call(
            "head_object", key, self._until(), lambda answer: int(answer["LastModified"].timestamp()) * 10**9
        )

    def remove(self, key: str) -> None:
        """DELETE, which says nothing about absent keys. Tried once: an object that nothing refers to is harmless."""
        self._delete(key, time.monotonic())

    def objects(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """List pages, each with the patience of a request."""
        more: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", None, self._until(), dict, Prefix=self._prefix + prefix, **more)
            for entry in page.get("Contents", ()):
                key = entry["Key"].removeprefix(self._prefix)
                if not key.startswith(_SCRATCH):
                    yield key, int(entry["Size"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def remove_all(self, keys: Iterable[str]) -> None:
        """A DELETE for each, several at a time: not every server of this kind takes a list of them."""
        with ThreadPoolExecutor(_REMOVERS, thread_name_prefix="remove") as pool:
            removals = [pool.submit(self._delete, key, self._until()) for key in keys]
            try:
                for removal in removals:
                    removal.result()
            except StoreError:
                pool.shutdown(cancel_futures=True)
                raise

    def check(self) -> None:
        """PUT of a small object (replacing it: what is checked is the way, not the condition)."""
        self._call("put_object", f"{_SCRATCH}check-{os.getpid()}", self._until(), lambda answer: None, Body=b"tachy")

    def _delete(self, key: str, until: float) -> None:
        self._call("delete_object", key, until, lambda answer: None)

    def _until(self) -> float:
        return time.monotonic() + self._patience.total

    def _probe(self) -> None:
        key = f"{_SCRATCH}probe-{uuid.uuid4().hex}"
        until = self._until()
        try:
            self._put_if_absent(key, b"1", until)  # False where a first try arrived and its answer did not
            twice = self._put_if_absent(key, b"2", until)
            self._delete(key, until)
        except (StoreError, NotFound) as error:
            raise SettingsError(f"cannot use the store {self.name}: {error}") from None
        if twice:
            raise SettingsError(
                f"the store {self.name} ignores If-None-Match, so objects could be replaced: use another server for it"
            )

    def _put_if_absent(self, key: str, body: bytes, until: float) -> bool:
        """Whether the object was absent and has been made."""
        try:
            self._call("put_object", key, until, lambda answer: None, Body=body, IfNoneMatch="*")
        except _ConditionError:
            return False
        return True

    def _size(self, key: str, until: float) -> int:
        return self._call("head_object", key, until, lambda answer: int(answer["ContentLength"]))

    def _read(self, key: str, offset: int, size: int, until: float) -> memoryview:
        if size == 0:
            return memoryview(b"")
        span = f"bytes={offset}-{offset + size - 1}"
        data = self._call("get_object", key, until, lambda answer: _body(answer, until), Range=span)
        if len(data) != size:
            raise NotFound(f"{self.name}{key} is too short: {offset + size} bytes were expected")
        return memoryview(data)

    def _call(self, operation: str, key: str | None, until: float, take: Callable[[Any], T], **arguments: Any) -> T:
        """`take` of the answer. A failure that may pass is tried again until then, and so once at least. Without a key
        the operation is the bucket's.
        """
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        if key is not None:
            arguments["Key"] = self._prefix + key
        pause = _FIRST_PAUSE
        while True:
            try:
                return take(getattr(self._client, operation)(Bucket=self._bucket, **arguments))
            except ClientError as error:
                if not self._may_pass(error, key or ""):
                    raise StoreError(f"the store {self.name} refuses {operation}: {error}") from None
                failure = StoreError(f"the store {self.name} fails at {operation}: {error}")
            except (BotoCoreError, HTTPError, OSError) as error:
                failure = StoreError(f"cannot reach the store {self.name}: {error}")
            if time.monotonic() + pause > until:
                raise failure from None
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _may_pass(self, error: Any, key: str) -> bool:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in ("NoSuchKey", "404"):
            raise NotFound(f"the store {self.name} has no {key}") from None
        if code == "InvalidRange":
            raise NotFound(f"{self.name}{key} is too short") from None
        if status in (409, 412):
            raise _ConditionError(f"{self.name}{key} exists already") from None
        return bool(status >= 500 or status in _PASSING)


def _body(answer: Any, until: float) -> bytes:
    """All of it. OSError when it is cut short, or comes so slowly that the time is over."""
    stream = answer["Body"]._raw_stream  # urllib3's: read1 returns what there is, read waits for all of it
    parts: list[bytes] = []
    try:
        while piece := stream.read1(_PIECE):
            parts.append(piece)
            if time.monotonic() > until:
                raise TimeoutError("its answer comes too slowly")
    except BaseException:
        answer["Body"].close()  # what is left of it must not be read as the next answer
        raise
    data = b"".join(parts)
    if len(data) != answer["ContentLength"]:
        raise ConnectionError("its answer was cut short")
    return data
