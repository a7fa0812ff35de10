"""The no-wait bit: the broker does what is asked and says nothing, unless it refuses (A.2)."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Workbench, drain, exchange_exists, queue_exists, send, synchronise
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import WireClient, wire_client


def test_everything_without_wait(bench: Workbench, channel: BlockingChannel) -> None:
    source, target, queue = bench.name("source"), bench.name("target"), bench.name("queue")
    with wire_client(bench.address) as client:
        declare_exchange(client, source)
        declare_exchange(client, target)
        declare_queue(client, queue)
        names = wire.shortstr(target), wire.shortstr(source), wire.shortstr("key")
        client.send(wire.method(1, "exchange.bind", wire.short(0), *names, wire.bits(True), wire.table()))
        names = wire.shortstr(queue), wire.shortstr(target), wire.shortstr("key")
        client.send(wire.method(1, "queue.bind", wire.short(0), *names, wire.bits(True), wire.table()))
        client.round_trip(1)
        send(channel, source, "key", b"1")
        assert drain(channel, queue) == [b"1"]
        send(channel, source, "key", b"2")
        synchronise(channel)
        client.send(wire.method(1, "queue.purge", wire.short(0), wire.shortstr(queue), wire.bits(True)))
        client.round_trip(1)
        assert drain(channel, queue) == []
        names = wire.shortstr(target), wire.shortstr(source), wire.shortstr("key")
        client.send(wire.method(1, "exchange.unbind", wire.short(0), *names, wire.bits(True), wire.table()))
        client.round_trip(1)
        send(channel, source, "key", b"3")
        synchronise(channel)
        assert drain(channel, queue) == []
        deletion = wire.short(0) + wire.shortstr(queue) + wire.bits(False, False, True)
        client.send(wire.method(1, "queue.delete", deletion))
        deletion = wire.short(0) + wire.shortstr(source) + wire.bits(False, True)
        client.send(wire.method(1, "exchange.delete", deletion))
        client.round_trip(1)
    assert not queue_exists(bench, queue)
    assert not exchange_exists(bench, source)


@pytest.mark.parametrize("kind", ["queue", "exchange"])
def test_refusals_are_said_all_the_same(bench: Workbench, kind: str) -> None:
    with wire_client(bench.address) as client:
        if kind == "queue":
            declare_queue(client, "amq.mine")
        else:
            declare_exchange(client, "amq.mine")
        close = client.expect_channel_close(1)
    assert (close.code, close.method_id) == (403, 10)


def test_a_queue_declared_without_wait_is_the_last_declared(bench: Workbench) -> None:
    queue = bench.name("queue")
    with wire_client(bench.address) as client:
        declare_queue(client, queue)
        client.send(wire.publish(1, "", queue, b"message"))
        client.send(wire.method(1, "basic.get", wire.short(0), wire.shortstr(""), wire.bits(True)))
        client.expect("basic.get-ok", 1)
        assert client.expect_content(1).body == b"message"


def declare_queue(client: WireClient, name: str) -> None:
    flags = wire.bits(False, False, False, False, True)
    client.send(wire.method(1, "queue.declare", wire.short(0), wire.shortstr(name), flags, wire.table()))


def declare_exchange(client: WireClient, name: str) -> None:
    texts = wire.shortstr(name), wire.shortstr("direct")
    flags = wire.bits(False, False, False, False, True)
    client.send(wire.method(1, "exchange.declare", wire.short(0), *texts, flags, wire.table()))
