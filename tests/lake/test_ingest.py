"""What POST /ingest/v1/batch promises: stored once, whole, or refused with one sentence."""

from __future__ import annotations

import http.client
import json
import select
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from tachy_server.formats.segments import read_segment, read_whole

from tests.lake.conftest import game, lake_of, play, process_id_of, rows_of
from tests.model.encoder import Process
from tests.model.records import BATCH_HEADER, xxh64
from tests.serving import BATCH_HEADERS, Server

Count = dict[str, int]
POST = b"POST /ingest/v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/octet-stream\r\n"


def stored_rows(server: Server, batch: bytes) -> Count:
    """How many rows of each table speak of the batch or its process, and its blocks."""
    counts: Count = {}
    with lake_of(server.data) as lake:
        counts["blocks"] = len(lake.select_blocks(0, process_ids=[process_id_of(batch)]))
    with rows_of(server.data) as rows:
        for table, column, value in (
            ("processes", "process_id", process_id_of(batch)),
            ("streams", "process_id", process_id_of(batch)),
        ):
            found = rows.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s".encode(), (value,)).fetchone()
            assert found is not None
            counts[table] = found[0]
    return counts


NOTHING = {"blocks": 0, "processes": 0, "streams": 0}


def test_stored_blocks_are_the_bytes_that_were_sent(ingest_server: Server) -> None:
    process = game()
    blocks = process.blocks()
    answer = ingest_server.post(process.batch(blocks))
    assert answer.status_code == 200
    assert answer.json()["status"] == "stored"
    with lake_of(ingest_server.data) as lake:
        for cls in (1, 2, 3):
            rows = lake.select_blocks(cls, process_ids=[process.process_id])
            sent = [block.data for block in blocks if block.data[6] == cls]
            assert [bytes(data) for _, data in lake.read_blocks(rows)] == sent
            assert [bytes(lake.read_block(row)) for row in rows] == sent


def test_metadata_says_what_the_description_says(ingest_server: Server) -> None:
    process = game()
    ingest_server.post(process.batch())
    play(process, 50_000)
    ingest_server.post(process.batch(state="exited"))
    with rows_of(ingest_server.data) as rows:
        row = rows.execute(
            "SELECT exe, username, computer, tsc_frequency, start_time, state, properties, last_block_end_time"
            " FROM processes WHERE process_id = %s",
            (process.process_id,),
        ).fetchone()
        streams = rows.execute(
            "SELECT class, thread, thread_name, os_id FROM streams WHERE process_id = %s ORDER BY 1, 2",
            (process.process_id,),
        ).fetchall()
    assert row is not None
    assert row[:7] == ("game", "player", "pc", 1_000_000_000, process.start_time, "exited", {"build": "42"})
    with lake_of(ingest_server.data) as lake:
        assert row[7] == max(block.end_time for block in lake.select_blocks(0, process_ids=[process.process_id]))
    expected = [
        (cls, number, name, 1000 + number) for cls in (1, 2, 3) for number, name in ((1, "main"), (2, "worker"))
    ]
    assert streams == expected


def test_exited_stays_exited_when_an_older_batch_comes_late(ingest_server: Server) -> None:
    process = game()
    early = process.batch()
    play(process, 50_000)
    process.description["properties"] = {"build": "42", "map": "e1m1"}
    late = process.batch(state="exited")
    ingest_server.post(late)
    ingest_server.post(early)
    with rows_of(ingest_server.data) as rows:
        row = rows.execute(
            "SELECT state, properties FROM processes WHERE process_id = %s", (process.process_id,)
        ).fetchone()
    assert row == ("exited", {"build": "42", "map": "e1m1"})


def test_a_replay_changes_nothing(ingest_server: Server) -> None:
    batch = game().batch()
    assert ingest_server.post(batch).json()["status"] == "stored"
    before = stored_rows(ingest_server, batch)
    again = ingest_server.post(batch)
    assert (again.status_code, again.json()["status"]) == (200, "known")
    assert stored_rows(ingest_server, batch) == before


def test_concurrent_replays_store_once(ingest_server: Server) -> None:
    batches = [game().batch() for _ in range(8)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda batch: (batch, ingest_server.post(batch)), batches * 8))
    for batch in batches:
        statuses = sorted(answer.json()["status"] for sent, answer in answers if sent is batch)
        assert statuses == ["known"] * 7 + ["stored"]
        assert stored_rows(ingest_server, batch) == {"blocks": 3, "processes": 1, "streams": 6}


