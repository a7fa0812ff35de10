"""Publisher confirms: what is acknowledged, in which order, and what comes before it (A.7)."""

from __future__ import annotations

from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Workbench, drain, fill, ready_count
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import WireClient, wire_client

PERSISTENT = wire.short(1 << 12) + wire.octet(2)
"""Properties with nothing but delivery_mode 2."""


def select_confirms(client: WireClient) -> None:
    client.send(wire.method(1, "confirm.select", wire.bits(False)))
    client.expect("confirm.select-ok", 1)


def read_confirms(client: WireClient, count: int) -> list[int]:
    """Delivery tags in the order in which they were acknowledged, until there are `count`."""
    confirmed: list[int] = []
    while len(confirmed) < count:
        ack = client.expect("basic.ack", 1)
        tag, multiple = ack.longlong(), ack.octet()
        first = 1 if tag == 0 else tag
        if multiple:
            first = next(number for number in range(1, tag + 1) if number not in confirmed)
        confirmed += [number for number in range(first, tag + 1) if number not in confirmed]
    return confirmed


def test_every_publish_is_confirmed_once(bench: Workbench, channel: BlockingChannel) -> None:
    queues = [bench.queue(channel, durable=durable) for durable in (False, True)]
    with wire_client(bench.address) as client:
        select_confirms(client)
        for queue in queues:
            for properties in (b"\0\0", PERSISTENT):
                client.send(*[wire.publish(1, "", queue, b"message", properties=properties)] * 100)
        assert sorted(read_confirms(client, 400)) == list(range(1, 401))
        client.round_trip(1)
    assert [ready_count(channel, queue) for queue in queues] == [200, 200]


def test_counting_starts_at_select(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        client.send(*[wire.publish(1, "", queue, b"before")] * 5)
        select_confirms(client)
        client.send(wire.publish(1, "", queue, b"first"))
        assert read_confirms(client, 1) == [1]


def test_selecting_again_changes_nothing(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        select_confirms(client)
        client.send(wire.publish(1, "", queue, b"first"))
        assert read_confirms(client, 1) == [1]
        select_confirms(client)
        client.send(wire.publish(1, "", queue, b"second"))
        ack = client.expect("basic.ack", 1)
        assert ack.longlong() == 2


def test_select_without_wait(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        client.send(wire.method(1, "confirm.select", wire.bits(True)))
        client.send(wire.publish(1, "", queue, b"first"))
        assert read_confirms(client, 1) == [1]


def test_unroutable_messages_are_confirmed(bench: Workbench) -> None:
    with wire_client(bench.address) as client:
        select_confirms(client)
        client.send(wire.publish(1, "", bench.name("missing"), b"message"))
        client.send(wire.publish(1, "amq.fanout", "", b"message", properties=PERSISTENT))
        assert sorted(read_confirms(client, 2)) == [1, 2]


def test_return_comes_before_the_confirm(bench: Workbench) -> None:
    with wire_client(bench.address) as client:
        select_confirms(client)
        client.send(wire.publish(1, "", bench.name("missing"), b"message", mandatory=True))
        returned = client.expect("basic.return", 1)
        assert (returned.short(), returned.shortstr()) == (312, "NO_ROUTE")
        assert client.expect_content(1).body == b"message"
        assert read_confirms(client, 1) == [1]


def test_returns_keep_their_place_among_confirms(bench: Workbench, channel: BlockingChannel) -> None:
    """Each return is sent before the confirm of the same message, whatever is confirmed together."""
    queue, missing = bench.queue(channel, durable=True), bench.name("missing")
    with wire_client(bench.address) as client:
        select_confirms(client)
        for number in range(20):
            target = missing if number % 4 == 3 else queue
            body = str(number + 1).encode()
            client.send(wire.publish(1, "", target, body, properties=PERSISTENT, mandatory=True))
        returned: set[int] = set()
        confirmed: set[int] = set()
        while len(confirmed) < 20:
            frame = client.read_frame()
            if frame.name == "basic.return":
                returned.add(int(client.expect_content(1).body))
                continue
            assert frame.name == "basic.ack"
            tag, multiple = frame.arguments.longlong(), frame.payload[-1]
            confirmed |= set(range(1, tag + 1)) if multiple else {tag}
            assert {number for number in confirmed if number % 4 == 0} <= returned
        assert returned == {4, 8, 12, 16, 20}


def test_a_message_for_several_queues_is_confirmed_once(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "fanout")
    queues = [bench.queue(channel, durable=number % 2 == 0) for number in range(4)]
    for queue in queues:
        channel.queue_bind(queue, exchange)
    with wire_client(bench.address) as client:
        select_confirms(client)
        client.send(*[wire.publish(1, exchange, "", b"message", properties=PERSISTENT)] * 10)
        assert sorted(read_confirms(client, 10)) == list(range(1, 11))
        client.round_trip(1)
    assert [len(drain(channel, queue)) for queue in queues] == [10] * 4


def test_confirmed_though_consumed_at_once(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, durable=True)
    with wire_client(bench.address) as client:
        select_confirms(client)
        client.consume(1, queue, no_ack=True)
        client.send(wire.publish(1, "", queue, b"message", properties=PERSISTENT))
        names = {client.read_frame().name for _ in range(4)}
    assert names == {"basic.deliver", "header", "body", "basic.ack"}


def test_confirmed_though_the_queue_is_deleted(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, durable=True)
    with wire_client(bench.address) as client:
        select_confirms(client)
        client.send(*[wire.publish(1, "", queue, b"message", properties=PERSISTENT)] * 50)
        client.send(wire.method(1, "queue.delete", wire.short(0), wire.shortstr(queue), wire.bits(False, False, True)))
        assert sorted(read_confirms(client, 50)) == list(range(1, 51))


def test_confirms_belong_to_their_channel(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        client.open_channel(2)
        select_confirms(client)
        client.send(wire.publish(2, "", queue, b"not confirmed"), wire.publish(1, "", queue, b"confirmed"))
        assert read_confirms(client, 1) == [1]
        client.round_trip(2)


def test_pika_waits_for_each(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel, durable=True)
    channel.confirm_delivery()
    fill(channel, queue, 20)
    assert ready_count(channel, queue) == 20
