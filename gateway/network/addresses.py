"""Listeners: the addresses that connections are accepted on, as the key `listen` writes them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from warren.core.configuration.values import boolean, strings
from warren.gateway.protocols import AUTO, TLS_SUFFIX

LOCALHOST: Final = "localhost"
"""Both loopback addresses, 127.0.0.1 and ::1, whatever a file of hosts says."""

EVERY_ADDRESS: Final = "*"
"""Every address of both families."""


OPTIONS: Final = ("proxy_protocol", "optional")
"""What may stand behind the `?` of a listener, each true or false; fields of Listener."""


FOR_OPERATORS: Final = ("http", "metrics")
"""Protocols that serve those who look after the broker, and their programs."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One address that connections of one protocol are accepted on; port 0 lets the system choose.

    tls: the protocol is spoken over TLS.  proxy_protocol: a PROXY header, which says who the peer really is, has to
    come first.  optional: the broker starts without it where the address can't be had.
    """

    protocol: str
    host: str
    port: int
    tls: bool = False
    proxy_protocol: bool = False
    optional: bool = False

    @property
    def log_level(self) -> int:
        """At which level the log says that connections come and go; what serves operators is polled by programs."""
        return logging.DEBUG if self.protocol in FOR_OPERATORS else logging.INFO

    @property
    def name(self) -> str:
        """As it is written before `=`, such as amqp or amqps."""
        return self.protocol + TLS_SUFFIX if self.tls else self.protocol

    def __str__(self) -> str:
        options = "&".join(f"{option}=true" for option in OPTIONS if getattr(self, option))
        return f"{self.name}={format_address(self.host, self.port)}{'?' if options else ''}{options}"


_HOSTS: Final = {LOCALHOST: ("127.0.0.1", "::1"), EVERY_ADDRESS: ("0.0.0.0", "::")}
"""IPv4 first: the second one may be missing on a machine."""


def hosts_of(host: str) -> tuple[str, ...]:
    """The addresses that a listener's host stands for: one of each family for those that mean both."""
    return _HOSTS.get(host, (host,))


def format_address(host: str, port: int) -> str:
    """`HOST:PORT`, with brackets around an IPv6 host (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT` or `[IPV6]:PORT`; ValueError says what is allowed."""
    allowed = "HOST:PORT, such as localhost:5672, *:5672, 192.0.2.1:5672, [::1]:5672 or 127.0.0.1:0 (any free port)"
    found = re.fullmatch(r"(?:\[([0-9A-Za-z:.%]+)\]|([^\s\[\]:/=]+)):(\d{1,5})", text.strip())
    if found is None:
        raise ValueError(allowed)
    port = int(found[3])
    if port > 65535:
        raise ValueError("an address with a port from 0 to 65535")
    return found[1] or found[2], port


def listeners(protocols: Collection[str]) -> Callable[[object], tuple[Listener, ...]]:
    """PROTOCOL=HOST:PORT[?OPTION=VALUE], several as a list or with commas; the protocols are those given here, `auto`,
    and each of them with an `s` for TLS."""

    def parse(value: object) -> tuple[Listener, ...]:
        entries = strings(value, f"PROTOCOL=HOST:PORT, such as {next(iter(protocols))}=127.0.0.1:5672")
        found = tuple(_listener(entry, protocols) for entry in entries)
        fixed = [(listener.host, listener.port, listener.name) for listener in found if listener.port != 0]
        if not found or len(set(fixed)) < len(fixed):
            raise ValueError("at least one address, each only once")
        return found

    return parse


def _listener(entry: str, protocols: Collection[str]) -> Listener:
    name, equals, rest = entry.partition("=")
    name = name.strip().lower()
    address, _, options = rest.partition("?")
    protocol, tls = name, False
    if protocol != AUTO and protocol not in protocols and protocol.endswith(TLS_SUFFIX):
        protocol, tls = protocol.removesuffix(TLS_SUFFIX), True
    if not equals or (protocol != AUTO and protocol not in protocols):
        raise ValueError(
            f"PROTOCOL=HOST:PORT with one of these protocols: {', '.join(protocols)}; with an s for TLS, such as "
            f"{next(iter(protocols))}s; or {AUTO} for all of them on one port"
        )
    host, port = parse_address(address)
    return Listener(protocol, host, port, tls, **_options(options))


def _options(written: str) -> dict[str, bool]:
    """The options of a listener."""
    given: dict[str, bool] = {}
    for option in written.split("&") if written else ():
        key, _, value = option.partition("=")
        key = key.strip().lower()
        if key not in OPTIONS:
            raise ValueError("PROTOCOL=HOST:PORT?OPTION=VALUE with the options proxy_protocol=true and optional=true")
        given[key] = boolean(value)
    return given
