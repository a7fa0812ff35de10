"""Links between this node and the others: the listener for them, and sockets for the links that queues here want.

Both ends are sessions of the hub like any other, so what crosses a link is sent and read in the broker's turns.  The
sans-I/O halves are in adapters.amqp091.nodes: `NodeLinks` for the side that asks, `NodeAccess` for the one asked.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from warren.adapters.amqp091.connection import Connection
from warren.adapters.amqp091.nodes.link import NodeLink, NodeLinks
from warren.adapters.amqp091.nodes.owning_end import NodeAccess
from warren.core.cluster.audience import audience
from warren.core.cluster.remote_types import remote_queue
from warren.core.errors import StorageError
from warren.gateway.network.addresses import Listener, format_address, parse_address
from warren.gateway.network.link import Link
from warren.gateway.network.listeners import ListeningSocket

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from warren.adapters.amqp091.settings import Amqp091Settings
    from warren.core.broker import Broker
    from warren.core.clients.outbox import Outbox
    from warren.core.clients.transport import Carrier, Session, Transport
    from warren.core.cluster.audience import Audience
    from warren.core.cluster.remote_queue import RemoteQueue
    from warren.core.messages.field_table import FieldValue
    from warren.core.routing.vhost import VirtualHost
    from warren.gateway.cluster.settings import LinkSettings
    from warren.gateway.network.hub import Hub
    from warren.gateway.tls.contexts import TlsContexts

_log = logging.getLogger("warren.cluster")

PROTOCOL: Final = "nodes"
"""What the log calls the listener."""

SECRET_BYTES_LEAST: Final = 16
"""A shorter secret could be found by trying."""

CONNECT_S: Final = 5.0
"""How long a node may take to accept a connection."""

FRAME_MAX_BYTES: Final = 1024 * 1024
"""Between nodes: bodies up to a megabyte are one frame."""

EVERYWHERE: Final = frozenset({"0.0.0.0", "::", "*", ""})
"""Hosts that nobody else can connect to by that name."""


def read_secret(path: Path | None) -> bytes:
    """The cluster's secret.  StorageError, in words, for a file that can't be read or holds too little."""
    if path is None:
        raise StorageError("a node of a cluster needs cluster_secret_file: a file with the secret that all nodes share")
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise StorageError(f"cluster_secret_file {path} can't be read: {error.strerror}") from error
    if len(secret) < SECRET_BYTES_LEAST:
        raise StorageError(f"cluster_secret_file {path} holds {len(secret)} bytes; {SECRET_BYTES_LEAST} are the least")
    return secret


class ClusterLinks:
    """Of one run of the broker.

    name: this node's.  address_of: where a node listens for others, as `host:port`, by its name; None for one that
    isn't known.  amqp: what this broker's AMQP listeners have.  contexts: the certificates, where nodes speak TLS.
    address: what others connect to; known after `listen`.
    """

    def __init__(
        self,
        hub: Hub,
        name: str,
        secret: bytes,
        settings: LinkSettings,
        amqp: Amqp091Settings,
        address_of: Callable[[str], str | None],
        contexts: TlsContexts | None = None,
    ) -> None:
        self._hub = hub
        self._settings = settings
        self._address_of = address_of
        self._contexts = contexts
        self._client_context = _client_context(settings, contexts) if settings.tls else None
        self._amqp = replace(
            amqp, nodes=NodeAccess(secret, name), channel_max=0, frame_max_bytes=FRAME_MAX_BYTES, other_versions=None
        )
        self.links = NodeLinks(hub.broker, name, secret, self._dial)
        self.address = ""
        self._sockets: list[ListeningSocket] = []
        self._to_dial, self._dialled = trio.open_memory_channel[NodeLink](float("inf"))

    def listen(self, descriptors_max: int) -> str:
        """Take the address, and accept other nodes on it; where they reach it.  Raises StorageError."""
        try:
            host, port = parse_address(self._settings.address)
        except ValueError as error:
            raise StorageError(f"cluster_link {self._settings.address!r} isn't {error}") from error
        if self._settings.advertised:
            try:
                parse_address(self._settings.advertised)
            except ValueError as error:
                raise StorageError(f"cluster_link_advertised {self._settings.advertised!r} isn't {error}") from error
        listener = Listener(PROTOCOL, host, port, tls=self._settings.tls)
        sock = ListeningSocket(self._hub, listener, self._accept_carrier(), descriptors_max)
        self._sockets.append(sock)
        sock.open()
        self.address = self._settings.advertised or format_address(
            socket.gethostname() if host in EVERYWHERE else host, sock.address[1]
        )
        _log.info("listening for other nodes of the cluster on %s", format_address(*sock.address))
        return self.address

    async def run(self) -> None:
        """Make the connections that links ask for, until cancelled; then all of them end."""
        try:
            async with trio.open_nursery() as nursery:
                async for link in self._dialled:
                    nursery.start_soon(self._connect, link)
        finally:
            self.close()

    def close(self) -> None:
        """No more listener, no more links."""
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        self.links.end()

    def remote(
        self,
        node: str,
        vhost: VirtualHost,
        name: str,
        *,
        arguments: Mapping[str, FieldValue],
        arguments_raw: bytes,
        auto_delete: bool = False,
        store_id: int = 0,
        home: str = "",
    ) -> RemoteQueue:
        """What stands here for a durable queue that this node has; see core.cluster.remote_types."""
        return remote_queue(
            vhost,
            name,
            lambda queue: self.links.to(node, vhost.name).way_to(name, queue),
            arguments=arguments,
            arguments_raw=arguments_raw,
            auto_delete=auto_delete,
            store_id=store_id,
            home=home,
        )

    def audience(self, vhost: VirtualHost, node: str) -> Audience:
        """What stands here for the queues of this node that it alone has; see core.cluster.audience."""
        return audience(vhost, node, lambda queue: self.links.to(node, vhost.name).way_to("", queue))

    # Accepting

    def _accept(self, broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
        connection = Connection(broker, transport, self._amqp)
        return connection, connection.outbox

    def _accept_carrier(self) -> Callable[[Broker, Carrier], tuple[Session, Outbox]]:
        contexts = self._contexts
        if not self._settings.tls or contexts is None:
            return self._accept
        from warren.gateway.tls.stage import TlsStage

        def accept_encrypted(broker: Broker, below: Carrier) -> tuple[Session, Outbox]:
            stage = TlsStage(broker, below, contexts, self._accept, {})
            return stage, stage.outbox

        return accept_encrypted

    # Connecting

    def _dial(self, link: NodeLink) -> None:
        self._to_dial.send_nowait(link)

    async def _connect(self, link: NodeLink) -> None:
        address = self._address_of(link.node)
        if not address:
            await trio.lowlevel.checkpoint()
            self._failed(link, "nobody knows where it listens: it isn't in the cluster just now")
            return
        host, port = parse_address(address)
        try:
            with trio.fail_after(CONNECT_S):
                stream = await trio.open_tcp_stream(host, port)
        except trio.TooSlowError:
            self._failed(link, f"{address} doesn't answer")
        except OSError as error:
            self._failed(link, f"{address} can't be reached: {error.strerror or error}")
        else:
            self._carry(link, socket.socket(fileno=stream.socket.detach()), host)

    def _failed(self, link: NodeLink, reason: str) -> None:
        self._hub.note_time()
        link.failed(reason)
        self._hub.request_turn()

    def _carry(self, link: NodeLink, sock: socket.socket, host: str) -> None:
        hub = self._hub
        hub.note_time()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        below = Link(hub, sock)
        if self._client_context is None:
            below.start(link, link.carried(below))
        else:
            from warren.gateway.cluster.tls_link import ClientTlsStage

            def carried(broker: Broker, transport: Transport) -> tuple[Session, Outbox]:
                return link, link.carried(transport)

            stage = ClientTlsStage(hub.broker, below, self._client_context, host, carried, link.failed)
            below.start(stage, stage.outbox)
            stage.begin()
        hub.request_turn()


def _client_context(settings: LinkSettings, contexts: TlsContexts | None) -> ssl.SSLContext:
    """With what this node looks at others' certificates, and what it shows of itself."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    if settings.link_ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(settings.link_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise StorageError(f"cluster_link_cacertfile {settings.link_ca_file} can't be used: {error}") from error
    if contexts is not None and contexts.settings.certificate_file is not None:
        context.load_cert_chain(contexts.settings.certificate_file, contexts.settings.key_file)
    return context
