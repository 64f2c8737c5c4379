"""What tachy costs: `make bench` measures it, holds it against bench/budgets.toml and writes docs/benchmarks.md.

A suite is a module with a `main`, and writes build/bench/SUITE.json: the machine, and per case the figures that
budgets.toml names. `pytest bench/` holds the same budgets as tests. `make test` runs none of it; tests/bench runs every
native case once, untimed.
"""
