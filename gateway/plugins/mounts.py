"""HTTP applications that plugins have mounted, by path."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from warren.gateway.plugin import App, Mount

Message = MutableMapping[str, Any]


class MountTable:
    """Implements warren.gateway.plugin.Mounts; one for all plugins of a broker."""

    def __init__(self) -> None:
        self._mounts: dict[str, Mount] = {}

    def add(self, path: str, app: App, plugin: str, log: logging.Logger) -> Mount:
        """Mount an application, guarded; ValueError for a path that can't be, or is taken."""
        path = path.rstrip("/") or "/"
        if not path.startswith("/") or any(character in path for character in "?# "):
            raise ValueError(f"{path!r} is no path to mount at; it begins with / and has no ?, # or space")
        if path in self._mounts:
            raise ValueError(f"{path} is mounted by the plugin '{self._mounts[path].plugin}' already")
        mount = self._mounts[path] = Mount(path, _guarded(app, path, plugin, log), plugin)
        return mount

    def remove(self, mount: Mount) -> None:
        """Take it away; nothing happens when that was done before."""
        if self._mounts.get(mount.path) is mount:
            del self._mounts[mount.path]

    def find(self, path: str) -> Mount | None:
        """See Mounts.find."""
        wanted = path.rstrip("/") or "/"
        while wanted != "/":
            if wanted in self._mounts:
                return self._mounts[wanted]
            wanted = wanted.rpartition("/")[0] or "/"
        return self._mounts.get("/")

    def __iter__(self) -> Iterator[Mount]:
        return iter(list(self._mounts.values()))

    def __len__(self) -> int:
        return len(self._mounts)


def _guarded(app: App, path: str, plugin: str, log: logging.Logger) -> App:
    """The application below its mount, whose errors are answered with 500 if nothing was answered yet."""

    async def run(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        answered = False

        async def send_noting(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        below = scope if path == "/" else {**scope, "root_path": scope.get("root_path", "") + path}
        if path != "/":
            below["path"] = scope["path"][len(path) :] or "/"
        try:
            await app(below, receive, send_noting)
        except Exception:
            log.exception("a request to %s failed", scope.get("path"))
            if scope.get("type") != "http" or answered:
                raise
            text = f"the plugin '{plugin}' failed; the broker's log has the details\n".encode()
            headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
            await send({"type": "http.response.start", "status": 500, "headers": headers})
            await send({"type": "http.response.body", "body": text})

    return run
