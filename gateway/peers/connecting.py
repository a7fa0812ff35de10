"""From a URI to an open connection, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from warren.adapters.peers.errors import PeerError
from warren.gateway.peers.streams import open_stream

if TYPE_CHECKING:
    from warren.adapters.peers.uri import PeerUri
    from warren.gateway.peers.peer import Peer

AnyPeer = TypeVar("AnyPeer", bound="Peer[Any]")


async def connected(nursery: trio.Nursery, uri: PeerUri, make: Callable[[trio.abc.Stream], AnyPeer]) -> AnyPeer:
    """Connect, have the peer's tasks run in the nursery, and wait for the end of its handshake."""
    with trio.move_on_after(uri.connection_timeout_ms / 1000):
        peer = make(await open_stream(uri))
        nursery.start_soon(peer.run)
        try:
            await peer.opened()
        except BaseException:
            await peer.aclose()
            raise
        return peer
    raise PeerError(f"{uri.host} port {uri.port} didn't answer within {uri.connection_timeout_ms / 1000:g} s")
