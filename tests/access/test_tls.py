"""TLS on both ports, by a certificate that can be replaced while the server runs; and where it listens without."""

from __future__ import annotations

import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import tachy
from adbc_driver_flightsql import DatabaseOptions, dbapi
from tachy_server.access.binding import check_binding, is_loopback
from tachy_server.access.tls import Certificate
from tachy_server.base.errors import SettingsError
from tachy_server.base.settings import Address, Settings

from tests.access.test_keys_command import command
from tests.cpp.test_transports import certificate
from tests.serving import Server
from tests.waiting import until


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def secured(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with TLS on both ports; its files may be replaced."""
    folder = tmp_path_factory.mktemp("tls")
    used = [Path(shutil.copy(file, folder)) for file in files]
    with Server(folder / "data", "--tls-certificate", str(used[0]), "--tls-key", str(used[1])) as running:
        yield running


def trusting(file: Path) -> httpx.Client:
    return httpx.Client(verify=ssl.create_default_context(cafile=str(file)), trust_env=False, timeout=20)


def adbc(server: Server, file: Path) -> Any:
    """What the driver answers that trusts the file."""
    trust = {DatabaseOptions.TLS_ROOT_CERTS.value: file.read_text()}
    with dbapi.connect(server.flight, db_kwargs=trust, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("select 41 as a")
        return cursor.fetchone()


def test_both_ports_have_tls_and_clients_take_the_authority(secured: Server, files: tuple[Path, Path]) -> None:
    assert (secured.http[:8], secured.flight[:11]) == ("https://", "grpc+tls://")
    ca = str(files[0])
    with trusting(files[0]) as client:
        assert client.get(f"{secured.http}/readyz").json() == {"status": "ready"}
    plain = secured.http.replace("https", "http")
    with httpx.Client() as client, pytest.raises(httpx.TransportError):
        client.get(f"{plain}/healthz")
    curl = ["curl", "-sS", "--cacert", ca, f"{secured.http}/healthz"]
    assert subprocess.run(curl, capture_output=True, text=True, check=True).stdout == '{"status":"ok"}'
    assert adbc(secured, files[0]) == (41,)
    with tachy.connect(secured.flight, url=secured.http, ca=ca) as lake:
        assert lake.query("SELECT 41 AS a").to_pydict() == {"a": [41]}
    with tachy.connect(secured.flight) as lake, pytest.raises(tachy.QueryError):
        lake.query("SELECT 41 AS a")


def test_programs_send_and_ask_over_tls(secured: Server, files: tuple[Path, Path], tmp_path: Path) -> None:
    ca = str(files[0])
    me = tachy.start(secured.http, ca=ca)
    tachy.log("info", "over TLS")
    assert tachy.flush(20)
    tachy.stop()
    with tachy.connect(secured.flight, url=secured.http, ca=ca) as lake:
        sql = f"SELECT msg FROM log_entries WHERE process_id = '{me}'"
        assert lake.query(sql).to_pydict() == {"msg": ["over TLS"]}
        assert lake.trace(me, str(tmp_path / "trace")) > 0


def test_an_answer_that_comes_early_is_whole_over_tls(secured: Server, files: tuple[Path, Path]) -> None:
    with trusting(files[0]) as client:
        answer = client.post(f"{secured.http}/ingest/v1/batch", content=bytes(65 << 20))
        assert answer.status_code in (413, 415)


def test_sighup_reads_the_files_again(secured: Server, files: tuple[Path, Path], tmp_path: Path) -> None:
    used = secured.data.parent / files[0].name, secured.data.parent / files[1].name
    others = certificate(tmp_path)

    def reload() -> str:
        before = len(secured.output())
        secured._process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
        until(lambda: "SIGHUP" in secured.output()[before:])
        return secured.output()[before:]

    with trusting(files[0]) as opened:
        assert opened.get(f"{secured.http}/healthz").status_code == 200
        used[0].write_bytes(others[0].read_bytes())  # without its key
        assert "the certificate stays as it was" in reload()
        with trusting(files[0]) as client:
            assert client.get(f"{secured.http}/healthz").status_code == 200
        assert adbc(secured, files[0]) == (41,)
        used[1].write_bytes(others[1].read_bytes())
        assert "as it is now" in reload()
        assert opened.get(f"{secured.http}/healthz").status_code == 200  # on its open connection
    with trusting(files[0]) as client, pytest.raises(httpx.ConnectError):
        client.get(f"{secured.http}/healthz")
    with trusting(others[0]) as client:
        assert client.get(f"{secured.http}/healthz").status_code == 200
    assert adbc(secured, others[0]) == (41,)
    with pytest.raises(Exception, match="certificate"):
        adbc(secured, files[0])
    for old, new in zip(files, used, strict=True):
        new.write_bytes(old.read_bytes())
    reload()


def test_files_that_cannot_be_used_are_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    others = certificate(tmp_path)
    for pair in ((files[0], others[1]), (files[0], tmp_path / "none"), (files[1], files[0]), (tmp_path, files[1])):
        with pytest.raises(SettingsError, match=str(pair[0])):
            Certificate(str(pair[0]), str(pair[1]))
    encrypted = tmp_path / "encrypted.pem"
    hide = ["openssl", "pkcs8", "-topk8", "-in", str(files[1]), "-out", str(encrypted), "-passout", "pass:secret"]
    subprocess.run(hide, check=True)
    with pytest.raises(SettingsError, match="the key is encrypted"):
        Certificate(str(files[0]), str(encrypted))


EVERYWHERE = Address("0.0.0.0", 0)
TLS = {"tls_certificate": "c", "tls_key": "k"}


@pytest.mark.parametrize("port", ["http", "flight"])
@pytest.mark.parametrize(
    ("given", "has_keys", "missing"),
    [
        ({}, False, "there are no keys"),
        ({}, True, "without TLS"),
        (TLS, False, "there are no keys"),
        (TLS, True, ""),
        ({"behind_proxy": ("tls",)}, False, "there are no keys"),
        ({"behind_proxy": ("tls",)}, True, ""),
        ({"behind_proxy": ("keys",)}, False, "without TLS"),
        ({"behind_proxy": ("keys",)} | TLS, False, ""),
        ({"behind_proxy": ("tls", "keys")}, False, ""),
    ],
)
def test_beyond_loopback_a_server_needs_keys_and_tls(
    port: str, given: dict[str, Any], has_keys: bool, missing: str
) -> None:
    check_binding(Settings(), has_keys=False)
    settings = Settings(**{port: EVERYWHERE}, **given)
    if not missing:
        check_binding(settings, has_keys=has_keys)
        return
    with pytest.raises(SettingsError, match=missing) as refused:
        check_binding(settings, has_keys=has_keys)
    assert str(refused.value).startswith(f"{port} would listen on 0.0.0.0:0")


def test_what_is_loopback() -> None:
    for host in ("127.0.0.1", "127.8.0.1", "localhost", "::1"):
        assert is_loopback(Address(host, 0))
    for host in ("0.0.0.0", "::", "10.0.0.1", "no.such.host.invalid"):
        assert not is_loopback(Address(host, 0))
    check_binding(Settings(role=("ingest",), flight=EVERYWHERE), has_keys=False)  # which nobody opens


def test_a_server_says_that_it_has_no_keys_and_refuses_to_be_reached(tmp_path: Path) -> None:
    """And starts once it has one; the proxy's TLS is the setting's word."""
    server = Server(tmp_path / "data")
    elsewhere = ["--http", "0.0.0.0:0", "--data", str(server.data)]
    with server:
        assert "no keys: whoever reaches these ports may do everything" in server.output()
    done = subprocess.run(
        [sys.executable, "-m", "tachy_server.serve", *elsewhere],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "there are no keys" in done.stderr
    command("create", "x", "--scopes", "query", data=server.data)
    before = len(server.output())
    with Server(server.data, "--http", "0.0.0.0:0", "--behind-proxy", "tls") as running:
        assert "no keys" not in running.output()[before:]
        port = running.http.rpartition(":")[2]
        assert httpx.get(f"http://127.0.0.1:{port}/api/processes").status_code == 401
