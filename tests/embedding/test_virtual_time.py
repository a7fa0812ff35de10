"""The broker's time follows Trio's: hours pass in a test of milliseconds, for everything that the broker times."""

from __future__ import annotations

import time

import pytest
import trio
from trio.testing import MockClock

from tests.support.amqp_bytes import PROTOCOL_HEADER
from tests.support.amqp_wire import open_connection, start_ok, tune_ok
from warren.core.errors import NotFound
from warren.core.messages.properties import encode_properties
from warren.gateway import EmbeddedBroker, open_broker

HALF_AN_HOUR_S = 1800
HALF_AN_HOUR_MS = HALF_AN_HOUR_S * 1000

REAL_LIMIT_S = 60.0
"""Far more than such a test takes, and far less than the time that passes in it."""


async def test_a_message_lives_as_long_as_it_may(autojump_clock: MockClock) -> None:
    began_s = time.monotonic()
    async with open_broker(listen=()) as broker, broker.connect() as client:
        await client.declare_queue("dead")
        await client.declare_queue(
            "q",
            arguments={
                "x-message-ttl": HALF_AN_HOUR_MS,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "dead",
            },
        )
        await client.publish("", "q", b"the queue's")
        await client.publish("", "dead", b"its own", encode_properties(expiration=str(2 * HALF_AN_HOUR_MS)))
        await trio.sleep(HALF_AN_HOUR_S - 1)
        assert (await client.check_queue("q")).messages == 1
        await trio.sleep(2)
        assert (await client.check_queue("q")).messages == 0
        browsed, _ = await client.browse("dead")
        assert [each.message.body for each in browsed] == [b"its own", b"the queue's"]
        await trio.sleep(HALF_AN_HOUR_S)
        browsed, _ = await client.browse("dead")
        assert [each.message.body for each in browsed] == [b"the queue's"]
    assert time.monotonic() - began_s < REAL_LIMIT_S


async def test_a_queue_that_nobody_uses_expires(autojump_clock: MockClock) -> None:
    async with open_broker(listen=()) as broker, broker.connect() as client:
        await client.declare_queue("q", arguments={"x-expires": HALF_AN_HOUR_MS})
        await trio.sleep(HALF_AN_HOUR_S + 1)
        with pytest.raises(NotFound):
            await client.check_queue("q")


async def test_a_delayed_message_arrives_when_it_is_due(autojump_clock: MockClock) -> None:
    async with open_broker(listen=()) as broker, broker.connect() as client:
        await client.declare_exchange("later", "x-delayed-message", arguments={"x-delayed-type": "fanout"})
        await client.declare_queue("q")
        await client.bind_queue("q", "later")
        published_at_s = trio.current_time()
        await client.publish("later", "", b"now", encode_properties(headers={"x-delay": HALF_AN_HOUR_MS}))
        async with client.consume("q") as subscription:
            delivery = await anext(subscription)
        assert delivery.body == b"now"
        assert trio.current_time() - published_at_s == pytest.approx(HALF_AN_HOUR_S, abs=1)


async def test_who_says_nothing_is_cut_off(autojump_clock: MockClock) -> None:
    async with open_broker() as broker:
        connected_at_s = trio.current_time()
        stream = await trio.open_tcp_stream(*broker.address())
        async with stream:
            assert await read_to_end(stream) == b""
        assert 9 < trio.current_time() - connected_at_s < 30


async def test_heartbeats(autojump_clock: MockClock) -> None:
    """A client that never sends one hears the broker's for two intervals, and is gone then."""
    async with open_broker() as broker, await trio.open_tcp_stream(*broker.address()) as stream:
        await stream.send_all(PROTOCOL_HEADER + start_ok() + tune_ok(heartbeat_s=600) + open_connection())
        await opened(broker, stream)
        began_s = trio.current_time()
        heard = await read_to_end(stream)
        assert heard.count(b"\x08\0\0\0\0\0\0\xce") >= 2
        assert 1200 <= trio.current_time() - began_s <= 1900
        assert broker.inspect("connections") == []


async def opened(broker: EmbeddedBroker, stream: trio.SocketStream) -> None:
    """Read up to connection.open-ok."""
    received = b""
    while b"\0\x0a\0\x29" not in received:
        chunk = await stream.receive_some()
        assert chunk, received
        received += chunk
    assert len(broker.inspect("connections")) == 1


async def read_to_end(stream: trio.SocketStream) -> bytes:
    received = b""
    try:
        while chunk := await stream.receive_some():
            received += chunk
    except trio.BrokenResourceError:
        pass
    return received
