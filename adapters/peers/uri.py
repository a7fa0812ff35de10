"""URIs of other brokers: `scheme://user:password@host:port/path?parameter=value&...` (RFC 3986; spec E.1).

What every protocol's have in common: a scheme with TLS and one without, who logs in, how long connecting may take, and
what is said of TLS.  Special characters within a part are percent-encoded.  No error tells a password, nor what might
be a piece of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from warren.core.errors import PreconditionFailed
from warren.core.frozen import frozen

CONNECTION_TIMEOUT_DEFAULT_MS: Final = 30_000
"""From the first try to reach the peer to the end of the handshake; long enough for a slow mobile network."""

CONNECTION_TIMEOUT_MS_MAX: Final = 3_600_000
"""An hour; a peer that takes longer isn't there."""

TLS_ENDINGS: Final = ("s", "+ssl")
"""How schemes of TLS end: `amqps`, `mqtts`, `stomps`, `stomp+ssl`."""


@frozen
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


@frozen
class PeerUri:
    """Where another broker is, and who comes there.

    user, password: None where the URI names nobody.  tls: None without.  connection_timeout_ms: until the connection
    has to be open.
    """

    scheme: str
    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: TlsParameters | None = None
    connection_timeout_ms: int = CONNECTION_TIMEOUT_DEFAULT_MS

    def shown_with(self, default_port: int, path: str = "") -> str:
        """The URI for statuses, logs and headers: without user, password and parameters."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == default_port or not host else f":{self.port}"
        return f"{self.scheme}://{host}{port}{path}"


_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

Parameters = Mapping[str, "tuple[str, Callable[[str], Any]]"]
"""Parameters by name: the field that each sets, and what reads its value, which raises ValueError."""


def split_uri(text: str, ports: Mapping[str, int]) -> tuple[SplitResult, PeerUri]:
    """A URI's parts, and what of them every protocol has, but for the parameters.

    ports: the schemes, and the port where none is given; those of TLS end with TLS_ENDINGS.  Raises PreconditionFailed
    (406) with the part that is wrong.
    """
    schemes = " or ".join(f"{scheme}://" for scheme in ports)
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise PreconditionFailed(
            f"a URI can't be read: it looks like {next(iter(ports))}://user:password@host:port, with '/', '@', ':', "
            "'#' and '%' within a part written as %2F, %40, %3A, %23 and %25"
        ) from None
    if parts.scheme not in ports:
        raise PreconditionFailed(
            f"a URI begins with '{parts.scheme}:', but this protocol's begin with {schemes}"
            if parts.scheme
            else f"a URI has no scheme: it begins with {schemes}"
        )
    if parts.fragment:
        raise PreconditionFailed("a URI has a fragment: write '#' as %23")
    if "@" in parts.path or "@" in parts.query.partition("=")[0]:
        raise PreconditionFailed(
            "a URI has '@' behind the host: write '/', '?' and '@' within a part as %2F, %3F and %40"
        )
    return parts, PeerUri(
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=port or ports[parts.scheme],
        user=unquote(parts.username) if parts.username is not None else None,
        password=unquote(parts.password) if parts.password is not None else None,
        tls=TlsParameters() if parts.scheme.endswith(TLS_ENDINGS) else None,
    )


def vhost_of(parts: SplitResult) -> str:
    """The virtual host that a URI's path names: `/` without a path, the one with the empty name for an empty path."""
    path = parts.path
    if not path or (path == "/" and not parts.netloc):
        return "/"
    if "/" in path[1:]:
        raise PreconditionFailed("a URI's path is one virtual host: write '/' in its name as %2F")
    return unquote(path[1:])


def shown_vhost(vhost: str) -> str:
    """The path that names a virtual host."""
    return "" if vhost == "/" else "/" + quote(vhost, safe="")


def read_parameters(
    query: str, tls: TlsParameters | None, own: Parameters, ignored: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The fields that a URI's parameters set.

    tls: what they change where there is TLS.  own: the protocol's parameters beside those of all.  Raises
    PreconditionFailed (406), naming the parameter.
    """
    connection: dict[str, Any] = {}
    of_tls: dict[str, Any] = {}
    known = {**COMMON_PARAMETERS, **own}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in ignored:
            continue
        found = known.get(name) or TLS_PARAMETERS.get(name)
        if found is None:
            if not _NAME.fullmatch(name):
                # It may be a part of a password with a '?' in it.
                raise PreconditionFailed("a URI has an unknown parameter, or a '?' that isn't written as %3F")
            near = get_close_matches(name, [*known, *TLS_PARAMETERS], 1)
            meant = f": did you mean '{near[0]}'?" if near else ""
            raise PreconditionFailed(f"a URI has an unknown parameter '{name}'{meant}")
        if name not in known and tls is None:
            raise PreconditionFailed(f"a URI's parameter '{name}' is for TLS, and this URI's scheme has none")
        try:
            (connection if name in known else of_tls)[found[0]] = found[1](value)
        except ValueError as error:
            raise PreconditionFailed(f"a URI's parameter '{name}' {error}") from None
    if tls is not None:
        connection["tls"] = replace(tls, **of_tls)
    return connection


# Values


def count(most: int) -> Callable[[str], int]:
    """Reads a whole number from 0 on."""

    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or int(value) > most:
            raise ValueError(f"must be a whole number up to {most}")
        return int(value)

    return read


def one_of(names: Mapping[str, Any]) -> Callable[[str], Any]:
    """Reads one of several names, in any case, as what it stands for."""

    def read(value: str) -> Any:
        if value.lower() not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return names[value.lower()]

    return read


def given(value: str) -> str:
    """Reads a text that says something."""
    if not value:
        raise ValueError("must not be empty")
    return value


COMMON_PARAMETERS: Final[Parameters] = {
    "connection_timeout": ("connection_timeout_ms", count(CONNECTION_TIMEOUT_MS_MAX)),
}

TLS_PARAMETERS: Final[Parameters] = {
    "cacertfile": ("cacertfile", given),
    "certfile": ("certfile", given),
    "keyfile": ("keyfile", given),
    "password": ("password", str),
    "verify": ("verify", one_of({"verify_peer": True, "verify_none": False})),
    "server_name_indication": ("server_name", given),
}
