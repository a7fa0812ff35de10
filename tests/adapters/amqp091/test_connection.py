"""One connection from open to closed: close sequences, what is ignored when, what ends with it."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import NO_PROPERTIES, PERSISTENT, SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME
from warren.core.exchanges.binding import Destination
from warren.core.exchanges.fanout import FanoutExchange
from warren.core.messages.field_table import FieldValue
from warren.core.messages.properties import encode_properties


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.connect(channels=2)
    client.declare("q")
    return client


# Closing


def test_closing_deletes_exclusive_queues_before_it_is_answered(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.declare("mine", exclusive=True)
    other = broker.connect()
    other.send(1, methods.BasicGet(queue="mine"))
    assert other.expect(methods.ChannelClose).reply_code == 405
    client.send(0, methods.ConnectionClose(200))
    assert "mine" not in broker.vhost.queues, "gone as soon as close-ok is on its way"
    assert client.take_methods() == [methods.ConnectionCloseOk()]
    assert client.transport.closed
    assert not client.transport.aborted
    broker.check()
    assert broker.timers == 0


@pytest.mark.parametrize("end", ["close", "lose", "channel", "error", "broker"])
def test_unacknowledged_messages_return_in_order(broker: SimulatedBroker, client: SimulatedClient, end: str) -> None:
    for number in range(5):
        client.publish("q", b"%d" % number, channel=2)
    client.consume("q", "a")
    client.take()
    client.ack(2)
    if end == "close":
        client.close()
    elif end == "lose":
        client.lose()
    elif end == "channel":
        client.close_channel()
    elif end == "error":
        client.ack(77)
        client.expect(methods.ChannelClose)
    else:
        client.connection.force_close("maintenance")
    other = broker.connect()
    other.consume("q", "b")
    events = other.events
    assert [event.body for event in events] == [b"0", b"2", b"3", b"4"]
    assert all(isinstance(event.method, methods.BasicDeliver) and event.method.redelivered for event in events)
    broker.check()


def test_after_a_hard_error_only_closing_counts(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.consume("q", "a")
    client.send(1, methods.BasicQos(1, 1, False))
    close = client.expect(methods.ConnectionClose, 0)
    assert (close.reply_code, close.class_id, close.method_id) == (540, 60, 10)
    assert client.connection.connection_row().state == "closing"
    for _ in range(2):
        client.publish("q", b"ignored")
    client.send(1, methods.QueueDeclare(queue="ignored"))
    client.send(9, methods.ChannelOpen())
    client.send_bytes(HEARTBEAT_FRAME)
    client.send_bytes(b"\x01\0\1\0\0\0\4\xff\xff\xff\xff\xce")
    assert client.take() == []
    assert not client.transport.closed
    assert broker.queue("q").ready_count == 0
    assert "ignored" not in broker.vhost.queues
    client.send(0, methods.ConnectionCloseOk())
    broker.settle()
    assert client.transport.closed
    assert not client.transport.aborted
    broker.check()
    assert broker.timers == 0


def test_both_sides_may_close_at_once(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.connection.force_close("maintenance")
    client.send(0, methods.ConnectionClose(200))
    names = [method.NAME for method in client.take_methods() if method is not None]
    assert names == ["connection.close", "connection.close-ok"]
    assert client.transport.closed
    broker.check()


def test_a_broken_frame_behind_a_close_is_no_second_error(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.connection.force_close("maintenance")
    client.take()
    client.send_bytes(b"\x01\0\1\0\0\0\0\xff\xff\xff\xff\xff")
    assert client.take() == []
    assert client.transport.closed


@pytest.mark.parametrize(("heartbeat", "wait_ms"), [(0, 30_000), (5, 5_000), (60, 30_000)])
def test_close_ok_is_waited_for_so_long(broker: SimulatedBroker, heartbeat: int, wait_ms: int) -> None:
    client = broker.accept()
    client.handshake(heartbeat=heartbeat)
    client.connection.force_close("maintenance")
    broker.advance(wait_ms - 1)
    assert not client.transport.closed
    broker.advance(1)
    assert client.transport.aborted
    broker.check()
    assert broker.timers == 0


def test_after_a_frame_error_nothing_more_is_read(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.send_bytes(b"\x07\0\1\0\0\0\0\xce" + HEARTBEAT_FRAME + publish_frames("q", b"x"))
    [method] = client.take_methods()
    assert isinstance(method, methods.ConnectionClose)
    assert method.reply_code == 501
    assert client.transport.closed
    assert broker.queue("q").ready_count == 0
    broker.check()


def test_stopping_says_320_once(broker: SimulatedBroker, client: SimulatedClient) -> None:
    for _ in range(2):
        client.connection.shut_down("broker forced connection closure with reason 'shutdown'")
    [method] = client.take_methods()
    assert isinstance(method, methods.ConnectionClose)
    assert method.reply_code == 320
    assert method.reply_text == "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"


class BrokenExchange(FanoutExchange):
    """Routes nothing."""

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        raise RuntimeError("a bug")


def add_broken_exchange(broker: SimulatedBroker) -> None:
    """`broken`: whoever publishes to it meets a bug."""
    broken = BrokenExchange("broken")
    broker.vhost.exchanges["broken"] = broken
    broken.attached(broker.vhost)


def test_a_bug_of_ours_costs_the_connection_alone(
    broker: SimulatedBroker, client: SimulatedClient, caplog: pytest.LogCaptureFixture
) -> None:
    other = broker.connect()
    add_broken_exchange(broker)
    with caplog.at_level(logging.ERROR):
        client.publish("q", b"x", exchange="broken")
    assert client.expect(methods.ConnectionClose, 0).reply_code == 541
    assert client.transport.closed
    assert "a bug" in caplog.text
    other.publish("q", b"x")
    broker.settle()
    assert broker.queue("q").ready_count == 1
    broker.check()


def test_a_bug_while_handling_what_was_held_costs_the_connection_alone(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    add_broken_exchange(broker)
    broker.broker.alarms.set("memory", True)
    client.publish("q", b"x", exchange="broken")
    broker.broker.alarms.set("memory", False)
    assert client.expect(methods.ConnectionClose, 0).reply_code == 541
    assert client.transport.closed


# Channels


def test_frames_for_a_failed_channel_are_ignored_until_close_ok(
    broker: SimulatedBroker, client: SimulatedClient
) -> None:
    client.publish("q", b"1")
    client.publish("q", b"2", exchange="missing")
    close = client.expect(methods.ChannelClose)
    assert (close.reply_code, close.class_id, close.method_id) == (404, 60, 40)
    assert close.reply_text == "NOT_FOUND - no exchange 'missing' in vhost '/'"
    for _ in range(2):
        client.publish("q", b"ignored")
    client.ack(1)
    assert client.take() == []
    client.send(1, methods.ChannelCloseOk())
    client.open()
    client.publish("q", b"3")
    broker.settle()
    assert broker.queue("q").ready_count == 2


def test_a_failed_channel_that_the_client_closes_too_is_done_with(client: SimulatedClient) -> None:
    client.send(1, methods.BasicGet(queue="missing"))
    client.expect(methods.ChannelClose)
    client.send(1, methods.ChannelClose(200))
    client.expect(methods.ChannelCloseOk)
    client.send(1, methods.ChannelCloseOk())
    client.open()


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (methods.encode_frame(1, methods.ChannelOpen()), 504),
        (methods.encode_frame(5, methods.BasicAck(1)), 504),
        (methods.encode_frame(0, methods.BasicAck(1)), 504),
        (methods.encode_frame(0, methods.ConnectionOpen("/")), 504),
        (methods.encode_frame(1, methods.BasicGetEmpty()), 503),
        (methods.encode_frame(1, methods.ChannelFlow(active=False)), 540),
        (methods.encode_frame(1, methods.BasicRecover(requeue=False)), 540),
        (methods.encode_frame(1, methods.BasicPublish(routing_key="q", immediate=True)), 540),
    ],
)
def test_hard_errors(client: SimulatedClient, frames: bytes, code: int) -> None:
    client.send_bytes(frames)
    assert client.expect(methods.ConnectionClose, 0).reply_code == code
    client.broker.check()


def test_channel_numbers_are_limited_and_come_back(broker: SimulatedBroker) -> None:
    client = broker.accept()
    client.handshake(channel_max=3)
    for number in (1, 2, 3):
        client.open(number)
    client.close_channel(2)
    client.open(2)
    client.send(4, methods.ChannelOpen())
    close = client.expect(methods.ConnectionClose, 0)
    assert close.reply_code == 530
    assert "number of channels opened (3) has reached the negotiated channel_max (3)" in close.reply_text


def test_flow_and_tickets_are_granted(client: SimulatedClient) -> None:
    client.send(1, methods.ChannelFlow(active=True))
    client.send(1, methods.AccessRequest())
    client.send(0, methods.ConnectionUpdateSecret(b"new", "refresh"))
    assert client.take_methods() == [
        methods.ChannelFlowOk(True),
        methods.AccessRequestOk(1),
        methods.ConnectionUpdateSecretOk(),
    ]


def test_an_empty_queue_name_means_the_last_one_declared(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.send(2, methods.BasicGet(queue=""))
    close = client.expect(methods.ChannelClose, 2)
    assert close.reply_code == 404
    assert "no previously declared queue" in close.reply_text
    name = client.declare("").queue
    assert name.startswith("amq.gen-")
    client.send(1, methods.QueueBind(exchange="amq.direct"))
    client.expect(methods.QueueBindOk)
    client.publish(name, b"x", exchange="amq.direct")
    assert client.get("") is not None


# Contents


def test_empty_body_frames_take_no_memory(client: SimulatedClient) -> None:
    frames = publish_frames("q", b"0123456789")
    empty = b"\x03\0\1\0\0\0\0\xce"
    client.send_bytes(frames[:-18] + empty * 1000)
    content = client.connection.channels.by_number[1].content
    assert content is not None
    assert content._chunks == []
    client.send_bytes(b"\x03\0\1\0\0\0\x0a0123456789\xce")
    assert client.take() == []
    found = client.get("q")
    assert found is not None
    assert found.body == b"0123456789"


def test_a_body_larger_than_allowed_closes_the_channel(client: SimulatedClient) -> None:
    header = b"\0\x3c\0\0" + (1 << 40).to_bytes(8, "big") + NO_PROPERTIES
    client.send(1, methods.BasicPublish(routing_key="q"))
    client.send_bytes(b"\x02\0\1" + len(header).to_bytes(4, "big") + header + b"\xce")
    close = client.expect(methods.ChannelClose)
    assert (close.reply_code, close.class_id, close.method_id) == (406, 60, 40)
    assert f"message size {1 << 40} is larger than configured max size 16777216" in close.reply_text


def test_contents_of_several_channels_may_interleave(broker: SimulatedBroker, client: SimulatedClient) -> None:
    one = publish_frames("q", b"1" * 6000)
    two = publish_frames("q", b"2" * 6000, channel=2)
    for _ in range(2):
        for pair in zip(_frames(one), _frames(two), strict=True):
            client.send_bytes(b"".join(pair))
    assert client.take() == []
    bodies = []
    while (found := client.get("q")) is not None:
        bodies.append(found.body)
    assert sorted(bodies) == [b"1" * 6000] * 2 + [b"2" * 6000] * 2


def _frames(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = 8 + int.from_bytes(data[3:7], "big")
        found.append(data[:size])
        data = data[size:]
    return found


def test_delivered_frames_respect_the_consumers_frame_max(broker: SimulatedBroker) -> None:
    large = broker.accept()
    large.handshake(frame_max=131072)
    large.open()
    large.declare("q")
    small = broker.connect()
    small.consume("q", "a")
    for _ in range(3):
        large.send_bytes(publish_frames("q", b"x" * 100_000, body_frame_max=131064))
    assert [event.body for event in small.take()] == [b"x" * 100_000] * 3
    large.consume("q", "b")
    small.close()
    assert [event.body for event in large.take()] == [b"x" * 100_000] * 3


def test_properties_arrive_as_they_were_sent(client: SimulatedClient) -> None:
    lists = [
        NO_PROPERTIES,
        PERSISTENT,
        encode_properties(headers={"a": [1, None, "b"]}, priority=9, timestamp=5, type="t", app_id="x").raw,
        encode_properties(expiration="60000", message_id="m").raw,
    ]
    client.consume("q", "a", channel=2)
    for _ in range(2):
        for raw in lists:
            client.publish("q", b"x", properties=raw)
    assert [event.properties for event in client.take()] == lists * 2


# What a connection remembers


def test_a_remembered_publish_follows_the_topology(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.send(1, methods.ExchangeDeclare(exchange="x", type="fanout"))
    other = broker.connect()
    for _ in range(3):
        client.publish("", b"12345678901234567890", exchange="x")
    other.send(1, methods.QueueBind(queue="q", exchange="x"))
    other.expect(methods.QueueBindOk)
    for _ in range(3):
        client.publish("", b"12345678901234567890", exchange="x")
    broker.settle()
    assert broker.queue("q").ready_count == 3
    other.send(1, methods.QueueUnbind(queue="q", exchange="x"))
    other.expect(methods.QueueUnbindOk)
    for _ in range(3):
        client.publish("", b"12345678901234567890", exchange="x")
    broker.settle()
    assert broker.queue("q").ready_count == 3
    other.send(1, methods.ExchangeDelete(exchange="x"))
    other.expect(methods.ExchangeDeleteOk)
    client.publish("", b"12345678901234567890", exchange="x")
    assert client.expect(methods.ChannelClose).reply_code == 404


def test_a_remembered_publish_follows_the_permissions(broker: SimulatedBroker, client: SimulatedClient) -> None:
    for _ in range(3):
        client.publish("q", b"12345678901234567890")
    broker.broker.users.set_permissions("guest", "/", ".*", "^$", ".*")
    client.publish("q", b"12345678901234567890")
    close = client.expect(methods.ChannelClose)
    assert close.reply_code == 403
    assert close.reply_text.startswith("ACCESS_REFUSED - write access to exchange")


def test_what_a_connection_remembers_is_bounded(client: SimulatedClient) -> None:
    for number in range(5000):
        client.publish(f"key{number}", b"", properties=encode_properties(message_id=str(number)).raw)
    assert len(client.connection.known.now()) <= 4096
    for number in range(1000):
        client.publish("q", b"12345678901234567890", properties=encode_properties(message_id=str(number)).raw)
    assert len(client.connection.known_properties.by_bytes) <= 256
