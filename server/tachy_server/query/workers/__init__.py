"""Queries in processes of their own, which can be killed: the front asks, workers plan, decode, run and encode.

    front                                            worker, forked by the fork server
    pool.Workers ── control: connection, cancel ───→ worker.Worker, a thread per connection
    run.Run      ←─ a connection: frames ─────────── answers: FlightData, JSON, Arrow, traces

wire.py is what they say. The front imports neither DataFusion nor what plans.
To check: pytest tests/server/test_workers.py.
"""
