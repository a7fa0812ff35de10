"""Sockets to other brokers."""

from __future__ import annotations

import socket

import trio

from warren.adapters.peers.uri import PeerUri
from warren.gateway.peers.streams import KEEPALIVE_COUNT, KEEPALIVE_EVERY_S, KEEPALIVE_IDLE_S, open_stream


async def test_the_kernel_asks_whether_a_silent_peer_is_there() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        stream = await open_stream(PeerUri("stomp", "127.0.0.1", listener.socket.getsockname()[1]))
        assert isinstance(stream, trio.SocketStream)
        async with stream:
            assert stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            found = [
                stream.socket.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            ]
            assert found == [KEEPALIVE_IDLE_S, KEEPALIVE_EVERY_S, KEEPALIVE_COUNT]
            assert stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
