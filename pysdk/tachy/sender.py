"""The thread that sends: takes batches from the recorder, compresses their bodies, posts them.

What an answer means, and when a batch is tried again, is the recorder's to say (`tachy_retry_answer`): only the
server's word drops one. In the pauses what waits is compressed, so that more of it fits into the session folder. The
program never waits for this thread, except in stop and flush.
"""

from __future__ import annotations

import email.utils
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import zstandard

from tachy import unpatched
from tachy.handler import own_threads
from tachy.http_post import Answer, HttpPost
from tachy.recorder import ffi, lib
from tachy.settings import without_credentials
from tachy.version import VERSION

SENT, RETRY, REFUSED = 0, 1, 2
CODEC_ZSTD = 1
TAKE_MS = 1000
TURN_MS = 60000  # as long as another part of the program sends; its end wakes us
NO_ANSWER = 0  # where an HTTP status would be
STOPPING_DELAY = 0.1
LOOK = 1.0  # seconds: how often batches that have come meanwhile are compressed while nothing is sent
COMPRESS_FROM = 64  # bytes
NAME = "tachy-sender"

_log = logging.getLogger("tachy")


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
    """Owns the thread and the HTTP connection. `start`, then `close` once the recorder has been stopped.

    The thread and its locks are the system's, also where a program's own are greenlets.
    """

    def __init__(self, url: str, timeout: float, key: str = "", ca: str = "") -> None:
        self._server = without_credentials(url)
        self._compressor = zstandard.ZstdCompressor(level=1)
        headers = {"content-type": "application/octet-stream", "user-agent": f"tachy-python/{VERSION}"}
        if key:
            headers["authorization"] = f"Bearer {key}"
        self._http = HttpPost(f"{url}/ingest/v1/batch", timeout, headers, lib.tachy_batch_moves, ca)
        self._threads = unpatched.module("_thread")
        self._patience = self._threads.allocate_lock()  # the thread's while it may wait; `hurry` lets go of it
        self._running = self._threads.allocate_lock()  # held until the thread ends
        self._stopping = False
        self._closing = False
        self._turn = 0  # of those who could send for this process; 0: another one does
        self._retry = ffi.new("tachy_retry *")
        self._away = False  # and has been said so
        self._refusal = ""  # the last one that was reported

    def start(self) -> None:
        """Starts the thread."""
        self._patience.acquire()
        self._running.acquire()
        try:
            self._threads.start_new_thread(self._run, ())
        except BaseException:
            self._running.release()
            raise

    def hurry(self) -> None:
        """Tries again now, if it is waiting to."""
        with suppress(RuntimeError):  # it hurries already
            self._patience.release()

    def finish(self) -> None:
        """From now on it waits only shortly between tries: the program wants to end."""
        self._stopping = True
        self.hurry()

    def wait(self, timeout: float) -> bool:
        """Until there is nothing left to send and nobody records; False when that took too long."""
        if not self._running.acquire(timeout=timeout):
            return False
        self._running.release()
        return True

    def close(self, patience: float = 1.0) -> bool:
        """Ends the thread: call it after the recorder's stop. A request that is under way has so many seconds yet.

        False when it hangs in the network still; its batch is kept.
        """
        self._closing = True
        lib.tachy_sender_end(self._turn)
        if self.wait(patience):
            return True
        self._http.interrupt()
        return self.wait(min(patience, 1.0) or 0.1)

    def _run(self) -> None:
        ended = ffi.new("int *")
        try:
            while not self._turn:
                if self._closing:
                    return
                self._turn = lib.tachy_sender_begin(TURN_MS)
            lib.tachy_recover(ffi.NULL, ffi.NULL)  # what earlier processes with this server left
            while True:
                batch = lib.tachy_batch_take(TAKE_MS, ended)
                if batch == ffi.NULL:
                    if ended[0] or self._closing:
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
            lib.tachy_sender_end(self._turn)  # it may have come after close had looked for it
            self._http.close()
            own_threads.discard(threading.get_ident())
            self._running.release()

    def _pause(self, seconds: float) -> None:
        if self._stopping:
            seconds = min(seconds, STOPPING_DELAY)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._patience.acquire(timeout=min(left, LOOK)):
                return
            self._pack_waiting()

    def _pack_waiting(self) -> None:
        """Compresses what waits before its turn, so that more of it fits into the session folder."""
        while self._patience.locked() and not self._stopping:
            batch = lib.tachy_batch_take_raw()
            if batch == ffi.NULL:
                return
            self._compress(batch)
            lib.tachy_batch_done(batch, RETRY)

    def _compress(self, batch: Any) -> None:
        """What cannot be compressed travels as it is."""
        size = ffi.new("uint64_t *")
        for block in range(lib.tachy_batch_block_count(batch)):
            body = lib.tachy_batch_body(batch, block, size)
            if size[0] < COMPRESS_FROM or lib.tachy_batch_codec(batch, block) != 0:
                continue
            with suppress(Exception):  # no memory; whatever lasts is met again, and said, when the batch is posted
                packed = self._frame(ffi.buffer(body, size[0]))
                lib.tachy_batch_replace(batch, block, CODEC_ZSTD, ffi.from_buffer(packed), len(packed))

    def _frame(self, body: Any) -> bytes:
        """A zstd frame of a body, in which each part has a block, and so codes, of its own."""
        frame = self._compressor.compressobj(size=len(body))
        ends = ffi.new("uint64_t[]", lib.TACHY_BODY_PARTS_MAX)
        count = lib.tachy_body_parts(ffi.from_buffer(body), len(body), ends, lib.TACHY_BODY_PARTS_MAX)
        packed: list[bytes] = []
        at = 0
        for end in ffi.unpack(ends, count - 1):
            packed += frame.compress(body[at:end]), frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
            at = end
        return b"".join((*packed, frame.compress(body[at:]), frame.flush()))

    def _deliver(self, batch: Any) -> tuple[int, float]:
        """The outcome, and the seconds to wait before another try."""
        status, asked, why = NO_ANSWER, 0.0, ""
        try:
            self._compress(batch)
            answer = self._post(batch)
            status, why = answer.status, f"{answer.status}: {answer.sentence}"
            asked = retry_after(answer.headers, time.time())
        except Exception as error:  # the network's fault, or one of this process: the batch is as good as it was
            why = why or f"{type(error).__name__}: {error}"
        pause = ffi.new("uint32_t *")
        outcome = lib.tachy_retry_answer(self._retry, status, asked, pause)
        said = (self._arrived, self._unavailable, self._refused)[outcome](why)
        if said:
            _say(logging.INFO if outcome == SENT else logging.WARNING, said)
        return outcome, pause[0] / 1000

    def _post(self, batch: Any) -> Answer:
        size = ffi.new("uint64_t *")
        data = lib.tachy_batch_bytes(batch, size)
        if data == ffi.NULL:
            raise MemoryError("no memory for a batch")
        answer = self._http.post(bytes(ffi.buffer(data, size[0])))
        control = answer.headers.get("tachy-control")
        if control is not None:
            lib.tachy_control(control.encode("latin-1", "replace"))
        return answer

    def _arrived(self, why: str) -> str:
        """Each of these: what is to be logged, if anything."""
        self._refusal = ""
        was_away, self._away = self._away, False
        return f"{self._server} answers again" if was_away else ""

    def _unavailable(self, why: str) -> str:
        was_away, self._away = self._away, True
        return "" if was_away else f"{self._server} does not take batches ({why}): they wait and are sent when it does"

    def _refused(self, why: str) -> str:
        before, self._refusal = self._refusal, why
        return "" if why == before else f"{self._server} refused a batch, which is dropped: {why}"


def _say(level: int, text: str) -> None:
    """Logs from the sender's thread, which is none of `threading`'s: what that makes in its place goes again."""
    thread = threading.get_ident()  # what logging takes for it
    own_threads.add(thread)
    try:
        threading.current_thread().name = NAME
        _log.log(level, "%s", text)
    except Exception:  # a handler of the program's
        pass
    finally:
        getattr(threading, "_active", {}).pop(thread, None)
