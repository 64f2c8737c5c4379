"""The FlightSQL messages that a query needs, in the protobuf wire format.

CommandStatementQuery { string query = 1; } wrapped in google.protobuf.Any { string type_url = 1; bytes value = 2; };
CancelFlightInfoRequest { FlightInfo info = 1; }.
"""

from __future__ import annotations

_QUERY = "type.googleapis.com/arrow.flight.protocol.sql.CommandStatementQuery"


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited field."""
    length, size = len(value), bytearray()
    while length > 0x7F:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes([number << 3 | 2]) + bytes(size) + value


def statement(sql: str) -> bytes:
    """The command of a FlightDescriptor that asks `sql`."""
    return _field(1, _QUERY.encode()) + _field(2, _field(1, sql.encode()))


def cancel_info(info: bytes) -> bytes:
    """The body of the action CancelFlightInfo that stops the query of a serialised FlightInfo."""
    return _field(1, info)
