"""CommandGetSqlInfo: what this server can do, as the dense union of values that FlightSQL prescribes.

Numbers are those of `enum SqlInfo` in format/FlightSql.proto; bit masks have one bit per value of the enum they are of.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pyarrow as pa

_VALUE_TYPES: tuple[tuple[str, pa.DataType], ...] = (
    ("string_value", pa.string()),
    ("bool_value", pa.bool_()),
    ("bigint_value", pa.int64()),
    ("int32_bitmask", pa.int32()),
    ("string_list", pa.list_(pa.field("item", pa.string()))),
    ("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.field("item", pa.int32())))),
)
_TEXT, _BOOL, _BIGINT, _BITS, _TEXTS, _MAP = range(6)

_VALUE = pa.dense_union([pa.field(name, kind) for name, kind in _VALUE_TYPES])
SQL_INFO = pa.schema([pa.field("info_name", pa.uint32(), nullable=False), pa.field("value", _VALUE, nullable=False)])

_NUMERIC = "abs acos asin atan atan2 cbrt ceil cos degrees exp floor ln log log10 log2 pi power radians random round"
_STRING = (
    "btrim char_length concat concat_ws initcap left length lower lpad ltrim md5 repeat replace reverse right rpad"
)
_TEMPORAL = "current_date current_time date_bin date_part date_trunc from_unixtime now to_timestamp to_timestamp_nanos"


def _version() -> str:
    try:
        return version("tachy")
    except PackageNotFoundError:  # run from a source tree
        return "0"


def _table() -> dict[int, tuple[int, Any]]:
    return {
        0: (_TEXT, "tachy"),
        1: (_TEXT, _version()),
        2: (_TEXT, pa.__version__),
        3: (_BOOL, True),  # read only
        4: (_BOOL, True),  # SQL
        5: (_BOOL, False),  # Substrait
        8: (_BITS, 0),  # transactions: none
        9: (_BOOL, True),  # cancel
        10: (_BOOL, False),  # bulk ingestion
        11: (_BOOL, False),  # ingestion in transactions
        100: (_BITS, 0),  # the statement timeout is a setting, not per session
        101: (_BITS, 0),
        500: (_BOOL, False),  # no CREATE CATALOG, SCHEMA, TABLE
        501: (_BOOL, False),
        502: (_BOOL, False),
        503: (_BIGINT, 3),  # identifiers become lower case
        504: (_TEXT, '"'),
        505: (_BIGINT, 0),  # quoted identifiers keep theirs, for which the enum has no word but "unknown"
        506: (_BOOL, True),
        507: (_BIGINT, 0),  # nulls sort high
        508: (_TEXTS, ["explain", "describe", "show"]),
        509: (_TEXTS, _NUMERIC.split()),
        510: (_TEXTS, _STRING.split()),
        511: (_TEXTS, ["arrow_typeof", "version"]),
        512: (_TEXTS, _TEMPORAL.split()),
        513: (_TEXT, "\\"),
        514: (_TEXT, ""),
        515: (_BOOL, True),  # column aliases
        516: (_BOOL, True),  # null + null is null
        517: (_MAP, []),
        518: (_BOOL, True),  # table aliases
        519: (_BOOL, False),
        520: (_BOOL, True),  # expressions in ORDER BY
        521: (_BOOL, True),
        522: (_BITS, 0b11),  # GROUP BY: unrelated, beyond select
        523: (_BOOL, True),  # LIKE … ESCAPE
        524: (_BOOL, True),
        525: (_BITS, 0b111),  # minimum, core and extended grammar
        526: (_BITS, 0b1),  # SQL-92 entry level
        527: (_BOOL, False),
        528: (_BITS, 0b100),  # full outer joins
        529: (_TEXT, "schema"),
        530: (_TEXT, ""),
        531: (_TEXT, "catalog"),
        532: (_BIGINT, 1),
        533: (_BITS, 0),
        534: (_BITS, 0),
        535: (_BITS, 0),
        536: (_BOOL, False),
        537: (_BOOL, False),
        538: (_BITS, 0b1111),  # subqueries in comparisons, EXISTS, IN, quantified
        539: (_BOOL, True),
        540: (_BITS, 0b11),  # UNION, UNION ALL
        **dict.fromkeys(range(541, 562), (_BIGINT, 0)),  # sizes without a known limit
        562: (_BIGINT, 0),
        563: (_BOOL, False),  # transactions
        564: (_BITS, 0),
        565: (_BOOL, False),
        566: (_BOOL, False),
        567: (_BITS, 0b10),  # result sets go forward only
        **dict.fromkeys(range(568, 572), (_BITS, 0)),
        572: (_BOOL, False),
        573: (_BOOL, False),
        574: (_BOOL, False),
        575: (_BOOL, False),
        576: (_BOOL, False),
    }


def sql_info(wanted: Sequence[int]) -> pa.Table:
    """The rows asked for, all when none are named; numbers that are unknown have no row."""
    table = _table()
    chosen = [number for number in (wanted or sorted(table)) if number in table]
    children: list[list[Any]] = [[] for _ in _VALUE_TYPES]
    codes, offsets = [], []
    for number in chosen:
        code, value = table[number]
        codes.append(code)
        offsets.append(len(children[code]))
        children[code].append(value)
    union = pa.UnionArray.from_dense(
        pa.array(codes, pa.int8()),
        pa.array(offsets, pa.int32()),
        [pa.array(values, kind) for values, (_name, kind) in zip(children, _VALUE_TYPES, strict=True)],
        [name for name, _kind in _VALUE_TYPES],
    )
    return pa.Table.from_arrays([pa.array(chosen, pa.uint32()), union.cast(_VALUE)], schema=SQL_INFO)
