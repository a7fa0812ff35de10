"""Peers that send and never read, or consume and never read: others don't notice, and memory stays bounded.

The broker stops taking a peer's commands when too many of its replies are unread, which the peer sees as a
socket that takes no more.  It goes on when the peer reads; a peer that never does is cut off, which takes
half a minute and is tested with simulated time.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import TIME_LIMIT_S, WireClient
from tests.support.brokers import Broker, run_warren
from tests.support.process_usage import usage_of_tree
from tests.support.simulated_broker import SimulatedBroker
from tests.wire.conftest import assert_serves, open_client
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.core.clients.outbox import UNREAD_BYTES_MAX

BLOCKED_AFTER_S = 1.0
"""A socket that takes nothing for so long is taken for one that the broker doesn't read."""

SENT_BYTES_MAX = 200 * 2**20
"""More than the broker and all socket buffers on the way may hold."""

GROWTH_BYTES_MAX = 100 * 2**20

RECEIVE_BUFFER_BYTES = 4096


@pytest.fixture(scope="module")
def victim() -> Iterator[Broker]:
    """A broker for these tests alone, so that its memory says something."""
    with run_warren() as broker:
        yield broker
        assert "Traceback" not in broker.read_log()


def passive_declare(queue: str) -> bytes:
    names = wire.short(0) + wire.shortstr(queue)
    return wire.method(1, "queue.declare", names, wire.bits(True), wire.table())


def deaf_client(broker: Broker) -> WireClient:
    """A client with a small receive buffer, so that little is on the way."""
    client = WireClient(broker.address, receive_buffer_bytes=RECEIVE_BUFFER_BYTES)
    client.handshake()
    client.open_channel()
    return client


def flood(client: WireClient, request: bytes) -> int:
    """Sends the request again and again until the broker reads no more; how many octets it took."""
    client.socket.setblocking(False)
    chunk = request * (65536 // len(request) + 1)
    sent = 0
    while select.select([], [client.socket], [], BLOCKED_AFTER_S)[1]:
        sent += client.socket.send(memoryview(chunk)[sent % len(chunk) :])
        assert sent < SENT_BYTES_MAX, "the broker takes commands without end"
    client.socket.setblocking(True)
    return sent


LONG_NAME = "unread-" + "q" * 240

UNROUTABLE = wire.publish(1, "", "nowhere", b"x" * 3000, mandatory=True)

REQUESTS = {
    "declares": passive_declare("unread"),
    "declares of long names": passive_declare(LONG_NAME),
    "returns": UNROUTABLE,
    "channels": wire.method(1, "channel.close", wire.short(200), wire.shortstr(""), wire.long(0))
    + wire.method(1, "channel.open", wire.shortstr("")),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_peer_that_asks_and_never_reads(victim: Broker, kind: str) -> None:
    with open_client(victim.address) as owner:
        for name in ("unread", LONG_NAME):
            owner.declare_queue(1, name, exclusive=False)
        before = usage_of_tree(victim.process_id).resident_bytes
        with deaf_client(victim) as client:
            flood(client, REQUESTS[kind])
            assert_serves(victim.address)
            assert usage_of_tree(victim.process_id).resident_bytes - before < GROWTH_BYTES_MAX


def test_a_peer_that_reads_late_gets_everything(victim: Broker) -> None:
    request = passive_declare(LONG_NAME)
    reply = wire.method(1, "queue.declare-ok", wire.shortstr(LONG_NAME), wire.long(0), wire.long(0))
    with open_client(victim.address) as owner, open_client(victim.address) as client:
        owner.declare_queue(1, LONG_NAME, exclusive=False)
        sent = flood(client, request)
        rest = request[sent % len(request) :]
        missing = len(reply) * (sent // len(request) + 1)
        received = bytearray()
        while len(received) < missing:
            readable, writable, _ = select.select([client.socket], [client.socket] if rest else [], [], TIME_LIMIT_S)
            assert readable or writable, f"stuck after {len(received)} of {missing} octets"
            if writable:
                rest = rest[client.socket.send(rest) :]
            if readable:
                received += client.socket.recv(1 << 20)
        assert received == reply * (len(received) // len(reply))


@pytest.mark.parametrize("no_ack", [True, False])
def test_a_consumer_that_never_reads(victim: Broker, no_ack: bool) -> None:
    """It is given what fits on the way; the rest stays in the queue, for others."""
    count, size = 400, 100_000
    with open_client(victim.address) as owner:
        owner.declare_queue(1, "deaf", exclusive=False)
        with deaf_client(victim) as client:
            client.consume(1, "deaf", no_ack=no_ack)
            owner.send(*[wire.publish(1, "", "deaf", b"x" * size)] * count)
            owner.round_trip(1)
            assert_serves(victim.address)
            owner.send(passive_declare("deaf"))
            declared = owner.expect("queue.declare-ok")
            assert declared.shortstr() == "deaf"
            assert declared.long() > count // 2
            hearing = open_client(victim.address)
            with hearing:
                hearing.consume(1, "deaf")
                hearing.expect("basic.deliver", 1)
                assert len(hearing.expect_content(1).body) == size
        owner.send(wire.method(1, "queue.delete", wire.short(0), wire.shortstr("deaf"), wire.bits(False)))
        owner.expect("queue.delete-ok")


def test_a_peer_that_never_reads_is_cut_off() -> None:
    settings = Amqp091Settings()
    simulated = SimulatedBroker(settings=settings)
    client = simulated.connect()
    client.transport.socket_room = 0
    client.transport.flood(UNROUTABLE * 100, bytes_max=2 * UNREAD_BYTES_MAX, between=simulated.settle)
    simulated.advance(settings.unread_timeout_ms - 1000)
    assert not client.transport.closed
    simulated.advance(2000)
    assert client.transport.aborted
    simulated.check()
    simulated.close()


def test_a_peer_that_reads_a_little_is_not_cut_off() -> None:
    settings = Amqp091Settings()
    simulated = SimulatedBroker(settings=settings)
    client = simulated.connect()
    client.transport.socket_room = 0
    client.transport.flood(UNROUTABLE * 100, bytes_max=2 * UNREAD_BYTES_MAX, between=simulated.settle)
    for _ in range(5):
        client.transport.read_by_peer(1000)
        simulated.advance(settings.unread_timeout_ms - 1000)
    assert not client.transport.closed
    client.transport.read_by_peer(None)
    simulated.settle()
    assert not client.transport.paused
    simulated.close()


def test_replies_stay_in_order_under_pressure(victim: Broker) -> None:
    """Requests of two kinds, read in small bites with a small buffer."""
    with deaf_client(victim) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flow = wire.method(1, "channel.flow", wire.bits(True))
        cancel = wire.method(1, "basic.cancel", wire.shortstr("x"), wire.bits(False))
        client.send((flow + cancel) * 5000)
        for _ in range(5000):
            client.expect("channel.flow-ok")
            client.expect("basic.cancel-ok")
