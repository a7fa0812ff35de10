"""The files of the page that WebSocket listeners serve at /: read once, served from memory.

Only what lies in the folder when it is read can be asked for, so no path leads out of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from warren.core.frozen import frozen

FOLDER: Final = Path(__file__).parent / "page"

CONTENT_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
"""What is served, by the end of its name; other files are not."""


@frozen
class PageFile:
    """A file as it is served; etag: quoted, as the header has it."""

    content: bytes
    content_type: str
    etag: str


def read_page(folder: Path = FOLDER) -> Mapping[str, PageFile]:
    """The files below `folder` by the path of their URL; index.html is also "/"."""
    files: dict[str, PageFile] = {}
    for path in sorted(folder.rglob("*")):
        content_type = CONTENT_TYPES.get(path.suffix)
        if content_type is not None and path.is_file():
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            files["/" + path.relative_to(folder).as_posix()] = PageFile(content, content_type, etag)
    if "/index.html" in files:
        files["/"] = files["/index.html"]
    return files
