"""Clients from before 0-9-1: py-amqplib's classic producer and consumer work, and so does a 0-9 header."""

from __future__ import annotations

import pytest

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Address, WireClient
from tests.support.brokers import Broker
from tests.wire.legacy_client import FIELD_TYPES, HEADER, LegacyClient, field_types

HEADER_0_9 = b"AMQP\x01\x01\x00\x09"
HEADER_0_8 = b"AMQP\x01\x01\x08\x00"
LEGACY_HEADERS = [HEADER, HEADER_0_8]


@pytest.mark.parametrize("header", LEGACY_HEADERS)
def test_server_properties_have_old_types_only(broker: Broker, header: bytes) -> None:
    with LegacyClient(broker.address, header) as client:
        assert "AMQPLAIN" in client.mechanisms
        assert client.ticket == 1
        if broker.is_warren:  # RabbitMQ 3.10 sends its capabilities (type t) all the same
            assert field_types(client.server_properties) <= FIELD_TYPES


@pytest.mark.parametrize("header", LEGACY_HEADERS)
def test_classic_producer_and_consumer(broker_address: Address, header: bytes) -> None:
    with LegacyClient(broker_address, header) as producer, LegacyClient(broker_address, header) as consumer:
        consumer.declare_exchange("legacy", "fanout")
        consumer.declare_auto_delete_queue("legacy")
        consumer.bind("legacy", "legacy", "")
        consumer.consume_without_arguments("legacy")
        for body in (b"first", b"", b"x" * 200_000):
            producer.publish("legacy", "", body)
            tag, content = consumer.expect_delivery()
            assert content.body == body
            assert content.properties == wire.short(1 << 15 | 1 << 12) + wire.shortstr("text/plain") + b"\2"
            consumer.send(wire.method(1, "basic.ack", wire.longlong(tag), wire.bits(False)))
        producer.say_goodbye()
        consumer.say_goodbye()


def test_getting_and_the_rest_of_the_dialect(broker_address: Address) -> None:
    with LegacyClient(broker_address) as client:
        client.declare_auto_delete_queue("legacy")
        client.publish("", "legacy", b"message")
        names = wire.short(client.ticket) + wire.shortstr("legacy")
        client.send(wire.method(1, "basic.get", names, wire.bits(False)))
        client.expect("basic.get-ok", 1)
        assert client.expect_content(1).body == b"message"
        client.send(wire.method(1, "basic.recover-async", wire.bits(True)))
        client.send(wire.method(1, "basic.get", names, wire.bits(True)))
        assert client.expect("basic.get-ok", 1).take(9) == wire.longlong(2) + b"\1", "redelivered"
        client.expect_content(1)
        client.send(wire.method(1, "basic.qos", wire.long(0), wire.short(1), wire.bits(False)))
        client.expect("basic.qos-ok", 1)
        tag = client.consume_without_arguments("legacy")
        client.send(wire.method(1, "basic.cancel", wire.shortstr(tag), wire.bits(False)))
        client.expect("basic.cancel-ok", 1)
        client.send(wire.method(1, "tx.select"))
        client.expect("tx.select-ok", 1)
        client.say_goodbye()


def test_channel_errors(broker_address: Address) -> None:
    with LegacyClient(broker_address) as client:
        names = wire.short(client.ticket) + wire.shortstr("missing")
        client.send(wire.method(1, "queue.declare", names, wire.bits(True), wire.table()))
        assert client.expect_channel_close(1).code == 404
        client.open_channel(1)
        client.say_goodbye()


def test_connection_errors_come_under_their_old_number(broker_address: Address) -> None:
    with LegacyClient(broker_address) as client:
        client.send(wire.method(1, "channel.open", wire.shortstr("")))
        assert client.expect_legacy_close().code == 504


def test_refused_login_just_closes(broker_address: Address) -> None:
    with WireClient(broker_address) as client:
        client.start(HEADER)
        response = wire.table({"LOGIN": "guest", "PASSWORD": "wrong"})[4:]
        texts = wire.shortstr("AMQPLAIN"), wire.longstr(response), wire.shortstr("en_US")
        client.send(wire.method(0, "connection.start-ok", wire.table(), *texts))
        client.expect_end()


def test_0_9_is_served_as_0_9_1(broker_address: Address) -> None:
    with WireClient(broker_address) as client:
        client.handshake(header=HEADER_0_9)
        client.open_channel()
        queue = client.declare_queue(1, "")
        client.consume(1, queue)
        client.send(wire.publish(1, "", queue, b"message"))
        client.expect("basic.deliver", 1)
        assert client.expect_content(1).body == b"message"
        client.close()


def test_0_9_start_says_0_9(broker_address: Address) -> None:
    with WireClient(broker_address) as client:
        start = client.start(HEADER_0_9)
        assert (start.octet(), start.octet()) == (0, 9)
