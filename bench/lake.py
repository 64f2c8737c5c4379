"""The lake suite: what a lake costs to keep, and what questions to a large one take.

python -m bench.lake                # build/bench/lake.json; a quarter of an hour
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import lake_day, lake_expiry, lake_queries, lake_spans
from bench.budgets import Cases, finish, machine
from tests.serving import Server


def measure(folder: Path) -> Cases:
    """All of the suite."""
    cases = lake_spans.cases() | lake_day.cases(lake_day.SECONDS)
    with (
        Server(folder / "data", "--role", "ingest,query") as server,
        lake_queries.months(server, lake_queries.HOURS) as made,
    ):
        cases |= lake_queries.all_of(server, made, folder)
        return cases | {"expiry": lake_expiry.expiry(made)}


def main() -> int:
    """Measures, writes, judges."""
    about = machine()
    with tempfile.TemporaryDirectory(prefix="tachy-bench-") as name:
        return finish("lake", measure(Path(name)), about)


if __name__ == "__main__":
    sys.exit(main())
