"""The thread that sends: takes batches from the recorder, compresses their bodies, posts them.

What an answer means, and when a batch is tried again, is the recorder's to say (`tachy_retry_answer`): only the
server's word drops one. In the pauses what waits is compressed, so that more of it fits into the session folder. The
program never waits for this thread, except in stop and flush.
"""

from __future__ import annotations

import email.utils
import logging
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx
import zstandard

from tachy.answers import is_local, sentence_of
from tachy.handler import own_threads
from tachy.recorder import ffi, lib
from tachy.version import VERSION

SENT, RETRY, REFUSED = 0, 1, 2
CODEC_ZSTD = 1
TAKE_MS = 1000
NO_ANSWER = 0  # where an HTTP status would be
STOPPING_DELAY = 0.1
LOOK = 1.0  # seconds: how often batches that have come meanwhile are compressed while nothing is sent
COMPRESS_FROM = 64  # bytes

_log = logging.getLogger("tachy")
# What httpx says about each request, at INFO and DEBUG, would end up in the program's own log.
_CHATTY = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


class _NotOurs(logging.Filter):
    """Lets nothing through that a thread of ours logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        return threading.get_ident() not in own_threads


def retry_after(headers: Mapping[str, str], now: float) -> float:
    """Seconds that the server asks us to wait: 0 if it does not, or says something that cannot be read."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return 0.0
    try:
        return float(text)
    except ValueError:
        try:
            return email.utils.parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return 0.0


class Sender:
    """Owns the thread and the HTTP connection. `start`, then `close` once the recorder has been stopped."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = f"{url}/ingest/v1/batch"
        self._server = url
        self._compressor = zstandard.ZstdCompressor(level=1)
        # a proxy of the environment is for the network, not for this machine
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            trust_env=not is_local(url),
            verify=url.startswith("https:"),  # reading the certificates takes 20 ms
            headers={"content-type": "application/octet-stream", "user-agent": f"tachy-python/{VERSION}"},
        )
        self._hurry = threading.Event()  # wakes the thread from its back-off
        self._socket: socket.socket | None = None
        self._stopping = False
        self._retry = ffi.new("tachy_retry *")
        self._away = False  # and has been said so
        self._refusal = ""  # the last one that was reported
        self._filter = _NotOurs()
        self._thread = threading.Thread(target=self._run, name="tachy-sender", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        for name in _CHATTY:
            logging.getLogger(name).addFilter(self._filter)
        self._thread.start()

    def hurry(self) -> None:
        """Tries again now, if it is waiting to."""
        self._hurry.set()

    def finish(self) -> None:
        """From now on it waits only shortly between tries: the program wants to end."""
        self._stopping = True
        self._hurry.set()

    def wait(self, timeout: float) -> bool:
        """Until there is nothing left to send and nobody records; False when that took too long."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def close(self, timeout: float = 1.0) -> bool:
        """Ends the thread. Call it after the recorder's stop. False when it hangs in the network still."""
        self._thread.join(timeout)
        if self._thread.is_alive() and self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # whatever it waits for fails now
            self._thread.join(timeout)
        self.abandon()
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """Forgets the thread, which is in another process: this one was forked."""
        own_threads.discard(self._thread.ident or 0)
        for name in _CHATTY:
            logging.getLogger(name).removeFilter(self._filter)

    def _run(self) -> None:
        own_threads.add(threading.get_ident())
        ended = ffi.new("int *")
        try:
            lib.tachy_recover(ffi.NULL, ffi.NULL)  # what earlier processes with this server left
            while True:
                batch = lib.tachy_batch_take(TAKE_MS, ended)
                if batch == ffi.NULL:
                    if ended[0]:
                        return
                    continue
                begin = time.monotonic()
                outcome, wait = self._deliver(batch)
                lib.tachy_batch_done(batch, outcome)
                if time.monotonic() - begin >= LOOK:
                    self._pack_waiting()
                if outcome == RETRY:
                    self._pause(wait)
        finally:
            self._http.close()
            own_threads.discard(threading.get_ident())

    def _pause(self, seconds: float) -> None:
        if self._stopping:
            time.sleep(STOPPING_DELAY)
            return
        until = time.monotonic() + seconds
        while not self._hurry.is_set() and (left := until - time.monotonic()) > 0:
            self._hurry.wait(min(left, LOOK))
            self._pack_waiting()
        self._hurry.clear()

    def _pack_waiting(self) -> None:
        """Compresses what waits before its turn, so that more of it fits into the session folder."""
        while not self._hurry.is_set():
            batch = lib.tachy_batch_take_raw()
            if batch == ffi.NULL:
                return
            self._compress(batch)
            lib.tachy_batch_done(batch, RETRY)

    def _notice(self, event: str, info: dict[str, Any]) -> None:
        """Httpcore's trace: keeps the socket, so that close() can end a request that hangs."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _compress(self, batch: Any) -> None:
        """What cannot be compressed travels as it is."""
        size = ffi.new("uint64_t *")
        for block in range(lib.tachy_batch_block_count(batch)):
            body = lib.tachy_batch_body(batch, block, size)
            if size[0] < COMPRESS_FROM or lib.tachy_batch_codec(batch, block) != 0:
                continue
            with suppress(Exception):  # no memory; whatever lasts is met again, and said, when the batch is posted
                packed = self._compressor.compress(ffi.buffer(body, size[0]))
                lib.tachy_batch_replace(batch, block, CODEC_ZSTD, ffi.from_buffer(packed), len(packed))

    def _deliver(self, batch: Any) -> tuple[int, float]:
        """The outcome, and the seconds to wait before another try."""
        status, asked, why = NO_ANSWER, 0.0, ""
        try:
            self._compress(batch)
            answer = self._post(batch)
            status = answer.status_code
            asked = retry_after(answer.headers, time.time())
            why = f"{status}: {sentence_of(answer)}"
        except Exception as error:  # the network's fault, or one of this process: the batch is as good as it was
            why = why or f"{type(error).__name__}: {error}"
        pause = ffi.new("uint32_t *")
        outcome = lib.tachy_retry_answer(self._retry, status, asked, pause)
        with suppress(Exception):  # the program's logging handlers
            (self._arrived, self._unavailable, self._refused)[outcome](why)
        return outcome, pause[0] / 1000

    def _post(self, batch: Any) -> httpx.Response:
        size = ffi.new("uint64_t *")
        data = lib.tachy_batch_bytes(batch, size)
        if data == ffi.NULL:
            raise MemoryError("no memory for a batch")
        content = bytes(ffi.buffer(data, size[0]))
        answer = self._http.post(self._url, content=content, extensions={"trace": self._notice})
        control = answer.headers.get("tachy-control")
        if control is not None:
            lib.tachy_control(control.encode("latin-1", "replace"))
        return answer

    def _arrived(self, why: str) -> None:
        self._refusal = ""
        if self._away:
            self._away = False
            _log.info("%s answers again", self._server)

    def _unavailable(self, why: str) -> None:
        if not self._away:
            self._away = True
            _log.warning("%s does not take batches (%s): they wait and are sent when it does", self._server, why)

    def _refused(self, why: str) -> None:
        if why != self._refusal:
            self._refusal = why
            _log.warning("%s refused a batch, which is dropped: %s", self._server, why)
