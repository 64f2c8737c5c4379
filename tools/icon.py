"""Draws the Unreal plugin's icon: spans under a frame, one of them too long.

`python -m tools.icon` writes unreal/Tachy/Resources/Icon128.png, the same bytes every time.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

ICON = Path(__file__).resolve().parents[1] / "unreal" / "Tachy" / "Resources" / "Icon128.png"
SIZE = 128
FINE = 4  # points per pixel and direction, for smooth edges

NIGHT = (22, 27, 38)
LINE = (58, 70, 92)
BLUE = (77, 156, 255)
TEAL = (64, 201, 178)
SAND = (245, 200, 92)
RED = (255, 92, 86)


class Shape(NamedTuple):
    """A rectangle with round corners."""

    left: float
    top: float
    right: float
    bottom: float
    radius: float
    colour: tuple[int, int, int]

    def has(self, x: float, y: float) -> bool:
        """Whether the point lies in it."""
        dx = max(self.left + self.radius - x, x - (self.right - self.radius), 0)
        dy = max(self.top + self.radius - y, y - (self.bottom - self.radius), 0)
        around = self.left <= x <= self.right and self.top <= y <= self.bottom
        return around and dx * dx + dy * dy <= self.radius * self.radius


# Later ones lie above.
SHAPES = [
    Shape(2, 2, 126, 126, 22, NIGHT),
    Shape(14, 22, 114, 42, 5, BLUE),
    Shape(14, 48, 66, 68, 5, TEAL),
    Shape(72, 48, 114, 68, 5, RED),
    Shape(14, 74, 36, 94, 5, SAND),
    Shape(41, 74, 58, 94, 5, BLUE),
    Shape(72, 74, 114, 94, 5, RED),
    Shape(14, 104, 114, 107, 1.5, LINE),
    Shape(98, 98, 102, 113, 2, SAND),
]


def point(x: float, y: float) -> tuple[int, int, int, int]:
    """Red, green, blue and how solid."""
    for shape in reversed(SHAPES):
        if shape.has(x, y):
            return (*shape.colour, 255)
    return (0, 0, 0, 0)


def pixel(column: int, row: int) -> bytes:
    """The mean of its points; of the colours only those that are not transparent."""
    steps = [(step + 0.5) / FINE for step in range(FINE)]
    points = [point(column + dx, row + dy) for dy in steps for dx in steps]
    solid = [each for each in points if each[3]]
    if not solid:
        return bytes(4)
    colour = [sum(each[channel] for each in solid) // len(solid) for channel in range(3)]
    return bytes([*colour, 255 * len(solid) // len(points)])


def chunk(name: bytes, content: bytes) -> bytes:
    """One part of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def draw() -> bytes:
    """The icon as a PNG of 8 bits per channel, with transparency."""
    rows = b"".join(b"\0" + b"".join(pixel(column, row) for column in range(SIZE)) for row in range(SIZE))
    head = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


if __name__ == "__main__":
    ICON.parent.mkdir(parents=True, exist_ok=True)
    ICON.write_bytes(draw())
    print(ICON)
