"""A connection to another broker: bytes in, bytes out, and what has come for whoever drives it.

    connection = ClientConnection(login, now_ms)
    write the connection's `take()` to the peer, give what is read to `receive`, call `advance` at `next_at_ms`

until `opened`; then channels can be opened.  After each of these calls the driver looks at `closed`, `blocked` and at
the channels.  Phases: the handshake -> opened -> closing (connection.close was sent) -> closed, from every phase.

Frames are put together from reads in one step when the last piece is there, so a large message costs its bytes once.
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
from warren.adapters.peers.errors import PeerError
from warren.adapters.session.pieces import Pieces
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.core.messages.properties import Properties

PROPERTY_LISTS_MAX: Final = 256
PROPERTY_LIST_BYTES_MAX: Final = 256
"""Property lists remembered by their bytes, as the broker's side does (adapters.amqp091.known_properties)."""


class ClientConnection:
    """opened: the handshake is over.  closed: why there is no connection any more.  blocked: why the peer takes no
    publishes now.  frame_max, in bytes: the largest frame that either side sends.
    """

    __slots__ = (
        "_handshake",
        "_heard_ms",
        "_heartbeat_ms",
        "_outgoing",
        "_sent_ms",
        "_tail",
        "blocked",
        "channels",
        "closed",
        "closing",
        "known_properties",
        "now_ms",
        "opened",
        "outgoing_bytes",
    )

    def __init__(self, login: Login, now_ms: int) -> None:
        self.now_ms = now_ms
        self.opened = False
        self.closing = False
        self.closed: PeerError | None = None
        self.blocked: str | None = None
        self.channels: dict[int, ClientChannel] = {}
        self.known_properties: dict[bytes, Properties] = {}
        self.outgoing_bytes = 0
        self._handshake = Handshake(login)
        self._outgoing: list[bytes] = []
        self._tail = Pieces()
        self._heartbeat_ms = 0
        self._heard_ms = self._sent_ms = now_ms
        self.write(PROTOCOL_HEADER)

    @property
    def frame_max(self) -> int:
        return self._handshake.frame_max

    @property
    def capabilities(self) -> frozenset[str]:
        """What the peer can do, in RabbitMQ's names."""
        return self._handshake.capabilities

    @property
    def product(self) -> str:
        """Name and version of the peer, as it says."""
        said = (self._handshake.server_properties.get(key) for key in ("product", "version"))
        return " ".join(each for each in said if isinstance(each, str))

    @property
    def cluster_name(self) -> str:
        """What the peer's cluster is called, as it says; empty for one that doesn't."""
        found = self._handshake.server_properties.get("cluster_name")
        return found if isinstance(found, str) else ""

    # What the driver calls

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take what was read."""
        self.now_ms = self._heard_ms = now_ms
        if self.closed is not None:
            return
        whole = self._tail.join(data) if self._tail else data
        if whole is None:
            return
        try:
            if not self.opened and whole.startswith(b"AMQP"):
                raise PeerError(f"the peer speaks another protocol: it answered {whole[:8]!r}")
            done = parse(self, whole)
        except PeerError as error:
            self.end(error)
            return
        rest = whole[done:]
        if rest:
            self._tail.keep(rest, self._missing_bytes(rest))

    def take(self) -> bytes:
        """What is to be sent now; empty if nothing is."""
        if not self._outgoing:
            return b""
        data = b"".join(self._outgoing)
        self._outgoing.clear()
        self.outgoing_bytes = 0
        self._sent_ms = self.now_ms
        return data

    def advance(self, now_ms: int) -> None:
        """Send a heartbeat if one is due, and give the peer up if it has been silent for two intervals (spec A.3)."""
        self.now_ms = now_ms
        if not self._heartbeat_ms or self.closed is not None:
            return
        if now_ms - self._heard_ms >= 2 * self._heartbeat_ms:
            self.end(PeerError(f"the peer was silent for {(now_ms - self._heard_ms) / 1000:g} s: heartbeats missed"))
        elif now_ms - self._sent_ms >= self._heartbeat_ms // 2:
            self._sent_ms = now_ms
            self.write(HEARTBEAT_FRAME)

    def next_at_ms(self) -> int | None:
        """When `advance` has something to do; None without heartbeats."""
        if not self._heartbeat_ms or self.closed is not None:
            return None
        return min(self._heard_ms + 2 * self._heartbeat_ms, self._sent_ms + self._heartbeat_ms // 2)

    def lost(self, reason: str) -> None:
        """The bytes have come to an end, for this reason."""
        if self.opened:
            self.end(PeerError(f"the connection was lost: {reason}"))
        elif self._handshake.awaited == methods.ConnectionTune.NAME:
            self.end(PeerError(f"the peer ended the connection at the login ({reason}): are user and password right?"))
        else:
            self.end(PeerError(f"the peer ended the connection before {self._handshake.awaited} ({reason})"))

    def close(self) -> None:
        """Take leave; the peer's answer, or its absence for too long, is for the driver to wait for."""
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

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._outgoing.append(data)
        self.outgoing_bytes += len(data)

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
        """There is no connection any more."""
        if self.closed is None:
            self.closed = why
            self._tail.clear()
            for channel in list(self.channels.values()):
                channel.end(why)

    # Below

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
            self._heartbeat_ms = self._handshake.heartbeat_s * 1000
            return
        for answer in answers:
            self.send(0, answer)

    def _missing_bytes(self, rest: bytes) -> int:
        """How much has to come before it is worth looking at again; a frame above frame_max ends the connection."""
        if len(rest) < FRAME_PREFIX_BYTES:
            return FRAME_PREFIX_BYTES - len(rest)
        size = int.from_bytes(rest[3:7], "big")
        if size > self.frame_max:
            self.end(PeerError(f"the peer sent a frame of {size} bytes, above the frame_max of {self.frame_max}"))
        return size + FRAME_OVERHEAD_BYTES - len(rest)
