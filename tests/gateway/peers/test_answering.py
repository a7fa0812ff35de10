"""A peer that is there, and speaks, but never answers what it is asked, is given up in words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from warren.adapters.amqp091.client.connection import ClientConnection
from warren.adapters.amqp091.client.handshake import Login
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.client.connection import MqttClient, MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.codec.packets import Subscription
from warren.adapters.peers.errors import PeerError
from warren.adapters.stomp.client.connection import StompClient, StompLogin
from warren.gateway.peers.amqp import AmqpPeer
from warren.gateway.peers.mqtt import MqttPeer
from warren.gateway.peers.peer import ANSWER_S, Peer, now_ms
from warren.gateway.peers.stomp import StompPeer


def amqp(stream: trio.abc.Stream) -> AmqpPeer:
    peer = AmqpPeer(stream, ClientConnection(Login("p", "1", "n", heartbeat_s=0), now_ms()))
    peer.connection.opened = True
    return peer


def mqtt(stream: trio.abc.Stream) -> MqttPeer:
    peer = MqttPeer(stream, MqttClient(MqttLogin("c", keep_alive_s=0), ClientMemory(), now_ms()))
    peer.connection.opened = True
    return peer


def stomp(stream: trio.abc.Stream) -> StompPeer:
    peer = StompPeer(stream, StompClient(StompLogin(heartbeat_ms=0), now_ms()))
    peer.connection.opened = True
    return peer


async def declare(peer: Any) -> None:
    await peer.ask(peer.open_channel(), methods.QueueDeclare(queue="a"), methods.QueueDeclareOk)


async def subscribe_mqtt(peer: Any) -> None:
    await peer.subscribe(Subscription("a", 1))


async def unsubscribe_mqtt(peer: Any) -> None:
    await peer.unsubscribe("a")


async def subscribe_stomp(peer: Any) -> None:
    await peer.subscribe("1", "/queue/a", "auto", {})


async def unsubscribe_stomp(peer: Any) -> None:
    await peer.unsubscribe("1", {})


@asynccontextmanager
async def silent(make: Callable[[trio.abc.Stream], Peer[Any]]) -> AsyncIterator[Peer[Any]]:
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def take_all() -> None:
            while await theirs.receive_some():
                pass

        peer = make(ours)
        nursery.start_soon(peer.run)
        nursery.start_soon(take_all)
        try:
            yield peer
        finally:
            await peer.aclose()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("make", "ask", "asked"),
    [
        (amqp, declare, "queue.declare"),
        (mqtt, subscribe_mqtt, "SUBSCRIBE"),
        (mqtt, unsubscribe_mqtt, "UNSUBSCRIBE"),
        (stomp, subscribe_stomp, "SUBSCRIBE"),
        (stomp, unsubscribe_stomp, "UNSUBSCRIBE"),
    ],
)
async def test_it_is_waited_for_no_longer_than_so_long(
    autojump_clock: MockClock,
    make: Callable[[trio.abc.Stream], Peer[Any]],
    ask: Callable[[Any], Awaitable[None]],
    asked: str,
) -> None:
    async with silent(make) as peer:
        began_at = trio.current_time()
        with pytest.raises(PeerError, match=f"didn't answer {asked} within 60 s"):
            await ask(peer)
        assert trio.current_time() - began_at == pytest.approx(ANSWER_S)
