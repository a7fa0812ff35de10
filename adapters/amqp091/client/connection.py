"""A connection to another broker: bytes in, bytes out, and what has come for whoever drives it.

    connection = ClientConnection(login, now_ms)
    write the connection's `take()` to the peer, give what is read to `receive`, call `advance` at `next_at_ms`

until `opened`; then channels can be opened.  After each of these calls the driver looks at `closed`, `blocked` and at
the channels.  Phases: the handshake -> opened -> closing (connection.close was sent) -> closed, from every phase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.amqp091.client.channel import ClientChannel
from warren.adapters.amqp091.client.frame_loop import parse
from warren.adapters.amqp091.client.handshake import Handshake, Login
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.constants import (
    FRAME_BODY,
    FRAME_HEADER,
    FRAME_HEARTBEAT,
    FRAME_METHOD,
    FRAME_OVERHEAD_BYTES,
    FRAME_PREFIX_BYTES,
    PROTOCOL_HEADER,
)
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME
from warren.adapters.peers.client_half import ClientHalf
from warren.adapters.peers.errors import PeerError
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties

PROPERTY_LISTS_MAX: Final = 256
PROPERTY_LIST_BYTES_MAX: Final = 256
"""Property lists remembered by their bytes, as the broker's side does (adapters.amqp091.known_properties)."""


class ClientConnection(ClientHalf):
    """blocked: why the peer takes no publishes now.  frame_max, in bytes: the largest frame that either side sends."""

    __slots__ = ("_handshake", "blocked", "channels", "closing", "known_properties")

    def __init__(self, login: Login, now_ms: int) -> None:
        super().__init__(now_ms, HEARTBEAT_FRAME)
        self.closing = False
        self.blocked: str | None = None
        self.channels: dict[int, ClientChannel] = {}
        self.known_properties: dict[bytes, Properties] = {}
        self._handshake = Handshake(login)
        self.write(PROTOCOL_HEADER)

    @property
    def frame_max(self) -> int:
        return self._handshake.frame_max

    @property
    def capabilities(self) -> frozenset[str]:
        """What the peer can do, in RabbitMQ's names."""
        return self._handshake.capabilities

    @property
    def cluster_name(self) -> str:
        """What the peer's cluster is called, as it says; empty for one that doesn't."""
        found = self._handshake.server_properties.get("cluster_name")
        return found if isinstance(found, str) else ""

    # What the driver calls

    def close(self) -> None:
        """See ClientHalf.close."""
        if self.closed is None and not self.closing:
            self.closing = True
            if self.opened:
                self.send(0, methods.ConnectionClose(200, "bye"))
            else:
                self.end(PeerError("the connection was closed here"))

    def open_channel(self) -> ClientChannel:
        """A new channel; what is asked on it waits in the peer for channel.open-ok, as anything else does.

        Raises PeerError when the connection is closed, or when the peer's channel_max is reached.
        """
        if self.closed is not None:
            raise self.closed
        number = next((each for each in range(1, self._handshake.channel_max + 1) if each not in self.channels), 0)
        if not number:
            raise PeerError(f"all {self._handshake.channel_max} channels that the peer allows are open")
        channel = self.channels[number] = ClientChannel(self, number)
        channel.ask(methods.ChannelOpen(), methods.ChannelOpenOk, lambda reply: None)
        return channel

    # For the channels and the loop

    def send(self, number: int, method: methods.Method) -> None:
        """Send a method on a channel."""
        self.write(methods.encode_frame(number, method))

    def remember(self, raw: bytes, properties: Properties) -> None:
        """Keep a parsed property list for the next message with the same."""
        if len(raw) <= PROPERTY_LIST_BYTES_MAX:
            if len(self.known_properties) >= PROPERTY_LISTS_MAX:
                self.known_properties.clear()
            self.known_properties[raw] = properties

    def frame(self, kind: int, number: int, payload: bytes) -> None:
        """A frame off the fast path; PeerError if it mustn't come."""
        if kind == FRAME_HEARTBEAT:
            return
        if kind not in (FRAME_METHOD, FRAME_HEADER, FRAME_BODY):
            raise PeerError(f"the peer sent a frame of the unknown type {kind}")
        channel = self.channels.get(number)
        if kind != FRAME_METHOD:
            if channel is not None and channel.closed is None:
                channel.content(kind, payload)
            return
        try:
            method = methods.decode(payload, 0, len(payload))
        except BrokerError as error:
            raise PeerError(f"the peer sent a method that can't be read: {error.text}") from error
        if not number:
            self._method(method)
        elif isinstance(method, methods.ChannelCloseOk):
            self.channels.pop(number, None)
        elif channel is not None and channel.closed is None:
            channel.method(method)
            if isinstance(method, methods.ChannelClose):
                del self.channels[number]
        elif isinstance(method, methods.ChannelClose):
            # Both sides have closed at once.
            self.send(number, methods.ChannelCloseOk())

    def end(self, why: PeerError) -> None:
        """There is no connection any more, and no channel."""
        if self.closed is None:
            super().end(why)
            for channel in list(self.channels.values()):
                channel.end(why)

    # Below

    def _parse(self, data: bytes) -> int:
        if not self.opened and data.startswith(b"AMQP"):
            raise PeerError(f"the peer speaks another protocol: it answered {data[:8]!r}")
        return parse(self, data)

    def _method(self, method: methods.Method) -> None:
        if isinstance(method, methods.ConnectionClose):
            self.send(0, methods.ConnectionCloseOk())
            text = method.reply_text or f"closed with code {method.reply_code}"
            self.end(PeerError(text, method.reply_code))
        elif not self.opened:
            self._handshaken(method)
        elif isinstance(method, methods.ConnectionBlocked):
            self.blocked = method.reason or "for no reason given"
        elif isinstance(method, methods.ConnectionUnblocked):
            self.blocked = None
        elif isinstance(method, methods.ConnectionCloseOk) and self.closing:
            self.end(PeerError("the connection was closed here"))
        else:
            raise PeerError(f"the peer sent {method.NAME}, which nobody had asked for")

    def _handshaken(self, method: methods.Method) -> None:
        answers = self._handshake.answer(method)
        if answers is None:
            self.opened = True
            self._beat_every_ms = self._heard_every_ms = self._handshake.heartbeat_s * 1000
            return
        for answer in answers:
            self.send(0, answer)

    def _missing_bytes(self, rest: bytes) -> int:
        """The frame's own size says it; a frame above frame_max ends the connection."""
        if len(rest) < FRAME_PREFIX_BYTES:
            return FRAME_PREFIX_BYTES - len(rest)
        size = int.from_bytes(rest[3:7], "big")
        if size > self.frame_max:
            raise PeerError(f"the peer sent a frame of {size} bytes, above the frame_max of {self.frame_max}")
        return size + FRAME_OVERHEAD_BYTES - len(rest)

    def _lost_unopened(self, reason: str) -> str:
        if self._handshake.awaited == methods.ConnectionTune.NAME:
            return f"the peer ended the connection at the login ({reason}): are user and password right?"
        return f"the peer ended the connection before {self._handshake.awaited} ({reason})"