def test_a_block_that_comes_in_two_batches_is_there_once(ingest_server: Server) -> None:
    process = game()
    blocks = process.blocks()
    ingest_server.post(process.batch(blocks))
    second = ingest_server.post(process.batch(blocks))
    assert second.json()["status"] == "known"
    with lake_of(ingest_server.data) as lake:
        assert sum(len(lake.select_blocks(cls, process_ids=[process.process_id])) for cls in (1, 2, 3)) == len(blocks)


def test_a_batch_without_blocks_describes_its_process(ingest_server: Server) -> None:
    process = Process(exe="idle")
    batch = process.batch([], state="exited")
    assert ingest_server.post(batch).json()["status"] == "stored"
    assert stored_rows(ingest_server, batch) == {"blocks": 0, "processes": 1, "streams": 0}


@pytest.mark.parametrize("with_blocks", [True, False])
def test_what_is_sent_again_is_known_unless_it_says_more_of_its_process(
    ingest_server: Server, with_blocks: bool
) -> None:
    """As who recovers a process sends its last blocks once more, with how it ended: properties come with that, or with
    what is new. Without blocks a batch says that its process runs, each time.
    """
    process = game()
    blocks = process.blocks()

    def post(n: str, state: str = "running") -> str:
        process.description["properties"] = {"n": n}
        answer = ingest_server.post(process.batch(blocks if with_blocks else [], state=state))
        return str(answer.json()["status"])

    def said() -> tuple[str, str]:
        with rows_of(ingest_server.data) as rows:
            query = "SELECT state, properties ->> 'n' FROM processes WHERE process_id = %s"
            found: tuple[str, str] | None = rows.execute(query, (process.process_id,)).fetchone()
        assert found is not None
        return found

    again = "known" if with_blocks else "stored"
    assert [post("1"), post("1"), post("2"), post("2")] == ["stored", again, again, again]
    assert said() == ("running", "1" if with_blocks else "2")
    assert [post("3", "crashed"), post("3", "crashed"), post("4"), post("3", "exited")] == ["stored", *["known"] * 3]
    assert said() == ("crashed", "3")


def test_what_was_sent_before_is_known_when_newer_has_come(ingest_server: Server) -> None:
    process = game()
    process.description["properties"] = {"n": "1"}
    first = process.batch()
    play(process, 9_000_000)
    process.description["properties"] = {"n": "2"}
    assert [ingest_server.post(batch).json()["status"] for batch in (first, process.batch())] == ["stored"] * 2
    assert ingest_server.post(first).json()["status"] == "known"
    with rows_of(ingest_server.data) as rows:
        query = "SELECT properties FROM processes WHERE process_id = %s"
        assert rows.execute(query, (process.process_id,)).fetchone() == ({"n": "2"},)


def test_what_was_sent_before_does_not_turn_back_what_came_without_blocks(ingest_server: Server) -> None:
    process = game()
    process.description["properties"] = {"n": "1"}
    first = process.batch()
    process.description["properties"] = {"n": "2"}
    assert [ingest_server.post(batch).json()["status"] for batch in (first, process.batch([]))] == ["stored"] * 2
    assert ingest_server.post(first).json()["status"] == "known"
    with rows_of(ingest_server.data) as rows:
        query = "SELECT properties FROM processes WHERE process_id = %s"
        assert rows.execute(query, (process.process_id,)).fetchone() == ({"n": "2"},)


def test_neighbours_share_segments(tmp_path: Path) -> None:
    batches = [game().batch() for _ in range(48)]
    with Server(tmp_path / "data", "--role", "ingest", "--commit-wait", "300") as server:
        with ThreadPoolExecutor(48) as pool:
            answers = list(pool.map(server.post, batches))
        assert {answer.json()["status"] for answer in answers} == {"stored"}
        stats = server.client.get("/api/stats").json()["ingest"]
        assert stats["stored"] == 48
        assert stats["segments"] <= 12
        segments = list((server.data / "store" / "segments").rglob("*.tseg"))
        assert len(segments) == stats["segments"]
        said = [read_whole(path.read_bytes()).said for path in segments]
        found = [fragment.process_id for path in segments for fragment in read_segment(path.read_bytes())]
    described = [process["process_id"] for one in said for process in one["processes"]]
    assert sorted(described) == sorted(map(str, found)) == sorted(str(process_id_of(batch)) for batch in batches)


