"""Clients that are gone in the middle of a frame: nothing of it happens, and nothing is left of them."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Address, WireClient, open_connection, start_ok, tune_ok
from tests.support.brokers import Broker
from tests.wire.conftest import open_client

HANDSHAKE = wire.PROTOCOL_HEADER + start_ok() + tune_ok() + open_connection()
PROPERTIES = wire.short(1 << 13 | 1 << 12) + wire.table({"k": "v"}) + wire.octet(2)


@pytest.fixture
def owner(broker: Broker) -> WireClient:
    """A client whose exclusive queue the others publish to."""
    return open_client(broker.address)


def message_for(queue: str) -> bytes:
    return wire.publish(1, "", queue, b"body of the message", properties=PROPERTIES)


def ready_count(owner: WireClient, queue: str) -> int:
    names = wire.short(0) + wire.shortstr(queue)
    owner.send(wire.method(1, "queue.declare", names, wire.bits(True), wire.table()))
    declared = owner.expect("queue.declare-ok")
    declared.shortstr()
    return declared.long()


def test_closing_at_every_octet_of_a_publish(broker: Broker, owner: WireClient) -> None:
    """A message arrives when its last octet has, not before."""
    with owner:
        queue = owner.declare_queue(1, "")
        message = message_for(queue)
        for cut in range(len(message) + 1):
            with open_client(broker.address) as client:
                client.send(message[:cut])
                finish(client)
            assert ready_count(owner, queue) == (cut == len(message)), cut


def test_resetting_at_every_octet_of_a_publish(broker: Broker, owner: WireClient) -> None:
    """The broker may find out when it writes, when it reads, or when it accepts."""
    with owner:
        queue = owner.declare_queue(1, "")
        message = message_for(queue)
        for cut in range(len(message)):
            client = open_client(broker.address)
            client.send(message[:cut])
            reset(client)
        assert ready_count(owner, queue) == 0


def test_closing_at_every_octet_of_a_handshake(broker_address: Address) -> None:
    for cut in range(len(HANDSHAKE)):
        with WireClient(broker_address) as client:
            client.send(HANDSHAKE[:cut])
            client.socket.shutdown(socket.SHUT_WR)
            client.read_to_end()


def test_resetting_at_every_octet_of_a_handshake(broker_address: Address) -> None:
    for cut in range(len(HANDSHAKE)):
        client = WireClient(broker_address)
        client.send(HANDSHAKE[:cut])
        reset(client)


def test_connecting_and_going_away(broker_address: Address) -> None:
    for _ in range(100):
        WireClient(broker_address).socket.close()
        reset(WireClient(broker_address))


def test_gone_with_unacknowledged_messages_and_half_a_publish(broker: Broker, owner: WireClient) -> None:
    with owner:
        owner.declare_queue(1, "torn", exclusive=False)
        owner.send(wire.publish(1, "", "torn", b"1"), wire.publish(1, "", "torn", b"2"))
        owner.round_trip(1)
        with open_client(broker.address) as client:
            client.consume(1, "torn", no_ack=False)
            for _ in range(2):
                client.expect("basic.deliver")
                client.expect_content(1)
            client.send(message_for("torn")[:40])
            finish(client)
        owner.consume(1, "torn")
        for body in (b"1", b"2"):
            deliver = owner.expect("basic.deliver")
            deliver.shortstr()
            assert deliver.take(9)[-1] == 1, "redelivered"
            assert owner.expect_content(1).body == body
        owner.send(wire.method(1, "queue.delete", wire.short(0), wire.shortstr("torn"), wire.bits(False)))
        owner.expect("queue.delete-ok")


def finish(client: WireClient) -> None:
    """Nothing more comes from the client; returns when the broker has closed its side too."""
    client.socket.shutdown(socket.SHUT_WR)
    client.read_to_end()


def reset(client: WireClient) -> None:
    """The way a client's machine lets go of a connection that its program forgot."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()
