"""A tools programmer's program: bakes terrain tiles on worker threads, and records what it does.

    python bake_terrain.py --seconds 10 --url http://127.0.0.1:9000

Every tile is value noise in five octaves, a few thousand drops of hydraulic erosion and a normal map; tiles are spans
with their stages inside, their roughness and height are metrics, what looks wrong is logged.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import random
import threading
import time
from pathlib import Path

import tachy

log = logging.getLogger("terrain")

Heights = list[list[float]]


@tachy.span("noise", target="terrain")
def noise(seed: int, size: int) -> Heights:
    """Value noise, five octaves: size x size heights in 0 .. 1."""
    heights = [[0.0] * size for _ in range(size)]
    for octave in range(5):
        with tachy.span("octave", target="terrain"):
            cells = 2 << octave
            rng = random.Random(seed * 31 + octave)
            lattice = [[rng.random() for _ in range(cells + 2)] for _ in range(cells + 2)]
            weight = 0.5 ** (octave + 1)
            for y in range(size):
                v, row = y * cells / size, heights[y]
                j, fy = int(v), v - int(v)
                low, high = lattice[j], lattice[j + 1]
                for x in range(size):
                    u = x * cells / size
                    i, fx = int(u), u - int(u)
                    top = low[i] + (low[i + 1] - low[i]) * fx
                    bottom = high[i] + (high[i + 1] - high[i]) * fx
                    row[x] += weight * (top + (bottom - top) * fy)
    return heights


@tachy.span("drop", target="terrain")
def drop(heights: Heights, rng: random.Random) -> float:
    """One drop of water runs downhill and moves soil with it. Returns what it moved."""
    size = len(heights)
    x, y = rng.randrange(1, size - 1), rng.randrange(1, size - 1)
    moved = soil = 0.0
    for _ in range(24):
        here = heights[y][x]
        lowest, nx, ny = min(
            (heights[y + dy][x + dx], x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy
        )
        if lowest >= here:
            heights[y][x] += soil
            return moved
        taken = (here - lowest) * 0.08
        heights[y][x] -= taken
        soil += taken * 0.5
        moved += taken
        x, y = nx, ny
        if not (0 < x < size - 1 and 0 < y < size - 1):
            break
    return moved


@tachy.span("normals", target="terrain")
def normals(heights: Heights) -> float:
    """Mean slope in degrees, from the normal of every inner point."""
    size, total = len(heights), 0.0
    for y in range(1, size - 1):
        for x in range(1, size - 1):
            dx = (heights[y][x + 1] - heights[y][x - 1]) * size * 0.25
            dy = (heights[y + 1][x] - heights[y - 1][x]) * size * 0.25
            total += math.acos(1.0 / math.sqrt(dx * dx + dy * dy + 1.0))
    return math.degrees(total / (size - 2) ** 2)


def bake(tile: int, size: int) -> None:
    """One tile, through all its stages."""
    biome = ("coast", "hills", "alpine")[tile % 3]
    with tachy.span("tile", target="terrain"):
        heights = noise(tile, size)
        rng = random.Random(tile)
        with tachy.span("erosion", target="terrain"):
            moved = sum(drop(heights, rng) for _ in range(size * 12))
        slope = normals(heights)
        top = max(map(max, heights))
        tachy.metric("slope", slope, unit="degrees", target="terrain", properties={"biome": biome})
        tachy.metric("tile_height", int(top * 4000), unit="m", target="terrain")
        tachy.metric("soil_moved", moved, unit="m3", target="terrain", properties={"biome": biome})
        log.info("tile %d (%s): %.1f degrees, top %d m", tile, biome, slope, int(top * 4000))
        if slope > 30.0:
            log.warning("tile %d is too steep to walk on: %.1f degrees", tile, slope)


def work(deadline: float, first: int, step: int, size: int) -> None:
    """A worker: every `step`-th tile from `first`, until the deadline."""
    tile = first
    while time.monotonic() < deadline:
        bake(tile, size)
        tile += step


def main() -> None:
    """Parses the command line, bakes, reports."""
    parser = argparse.ArgumentParser(description="bakes terrain tiles and records it with tachy")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=48, help="points along a tile's edge (48)")
    parser.add_argument("--url", help="the server (TACHY_URL, or http://127.0.0.1:9000)")
    parser.add_argument("--report", type=Path, help="write the recorder's counts to this JSON file")
    args = parser.parse_args()

    tachy.start(url=args.url, properties={"build": "demo", "tool": "terrain"}, logging=True)
    logging.getLogger().setLevel(logging.INFO)
    log.info("baking on %d threads", args.threads)
    deadline = time.monotonic() + args.seconds
    workers = [
        threading.Thread(target=work, name=f"baker-{n}", args=(deadline, n, args.threads, args.size))
        for n in range(args.threads)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    tachy.stop(timeout=30.0)
    if args.report:
        args.report.write_text(json.dumps(tachy.stats().as_dict(), indent=2) + "\n")


if __name__ == "__main__":
    main()
