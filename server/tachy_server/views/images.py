"""The view `images`: the parts of images, which are logs of the target "tachy.image", joined again.

docs/format.md, "Images", says what a part looks like. All parts of an image have one time, so a range that has one has
all of them, in whichever blocks they are; they follow each other in one stream. What is not whole is no row.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa

from tachy_server.formats import reader
from tachy_server.lake.snapshot import Snapshot
from tachy_server.views.bounds import Bounds
from tachy_server.views.declarations import IMAGE_PARTS, IMAGES
from tachy_server.views.derived import Derivation, Piece
from tachy_server.views.sources import Metadata

SIZE_MAX: Final = 16 << 20
"""Bytes of an image; the recorder drops larger ones."""
PENDING_MAX: Final = 64 << 20
"""Characters of parts that wait for others of their images; the oldest image goes first."""
BATCH: Final = 16 << 20
"""Bytes of images after which a batch ends."""
STREAM: Final = "images"
_COLUMNS: Final = ("stream_id", "block_id", "insert_time", "time", "msg")
_PART: Final = re.compile(r"(\d{1,20}) (\d{1,6}) (\d{1,6}) (\d{1,9}) (\S*) ([^\n]*)\n([A-Za-z0-9+/]*={0,2})", re.ASCII)


@dataclass(slots=True)
class Image:
    """An image of which `parts` have come."""

    piece: Piece
    stream_id: str
    block_id: str
    insert_time: int
    time: int
    head: tuple[str, ...]
    parts: list[str] = field(default_factory=list)
    size: int = 0

    def data(self) -> bytes | None:
        """The whole of it; None when the parts are not what they say."""
        try:
            data = b"".join(base64.b64decode(part, validate=True) for part in self.parts)
        except binascii.Error:
            return None
        return data if len(data) == int(self.head[2]) else None


def join(pieces: Iterator[Piece]) -> Iterator[tuple[Image, bytes]]:
    """The images that are whole, of one process."""
    pending: OrderedDict[str, Image] = OrderedDict()
    size = 0
    for piece in pieces:
        columns = [piece.batch.column(name) for name in _COLUMNS]
        for stream_id, block_id, inserted, time, message in zip(*columns, strict=True):
            match = _PART.fullmatch(message.as_py())
            if match is None:
                continue
            number, part, count, *rest, text = match.groups()
            image = pending.pop(number, None)
            size -= image.size if image else 0
            if part == "0":
                image = Image(
                    piece, stream_id.as_py(), block_id.as_py(), inserted.value, time.value, (number, count, *rest)
                )
            head = (number, count, *rest)
            if image is None or image.head != head or int(part) != len(image.parts) or int(rest[0]) > SIZE_MAX:
                continue  # what came of it until now goes, too
            image.parts.append(text)
            image.size += len(text)
            if len(image.parts) == int(count):
                data = image.data()
                if data is not None:
                    yield image, data
                continue
            pending[number] = image
            size += image.size
            while size > PENDING_MAX:
                size -= pending.popitem(last=False)[1].size


def _make(pieces: Iterator[Piece]) -> Iterator[pa.RecordBatch]:
    rows: list[tuple[Image, bytes]] = []
    size = 0
    for image, data in join(pieces):
        rows.append((image, data))
        size += len(data)
        if size > BATCH:
            yield _batch(rows)
            rows, size = [], 0
    if rows:
        yield _batch(rows)


def _batch(rows: list[tuple[Image, bytes]]) -> pa.RecordBatch:
    images = [image for image, _ in rows]
    columns = {
        "process_id": [str(image.piece.process_id) for image in images],
        "stream_id": [image.stream_id for image in images],
        "block_id": [image.block_id for image in images],
        "insert_time": [image.insert_time for image in images],
        "exe": [image.piece.process.exe for image in images],
        "username": [image.piece.process.username for image in images],
        "computer": [image.piece.process.computer for image in images],
        "time": [image.time for image in images],
        "name": [image.head[4] for image in images],
        "format": [image.head[3] for image in images],
        "payload_size": [len(data) for _, data in rows],
        "data": [data for _, data in rows],
    }
    arrays = [pa.array(columns[entry.name]).cast(entry.type) for entry in IMAGES.schema]
    return pa.RecordBatch.from_arrays(arrays, schema=IMAGES.schema)


def _narrow(metadata: Metadata, snapshot: Snapshot, bounds: Bounds) -> Bounds:
    """Blocks without a part are not read; a block may hold only some of an image's parts, so none is left out."""
    streams = metadata.streams_named(snapshot, STREAM, reader.LOG, bounds.process_ids)
    return replace(bounds, block_ids=None) & Bounds(stream_ids=streams)


DERIVATION: Final = Derivation(IMAGES, IMAGE_PARTS, _COLUMNS, _make, _narrow)
