"""The opening handshake of a WebSocket, from the broker's side (RFC 6455, 4.2; spec D)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from wsproto.utilities import generate_accept_token

from warren.adapters.streams.host_names import LOCALHOST, is_address, name_in
from warren.adapters.websocket.deflate import negotiate
from warren.adapters.websocket.responses import Headers, Response, sentence
from warren.adapters.websocket.subprotocols import UNDECIDED
from warren.core.clients.transport import is_loopback
from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.adapters.websocket.settings import WebSocketSettings
    from warren.adapters.websocket.subprotocols import Endpoints
    from warren.core.clients.transport import Credentials

_VERSION: Final = "13"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_KEY_BYTES: Final = 16
_UPGRADE: Final = (("Upgrade", "websocket"), ("Connection", "Upgrade"))
"""Who sends the one must send the other (RFC 9110, 7.8)."""

ANY_ORIGIN: Final = "*"
"""In the list of allowed origins: all of them."""

FORWARDED: Final = ("x-forwarded-for", "forwarded", "via")
"""Where one of these is, a proxy on this machine passes the request on, for whomever; no page can send them."""

USE_WEBSOCKET: Final = sentence(
    426,
    "This is a WebSocket endpoint of Warren for STOMP, MQTT and AMQP 0-9-1. Connect to it with a WebSocket client "
    "(ws:// or wss://); the page at / is one.",
    _UPGRADE,
)
"""For a plain request to an endpoint."""


@frozen
class Upgrade:
    """An accepted handshake: the headers of its answer, what is spoken from then on (subprotocols), the window bits of
    the compression, None for none, and who logs in, None when the protocol's own login says that."""

    headers: Headers
    protocol: str
    window_bits: int | None
    credentials: Credentials | None


class UpgradeRefused(Exception):
    """The answer to a handshake that can't be accepted; `why` is for the log."""

    def __init__(self, response: Response, why: str) -> None:
        super().__init__(why)
        self.response = response


def is_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether a request asks for a WebSocket."""
    return "websocket" in _list(headers.get("upgrade", "").lower())


def path_of(target: str) -> str:
    """The path in a request's target, without a query and without a slash at its end.

    A target may be a whole URL, of whichever host (RFC 9112, 3.2.2).
    """
    path = target.partition("?")[0]
    scheme, found, rest = path.partition("://")
    if found and scheme.lower() in _DEFAULT_PORTS:
        path = "/" + rest.partition("/")[2]
    return path.rstrip("/") or "/"


def check_upgrade(
    path: str, headers: Mapping[str, str], settings: WebSocketSettings, endpoints: Endpoints, local_host: str
) -> Upgrade:
    """What a handshake with these headers (names in lower case) leads to.  Raises UpgradeRefused.

    local_host: the address that it came to.
    """
    if not endpoints.has_path(path):
        known = ", ".join(endpoints.paths())
        _refuse(404, f"There is no WebSocket endpoint at this path; there are {known}.", f"no endpoint {path!r}")
    if "upgrade" not in _list(headers.get("connection", "").lower()):
        _refuse(400, "The header 'Connection: Upgrade' is missing; a proxy in between may have dropped it.")
    version = headers.get("sec-websocket-version", "")
    if version != _VERSION:
        text = f"WebSocket version {version or 'missing'}; this broker speaks version {_VERSION} (RFC 6455)."
        _refuse(426, text, headers=(("Sec-WebSocket-Version", _VERSION), *_UPGRADE))
    key = headers.get("sec-websocket-key", "")
    if not _is_key(key):
        _refuse(400, "The header Sec-WebSocket-Key must hold 16 bytes in base64.")
    if not settings.allow_origins and is_loopback(local_host) and not any(map(headers.get, FORWARDED)):
        _check_local_origin(headers.get("origin"))
    _check_origin(headers.get("origin"), settings.allow_origins)
    subprotocol, protocol = _subprotocol(path, headers.get("sec-websocket-protocol"), endpoints)
    credentials = _credentials(headers.get("authorization")) if settings.use_http_auth else None
    answer = [
        *_UPGRADE,
        ("Sec-WebSocket-Accept", generate_accept_token(key.encode()).decode()),
    ]
    if subprotocol is not None:
        answer.append(("Sec-WebSocket-Protocol", subprotocol))
    agreed = negotiate(_list(headers.get("sec-websocket-extensions", ""))) if settings.compress else None
    if agreed is not None:
        answer.append(("Sec-WebSocket-Extensions", agreed[0]))
    return Upgrade(answer, protocol, agreed[1] if agreed else None, credentials)


def _refuse(status: int, text: str, why: str = "", headers: Headers = ()) -> None:
    raise UpgradeRefused(sentence(status, text, headers), why or text)


def _list(value: str) -> list[str]:
    return [part for each in value.split(",") if (part := each.strip())]


def _is_key(key: str) -> bool:
    try:
        return len(b64decode(key, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _check_origin(origin: str | None, allowed: frozenset[str]) -> None:
    """Programs send no Origin; browsers always do, and can't be made to lie about it (RFC 6455, 10.2)."""
    if not allowed or ANY_ORIGIN in allowed or origin is None:
        return
    if _plain_origin(origin) not in set(map(_plain_origin, allowed)):
        _refuse(
            403,
            "Web pages of this origin may not connect. The broker's operator can allow it: websocket_allow_origins.",
            f"origin {origin!r} is not among websocket_allow_origins",
        )


def _check_local_origin(origin: str | None) -> None:
    """On this machine, pages of this machine alone: everybody who surfs on it would lend others his place on it.

    Names and passwords that the broker takes from here alone (guest) would be anybody's whose page is looked at.
    """
    if origin is None:
        return
    host = name_in(origin.partition("://")[2])
    is_own = host == LOCALHOST or host.endswith(f".{LOCALHOST}") or (is_address(host) and is_loopback(host))
    if not is_own:
        _refuse(
            403,
            "Web pages of other sites may not connect to this machine's loopback addresses, unless the broker's "
            "operator allows it: websocket_allow_origins.",
            f"origin {origin!r} is another site's, and none are named in websocket_allow_origins",
        )


def _plain_origin(origin: str) -> str:
    """As browsers write it, who leave out the port where it is the scheme's own (RFC 6454, 6.2)."""
    plain = origin.lower().rstrip("/")
    return plain.removesuffix(_DEFAULT_PORTS.get(plain.partition(":")[0], ""))


def _subprotocol(path: str, offered: str | None, endpoints: Endpoints) -> tuple[str | None, str]:
    """(the subprotocol to answer with, the protocol that is spoken or UNDECIDED)."""
    names = _list(offered or "")
    selected = endpoints.select(names)
    if selected is not None:
        return selected
    if names:
        _refuse(
            400,
            f"None of the offered subprotocols is known. Known are {', '.join(endpoints.subprotocols())}.",
            f"none of the subprotocols {', '.join(names)!r} is known",
        )
    protocol = endpoints.spoken_at(path)
    if protocol != UNDECIDED and (needed := endpoints[protocol].needs_subprotocol):
        _refuse(400, f"No subprotocol is offered. {needed}")
    return None, protocol


def _credentials(authorization: str | None) -> Credentials | None:
    """Who connects, by HTTP Basic (RFC 7617); None without it."""
    if authorization is None:
        return None
    scheme, _, value = authorization.partition(" ")
    try:
        user, colon, password = b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if scheme.lower() != "basic" or not colon:
        _refuse(
            401,
            "The header Authorization must be 'Basic' and user:password in base64.",
            headers=(("WWW-Authenticate", 'Basic realm="Warren", charset="UTF-8"'),),
        )
    return user, password
