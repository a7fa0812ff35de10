"""Listeners: the addresses that connections are accepted on, as the keys `listen` and `listen_by_protocol` write them.

`listen` names all there are.  `listen_by_protocol` changes those of the protocols that it names and leaves the others:
a change is a listener, or that there is none (`mqtt=none`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterable
from typing import Final

from warren.core.configuration.values import boolean, strings
from warren.core.frozen import frozen
from warren.gateway.protocols import AUTO, TLS_SUFFIX

LOCALHOST: Final = "localhost"
"""Both loopback addresses, 127.0.0.1 and ::1, whatever a file of hosts says."""

EVERY_ADDRESS: Final = "*"
"""Every address of both families."""


OPTIONS: Final = ("proxy_protocol", "optional")
"""What may stand behind the `?` of a listener, each true or false; fields of Listener."""


FOR_OPERATORS: Final = ("http", "metrics")
"""Protocols that serve those who look after the broker, and their programs."""


@frozen
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


NONE: Final = "none"
"""In place of an address: the protocol has no listener."""


@frozen
class NoListener:
    """That there is no listener of this name, such as amqp or amqps."""

    name: str

    def __str__(self) -> str:
        return f"{self.name}={NONE}"


Change = Listener | NoListener
"""What `listen_by_protocol` says: several listeners of one name are all that there are of it."""

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
        if any(_is_none(entry) for entry in entries):
            raise ValueError(
                "all addresses that there are: a protocol that isn't named has none, and `none` is for --listen and "
                "listen_by_protocol"
            )
        found = tuple(_listener(entry, protocols) for entry in entries)
        if not found or _is_twice(found):
            raise ValueError("at least one address, each only once")
        return found

    return parse


def listener_changes(protocols: Collection[str]) -> Callable[[object], tuple[Change, ...]]:
    """As `listeners`, for the protocols that are named alone; PROTOCOL=none is without it, and there may be no entry at
    all."""

    def parse(value: object) -> tuple[Change, ...]:
        entries = strings(value, f"PROTOCOL=HOST:PORT, such as {next(iter(protocols))}=127.0.0.1:5672")
        found = tuple(_change(entry, protocols) for entry in entries)
        off = {each.name for each in found if isinstance(each, NoListener)}
        there = [each for each in found if isinstance(each, Listener)]
        if both := off & {each.name for each in there}:
            name = min(both)
            raise ValueError(f"either {name}={NONE}, or addresses of {name}")
        if _is_twice(there):
            raise ValueError("addresses, each only once")
        return found

    return parse


def changed_listeners(before: Iterable[Listener], changes: Iterable[Change]) -> tuple[Listener, ...]:
    """The listeners after these changes, those of a protocol where its first one was, new ones at the end."""
    of_name: dict[str, list[Listener]] = {}
    for each in changes:
        given = of_name.setdefault(each.name, [])
        if isinstance(each, Listener):
            given.append(each)
    found: list[Listener] = []
    left = dict(of_name)
    for listener in before:
        if listener.name not in of_name:
            found.append(listener)
        else:
            found += left.pop(listener.name, ())
    return (*found, *(listener for given in left.values() for listener in given))


def changes_of_both(before: Iterable[Change], after: Iterable[Change]) -> tuple[Change, ...]:
    """What two sources of the configuration say together: the second one counts for each protocol that it names."""
    after = tuple(after)
    named = {each.name for each in after}
    return (*(each for each in before if each.name not in named), *after)


def _is_twice(found: Iterable[Listener]) -> bool:
    fixed = [(each.host, each.port, each.name) for each in found if each.port != 0]
    return len(set(fixed)) < len(fixed)


def _is_none(entry: str) -> bool:
    return entry.partition("=")[2].strip().lower() == NONE


def _change(entry: str, protocols: Collection[str]) -> Change:
    if not _is_none(entry):
        return _listener(entry, protocols)
    # The address stands for any: what is checked is the name.
    return NoListener(_listener(f"{entry.partition('=')[0]}=localhost:0", protocols).name)


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