def wrong_version(batch: bytes) -> bytes:
    """The same batch as another version would send it, its hash right."""
    changed = bytearray(batch)
    struct.pack_into("<H", changed, 4, 9)
    (length,) = struct.unpack_from("<I", changed, 40)
    struct.pack_into("<Q", changed, 56, 0)
    struct.pack_into("<Q", changed, 56, xxh64(bytes(changed[: BATCH_HEADER.size + length])))
    return bytes(changed)


def flip(batch: bytes, at: int) -> bytes:
    """The batch with one bit changed."""
    changed = bytearray(batch)
    changed[at] ^= 0x10
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [
        lambda batch: batch[:-1],
        lambda batch: batch[: len(batch) // 2],
        lambda batch: batch[:63],
        lambda batch: b"",
        lambda batch: batch + bytes(8),
        lambda batch: bytes(len(batch)),
        lambda batch: flip(batch, 0),
        lambda batch: flip(batch, 30),
        lambda batch: flip(batch, 80),
        lambda batch: flip(batch, len(batch) // 2),
        lambda batch: flip(batch, len(batch) - 20),
        wrong_version,
    ],
    ids=[
        "last byte missing", "half", "no header", "empty", "too long", "zeros", "magic", "process", "description",
        "middle", "end", "version",
    ],
)  # fmt: skip
def test_a_damaged_batch_is_refused_and_nothing_of_it_stored(ingest_server: Server, damage: object) -> None:
    batch = game().batch()
    assert callable(damage)
    answer = ingest_server.post(damage(batch))
    assert answer.status_code == 400
    sentence = answer.json()["error"]
    assert sentence
    assert "\n" not in sentence
    assert "Traceback" not in sentence
    assert stored_rows(ingest_server, batch) == NOTHING
    assert ingest_server.post(batch).json()["status"] == "stored"


def test_a_wrong_version_is_told_which_is_read(ingest_server: Server) -> None:
    answer = ingest_server.post(wrong_version(game().batch()))
    assert "9" in answer.json()["error"]
    assert "1" in answer.json()["error"]


@pytest.mark.parametrize(
    "change",
    [
        {"start_time": "yesterday"},
        {"start_ticks": 1 << 70},
        {"tsc_frequency": True},
        {"exe": 7},
        {"properties": {"build": 42}},
        {"properties": []},
        {"parent_process_id": "nobody"},
        {"state": "lost in space"},
    ],
)
def test_a_description_of_wrong_types_is_refused(ingest_server: Server, change: dict[str, object]) -> None:
    process = game()
    batch = process.batch(description=json.dumps(process.description | change).encode())
    answer = ingest_server.post(batch)
    assert answer.status_code == 400
    assert "description" in answer.json()["error"]
    assert stored_rows(ingest_server, batch) == NOTHING


def test_one_wrong_batch_does_not_hurt_its_neighbours(ingest_server: Server) -> None:
    batches = [game().batch() for _ in range(12)]
    sent = [batch if number % 3 else flip(batch, len(batch) // 2) for number, batch in enumerate(batches)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ingest_server.post, sent))
    assert [answer.status_code for answer in answers] == [200 if number % 3 else 400 for number in range(12)]


def test_text_that_postgresql_cannot_hold_is_stored_nevertheless(ingest_server: Server) -> None:
    process = Process(exe="nul\0exe", properties={"a\0": "b\0", "half": "\ud800"})
    process.thread("main").span("x", 1, 2)
    assert ingest_server.post(process.batch()).json()["status"] == "stored"


def test_an_oversized_batch_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest", "--max-batch-bytes", "1MiB") as server:
        answer = server.post(bytes(3 << 20))
        assert answer.status_code == 413
        assert "1048576" in answer.json()["error"]
        with socket.create_connection(address_of(server), timeout=10) as connection:
            connection.sendall(POST + b"content-length: 99999999999\r\n\r\n")
            assert b" 413 " in connection.recv(4096)
        client = http.client.HTTPConnection(*address_of(server), timeout=60)  # sends all of it first, then reads
        client.request("POST", "/ingest/v1/batch", body=bytes(70_000_000), headers=BATCH_HEADERS)
        assert client.getresponse().status == 413
        client.close()
        assert server.post(game().batch()).json()["status"] == "stored"


def address_of(server: Server) -> tuple[str, int]:
    url = httpx.URL(server.http)
    assert url.port is not None
    return url.host, url.port


def test_a_client_that_goes_in_mid_body_leaves_nothing(ingest_server: Server) -> None:
    batch = game(200).batch()
    for cut in (0, 10, len(batch) // 2, len(batch) - 1):
        with socket.create_connection(address_of(ingest_server), timeout=10) as connection:
            head = POST + f"content-length: {len(batch)}\r\n\r\n".encode()
            connection.sendall(head + batch[:cut])
    assert stored_rows(ingest_server, batch) == NOTHING
    assert ingest_server.post(batch).json()["status"] == "stored"
    assert ingest_server.client.get("/api/stats").json()["ingest"]["queued_bytes"] == 0


def test_a_content_length_that_is_too_small_stores_nothing(ingest_server: Server) -> None:
    batch = game().batch()
    with socket.create_connection(address_of(ingest_server), timeout=10) as connection:
        head = POST + f"content-length: {len(batch) - 8}\r\n\r\n".encode()
        connection.sendall(head + batch)
        assert b" 400 " in connection.recv(4096)
    assert stored_rows(ingest_server, batch) == NOTHING


def test_a_client_that_pauses_too_long_is_sent_away(tmp_path: Path) -> None:
    with Server(tmp_path / "data", "--role", "ingest", "--body-timeout", "0.3") as server:
        with socket.create_connection(address_of(server), timeout=10) as connection:
            connection.sendall(POST + b"content-length: 100\r\n\r\nabc")
            connection.settimeout(20)
            assert b" 408 " in connection.recv(4096)
        assert server.client.get("/api/stats").json()["ingest"]["queued_bytes"] == 0


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 405),
        ("PUT", {}, 405),
        ("POST", {"content-encoding": "gzip"}, 415),
        ("POST", {"transfer-encoding": "chunked"}, 411),
        ("POST", {"content-type": "text/plain"}, 415),
    ],
)
def test_other_requests_get_a_sentence(
    ingest_server: Server, method: str, headers: dict[str, str], status: int
) -> None:
    content = iter([b"abc"]) if "transfer-encoding" in headers else None
    answer = ingest_server.client.request(method, "/ingest/v1/batch", headers=BATCH_HEADERS | headers, content=content)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_full_queue_holds_clients_back_and_then_says_503(tmp_path: Path) -> None:
    options = ("--max-batch-bytes", "1MiB", "--ingest-queue-bytes", "1MiB", "--ingest-queue-wait", "0.3")
    with Server(tmp_path / "data", "--role", "ingest", *options) as server:
        with socket.create_connection(address_of(server), timeout=10) as connection:
            head = POST + b"content-length: 1048576\r\n\r\n"
            connection.sendall(head + bytes(1048575))
            while server.client.get("/api/stats").json()["ingest"]["queued_bytes"] < 1048575:
                pass
            answer = server.post(game().batch())
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
        assert server.post(game().batch()).json()["status"] == "stored"


def test_slow_clients_do_not_keep_others_out(tmp_path: Path) -> None:
    """Neither by what they announce, nor by what they have sent."""
    options = ("--max-batch-bytes", "1MiB", "--ingest-queue-bytes", "4MiB", "--ingest-queue-wait", "300")
    with Server(tmp_path / "data", "--role", "ingest", *options) as server, ExitStack() as stack:
        head = POST + b"content-length: 1048576\r\n\r\n"
        slow = [stack.enter_context(socket.create_connection(address_of(server), timeout=60)) for _ in range(8)]
        for connection in slow:
            connection.sendall(head + b"x")
        assert server.post(game().batch()).json()["status"] == "stored"
        for connection in slow[:4]:
            connection.sendall(bytes(1048574))
        while server.client.get("/api/stats").json()["ingest"]["queued_bytes"] < 4 * 1048575 + 4:
            pass
        assert server.post(game(2_000).batch()).json()["status"] == "stored"
        answers = select.select(slow, [], [], 60)[0]
        assert len(answers) == 1
        assert b" 503 " in answers[0].recv(4096)
