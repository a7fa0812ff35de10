"""AMQP URIs, as RabbitMQ writes them: `amqps://user:password@host:port/vhost?parameter=value&...` (spec E.1).

Without a host, `amqp://` and `amqp:///vhost`, it is the broker itself that is meant.  Without a path the virtual host
is `/`; an empty path, `amqp://host/`, is the virtual host with the empty name.  Whatever holds special characters is
percent-encoded.  No error tells a password, nor what might be a piece of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from warren.core.errors import PreconditionFailed

PORTS: Final[Mapping[str, int]] = {"amqp": 5672, "amqps": 5671}
"""The schemes, and the port where none is given (registered with IANA)."""

HEARTBEAT_DEFAULT_S: Final = 10
"""Short, since a link is watched by nobody else: a peer that vanished without a word is noticed within 20 s."""

CONNECTION_TIMEOUT_DEFAULT_MS: Final = 30_000
"""From the first try to reach the peer to the end of the handshake; long enough for a slow mobile network."""


@dataclass(frozen=True, slots=True)
class TlsParameters:
    """What a URI says of TLS.

    cacertfile: who is trusted, the system's certificates if None.  certfile, keyfile, password: the client's own.
    verify: whether the peer's certificate is checked.  server_name: what it is checked for and asked by, the host if
    None; "disable" for no check of the name.
    """

    cacertfile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    password: str | None = field(default=None, repr=False)
    verify: bool = True
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class AmqpUri:
    """Where another broker is, and how it is spoken to.

    host: "" for this very broker.  tls: None without.  mechanism: PLAIN, AMQPLAIN or EXTERNAL.  heartbeat_s: what is
    asked for, 0 for none.  connection_timeout_ms: until the connection has to be open.  channel_max: 0 for the peer's.
    """

    host: str
    port: int
    vhost: str = "/"
    user: str = "guest"
    password: str = field(default="guest", repr=False)
    tls: TlsParameters | None = None
    mechanism: str = "PLAIN"
    heartbeat_s: int = HEARTBEAT_DEFAULT_S
    connection_timeout_ms: int = CONNECTION_TIMEOUT_DEFAULT_MS
    channel_max: int = 0
    has_credentials: bool = False

    @property
    def shown(self) -> str:
        """The URI for statuses, logs and headers: without user, password and parameters."""
        scheme = "amqp" if self.tls is None else "amqps"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == PORTS[scheme] or not host else f":{self.port}"
        vhost = "" if self.vhost == "/" else "/" + quote(self.vhost, safe="")
        return f"{scheme}://{host}{port}{vhost}"


def parse_uri(text: str) -> AmqpUri:
    """The URI that `text` is; PreconditionFailed (406), with the part that is wrong, if it is none."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise PreconditionFailed(
            "a URI can't be read: it looks like amqp://user:password@host:5672/vhost, with '/', '@', ':', '#' and '%' "
            "within a part written as %2F, %40, %3A, %23 and %25"
        ) from None
    if parts.scheme not in PORTS:
        raise PreconditionFailed(
            f"a URI begins with '{parts.scheme}:', but this protocol's begin with amqp:// or amqps://"
            if parts.scheme
            else "a URI has no scheme: it begins with amqp:// or amqps://"
        )
    if parts.fragment:
        raise PreconditionFailed("a URI has a fragment: write '#' as %23")
    uri = AmqpUri(
        host=parts.hostname or "",
        port=port or PORTS[parts.scheme],
        vhost=_vhost(parts),
        tls=TlsParameters() if parts.scheme == "amqps" else None,
        user=unquote(parts.username) if parts.username is not None else "guest",
        password=unquote(parts.password) if parts.password is not None else "guest",
        has_credentials=parts.username is not None,
    )
    if uri.tls is not None and not uri.host:
        raise PreconditionFailed("an amqps:// URI has no host: within the broker there is no TLS")
    return _with_parameters(uri, parts.query)


def _vhost(parts: SplitResult) -> str:
    path = parts.path
    if not path or (path == "/" and not parts.netloc):
        return "/"
    if "/" in path[1:]:
        raise PreconditionFailed("a URI's path is one virtual host: write '/' in its name as %2F")
    return unquote(path[1:])


# Parameters


def _count(value: str, most: int) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > most:
        raise ValueError(f"must be a whole number up to {most}")
    return int(value)


def _truth(value: str, yes: str, no: str) -> bool:
    if value not in (yes, no):
        raise ValueError(f"must be {yes} or {no}")
    return value == yes


def _mechanism(value: str) -> str:
    known = {"plain": "PLAIN", "amqplain": "AMQPLAIN", "external": "EXTERNAL"}
    if value.lower() not in known:
        raise ValueError(f"must be one of {', '.join(known)}")
    return known[value.lower()]


def _path(value: str) -> str:
    if not value:
        raise ValueError("must name a file")
    return value


CONNECTION_PARAMETERS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "heartbeat": ("heartbeat_s", lambda value: _count(value, 0xFFFF)),
    "connection_timeout": ("connection_timeout_ms", lambda value: _count(value, 3_600_000)),
    "channel_max": ("channel_max", lambda value: _count(value, 0xFFFF)),
    "auth_mechanism": ("mechanism", _mechanism),
}
"""Parameter, the field that it sets, and what reads its value."""

TLS_PARAMETERS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "cacertfile": ("cacertfile", _path),
    "certfile": ("certfile", _path),
    "keyfile": ("keyfile", _path),
    "password": ("password", str),
    "verify": ("verify", lambda value: _truth(value, "verify_peer", "verify_none")),
    "server_name_indication": ("server_name", _path),
}
"""The same for TLS alone."""

IGNORED_PARAMETERS: Final = frozenset({"depth", "fail_if_no_peer_cert", "hostname", "idle_time_out", "sasl"})
"""Known to RabbitMQ and without a meaning here: a server's matter, AMQP 1.0's, or not to be had of Python's TLS."""


def _with_parameters(uri: AmqpUri, query: str) -> AmqpUri:
    connection: dict[str, Any] = {}
    tls: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in IGNORED_PARAMETERS:
            continue
        found = CONNECTION_PARAMETERS.get(name) or TLS_PARAMETERS.get(name)
        if found is None:
            raise PreconditionFailed(f"a URI has an unknown parameter '{name}'{_meant(name)}")
        if name in TLS_PARAMETERS and uri.tls is None:
            raise PreconditionFailed(f"a URI's parameter '{name}' is for amqps://, not amqp://")
        try:
            (connection if name in CONNECTION_PARAMETERS else tls)[found[0]] = found[1](value)
        except ValueError as error:
            raise PreconditionFailed(f"a URI's parameter '{name}' {error}") from None
    if uri.tls is not None:
        connection["tls"] = replace(uri.tls, **tls)
    return replace(uri, **connection)


def _meant(name: str) -> str:
    near = get_close_matches(name, [*CONNECTION_PARAMETERS, *TLS_PARAMETERS], 1)
    return f": did you mean '{near[0]}'?" if near else ""
