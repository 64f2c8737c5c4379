"""Protobuf without generated code: a table of fields per dataclass, and one loop each way.

Enough for messages whose fields are varints, text, bytes, and repeats of those; nested messages are bytes fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

from tachy_server.base.errors import QueryError

Kind = Literal["text", "bytes", "bool", "uint", "int"]  # "int" is two's complement in 64 bits: int32, int64 and enums

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types
MAX_VARINT = (1 << 64) - 1
_DEFAULTS: dict[Kind, Any] = {"text": "", "bytes": b"", "bool": False, "uint": 0, "int": 0}


class Message:
    """Base of dataclasses whose fields are all made by `proto`; the class name is the protobuf message name."""


M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class _Slot:
    """How one dataclass field is written."""

    name: str
    number: int
    kind: Kind
    repeated: bool
    optional: bool


def proto(number: int, kind: Kind, *, repeated: bool = False, optional: bool = False) -> Any:
    """A dataclass field; its default is an empty tuple when repeated, None when optional, else protobuf's own."""
    default = () if repeated else None if optional else _DEFAULTS[kind]
    return field(default=default, metadata={"number": number, "kind": kind, "repeated": repeated, "optional": optional})


def encode(message: Message) -> bytes:
    """The protobuf bytes of a message, fields in the order of their numbers."""
    out = bytearray()
    for slot in _slots(type(message)):
        value = getattr(message, slot.name)
        if slot.repeated:
            if slot.kind == "uint":
                if value:
                    out += write_bytes(slot.number, b"".join(_varint(item) for item in value))
            else:
                for item in value:
                    out += _encode_value(slot, item)
        elif value is not None and (slot.optional or value):
            out += _encode_value(slot, value)
    return bytes(out)


def decode(kind: type[M], data: bytes | memoryview) -> M:
    """A message from its protobuf bytes; unknown fields are skipped. QueryError when the bytes are not protobuf."""
    slots = {slot.number: slot for slot in _slots(kind)}
    values: dict[str, Any] = {}
    for number, wire, raw in read_fields(memoryview(data)):
        slot = slots.get(number)
        if slot is None:
            continue
        if slot.kind == "uint" and wire == BYTES:  # packed
            items: tuple[Any, ...] = tuple(_unpack_uints(raw))
        elif wire != (BYTES if slot.kind in ("text", "bytes") else VARINT):
            raise QueryError(f"Field {number} of a {kind.__name__} message has the wrong wire type; is it FlightSQL?")
        else:
            items = (_decode_value(slot, raw),)
        values[slot.name] = values.get(slot.name, ()) + items if slot.repeated else items[-1]
    return kind(**values)


_slot_tables: dict[type[Message], tuple[_Slot, ...]] = {}


def _slots(kind: type[Message]) -> tuple[_Slot, ...]:
    found = _slot_tables.get(kind)
    if found is None:
        slots = [_Slot(item.name, **item.metadata) for item in fields(kind)]  # type: ignore[arg-type]
        found = _slot_tables[kind] = tuple(sorted(slots, key=lambda slot: slot.number))
    return found


def write_key(number: int, size: int) -> bytes:
    """What stands before the `size` bytes of one field of text or bytes."""
    return _varint(number << 3 | BYTES) + _varint(size)


def write_bytes(number: int, raw: bytes) -> bytes:
    """One field of text or bytes."""
    return write_key(number, len(raw)) + raw


def _encode_value(slot: _Slot, value: str | bytes | int) -> bytes:
    if isinstance(value, str):
        return write_bytes(slot.number, value.encode())
    if isinstance(value, bytes):
        return write_bytes(slot.number, value)
    return _varint(slot.number << 3 | VARINT) + _varint(int(value) & MAX_VARINT)


def _decode_value(slot: _Slot, raw: int | memoryview) -> str | bytes | bool | int:
    if isinstance(raw, memoryview):
        if slot.kind == "bytes":
            return bytes(raw)
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError:
            raise QueryError(f"The text of the field {slot.name} is not UTF-8.") from None
    if slot.kind == "bool":
        return raw != 0
    return raw - (1 << 64) if slot.kind == "int" and raw >> 63 else raw


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise QueryError("A protobuf message ends in the middle of a field.")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & MAX_VARINT, at
        shift += 7
    raise QueryError("A protobuf message holds a number of more than 64 bits.")


def read_fields(data: memoryview) -> Iterator[tuple[int, int, Any]]:
    """(number, wire type, int or bytes) for each field."""
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise QueryError("A protobuf message has a field with the number zero.")
        if wire == VARINT:
            value, at = _read_varint(data, at)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, at = _read_varint(data, at)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise QueryError(f"A protobuf message uses the wire type {wire}, which FlightSQL does not.")
        if size > len(data) - at:
            raise QueryError("A protobuf message ends in the middle of a field.")
        yield number, wire, data[at : at + size]
        at += size


def _unpack_uints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _read_varint(data, at)
        yield value
