"""A block's body as the model writes it: columns, string table, site table, property sets. All from docs/format.md."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MASK = (1 << 64) - 1

UINT, F64, BYTES = 1, 2, 3

STRING_SIZE, STRING_BYTES = 1, 2
SITE_ID, SITE_NAME, SITE_TARGET, SITE_FILE, SITE_UNIT, SITE_LINE, SITE_LEVEL, SITE_KIND = range(3, 11)
SET_SIZE, SET_KEY, SET_VALUE, GAP_COUNT, CLOCK_TICKS, CLOCK_UTC = range(11, 17)
CLOCK_INNER_TICKS, CLOCK_INNER_UTC = 17, 18
ROW_SITE, ROW_TIME, ROW_SET, VALUE_INT, VALUE_F64 = range(20, 25)
LOG_TYPES, LOG_INT, LOG_F64, LOG_TEXT_SIZE, LOG_TEXT_BYTES = range(25, 30)
VALUE_SCALE, VALUE_F32 = 30, 31
SPAN_DEPTH, SPAN_LEAD, SPAN_TAIL = range(40, 43)
OPEN_START_SITE, OPEN_START_TICKS, OPEN_START_UTC, OPEN_START_ID = range(43, 47)
OPEN_END_SITE, OPEN_END_TICKS, OPEN_END_UTC, OPEN_END_ID = range(47, 51)
ASYNC_KIND, ASYNC_TIME, ASYNC_SITE, ASYNC_ID, ASYNC_PARENT, ASYNC_DEPTH = range(60, 66)
OPEN_ASYNC_ID, OPEN_ASYNC_PARENT, OPEN_ASYNC_SITE, OPEN_ASYNC_UTC, OPEN_ASYNC_DEPTH, OPEN_ASYNC_THREAD = range(66, 72)
SPAN_VALUE_OWNER, SPAN_VALUE_SITE, SPAN_VALUE_TYPE, SPAN_VALUE_INT, SPAN_VALUE_F64 = range(80, 85)
SPAN_VALUE_TEXT_SIZE, SPAN_VALUE_TEXT_BYTES = range(85, 87)

ENCODINGS = {  # the others: UINT
    STRING_BYTES: BYTES, LOG_TEXT_BYTES: BYTES, SPAN_VALUE_TEXT_BYTES: BYTES, VALUE_F64: F64, LOG_F64: F64,
    SPAN_VALUE_F64: F64,
}  # fmt: skip


def wrap(value: int) -> int:
    """The signed number of 64 bits that the value is modulo 2^64."""
    return ((value & MASK) ^ (1 << 63)) - (1 << 63)


def zigzag(value: int) -> int:
    """zz of a value that is taken modulo 2^64."""
    signed = wrap(value)
    return ((signed << 1) ^ (signed >> 63)) & MASK


def unzigzag(value: int) -> int:
    """The signed value."""
    return (value >> 1) ^ -(value & 1)


def encode_uint(values: Iterable[int]) -> bytes:
    """The encoding UINT: a plane of bytes, then what did not fit."""
    wide = [value & MASK for value in values]
    high = [value for value in wide if value >= 255]
    plane = bytes(min(value, 255) for value in wide)
    return plane + bytes(value & 255 for value in high) + encode_uint(value >> 8 for value in high) if high else plane


def encode_f64(values: Iterable[float]) -> bytes:
    """The encoding F64: the lowest bytes, then the second ones, …"""
    packed = [struct.pack("<d", value) for value in values]
    return bytes(value[k] for k in range(8) for value in packed)


def pad8(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 8)


@dataclass(frozen=True, slots=True)
class Site:
    """The static description of an instrumented place, as the process registered it."""

    id: int
    kind: int  # tachy_site_kind
    name: str
    target: str
    file: str
    line: int
    unit: str
    level: int


@dataclass
class Body:
    """Columns by id, and the three tables, whose indices are handed out on first use."""

    columns: dict[int, list[int]] = field(default_factory=dict)
    doubles: dict[int, list[float]] = field(default_factory=dict)
    texts: dict[int, bytearray] = field(default_factory=dict)
    strings: dict[bytes, int] = field(default_factory=dict)
    sites: dict[int, int] = field(default_factory=dict)
    sets: dict[tuple[tuple[str, str], ...], int] = field(default_factory=dict)

    def put(self, column: int, *values: int) -> None:
        self.columns.setdefault(column, []).extend(values)

    def string(self, text: str) -> int:
        data = text.encode(errors="surrogateescape")
        if data not in self.strings:
            self.strings[data] = len(self.strings)
            self.put(STRING_SIZE, len(data))
            self.texts.setdefault(STRING_BYTES, bytearray()).extend(data)
        return self.strings[data]

    def site(self, site: Site) -> int:
        """The block's index of a site, from 0."""
        if site.id not in self.sites:
            self.sites[site.id] = len(self.sites)
            self.put(SITE_ID, site.id)
            self.put(SITE_NAME, self.string(site.name))
            self.put(SITE_TARGET, self.string(site.target))
            self.put(SITE_FILE, self.string(site.file))
            self.put(SITE_UNIT, self.string(site.unit))
            self.put(SITE_LINE, site.line)
            self.put(SITE_LEVEL, site.level)
            self.put(SITE_KIND, site.kind)
        return self.sites[site.id]

    def properties(self, properties: Mapping[str, str] | None) -> int:
        """What ROW_SET says: 0 for none, else the block's set + 1."""
        if not properties:
            return 0
        pairs = tuple(properties.items())
        if pairs not in self.sets:
            self.sets[pairs] = len(self.sets)
            self.put(SET_SIZE, len(pairs))
            for key, value in pairs:
                self.put(SET_KEY, self.string(key))
                self.put(SET_VALUE, self.string(value))
        return self.sets[pairs] + 1

    def encode(self) -> bytes:
        """The body, uncompressed."""
        encoded: list[tuple[int, int, int, bytes]] = []
        for column, values in self.columns.items():
            encoded.append((column, UINT, len(values), encode_uint(values)))
        for column, doubles in self.doubles.items():
            encoded.append((column, F64, len(doubles), encode_f64(doubles)))
        for column, text in self.texts.items():
            encoded.append((column, BYTES, len(text), bytes(text)))
        return encode_columns(sorted(encoded))


def encode_columns(columns: list[tuple[int, int, int, bytes]]) -> bytes:
    """(id, encoding, count, bytes) of each column -> a body."""
    head = struct.pack("<II", len(columns), 0)
    head += b"".join(struct.pack("<HHIQQ", i, encoding, 0, count, len(data)) for i, encoding, count, data in columns)
    return head + b"".join(pad8(data) for _, _, _, data in columns)
