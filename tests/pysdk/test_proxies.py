"""Proxies of the environment are for the network: nothing that goes to this machine passes one."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

import pyarrow as pa
import pytest
import tachy
from tachy import http_post
from tachy.answers import is_local

from tests.pysdk.fake_flight import FakeFlight
from tests.pysdk.sink import Sink

DEAD = "http://127.0.0.1:9"
VARIABLES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOCAL = [
    "127.0.0.1", "127.1", "127.8.9.1", "0x7f.1", "2130706433", "0.0.0.0", "localhost", "LocalHost", "localhost.",
    "a.localhost", "[::1]", "[::]", "[::ffff:127.0.0.1]",
]  # fmt: skip
REMOTE = [
    "10.0.0.1",
    "128.0.0.1",
    "localhost.example",
    "notlocalhost",
    "[::2]",
    "[::ffff:10.0.0.1]",
    "127.0.0.1.example",
]


@pytest.fixture
def _proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, DEAD)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize("host", LOCAL)
def test_this_machine_is_known_by_all_its_names(host: str) -> None:
    for url in (f"http://{host}:9000", f"https://user:word@{host}/path", f"grpc://{host}:50051"):
        assert is_local(url)
        assert http_post.proxy_of(url) is None


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize("host", REMOTE)
def test_other_machines_have_the_proxy(host: str) -> None:
    assert not is_local(f"http://{host}:9000")
    assert http_post.proxy_of(f"http://{host}:9000") == DEAD
    assert http_post.proxy_of(f"https://{host}/") == DEAD


def test_the_environment_says_what_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", DEAD)
    monkeypatch.setenv("no_proxy", "lake.example,10.0.0.1:9000")
    assert http_post.proxy_of("http://lake.example:9000") is None
    assert http_post.proxy_of("http://10.0.0.1:9000") is None
    assert http_post.proxy_of("http://other.example:9000") == DEAD


@pytest.mark.usefixtures("_proxies")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1"])
def test_batches_to_this_machine_pass_no_proxy(host: str, sink: Sink) -> None:
    tachy.start(sink.url.replace("127.0.0.1", host))
    tachy.metric("m", 1)
    assert tachy.flush(20)
    tachy.stop()
    assert sink.events() == {"metric": 1}


def test_batches_to_other_machines_pass_it(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", sink.url.replace("http://", "http://us%40er:word@"))
    tachy.start("http://tachy.invalid:9000/lake")
    tachy.metric("m", 1)
    assert tachy.flush(20)
    tachy.stop()
    assert {path for _, path, _ in sink.requests} == {"http://tachy.invalid:9000/lake/ingest/v1/batch"}
    assert {headers["host"] for headers in sink.headers} == {"tachy.invalid:9000"}
    word = base64.b64encode(b"us@er:word").decode()
    assert {headers["proxy-authorization"] for headers in sink.headers} == {f"Basic {word}"}


@pytest.mark.usefixtures("_proxies")
def test_queries_and_the_command_pass_no_proxy() -> None:
    with FakeFlight(lambda sql: pa.table({"n": [41]})) as fake:
        command = [sys.executable, "-m", "tachy.cli", "query", "q", "--format", "csv"]
        done = subprocess.run(
            command,
            env={**os.environ, "TACHY_FLIGHT_URL": fake.uri},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout.split()) == (0, ["n", "41"]), done.stderr
