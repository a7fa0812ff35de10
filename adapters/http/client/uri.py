"""Addresses of HTTP services: `https://user:password@host:port/path?query` (RFC 3986, RFC 9110 4.2).

Path and query are the service's own, as they are written.  So what a connection is like isn't in the URI, as with
brokers, but in keys beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from warren.adapters.peers.uri import PeerUri, TlsParameters
from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen

PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


@frozen
class HttpUri(PeerUri):
    """An HTTP service.  target: path and query, as the request line has them, maybe with fields of a template."""

    target: str = "/"

    @property
    def shown(self) -> str:
        """The URI for statuses, logs and headers: without user, password and query, which may hold a key."""
        return self.shown_with(PORTS[self.scheme], self.target.partition("?")[0])

    @property
    def authority(self) -> str:
        """What the header Host says (RFC 9110 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def parse_http_uri(text: str) -> HttpUri:
    """The URI that `text` is; PreconditionFailed (406), with what is wrong, if it is none."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise PreconditionFailed("a URI can't be read: it looks like https://user:password@host:port/path") from None
    if parts.scheme not in PORTS:
        raise PreconditionFailed("a URI of this protocol begins with http:// or https://")
    if not parts.hostname:
        raise PreconditionFailed("a URI has no host")
    if parts.fragment:
        raise PreconditionFailed("a URI has a fragment, which is never sent: leave it out, or write '#' as %23")
    target = _target(parts)
    if not target.isascii() or any(character <= " " or character == "\x7f" for character in target):
        raise PreconditionFailed("a URI's path or query has characters that must be percent-encoded")
    return HttpUri(
        parts.scheme,
        parts.hostname,
        port or PORTS[parts.scheme],
        None if parts.username is None else unquote(parts.username),
        None if parts.password is None else unquote(parts.password),
        TlsParameters() if parts.scheme == "https" else None,
        target=target,
    )


def _target(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
