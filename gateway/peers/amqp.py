"""An AMQP 0-9-1 connection to another broker, driven by Trio: one task reads, one writes, one watches the time.

None of them raises: what ends the connection is in `connection.closed`, and whoever waits for something of the peer is
woken and raises it.  So a link is one task's straight code, whatever happens to its peers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, cast

import trio

from warren.adapters.amqp091.client.channel import ClientChannel
from warren.adapters.amqp091.client.connection import ClientConnection
from warren.adapters.amqp091.client.handshake import Login
from warren.adapters.amqp091.client.uri import DEFAULT_USER
from warren.adapters.peers.errors import PeerError
from warren.gateway.peers.streams import open_stream

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.uri import AmqpUri
    from warren.adapters.amqp091.codec.methods_wire import Method

READ_BYTES_MAX: Final = 256 * 1024
"""Taken from the socket at once, as the hub does."""

OUTGOING_BYTES_MAX: Final = 1024 * 1024
"""So much may wait to be written before who publishes has to wait: a slow link doesn't fill the memory."""

LEAVE_S: Final = 3.0
"""How long the peer has to answer connection.close."""

AnyMethod = TypeVar("AnyMethod", bound="Method")


class AmqpPeer:
    """Made by `connect_amqp`; its tasks go on, whatever is cancelled around them, until `aclose` has taken leave."""

    def __init__(self, stream: trio.abc.Stream, connection: ClientConnection) -> None:
        self.connection = connection
        self._stream = stream
        self._scope = trio.CancelScope(shield=True)
        self._came = trio.lowlevel.ParkingLot()
        self._to_write = trio.lowlevel.ParkingLot()
        self._written = trio.lowlevel.ParkingLot()
        self._over = trio.Event()

    # What links use

    def open_channel(self) -> ClientChannel:
        """A channel, on which anything may be asked at once."""
        return self.connection.open_channel()

    async def ask(self, channel: ClientChannel, method: Method, reply: type[AnyMethod]) -> AnyMethod:
        """Send a method and wait for its reply; PeerError if the channel ends instead."""
        replies: list[Method | PeerError] = []
        channel.ask(method, reply, replies.append)
        self.flush()
        while not replies:
            await self._came.park()
        await trio.lowlevel.checkpoint()
        if isinstance(replies[0], PeerError):
            raise replies[0]
        return cast("AnyMethod", replies[0])

    async def opened(self) -> None:
        """Wait for the end of the handshake, whichever it has."""
        while not self.connection.opened and self.connection.closed is None:
            await self._came.park()

    async def progress(self, channel: ClientChannel) -> None:
        """Wait until something has come; PeerError when the channel is over."""
        if channel.closed is not None:
            await trio.lowlevel.checkpoint()
            raise channel.closed
        await self._came.park()

    async def room(self) -> None:
        """Wait until little enough is left to be written."""
        await trio.lowlevel.checkpoint()
        while self.connection.outgoing_bytes > OUTGOING_BYTES_MAX and self.connection.closed is None:
            self.flush()
            await self._written.park()

    def flush(self) -> None:
        """Have written what the channels have to say; to be called after a batch of calls to them."""
        self._to_write.unpark_all()

    async def aclose(self) -> None:
        """Take leave if the peer is still there, and end the tasks, also when cancelled."""
        with trio.CancelScope(shield=True):
            if self.connection.closed is None:
                with trio.move_on_after(LEAVE_S):
                    self.connection.close()
                    self.flush()
                    while self.connection.closed is None:
                        await self._came.park()
                self.connection.end(PeerError("the connection was closed here"))
            self._scope.cancel()
            await self._over.wait()

    # The tasks

    async def run(self) -> None:
        """Everything that moves bytes, until the connection is over and its last words are written."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._watch)
                    nursery.start_soon(self._read)
                    await self._write()
                    nursery.cancel_scope.cancel()
        finally:
            self._lost("the broker stops")
            self._over.set()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self._stream)

    async def _read(self) -> None:
        while self.connection.closed is None:
            try:
                data = await self._stream.receive_some(READ_BYTES_MAX)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                self._lost(str(error.__cause__ or error))
                return
            if not data:
                self._lost("the peer closed the socket")
                return
            self.connection.receive(bytes(data), now_ms())
            self._wake()

    async def _write(self) -> None:
        connection = self.connection
        while True:
            data = connection.take()
            if data:
                try:
                    await self._stream.send_all(data)
                except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                    self._lost(str(error.__cause__ or error))
                    return
                self._written.unpark_all()
            elif connection.closed is not None:
                return
            else:
                await self._to_write.park()

    async def _watch(self) -> None:
        """Heartbeats, and a peer that is silent; it looks once a second at most, which costs next to nothing."""
        while self.connection.closed is None:
            next_at_ms = self.connection.next_at_ms()
            await trio.sleep(1.0 if next_at_ms is None else max(0.001, (next_at_ms - now_ms()) / 1000))
            self.connection.advance(now_ms())
            self._wake()

    def _lost(self, reason: str) -> None:
        self.connection.lost(reason)
        self._wake()

    def _wake(self) -> None:
        self._came.unpark_all()
        self._to_write.unpark_all()
        if self.connection.closed is not None:
            self._written.unpark_all()


def now_ms() -> int:
    """Trio's clock in milliseconds, so that a test's virtual time counts."""
    return int(trio.current_time() * 1000)


async def connect_amqp(nursery: trio.Nursery, uri: AmqpUri, *, product: str, version: str, name: str) -> AmqpPeer:
    """An open connection; PeerError, in words, when there is none within the URI's connection timeout.

    nursery: where its tasks run, none of which ever raises.  name: what the peer's listings call the connection.
    """
    with trio.move_on_after(uri.connection_timeout_ms / 1000):
        stream = await open_stream(uri)
        login = Login(
            product,
            version,
            name,
            uri.vhost,
            uri.mechanism,
            DEFAULT_USER if uri.user is None else uri.user,
            DEFAULT_USER if uri.password is None else uri.password,
            uri.heartbeat_s,
            uri.channel_max,
        )
        peer = AmqpPeer(stream, ClientConnection(login, now_ms()))
        nursery.start_soon(peer.run)
        connection = peer.connection
        try:
            await peer.opened()
        except BaseException:
            await peer.aclose()
            raise
        if connection.closed is not None:
            await peer.aclose()
            raise connection.closed
        return peer
    raise PeerError(f"{uri.host} port {uri.port} didn't answer within {uri.connection_timeout_ms / 1000:g} s")
