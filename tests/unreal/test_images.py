"""Screenshots, and other images, are in SQL as they were taken, within the bound of the settings."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.serving import Server
from tests.unreal.plugin import EVERYWHERE, SPANS, build, play


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height, from the frame header."""
    assert (data[:2], data[-2:]) == (b"\xff\xd8", b"\xff\xd9")
    at = 2
    while data[at + 1] not in (0xC0, 0xC2):
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")


@pytest.mark.parametrize(("version", "config"), EVERYWHERE)
def test_screenshots_are_in_sql(version: int, config: str, server: Server, tmp_path: Path) -> None:
    game = play(build(version, config), "Images", server.http, tmp_path, ini=SPANS + "ImageKB=100\n")
    rows = game.ask(server, "SELECT name, format, encode(data, 'base64'), payload_size FROM images WHERE {process}")
    images = {name: (kind, base64.b64decode(text + "=="), size) for name, kind, text, size in rows}
    assert len(rows) == 4
    assert set(images) == {"screenshot", "the door is stuck", "noise", "a map"}
    assert images["a map"] == ("image/x-map", b"\1\2\3", 3)
    assert {images[name][0] for name in ("screenshot", "the door is stuck", "noise")} == {"image/jpeg"}
    assert jpeg_size(images["screenshot"][1]) == (64, 36)
    width, height = jpeg_size(images["noise"][1])
    assert images["noise"][2] <= 100 << 10
    assert (width, height) in [(1000, 500), (500, 250), (250, 125)]
    assert len(images["noise"][1]) == images["noise"][2]
    assert game.ask(server, "SELECT count(*) FROM log_entries WHERE {process} AND target = 'tachy.image'") == [[0]]
    for line in (
        "tachy: no screenshot: there is no game viewport to be seen",
        "tachy: no screenshot: images are off",
        "tachy: no screenshot: another screenshot is under way",
        'tachy.Flight = "1"',
        'tachy.Flight = "0"',
        'tachy.Hitch.IdleSeconds = "3',
        "tachy: telemetry.max_queue_bytes: the settings PoolMB (memory) and SpoolMB (storage) bound what waits",
    ):
        assert line in game.output
