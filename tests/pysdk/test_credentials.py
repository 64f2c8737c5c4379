"""Who a program is to its server: sent with everything, and in no message, log or file."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pytest
import tachy
from tachy import access, cli, settings, steering

from tests.cpp.test_transports import certificate, secure
from tests.pysdk.fake_flight import FakeFlight
from tests.pysdk.sink import Answer, Sink

KEY = "tk_0123456789ab_of-a-program"
REFUSED = Answer(401, body='{"error": "this key is not known"}')


def kept(folder: Path) -> list[bytes]:
    """The bytes of everything in a session folder."""
    return [file.read_bytes() for file in folder.rglob("*") if file.is_file()]


def test_the_key_goes_with_every_batch_whoever_the_url_names(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sink.url.replace("//", "//some:one@")
    monkeypatch.setenv("TACHY_KEY", "tk_of_the_environment")
    for given, expected in ((KEY, KEY), (None, "tk_of_the_environment")):
        sink.headers.clear()
        tachy.start(url, key=given)
        tachy.metric("m", 1)
        tachy.stop()
        assert {headers["authorization"] for headers in sink.headers} == {f"Bearer {expected}"}


def test_a_file_of_certificates_is_trusted_and_no_other(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    with Sink(tls=secure(files)) as sink:
        tachy.start(sink.url, ca=files[0])
        tachy.metric("m", 1)
        assert tachy.flush(10)
        tachy.stop()
        assert sink.events() == {"metric": 1}
    other = tmp_path / "other"
    other.mkdir()
    with Sink(tls=secure(certificate(other))) as sink:
        tachy.start(sink.url, ca=files[0])
        tachy.metric("m", 1)
        assert not tachy.flush(0.5)
        tachy.stop(0)
        assert sink.requests == []
    with pytest.raises(FileNotFoundError):
        access.Access(ca=str(tmp_path / "none")).certificates()


PROGRAM = """
import json, logging, sys, tachy

logging.basicConfig(level=logging.DEBUG)
tachy.start(properties={"build": "test"})
for number in range(100):
    tachy.log("info", f"number {number}")
tachy.flush(0.3)
tachy.stop(0.3)
print(json.dumps(tachy.stats().as_dict()))
"""


def recovered(folder: Path, url: str, seconds: int) -> tuple[int, str]:
    """The command's exit code and what it says."""
    command = [sys.executable, "-m", "tachy.cli", "recover", str(folder), "--url", url, "--timeout", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("status", [401, 403, 429])
def test_what_was_recorded_is_kept_while_a_key_is_refused(
    status: int, session_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And neither it nor a password of the URL stands in a file, a log or what the server is told of the process."""
    monkeypatch.setenv("TACHY_KEY", KEY)
    with Sink(lambda number: REFUSED._replace(status=status)) as sink:
        url = sink.url.replace("//", "//some:one-word@")
        command = [sys.executable, "-c", PROGRAM]
        env = os.environ | {"TACHY_URL": url}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
        stats = json.loads(done.stdout)
        assert (stats["kept"]["log"], stats["dropped"]["log"]) == (100, 0)
        code, failed = recovered(session_folder, url, 1)
        assert code == 1
    said = done.stderr + failed
    assert "this key is not known" in said
    assert any(sink.url.encode() in content for content in kept(session_folder))
    for secret in (KEY, "one-word"):
        assert secret not in said
        assert not any(secret.encode() in content for content in kept(session_folder))
    with Sink(port=int(sink.url.rpartition(":")[2])) as later:
        code, _ = recovered(session_folder, later.url, 20)
        assert code == 0
        assert later.events() == {"log": 100}
        assert KEY not in str(later.heads()[0].description)


def test_an_unusable_key_is_said_without_it(caplog: pytest.LogCaptureFixture) -> None:
    bad = "tk_two words\r\nX-Evil: 1"
    with pytest.raises(tachy.SettingsError) as refused:
        tachy.start("http://127.0.0.1:9", key=bad)
    assert settings.resolve("key", None, {"TACHY_KEY": bad}) == ""
    assert "two words" not in str(refused.value) + caplog.text
    assert "TACHY_KEY" in caplog.text
    assert KEY not in repr(access.Access(KEY))


def test_queries_traces_and_controls_carry_it(sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeFlight(lambda sql: pa.table({"n": [41]})) as fake:
        with tachy.connect(fake.uri, token=KEY) as lake:
            lake.query("q")
        monkeypatch.setenv("TACHY_KEY", "tk_of_the_environment")
        with tachy.connect(fake.uri) as lake:
            lake.query("q")
        monkeypatch.delenv("TACHY_KEY")
        with tachy.connect(fake.uri) as lake:
            lake.query("q")
        sent = [headers.get("authorization") for _, headers in fake.asked]
    assert sent == [f"Bearer {KEY}", "Bearer tk_of_the_environment", None]
    sink.answers = lambda number: REFUSED
    url = sink.url.replace("//", "//some:one@")
    with pytest.raises(tachy.QueryError, match="this key is not known"):
        steering.mark(url, uuid4(), "why", access.Access(KEY))
    monkeypatch.setenv("TACHY_KEY", KEY)
    assert cli.main(["mark", str(uuid4()), "why", "--url", url]) == 1
    assert [headers["authorization"] for headers in sink.headers] == [f"Bearer {KEY}"] * 2


def test_what_is_asked_over_tls_trusts_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = certificate(tmp_path)
    with Sink(lambda number: REFUSED, tls=secure(files)) as sink:
        with pytest.raises(tachy.ServerUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            steering.mark(sink.url, uuid4(), "why", access.Access(KEY))
        with pytest.raises(tachy.QueryError, match="this key is not known"):
            steering.mark(sink.url, uuid4(), "why", access.Access(KEY, str(files[0])))
    with pytest.raises(ssl.SSLError), access.Access(ca=str(files[1])).http("https://127.0.0.1:9", 1.0):
        pass
