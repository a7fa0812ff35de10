"""Addresses of NATS servers, as they are written: `nats://user:password@host:4222,tls://other`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote, urlsplit

DEFAULT_PORT: Final = 4222
_SCHEMES: Final = ("nats", "tls")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """One server.  tls: only ever with TLS.  user, password: from the address, empty for none; a user alone is a
    token.
    """

    host: str
    port: int = DEFAULT_PORT
    tls: bool = False
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        """Without a password, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.tls else 'nats'}://{host}:{self.port}"


def parse_servers(text: str) -> tuple[ServerAddress, ...]:
    """All servers of a list with commas; one without a scheme has that of the one before.

    Raises ValueError, with words, for what is no address.
    """
    servers: list[ServerAddress] = []
    scheme = _SCHEMES[0]
    for each in (part.strip() for part in text.split(",")):
        if not each:
            shown = ",".join(map(_bare, text.split(",")))
            raise ValueError(f"an empty address in {shown!r}; write nats://host:port,host:port")
        if "://" in each:
            scheme = each.partition("://")[0].lower()
        else:
            each = f"{scheme}://{each}"
        servers.append(parse_server(each))
    return tuple(servers)


def parse_server(text: str) -> ServerAddress:
    """One address with its scheme.  Raises ValueError, with words."""
    try:
        parts = urlsplit(text)
        port = DEFAULT_PORT if parts.port is None else parts.port
    except ValueError:
        # What Python says of it may quote a part of a password.
        raise ValueError(f"{_shown(text)} is no address of a NATS server: host or port are none") from None
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{_shown(text)} is no address of a NATS server: it has to begin with nats:// or tls://")
    if not parts.hostname or any(each.isspace() for each in parts.hostname):
        raise ValueError(f"{_shown(text)} is no address of a NATS server: it names no host")
    if parts.path not in ("", "/") or parts.query or parts.fragment or not port:
        raise ValueError(f"{_shown(text)} is no address of a NATS server: write nats://host:port and no more")
    return ServerAddress(
        parts.hostname, port, parts.scheme == "tls", unquote(parts.username or ""), unquote(parts.password or "")
    )


def _bare(text: str) -> str:
    """An address without user and password, in whatever way it is written."""
    before, at, host = text.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme + separator if separator else ''}...@{host}" if at else text


def _shown(text: str) -> str:
    return repr(_bare(text))


def learned_servers(told: object, like: ServerAddress) -> Iterable[ServerAddress]:
    """What a server says about others (`connect_urls` of its INFO); what is no address is left out.

    like: the server that says it; the others are talked to as it is, with its name and password.
    """
    if isinstance(told, list):
        for each in filter(lambda one: isinstance(one, str), told):
            try:
                server = parse_server(f"{_SCHEMES[like.tls]}://{each}")
            except ValueError:
                continue
            yield replace(server, user=like.user, password=like.password)
