"""DuckDB, which has nothing of ours: it reads the catalog as it would any other DuckLake."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa


@contextmanager
def attached(
    dsn: str, data_path: str = "", *, schema: str = "ducklake", read_only: bool = True, secret: str = ""
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that uses the catalog in that database, as `lake`."""
    options = (
        [f"METADATA_SCHEMA '{schema}'"] + ["READ_ONLY"] * read_only + [f"DATA_PATH '{data_path}'"] * bool(data_path)
    )
    with duckdb.connect() as connection:
        for name in ("ducklake", "postgres_scanner", "httpfs"):
            folder = importlib.resources.files(f"duckdb_extension_{name}") / "extensions" / f"v{duckdb.__version__}"
            connection.execute(f"LOAD '{folder / f'{name}.duckdb_extension'}'")
        if secret:
            connection.execute(f"CREATE SECRET ({secret})")
        connection.execute(f"ATTACH 'ducklake:postgres:{dsn}' AS lake ({', '.join(options)})")
        connection.execute("USE lake")
        yield connection


def read(lake: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema) -> pa.Table:
    """Its rows by their first column, with the types of ours: DuckDB's times in nanoseconds have no zone."""
    return lake.execute(f"{query} ORDER BY 1").to_arrow_table().cast(schema)
