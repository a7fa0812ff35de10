"""The page of the management API, and the page of the WebSocket listeners, which is one of its rooms (`/live/`).

Anybody may have the files; what they show is asked for with a login.  They are read once, in a thread, when somebody
asks for the first of them, so that a broker that nobody looks at has none of them in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio
from starlette.responses import Response

from warren.adapters.websocket import page_files, responses
from warren.adapters.websocket.page_files import PageFile, read_page

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

FOLDER: Final = Path(__file__).parent / "page"

LIVE: Final = "/live"
"""Where the page of the WebSocket listeners is; here it may be shown within the page."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {}; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page runs its own files alone, asks its own broker and whoever issues tokens, and can't be put into another
page."""

OWN: Final = "'self'"

LIVE_POLICY: Final = responses.CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", "frame-ancestors 'self'")

NOTHING: Final = "There is nothing at this path. The page is at {prefix}/, the API below {prefix}/api.\n"

READS: Final = ("GET", "HEAD")


class ManagementPage:
    """An ASGI application that serves both pages.

    origins: others that the page may ask something.  prefix: of all paths, as `management_path_prefix` says; there is
    nothing at those without it.
    """

    def __init__(self, origins: Sequence[str] = (), prefix: str = "") -> None:
        self._prefix = prefix
        self._policy = CONTENT_SECURITY_POLICY.format(" ".join([OWN, *origins]))
        self._files: Mapping[str, PageFile] = {}
        self._reading = trio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        response = await self._answer(scope)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        prefix = self._prefix
        raw = scope["raw_path"].decode("ascii", "replace")
        if scope["method"] not in READS:
            text = f"GET and HEAD are possible here; the API is below {prefix}/api.\n"
            return _words(405, text, {"allow": "GET, HEAD"})
        if raw == prefix or raw == prefix + LIVE:
            return _words(308, "The page has a slash at its end.\n", {"location": f"{raw}/"})
        path = raw[len(prefix) :] if raw.startswith(f"{prefix}/") else None
        if path is None:
            return _words(404, NOTHING.format(prefix=prefix))
        async with self._reading:
            self._files = self._files or await trio.to_thread.run_sync(_read)
        file = self._files.get(path)
        if file is None:
            return _words(404, NOTHING.format(prefix=prefix))
        known = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
        found = responses.page_file(file, known)
        policy = LIVE_POLICY if path.startswith(LIVE) else self._policy
        headers = dict(found.headers)
        if "Content-Security-Policy" in headers:
            headers["Content-Security-Policy"] = policy
        return Response(found.body, found.status, headers)


def _read() -> Mapping[str, PageFile]:
    """The files by their paths; the other page's are below its own."""
    live = {LIVE + path: file for path, file in read_page(page_files.FOLDER).items()}
    return {**live, **read_page(FOLDER)}


def _words(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    every = {"x-content-type-options": "nosniff", "cache-control": "no-cache", **(headers or {})}
    return Response(text, status, every, "text/plain; charset=utf-8")
