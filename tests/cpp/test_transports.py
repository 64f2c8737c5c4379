"""The ways to a server: plain HTTP to this machine on a socket, everything else by libcurl when it is needed."""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tachy_server.formats import reader

from tests.cpp.builds import programs, run
from tests.cpp.raw_server import OK, RawServer, Said
from tests.pysdk.sink import Answer, Sink

THREADS, ROUNDS = 2, 500


def exercise(url: str, tmp_path: Path, *options: int, **environment: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Runs the program; its report, what its sender counted, and what else was printed."""
    report = tmp_path / "report.json"
    command = [programs() / "exercise", url, report, str(THREADS), str(ROUNDS), *map(str, options)]
    *others, counted = run(command, timeout=60, env=environment).splitlines()
    return json.loads(report.read_text()), json.loads(counted), "\n".join(others)


def head(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


CHUNKS = b'1;ext=1\r\n{\r\n00c\r\n"ok": true}\n\r\n0\r\ntrailer: x\r\n\r\n'
KEPT = {  # answers of success after which the connection goes on
    "empty": Said([OK]),
    "sized": Said([head("200 OK", "Content-Length: 5"), b"hello"]),
    "byte-by-byte": Said([bytes([byte]) for byte in head("200 OK", "Content-Length: 5") + b"hello"]),
    "no-content": Said([head("204 No Content")]),
    "chunked": Said([head("200 OK", "Transfer-Encoding: chunked") + CHUNKS]),
    "chunked-byte-by-byte": Said([bytes([byte]) for byte in head("200 OK", "Transfer-Encoding: chunked") + CHUNKS]),
    "continue-first": Said([head("100 Continue"), head("103 Early Hints", "link: x"), OK]),
    "bare-newlines": Said([b"HTTP/1.1 200 OK\nCONTENT-LENGTH:0\n\n"]),
}
CLOSED = {  # answers of success after which it does not
    "says-so": Said([head("200 OK", "Content-Length: 0", "Connection: close")], closes=True),
    "until-closed": Said([head("200 OK"), b"some body"], closes=True),
    "http-1.0": Said([b"HTTP/1.0 200 OK\r\n\r\nbody"], closes=True),
    "more-than-asked-for": Said([OK + b"HTTP/1.1 500 No\r\n\r\n"]),
    "silently": Said([OK], closes=True),
}
BROKEN = {  # no answers at all
    "nothing": Said([], closes=True),
    "cut-head": Said([b"HTTP/1.1 200 OK\r\ncontent-le"], closes=True),
    "cut-body": Said([head("200 OK", "Content-Length: 5"), b"hell"], closes=True),
    "cut-chunk": Said([head("200 OK", "Transfer-Encoding: chunked"), b"5\r\nhe"], closes=True),
    "no-chunk": Said([head("200 OK", "Transfer-Encoding: chunked"), b"five\r\n"]),
    "no-length": Said([head("200 OK", "Content-Length: five")]),
    "no-http": Said([b"SSH-2.0-OpenSSH\r\n\r\n"]),
    "no-status": Said([b"HTTP/1.1\r\n\r\n"]),
    "switching": Said([head("101 Switching Protocols")]),
    "endless-line": Said([b"HTTP/1.1 200 OK\r\nx: " + b"y" * (1 << 18)]),
    "endless-head": Said([b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (1 << 16)]),
}


@pytest.mark.parametrize("said", [pytest.param(said, id=name) for name, said in (KEPT | CLOSED).items()])
def test_answers_are_read_in_every_form_that_they_may_have(said: Said, tmp_path: Path) -> None:
    with RawServer([said] * 3) as server:
        report, sender, printed = exercise(server.url, tmp_path)
        assert (sender["retries"], printed) == (0, "")
        assert sum(server.spans.values()) == report["recorded"]["span"] == report["sent"]["span"]
        if said in KEPT.values():
            assert server.connections == 1
        else:
            assert server.connections == min(4, len(server.heads))


@pytest.mark.parametrize("said", [pytest.param(said, id=name) for name, said in BROKEN.items()])
def test_what_is_no_answer_is_tried_again(said: Said, tmp_path: Path) -> None:
    with RawServer([said] * 2) as server:
        report, sender, printed = exercise(server.url, tmp_path)
        assert (sender["retries"], printed) == (2, "")
        assert sum(server.spans.values()) == report["recorded"]["span"] == report["sent"]["span"]


def test_an_answer_before_the_end_of_the_body_counts(tmp_path: Path) -> None:
    early = Said([head("413 Content Too Large", "Content-Length: 0")], early=True)
    with RawServer([early]) as server:
        report, sender, _ = exercise(server.url, tmp_path)
        assert sender["refused"] == 1
        assert (
            sum(server.spans.values())
            == report["sent"]["span"]
            == report["recorded"]["span"] - report["dropped"]["span"]
        )


def test_a_date_in_retry_after_is_obeyed(tmp_path: Path) -> None:
    def answer(number: int) -> Answer:
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
        date = until.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return Answer() if number else Answer(503, {"retry-after": date})

    with Sink(answer) as sink:
        report, _, _ = exercise(sink.url, tmp_path, 10000)
        assert sink.requests[1][0] - sink.requests[0][0] > 1
        assert sink.events() == report["recorded"]


def test_the_address_of_this_machine_may_be_the_sixth_version_s(tmp_path: Path) -> None:
    with RawServer([], host="::1") as server:
        for host in ("[::1]", "localhost"):
            report, sender, _ = exercise(f"http://{host}:{server.port}/below", tmp_path)
            assert (report["sent"], sender["retries"]) == (report["recorded"], 0)
            assert server.heads[-1].startswith(
                f"POST /below/ingest/v1/batch HTTP/1.1\r\nHost: {host}:{server.port}\r\n"
            )


def test_who_is_named_in_the_url_is_named_to_the_server(tmp_path: Path) -> None:
    with Sink() as sink:
        exercise(sink.url.replace("//", "//some%20one:pass:wo%2Frd@"), tmp_path)
        assert {headers["authorization"] for headers in sink.headers} == {"Basic c29tZSBvbmU6cGFzczp3by9yZA=="}
        assert {headers["user-agent"] for headers in sink.headers} == {"tachy-cpp/0.1.0"}


KEY = "tk_0123456789ab_of-a-game"


def test_the_key_and_headers_go_with_every_request(tmp_path: Path) -> None:
    """Over each transport; the key in the place of whom the URL names."""
    files = certificate(tmp_path)
    given = {"TACHY_KEY": KEY, "HEADERS": "X-Team: blue green\r\nX-Build: 7\n"}
    for tls in (None, secure(files)):
        with Sink(tls=tls) as sink:
            url = sink.url.replace("//", "//some:one@")
            report, _, printed = exercise(url, tmp_path, **given, TACHY_CA=str(files[0]))
            assert (sink.events(), printed) == (report["recorded"], "")
            for headers in sink.headers:
                assert headers["authorization"] == f"Bearer {KEY}"
                assert (headers["x-team"], headers["x-build"]) == ("blue green", "7")


@pytest.mark.parametrize(
    "given",
    [
        {"TACHY_KEY": "two words"},
        {"TACHY_KEY": "line\nX-Evil: 1"},
        {"TACHY_KEY": "schlüssel"},
        {"HEADERS": "no colon"},
        {"HEADERS": ": no name"},
        {"HEADERS": "X-Empty: "},
        {"HEADERS": "X Y: z"},
        {"HEADERS": "X-A: b\rX-C: d"},
    ],
    ids=lambda given: next(iter(given.values())),
)
def test_what_would_break_the_head_is_refused(given: dict[str, str], tmp_path: Path) -> None:
    with Sink() as sink:
        command = [programs() / "exercise", sink.url, tmp_path / "report.json", "1", "1"]
        assert run(command, env=given, status=3) == ""
        assert sink.requests == []


def test_neither_key_nor_password_lies_in_a_session_file(session_folder: Path, tmp_path: Path) -> None:
    """What waits for a server that refuses the key: the files name the server without who we are to it."""
    with Sink(lambda number: Answer(401, body="this key is not known")) as sink:
        url = sink.url.replace("//", "//some:one-word@")
        report, sender, printed = exercise(url, tmp_path, 5000, TACHY_KEY=KEY)
    assert sender["error"] == "HTTP 401 this key is not known"
    assert (report["kept"], report["dropped"]) == (report["recorded"], {"log": 0, "metric": 0, "span": 0})
    left = [file.read_bytes() for file in session_folder.rglob("*") if file.is_file()]
    assert any(sink.url.encode() in content for content in left)
    assert not any(KEY.encode() in content or b"one-word" in content for content in left)
    assert KEY not in printed
    with Sink(port=int(sink.url.rpartition(":")[2])) as later:  # the same server, and somebody else's password
        exercise(later.url, tmp_path)
        processes = {head.process_id for head in later.heads()}
        assert len(processes) == 2


def loaded(log: Path) -> set[str]:
    """The libraries that the dynamic linker's notes name, without their versions."""
    notes = "".join(file.read_text() for file in log.parent.glob(f"{log.name}.*"))
    return {name.partition(".")[0] for name in re.findall(r"calling init: .*/([^/]+)$", notes, re.MULTILINE)}


def test_libcurl_is_loaded_for_other_machines_alone(tmp_path: Path) -> None:
    notes = {name: str(tmp_path / name) for name in ("here", "elsewhere")}
    with Sink() as sink:
        for where, url in (("here", sink.url), ("elsewhere", "http://tachy.invalid:9000")):
            environment = {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": notes[where], "http_proxy": sink.url}
            report, _, _ = exercise(url, tmp_path, **environment)
            assert report["sent"] == report["recorded"]
    assert "libcurl" not in loaded(Path(notes["here"]))
    assert len(loaded(Path(notes["here"]))) < 8
    assert "libcurl" in loaded(Path(notes["elsewhere"]))


@pytest.mark.parametrize("kind", ["none", "other"])
def test_without_libcurl_what_is_missing_is_said_once_and_batches_wait(
    kind: str, tmp_path: Path, session_folder: Path
) -> None:
    if kind == "none":
        for name in ("libcurl.so.4", "libcurl-gnutls.so.4"):
            (tmp_path / name).write_text("no library")
        path, says = tmp_path, r"could not be loaded: .*libcurl-gnutls\.so\.4: .*"
    else:
        path, says = programs(), r"is too old: it lacks curl_\w+"
    report, sender, printed = exercise(
        "https://tachy.invalid", tmp_path, 2000, LD_LIBRARY_PATH=str(path), UNTIL_RETRIES="2"
    )
    reason = f"libcurl, which HTTPS and servers on other machines need, {says}"
    assert re.fullmatch(f"tachy: nothing can be sent: {reason}", printed)
    assert re.fullmatch(reason, sender["error"])
    assert sender["retries"] > 1
    assert sender["stop"] < 1.0
    assert report["kept"] == report["recorded"]
    batches = [reader.check_batch(file.read_bytes()) for file in session_folder.glob("*.batch")]
    assert sum(block.events for each in batches for _, _, block in each.blocks) == sum(report["kept"].values())


def certificate(folder: Path) -> tuple[Path, Path]:
    """The files of a certificate for this machine, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tachy tests")])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    pem = serialization.Encoding.PEM
    files[0].write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return files


def trusting(files: tuple[Path, Path]) -> dict[str, str]:
    return {"LD_PRELOAD": str(programs() / "libcertificates.so"), "CERTIFICATES": str(files[0])}


def secure(files: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context


@pytest.mark.usefixtures("session_folder")
def test_a_server_is_sent_to_over_tls_when_its_certificate_is_trusted(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    with Sink(tls=secure(files)) as sink:
        report, sender, printed = exercise(sink.url, tmp_path, **trusting(files))
        assert (sink.events(), sink.connections, printed) == (report["recorded"], 1, "")
        before = len(sink.requests)
        report, sender, printed = exercise(sink.url, tmp_path, 2000, UNTIL_RETRIES="1")
        assert len(sink.requests) == before
        assert sender["error"] == "SSL peer certificate or SSH remote key was not OK"
        assert report["kept"] == report["recorded"]


@pytest.mark.parametrize("flush", [(), ("flush",)], ids=["never-sent", "has-sent"])
def test_a_session_that_ends_after_everything_else_sends_over_tls(flush: tuple[str, ...], tmp_path: Path) -> None:
    """On a new connection, although OpenSSL, which came after it, would be gone by then."""
    files = certificate(tmp_path)
    with Sink(lambda number: Answer(headers={"connection": "close"}), tls=secure(files)) as sink:
        assert run([programs() / "late", *flush], env=trusting(files) | {"TACHY_URL": sink.url}) == ""
        assert sink.events()["span"] == 2
