"""Whether a request means this broker by the name that it asks for, which matters on loopback addresses alone.

A page of some site can have its own name point to 127.0.0.1 once it is loaded (DNS rebinding); then a browser on this
machine takes the broker for that site, and lets the page read what is answered, and change what it asks to.  What the
browser can't be made to lie about is the name in `Host`.  So on a loopback address a request has to come by a name that
nobody else can have point there.  An address is none, and over TLS the certificate sees to it.
"""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final

from warren.core.clients.transport import is_loopback

ANY: Final = "*"

LOCALHOST: Final = "localhost"

MISDIRECTED: Final = 421
"""HTTP's status of a request for somebody else (RFC 9110, 15.5.20)."""


def stranger(host: str | None, local_host: str, names: Collection[str], *, is_tls: bool = False) -> str | None:
    """The name in a `Host` header that isn't this broker's; None where nothing is wrong with it.

    host: the header; None without one, as no browser is.  local_host: the address that the connection came to.
    names: of the configuration, and the machine's own.
    """
    if host is None or is_tls or ANY in names or not is_loopback(local_host):
        return None
    name = name_in(host)
    if name == LOCALHOST or name.endswith(f".{LOCALHOST}") or is_address(name):
        return None
    return None if name in {each.lower() for each in names} else name


def reason(name: str) -> str:
    """The refusal, for people."""
    return (
        f"this broker isn't called '{name:.100}' on this machine, and a page of another site may have had that name "
        "point here (DNS rebinding); if it is the broker's, name it in http_host_names"
    )


def name_in(host: str) -> str:
    """A header's value without its port, in lower case; an address of IPv6 without its brackets (RFC 3986, 3.2.2)."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def is_address(name: str) -> bool:
    """Whether it is an IP address, which nobody can have point elsewhere."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
