"""The materialized views that come with the server, as a user would make them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# Quarters of octaves: the mean of each is within 9 % of its values, and a minute of a name has some ten of them.
_TOTAL: Final = "CASE WHEN calls = 1 THEN total END"
_DURATION: Final = "CASE WHEN calls = 1 THEN CAST(floor(4 * log2(CAST(greatest(total, 1) AS DOUBLE))) AS INT) END"
_VALUE: Final = "CASE WHEN value = 0 THEN 0.0 ELSE signum(value) * (1.0 + floor(4.0 * (log2(abs(value)) + 1074.0))) END"

STATEMENTS: Final = (
    """CREATE MATERIALIZED VIEW log_stats AS
SELECT date_bin(INTERVAL '1 minute', time) AS time_bin, process_id, level, target, count(*) AS count
FROM log_entries GROUP BY 1, 2, 3, 4""",
    f"""CREATE MATERIALIZED VIEW measure_stats AS
SELECT date_bin(INTERVAL '1 minute', time) AS time_bin, name, target, unit, {_VALUE} AS bucket,
    count(*) AS count, sum(value) AS sum, min(value) AS min, max(value) AS max
FROM measures GROUP BY 1, 2, 3, 4, 5""",
    f"""CREATE MATERIALIZED VIEW span_stats AS
SELECT date_bin(INTERVAL '1 minute', time) AS time_bin, name, target, {_DURATION} AS bucket,
    sum(calls) AS count, sum(total) AS total, sum(self) AS self, min({_TOTAL}) AS min, max({_TOTAL}) AS max
FROM span_times GROUP BY 1, 2, 3, 4""",
)

AS_FILES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "log_entries": """CREATE MATERIALIZED VIEW log_entries WITH (time = 'time') AS SELECT * FROM log_entries""",
        "measures": """CREATE MATERIALIZED VIEW measures WITH (time = 'time', sort = 'name, process_id, time') AS
SELECT * FROM measures""",
    }
)
"""Views that the server reads from blocks; files of them are for others, where the setting parquet_views says so."""
