"""What others cost a Python program, in the same process and run: those that are installed (the extra `bench`)."""

from __future__ import annotations

import gc
import importlib.util
import io
import time
from collections.abc import Callable
from typing import Any

CALLS = 2_000
ROUNDS = 15


def work() -> None: ...


def _best(call: Callable[[], object]) -> float:
    """Nanoseconds per call above an empty function's, best of all rounds."""
    best = {call: float("inf"), work: float("inf")}
    gc.disable()
    for _ in range(ROUNDS):
        for function in best:
            begin = time.perf_counter_ns()
            for _ in range(CALLS):
                function()
            best[function] = min(best[function], time.perf_counter_ns() - begin)
    gc.enable()
    return (best[call] - best[work]) / CALLS


def _viztracer() -> float:
    from viztracer import VizTracer

    bare = _plain()
    tracer = VizTracer(verbose=0, tracer_entries=CALLS * ROUNDS * 4)
    tracer.start()
    traced = _plain()
    tracer.stop()
    tracer.clear()
    return traced - bare


def _plain() -> float:
    """Nanoseconds per call of a function, the loop included."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        for _ in range(CALLS):
            work()
        best = min(best, time.perf_counter_ns() - begin)
    return best / CALLS


def _structlog() -> float:
    import structlog

    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso"), structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(io.StringIO()),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger()
    return _best(lambda: log.info("a message of some length", number=1))


def _opentelemetry() -> float:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    class Nowhere:
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

        def shutdown(self) -> None: ...

    provider = TracerProvider()
    exporter: Any = Nowhere()  # not a SpanExporter, whose type is Any where the package is not installed
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("bench")

    def span() -> None:
        with tracer.start_as_current_span("span"):
            pass

    found = _best(span)
    provider.shutdown()
    return found


PEERS: dict[str, tuple[str, Callable[[], float] | None, str, str]] = {
    # name: (module, measurement, our case that does the same, what happens when it is full)
    "viztracer_function": ("viztracer", _viztracer, "decorator", "overwrites the oldest"),
    "structlog_json": ("structlog", _structlog, "log", "writes at once, in the calling thread"),
    "opentelemetry_span": ("opentelemetry", _opentelemetry, "with_object", "drops, and warns"),
    "logging_null": ("logging", None, "log", "writes nothing: what `logging` costs before any handler"),
}


def measure() -> dict[str, tuple[float, str]]:
    """{peer: (nanoseconds per call, our case to compare it with)}; bench.python times `logging` itself."""
    found = {}
    for name, (module, run, ours, _) in PEERS.items():
        if run is not None and importlib.util.find_spec(module) is not None:
            found[name] = run(), ours
    return found
