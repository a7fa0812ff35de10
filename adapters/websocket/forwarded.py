"""Who is behind an HTTP proxy: the header X-Forwarded-For, believed only from proxies that the configuration names.

Each proxy adds the address that it was connected from to the end of the list.  So from the right, the first address
that isn't a named proxy's is that of the client; what stands further left was sent by the client, and may be anything.

A named proxy that sends no header, or one whose last address can't be read, leaves its client without an address:
`unknown`, as with PROXY headers, which never counts as local.  From everybody else the header is ignored.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from warren.core.configuration.values import strings

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

    Network = IPv4Network | IPv6Network

HEADER: Final = "x-forwarded-for"

UNKNOWN_HOST: Final = "unknown"
"""In listings and logs; no rule about addresses applies to it."""

ALLOWED: Final = "addresses or networks, such as 127.0.0.1, ::1 or 10.0.0.0/8"


def proxies(value: object) -> frozenset[str]:
    """A kind of value for keys: addresses and networks, several as a list or with commas."""
    from ipaddress import ip_network

    found = strings(value, ALLOWED)
    try:
        return frozenset(str(ip_network(each, strict=False)) for each in found)
    except ValueError:
        raise ValueError(ALLOWED) from None


def networks(value: Collection[str]) -> tuple[Network, ...]:
    """What addresses are looked for in.  Who names no proxies needs no library of addresses either."""
    if not value:
        return ()
    from ipaddress import ip_network

    return tuple(ip_network(each) for each in sorted(value))


def client_host(header: str | None, peer_host: str, trusted: Collection[Network]) -> str | None:
    """The address of the client that `peer_host` speaks for, `UNKNOWN_HOST` when it doesn't say.

    header: all of X-Forwarded-For, None where there is none.  Gives None when the peer isn't a named proxy, and speaks
    for itself.
    """
    if not trusted or not _is_in(_address(peer_host), trusted):
        return None
    found = UNKNOWN_HOST
    for entry in reversed((header or "").split(",")):
        address = _address(entry.strip())
        if address is None:
            return found if found != UNKNOWN_HOST and not entry.strip() else UNKNOWN_HOST
        found = str(address)
        if not _is_in(address, trusted):
            break
    return found


def _is_in(address: IPv4Address | IPv6Address | None, trusted: Collection[Network]) -> bool:
    return address is not None and any(address in network for network in trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: alone, in brackets, or with a port."""
    from ipaddress import ip_address

    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
