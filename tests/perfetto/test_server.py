"""The trace that a real server answers with is the one that its blocks make."""

from __future__ import annotations

import uuid

from tachy_server.traces.export import write_trace

from tests.perfetto.game import MS, play
from tests.perfetto.readback import read
from tests.serving import Server


def test_the_server_streams_the_trace_of_several_processes(server: Server) -> None:
    lake, processes = play(60, seed=uuid.uuid4().int >> 64)
    for process in processes:
        blocks = [
            lake.data[row.offset]
            for cls in (1, 2, 3)
            for row in lake.select_blocks(cls, process_ids=[process.process_id])
        ]
        for at in range(0, len(blocks), 4):
            server.post(process.batch(blocks[at : at + 4])).raise_for_status()
    ids = [process.process_id for process in processes]
    answer = server.client.get(f"/api/processes/{','.join(map(str, ids))}/trace").raise_for_status()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.content == b"".join(write_trace(lake, ids, begin=None, end=None))

    address = f"/api/processes/{','.join(map(str, ids))}/trace?compressed=true"
    packed = server.client.get(address).raise_for_status().content
    assert len(packed) < len(answer.content) / 2
    assert read(packed) == read(answer.content)

    begin, end = processes[0].start_time + 200 * MS, processes[0].start_time + 300 * MS
    answer = server.client.get(f"/api/processes/{ids[0]}/trace?begin={begin}&end={end}&types=span").raise_for_status()
    found = read(answer.content)
    assert found.thread_slices
    assert all(slice_.begin <= end and slice_.end >= begin for slice_ in found.thread_slices)


def test_an_unknown_process_has_no_trace(server: Server) -> None:
    answer = server.client.get(f"/api/processes/{uuid.uuid4()}/trace")
    assert answer.status_code == 404
    assert "no process" in answer.json()["error"]
