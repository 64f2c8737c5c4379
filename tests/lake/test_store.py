"""Both object stores: durable, write-once, exact ranges, sentences for failures."""

from __future__ import annotations

import errno
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.s3.responses import S3Response
from moto.server import ThreadedMotoServer
from tachy_server.base.errors import NotFound, SettingsError, StoreError
from tachy_server.base.settings import load
from tachy_server.lake.s3_store import Patience, S3Store
from tachy_server.lake.store import LocalStore, Store, open_store

from tests.lake.conftest import game, play, rows_of
from tests.lake.faulty_s3 import FaultyS3, faulty
from tests.serving import Server

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The endpoint of an S3 server in memory. Its PUTs are one after the other: unlike S3's, moto's condition and write
    are two steps, between which another thread may come."""
    lock = threading.Lock()
    put = S3Response.put_object

    def put_alone(*arguments: Any) -> Any:
        with lock:
            return put(*arguments)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(S3Response, "put_object", put_alone)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A fresh bucket; the environment points to it."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3)
    name = f"b-{uuid.uuid4()}"
    boto3.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return name


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return LocalStore(tmp_path / "store")
    return S3Store(request.getfixturevalue("bucket"), "some/prefix")


KEY = "segments/span/2026-11-23/a.tseg"


def test_what_was_put_is_read_in_any_range(store: Store) -> None:
    content = bytes(range(256)) * 100
    store.put_new(KEY, [content[:10], memoryview(content)[10:9000], b"", content[9000:]])
    assert store.size(KEY) == len(content)
    for offset, size in ((0, len(content)), (1000, 7), (len(content) - 1, 1), (5, 0)):
        assert bytes(store.read(KEY, offset, size)) == content[offset : offset + size]


def test_an_object_is_never_replaced(store: Store) -> None:
    store.put_new(KEY, [b"first"])
    with pytest.raises(StoreError):
        store.put_new(KEY, [b"other"])
    assert bytes(store.read(KEY, 0, 5)) == b"first"


def test_of_many_writers_one_wins(store: Store) -> None:
    def put(number: int) -> bool:
        try:
            store.put_new(KEY, [b"writer %d" % number])
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(put, range(8))) == 1


def test_more_than_there_is_is_an_error(store: Store) -> None:
    store.put_new(KEY, [b"12345"])
    for offset, size in ((0, 6), (5, 1), (100, 1)):
        with pytest.raises(NotFound, match="too short"):
            store.read(KEY, offset, size)


def test_a_folder_that_is_away_is_not_an_object_that_is_lost(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.put_new(KEY, [b"12345"])
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(StoreError, match="not there"):
        store.read(KEY, 0, 5)


def test_absent_objects_are_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="nothing"):
        store.read("nothing", 0, 1)
    with pytest.raises(NotFound, match="nothing"):
        store.size("nothing")
    store.remove("nothing")


def test_removed_is_gone(store: Store) -> None:
    store.put_new(KEY, [b"x"])
    store.remove(KEY)
    with pytest.raises(NotFound):
        store.size(KEY)
    store.check()


def test_objects_are_listed_by_what_their_keys_begin_with(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their keys' bytes, several pages of them, and nothing that is only being written."""
    sizes = {f"segments/log/2026-11-{day:02}/{number}.tseg": day + number for day in (1, 2, 23) for number in range(5)}
    sizes |= {"segments/log-2/a": 1, "segments/log.x": 2, "segments/lo": 3, "segments/logs/a": 4, "other": 5, "ü/ä": 6}
    for key, size in random.Random(1).sample(sorted(sizes.items()), len(sizes)):
        store.put_new(key, [bytes(size)])
    store.check()
    if isinstance(store, S3Store):
        pages = store._client.list_objects_v2
        monkeypatch.setattr(store._client, "list_objects_v2", lambda **given: pages(**given, MaxKeys=4))
    assert list(store.objects()) == sorted(sizes.items(), key=lambda entry: entry[0].encode())
    for prefix in (
        "segments/",
        "segments/log",
        "segments/log/",
        "segments/log/2026-11-0",
        "seg",
        "none/",
        "ü",
        "other",
    ):
        expected = {key: size for key, size in sizes.items() if key.startswith(prefix)}
        assert dict(store.objects(prefix)) == expected, prefix


