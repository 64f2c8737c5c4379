"""The extension module, with the C functions of pysdk/native put into it. Nothing else imports `tachy._native`."""

from __future__ import annotations

try:
    from tachy import _native
except ImportError as error:
    raise ImportError(
        f"tachy's native recorder is not built ({error}): run `pip install .`, or `python pysdk/build_native.py` in a "
        "copy of the repository"
    ) from error

ffi = _native.ffi
lib = _native.lib

if not hasattr(_native, "span") and lib.tachy_python_install(b"tachy._native") != 0:
    raise ImportError("tachy's native recorder could not be set up: see the error above")

from tachy._native import (  # noqa: E402 - they exist since the line above
    AsyncHandle,
    Properties,
    Span,
    SpanFunction,
    async_begin,
    async_end,
    async_flow,
    async_site,
    async_value,
    begin,
    configure,
    configure_logging,
    end,
    frame,
    function,
    handler_emit,
    handler_handle,
    log,
    log_at,
    metric,
    properties,
    span,
    span_at,
    version,
)

__all__ = [
    "AsyncHandle",
    "Properties",
    "Span",
    "SpanFunction",
    "async_begin",
    "async_end",
    "async_flow",
    "async_site",
    "async_value",
    "begin",
    "configure",
    "configure_logging",
    "end",
    "ffi",
    "frame",
    "function",
    "handler_emit",
    "handler_handle",
    "lib",
    "log",
    "log_at",
    "metric",
    "properties",
    "span",
    "span_at",
    "version",
]
