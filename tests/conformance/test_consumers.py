"""Consumers: tags, order of frames, fair turns, exclusive use, cancelling by either side (A.5, A.7)."""

from __future__ import annotations

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ConnectionClosedByBroker

from tests.conformance.scenario import (
    Inbox,
    Workbench,
    channel_refusal,
    consumer_count,
    drain,
    fill,
    numbered,
    process_until,
    ready_count,
    send,
    synchronise,
)
from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import WireClient, wire_client


def test_deliveries_tell_where_they_came_from(bench: Workbench, channel: BlockingChannel) -> None:
    exchange = bench.exchange(channel, "topic")
    queue = bench.bound_queue(channel, exchange, "#")
    inbox = Inbox(channel, queue)
    send(channel, exchange, "a.b", b"message")
    [delivery] = inbox.wait(1)
    assert (delivery.exchange, delivery.routing_key, delivery.body) == (exchange, "a.b", b"message")
    assert (delivery.tag, delivery.redelivered) == (1, False)


def test_one_consumer_gets_all_in_order(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    before = fill(channel, queue, 300)
    inbox = Inbox(channel, queue, auto_ack=True)
    after = numbered(300)
    send(channel, "", queue, *after)
    assert inbox.bodies(600) == before + after


def test_consumers_take_turns(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    inboxes = [Inbox(bench.channel(), queue, auto_ack=True) for _ in range(3)]
    fill(channel, queue, 30)
    shares = [inbox.bodies(10) for inbox in inboxes]
    assert sorted((body for share in shares for body in share), key=int) == numbered(30)
    for share in shares:
        assert [int(body) % 3 for body in share] == [int(share[0]) % 3] * 10


def test_consumers_of_one_channel_take_turns(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    inboxes = [Inbox(channel, queue, auto_ack=True) for _ in range(2)]
    fill(channel, queue, 10)
    assert [len(inbox.wait(5)) for inbox in inboxes] == [5, 5]


def test_generated_tags_differ(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        tags = [client.consume(1, queue) for _ in range(3)]
    assert all(tag.startswith("amq.ctag-") for tag in tags)
    assert len(set(tags)) == 3


def test_tags_belong_to_their_channel(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    channels = [channel, channel.connection.channel()]
    assert [Inbox(each, queue, consumer_tag="same").tag for each in channels] == ["same", "same"]
    assert consumer_count(channel, queue) == 2


def test_reusing_a_tag_ends_the_connection(bench: Workbench) -> None:
    """By hand, because pika refuses to send the second one."""
    with wire_client(bench.address) as client:
        queue = client.declare_queue(1, "")
        client.consume(1, queue, tag="twice")
        send_consume(client, queue, "twice")
        close = client.expect_connection_close()
    assert (close.code, close.class_id, close.method_id) == (530, 60, 20)
    assert "NOT_ALLOWED - attempt to reuse consumer tag 'twice'" in close.text


def test_consume_ok_comes_first_and_cancel_ok_last(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 50)
    with wire_client(bench.address) as client:
        tag = client.consume(1, queue, no_ack=True)
        client.send(wire.method(1, "basic.cancel", wire.shortstr(tag), wire.bits(False)))
        names = []
        while (name := client.read_frame().name) != "basic.cancel-ok":
            names.append(name)
        assert set(names) <= {"basic.deliver", "header", "body"}
        client.round_trip(1)
        delivered = names.count("basic.deliver")
        assert ready_count(channel, queue) == 50 - delivered


def test_after_cancel_unacknowledged_messages_can_be_settled(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 2)
    first, second = inbox.wait(2)
    channel.basic_cancel(inbox.tag)
    channel.basic_ack(first.tag)
    channel.basic_reject(second.tag, requeue=True)
    assert drain(channel, queue) == [b"2"]


def test_cancelling_an_unknown_tag_is_fine(bench: Workbench) -> None:
    with wire_client(bench.address) as client:
        client.send(wire.method(1, "basic.cancel", wire.shortstr("nobody"), wire.bits(False)))
        assert client.expect("basic.cancel-ok").shortstr() == "nobody"


def test_cancel_without_wait(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        tag = client.consume(1, queue)
        client.send(wire.method(1, "basic.cancel", wire.shortstr(tag), wire.bits(True)))
        client.round_trip(1)
        assert consumer_count(channel, queue) == 0


def test_consume_without_wait(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 1)
    with wire_client(bench.address) as client:
        send_consume(client, queue, "mine", no_wait=True)
        assert client.expect("basic.deliver", 1).shortstr() == "mine"
        assert client.expect_content(1).body == b"1"


def test_consuming_from_a_missing_queue(bench: Workbench, channel: BlockingChannel) -> None:
    name = bench.name("missing")
    with channel_refusal(404, f"NOT_FOUND - no queue '{name}' in vhost '/'"):
        Inbox(channel, name)


def test_exclusive_consumer_keeps_others_out(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    first = Inbox(channel, queue, exclusive=True)
    with channel_refusal(403, f"ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use"):
        Inbox(bench.channel(), queue)
    channel.basic_cancel(first.tag)
    fill(channel, queue, 1)
    assert Inbox(bench.channel(), queue).bodies(1) == [b"1"]


def test_exclusive_consumer_wants_no_others(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    Inbox(channel, queue)
    with channel_refusal(403, f"ACCESS_REFUSED - queue '{queue}' in vhost '/' in exclusive use"):
        Inbox(bench.channel(), queue, exclusive=True)


def test_deleting_the_queue_cancels_its_consumers(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    consuming = bench.channel()
    inboxes = [Inbox(consuming, queue), Inbox(consuming, queue)]
    channel.queue_delete(queue)
    for inbox in inboxes:
        inbox.wait_for_cancel()
    synchronise(consuming)


def test_cancel_notice_asks_for_no_answer_and_takes_one(bench: Workbench, channel: BlockingChannel) -> None:
    """Clients may answer the broker's basic.cancel with cancel-ok all the same (A.2)."""
    queue = bench.queue(channel)
    with WireClient(bench.address) as client:
        client.handshake(client_properties=wire.table({"capabilities": {"consumer_cancel_notify": True}}))
        client.open_channel()
        tag = client.consume(1, queue)
        channel.queue_delete(queue)
        cancel = client.expect("basic.cancel", 1)
        assert (cancel.shortstr(), cancel.octet()) == (tag, 1)
        client.send(wire.method(1, "basic.cancel-ok", wire.shortstr(tag)))
        client.round_trip(1)


def test_no_cancel_notice_for_a_client_that_does_not_know_it(bench: Workbench, channel: BlockingChannel) -> None:
    queue, other = bench.queue(channel), bench.queue(channel)
    with wire_client(bench.address) as client:
        client.consume(1, queue)
        client.consume(1, other, tag="other")
        channel.queue_delete(queue)
        send(channel, "", other, b"message")
        assert client.expect("basic.deliver", 1).shortstr() == "other"


def test_consumers_go_with_their_connection(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    consuming = bench.channel()
    Inbox(consuming, queue)
    assert consumer_count(channel, queue) == 1
    consuming.connection.close()
    assert consumer_count(channel, queue) == 0


def test_consumers_go_with_a_torn_connection(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 1)
    with wire_client(bench.address) as client:
        client.consume(1, queue, no_ack=False)
        client.expect("basic.deliver", 1)
    inbox = Inbox(channel, queue)
    [delivery] = inbox.wait(1)
    assert (delivery.body, delivery.redelivered) == (b"1", True)
    process_until(channel, lambda: consumer_count(channel, queue) == 1)


def test_local_publishes_are_delivered_whatever_no_local_says(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    with wire_client(bench.address) as client:
        names = wire.short(0) + wire.shortstr(queue) + wire.shortstr("")
        flags = wire.bits(True, True, False, False)
        client.send(wire.method(1, "basic.consume", names, flags, wire.table()))
        client.expect("basic.consume-ok")
        client.send(wire.publish(1, "", queue, b"mine"))
        client.expect("basic.deliver", 1)


def test_other_connections_survive_a_connection_error(bench: Workbench, channel: BlockingChannel) -> None:
    queue = bench.queue(channel)
    inbox = Inbox(channel, queue)
    failing = bench.channel()
    with pytest.raises(ConnectionClosedByBroker):
        failing.basic_qos(prefetch_size=1)
    fill(channel, queue, 1)
    assert inbox.bodies(1) == [b"1"]


def send_consume(client: WireClient, queue: str, tag: str, *, no_wait: bool = False) -> None:
    names = wire.short(0) + wire.shortstr(queue) + wire.shortstr(tag)
    flags = wire.bits(False, True, False, no_wait)
    client.send(wire.method(1, "basic.consume", names, flags, wire.table()))