def test_what_is_removed_together_is_gone(store: Store) -> None:
    keys = [f"segments/{number}" for number in range(20)]
    for key in keys:
        store.put_new(key, [b"x"])
    store.remove_all([*keys[:15], "segments/never"])
    assert [key for key, _ in store.objects("segments/")] == sorted(keys[15:])
    store.remove_all([])


def test_a_folder_that_is_away_has_no_list(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(StoreError, match="not there"):
        list(store.objects())


def test_a_folder_keeps_no_scratch_files(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.put_new(KEY, [b"x"])
    with pytest.raises(StoreError):
        store.put_new(KEY, [b"y"])
    store.check()
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == [tmp_path / "store" / KEY]


def test_what_a_killed_server_left_is_swept_up_but_not_what_another_one_writes(tmp_path: Path) -> None:
    scratch = tmp_path / "store" / ".new"
    scratch.mkdir(parents=True)
    (scratch / "old").write_bytes(b"half")
    os.utime(scratch / "old", (0, 0))
    (scratch / "fresh").write_bytes(b"half")
    LocalStore(tmp_path / "store")
    assert [path.name for path in scratch.iterdir()] == ["fresh"]


def test_a_full_disk_is_said_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(tmp_path / "store")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.put_new(KEY, [b"x"])
    monkeypatch.undo()
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []
    store.put_new(KEY, [b"x"])


def test_more_parts_than_one_system_call_takes(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    parts = [bytes([number % 251]) * (number % 7) for number in range(5000)]
    store.put_new(KEY, parts)
    assert bytes(store.read(KEY, 0, sum(map(len, parts)))) == b"".join(parts)


def test_a_server_that_ignores_the_condition_is_refused(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = S3Store._call

    def forgetful(self: S3Store, *given: object, **arguments: object) -> object:
        arguments.pop("IfNoneMatch", None)
        return whole(self, *given, **arguments)

    monkeypatch.setattr(S3Store, "_call", forgetful)
    with pytest.raises(SettingsError, match="If-None-Match"):
        S3Store(bucket, "")


def test_a_bucket_that_is_not_there_is_said_so(bucket: str) -> None:
    with pytest.raises(SettingsError, match="s3://no-such-bucket"):
        S3Store("no-such-bucket", "")


def test_an_endpoint_that_is_not_there_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    with pytest.raises(SettingsError, match="cannot use the store"):
        S3Store("bucket", "", Patience(total=0.5))


def test_other_schemes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="gs://bucket"):
        open_store(load(["--store", "gs://bucket"], {}), tmp_path)


def test_a_server_on_s3_stores_there(bucket: str, s3: str, tmp_path: Path) -> None:
    env = CREDENTIALS | {"AWS_ENDPOINT_URL_S3": s3}
    with Server(tmp_path / "data", "--role", "ingest", "--store", f"s3://{bucket}/lake", env=env) as server:
        assert server.post(game().batch()).json()["status"] == "stored"
        with rows_of(server.data) as rows:
            keys = {f"lake/{key}" for (key,) in rows.execute("SELECT key FROM segments")}
        listed = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix="lake/segments/")["Contents"]
        assert {entry["Key"] for entry in listed} == keys
        assert len(keys) == 1
    assert not (server.data / "store").exists()


@pytest.fixture
def unreliable(bucket: str, s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FaultyS3, S3Store]]:
    """A store behind a network that fails as it is told to."""
    with faulty(s3) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        yield proxy, S3Store(bucket, "lake", Patience(connect=2, read=0.5, total=20))


CONTENT = bytes(range(256)) * 400


@pytest.mark.parametrize("fault", ["cut", "hang", "500", "reset", "lost"])
def test_what_fails_on_the_way_is_tried_again(unreliable: tuple[FaultyS3, S3Store], fault: str) -> None:
    proxy, store = unreliable
    chance = random.Random(1)
    proxy.faults = lambda method, path: fault if chance.random() < 0.4 else ""
    for number in range(5):
        key = f"segments/{number}"
        store.put_new(key, [CONTENT, str(number).encode()])
        assert store.read(key, 100, 5_000) == CONTENT[100:5_100]
        assert store.size(key) == len(CONTENT) + 1
    assert [key for key, _ in store.objects("segments/")] == [f"segments/{number}" for number in range(5)]
    store.remove_all(["segments/3", "segments/4"])
    assert [key for key, _ in store.objects("segments/")] == [f"segments/{number}" for number in range(3)]
    with pytest.raises(StoreError, match="exists already"):
        store.put_new("segments/0", [b"another"])
    assert proxy.failed > 3


@pytest.mark.parametrize("fault", ["cut", "hang", "trickle", "500", "reset"])
def test_a_call_ends_when_its_time_is_over(bucket: str, s3: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with faulty(s3) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        store = S3Store(bucket, "lake", Patience(connect=2, read=0.5, total=1.5))
        store.put_new(KEY, [CONTENT])
        proxy.faults = lambda method, path: fault
        begin = time.monotonic()
        with pytest.raises(StoreError, match=r"cannot reach the store|fails at get_object"):
            store.read(KEY, 0, len(CONTENT))
        assert time.monotonic() - begin < 60, "without a bound it would be hours"


def test_what_the_server_means_is_not_tried_again(unreliable: tuple[FaultyS3, S3Store]) -> None:
    proxy, store = unreliable
    before = proxy.tried
    with pytest.raises(NotFound):
        store.read("segments/none", 0, 1)
    assert proxy.tried == before + 1


def test_queries_do_not_notice_that_reads_are_cut(bucket: str, s3: str, tmp_path: Path) -> None:
    """Many small objects, 5 % of whose answers are cut: with no second try, most queries fail."""
    with faulty(s3) as proxy:
        env = CREDENTIALS | {"AWS_ENDPOINT_URL_S3": proxy.url}
        chance = random.Random(2)
        proxy.faults = lambda method, path: "cut" if method == "GET" and chance.random() < 0.05 else ""
        with Server(tmp_path / "data", "--store", f"s3://{bucket}/lake", "--query-cache", "0", env=env) as server:
            process = game()
            for _ in range(48):
                assert server.post(process.batch()).status_code == 200
                play(process, process.latest - process.start_ticks + 1_000, 2)
            sql = f"SELECT count(*) FROM thread_spans WHERE process_id = '{process.process_id}'"
            for _ in range(5):
                answer = server.client.post("/api/query", json={"sql": sql})
                assert answer.status_code == 200, answer.text
                assert answer.json()["rows"] == [[40 + 47 * 4]]


def test_what_could_not_be_written_is_removed_with_one_try_each(bucket: str, s3: str, tmp_path: Path) -> None:
    """The senders wait for the answer: a store that is away takes its time once, not once more for each object."""
    with faulty(s3) as proxy:
        env = CREDENTIALS | {"AWS_ENDPOINT_URL_S3": proxy.url}
        options = ["--role", "ingest", "--store", f"s3://{bucket}/lake", "--store-seconds", "1"]
        with Server(tmp_path / "data", *options, env=env) as server:
            proxy.faults = lambda method, path: "reset"
            before = proxy.deletes
            assert server.post(game().batch()).status_code == 503
            assert proxy.deletes - before == 1
            proxy.faults = lambda method, path: ""
            assert server.post(game().batch()).status_code == 200
