"""The client's half of a link between two nodes, for one virtual host: what it writes is in the outbox at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.client.connection import ClientConnection
from warren.adapters.amqp091.nodes.arrivals import parse
from warren.adapters.peers.errors import PeerError
from warren.core.errors import BrokerError
from warren.core.messages.address import Address
from warren.core.messages.properties import Properties

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.handshake import Login
    from warren.adapters.amqp091.nodes.far_channel import FarChannel
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox

ADDRESSES_MAX: Final = 4096
"""Addresses of deliveries that are remembered, for each link."""


class LinkConnection(ClientConnection):
    """far_channels: those that are open, by number; the same objects as `channels`."""

    __slots__ = ("_addresses", "_outbox", "broker", "far_channels")

    def __init__(self, login: Login, broker: Broker, outbox: Outbox) -> None:
        self.broker = broker
        self._outbox = outbox
        self.far_channels: dict[int, FarChannel] = {}
        self._addresses: dict[bytes, Address] = {}
        super().__init__(login, broker.now_ms)

    @property
    def channel_max(self) -> int:
        """How many channels the other node lets be open at once."""
        return self._handshake.channel_max

    def write(self, data: bytes) -> None:
        """The outbox is sent at the end of the turn."""
        self._outbox.write(data)
        self._sent_ms = self.now_ms

    def address(self, encoded: bytes) -> Address:
        """The address of a delivery, by its bytes; PeerError for bytes that are none."""
        found = self._addresses.get(encoded)
        if found is None:
            split = 1 + encoded[0] if encoded else 0
            if split >= len(encoded) or split + 1 + encoded[split] != len(encoded):
                raise PeerError("the peer sent a delivery whose exchange and routing key can't be read")
            if len(self._addresses) >= ADDRESSES_MAX:
                self._addresses.clear()
            found = self._addresses[encoded] = Address.decode(encoded)
        return found

    def properties(self, raw: bytes) -> Properties:
        """The property list that these bytes are; PeerError for bytes that are none."""
        found = self.known_properties.get(raw)
        if found is None:
            try:
                found = Properties.parse(raw)
            except BrokerError as error:
                raise PeerError(f"the peer sent a message that can't be read: {error.text}") from error
            self.remember(raw, found)
        return found

    def _parse(self, data: bytes) -> int:
        if not self.opened and data.startswith(b"AMQP"):
            raise PeerError(f"the peer speaks another protocol: it answered {data[:8]!r}")
        return parse(self, data)
