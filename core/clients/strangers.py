"""Connections that haven't logged in yet, by the address that they come from: too many of one are cut off.

Each costs a descriptor and some memory until its handshake times out.  One machine may have many that log in at the
same moment, so they are bounded generously, and the one that has waited longest is cut off: who does log in needs
milliseconds, who only keeps a place goes.  Connections of this machine aren't counted, as a proxy on it may stand for
everybody; neither are those of listeners that take PROXY headers, whose addresses are the proxy's, nor those for
operators, which never log in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from warren.core.clients.guessing import network_of
from warren.core.clients.transport import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.clients.transport import Transport

PER_ADDRESS_MAX_DEFAULT: Final = 2000
"""A fleet behind one address that reconnects all at once needs some hundred."""


class Connection(Protocol):
    """A connection that nobody knows yet."""

    peer_host: str

    def abort(self) -> None:
        """Close it at once."""


class Strangers:
    """Of one broker.  per_address_max: how many may be of one address; 0 for any number.

    on_full: called with the address when one is cut off.
    """

    __slots__ = ("_by_address", "_on_full", "per_address_max")

    def __init__(self, on_full: Callable[[str], None], per_address_max: int = PER_ADDRESS_MAX_DEFAULT) -> None:
        self.per_address_max = per_address_max
        self._on_full = on_full
        self._by_address: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        """How many there are."""
        return sum(map(len, self._by_address.values()))

    def __bool__(self) -> bool:
        return len(self._by_address) > 0

    def came(self, connection: Connection) -> None:
        """It is accepted; another one of its address may have to go for it."""
        if not self.per_address_max or is_loopback(connection.peer_host):
            return
        address = network_of(connection.peer_host)
        those = self._by_address.setdefault(address, {})
        those[connection] = None
        if len(those) > self.per_address_max:
            oldest = next(iter(those))
            self.gone(oldest)
            self._on_full(address)
            oldest.abort()

    def gone(self, connection: Connection) -> None:
        """It is closed, or has logged in; nothing happens if it isn't counted."""
        if not self._by_address:
            return
        address = network_of(connection.peer_host)
        those = self._by_address.get(address)
        if those is not None and connection in those:
            del those[connection]
            if not those:
                del self._by_address[address]

    def logged_in(self, transport: Transport) -> None:
        """Who is carried by this has logged in: whatever is below it (adapters/stage.py) is known."""
        if self._by_address:
            below = transport
            while hasattr(below, "below"):
                below = below.below
            self.gone(below)
