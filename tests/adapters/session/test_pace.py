"""Limits of messages and bytes in a second: what is more waits, in every protocol, and is told and shown."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from tests.support.simulated_amqp10 import Amqp10Client, data
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import publish_frames
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from tests.support.simulated_stream import StreamClient, published
from tests.support.simulated_stream import publish as stream_publish
from tests.support.simulated_transport import SimulatedTransport
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.framing import frame_of
from warren.adapters.amqp10.codec.performatives import Transfer
from warren.adapters.mqtt.codec import encode as mqtt_encode
from warren.adapters.mqtt.codec.packets import Packet, PingReq, PingResp, Publish
from warren.adapters.session.pace import CALM_MS, PART_BYTES_LEAST
from warren.adapters.session.tap import look_at
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.encoding import encode
from warren.core.administration.operations import limits
from warren.core.errors import PreconditionFailed

STEP_MS = 20

Flood = Callable[[SimulatedBroker], tuple[SimulatedTransport, Callable[[int], bytes]]]
"""A client that is logged in, and the bytes of so many messages to the queue (or stream) `q`."""


def amqp(broker: SimulatedBroker) -> tuple[SimulatedTransport, Callable[[int], bytes]]:
    client = broker.connect()
    client.declare("q")
    return client.transport, lambda count: publish_frames("q", b"m") * count


def amqp10(broker: SimulatedBroker) -> tuple[SimulatedTransport, Callable[[int], bytes]]:
    broker.connect().declare("q")
    client = Amqp10Client(broker).open().begin()
    client.attach_sender("/queues/q")

    def messages(count: int) -> bytes:
        found = b""
        for _ in range(count):
            body = Transfer()
            body.handle = 0
            body.delivery_id = client.next_delivery_id
            body.delivery_tag = b"%d" % client.next_delivery_id
            body.message_format = 0
            body.settled = True
            client.next_delivery_id += 1
            found += frame_of(0, encode_composite(body) + data(b"m"))
        return found

    return client.transport, messages


def mqtt(broker: SimulatedBroker) -> tuple[SimulatedTransport, Callable[[int], bytes]]:
    client = broker.connect()
    client.declare("q")
    client.send(1, methods.QueueBind(queue="q", exchange="amq.topic", routing_key="t"))
    client.settle()
    publisher = MqttClient(broker)
    publisher.connect(username="guest", password=b"guest")
    packet = Publish("t", b"m", 0, 0, False, False, {})
    return publisher.transport, lambda count: mqtt_encode.encode(packet, publisher.level) * count


def stomp(broker: SimulatedBroker) -> tuple[SimulatedTransport, Callable[[int], bytes]]:
    broker.connect().declare("q")
    client = StompClient(broker).connect("1.2", login="guest", passcode="guest", host="/")
    return client.transport, lambda count: frame("SEND", b"m", destination="/amq/queue/q") * count


def streams(broker: SimulatedBroker) -> tuple[SimulatedTransport, Callable[[int], bytes]]:
    client = StreamClient(broker).connect()
    client.ask(commands.Create, "q", {})
    client.ask(commands.DeclarePublisher, 0, "", "q")
    numbers = iter(range(1, 1_000_000))
    return client.transport, lambda count: b"".join(
        encode(stream_publish(0, published(next(numbers), b"m"))) for _ in range(count)
    )


FLOODS = {"AMQP 0-9-1": amqp, "AMQP 1.0": amqp10, "MQTT": mqtt, "STOMP": stomp, "streams": streams}


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def arrived(broker: SimulatedBroker) -> int:
    return broker.vhost.counts.publish


def let_pass(broker: SimulatedBroker, milliseconds: int) -> None:
    for _ in range(milliseconds // STEP_MS):
        broker.advance(STEP_MS)


def limit_user(broker: SimulatedBroker, **values: int) -> None:
    limits.set_of_user(broker.broker, "guest", {name.replace("_", "-"): value for name, value in values.items()})
    broker.settle()


def limit_vhost(broker: SimulatedBroker, **values: int) -> None:
    limits.set_of_vhost(broker.broker, "/", {name.replace("_", "-"): value for name, value in values.items()})
    broker.settle()


def row_of(broker: SimulatedBroker, transport: SimulatedTransport) -> dict[str, object]:
    (row,) = [each for each in broker.broker.inspect("connections", None) if each["peer_port"] == transport.peer_port]
    return row


@pytest.mark.parametrize("before", [True, False], ids=["set before", "set while connected"])
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_messages_come_as_the_rate_allows(broker: SimulatedBroker, flood: Flood, before: bool) -> None:
    """A second's worth at once, and the rest by and by; in order, and all of them in the end."""
    if before:
        limit_user(broker, max_message_rate=100)
    transport, messages = flood(broker)
    if not before:
        limit_user(broker, max_message_rate=100)
    let_pass(broker, 1000)
    transport.receive(messages(500))
    broker.settle()
    slack = PART_BYTES_LEAST // 5
    assert 100 <= arrived(broker) <= 100 + slack
    assert transport.paused
    for seconds in range(1, 4):
        let_pass(broker, 1000)
        assert 100 * seconds + 90 <= arrived(broker) <= 100 * seconds + 100 + slack
    let_pass(broker, 2000)
    assert arrived(broker) == 500
    assert not transport.paused
    assert row_of(broker, transport)["state"] == "running"


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_bytes_come_as_the_rate_allows(broker: SimulatedBroker, flood: Flood) -> None:
    limit_vhost(broker, max_byte_rate=1000)
    transport, messages = flood(broker)
    let_pass(broker, 3000)
    count = 20_000 // len(messages(1))
    sent = messages(count)
    one = len(sent) / count
    transport.receive(sent)
    broker.settle()
    assert 0.9 * 1000 / one - 1 <= arrived(broker) <= 1.1 * 1000 / one
    let_pass(broker, 5000)
    assert 0.9 * 6000 / one - 1 <= arrived(broker) <= 1.1 * 6000 / one
    assert transport.paused


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_it_is_shown_told_and_counted(broker: SimulatedBroker, flood: Flood, caplog: pytest.LogCaptureFixture) -> None:
    transport, messages = flood(broker)
    limit_user(broker, max_message_rate=10)
    assert row_of(broker, transport)["rate_limit"] == ""
    with caplog.at_level(logging.WARNING, "warren.connection"):
        transport.receive(messages(40))
        broker.settle()
    row = row_of(broker, transport)
    assert row["state"] == "flow"
    assert row["rate_limit"] == "user 'guest' sends more than 10 messages per second (max-message-rate)"
    assert broker.broker.limit_hits.of("rate limits") == 1
    assert "sends more than 10 messages per second" in caplog.text
    let_pass(broker, 6000)
    assert row_of(broker, transport)["state"] == "running"
    assert broker.broker.limit_hits.of("rate limits") == 1, "once for as long as it lasts"


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_who_has_no_limit_is_read_directly(broker: SimulatedBroker, flood: Flood) -> None:
    """Nothing stands in the way of messages; what stood there is gone when the limit is."""
    transport, messages = flood(broker)
    session = transport.session
    limit_user(broker, max_message_rate=10)
    assert transport.session is not session
    transport.receive(messages(40))
    broker.settle()
    assert arrived(broker) < 40
    limits.clear_of_user(broker.broker, "guest", "max-message-rate")
    broker.settle()
    assert transport.session is session
    assert arrived(broker) == 40
    assert not transport.paused
    assert not broker.broker.rate_limits.paced
    limit_user(broker, max_connections=10)
    assert transport.session is session


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_connection_that_is_lost_leaves_nothing(broker: SimulatedBroker, flood: Flood) -> None:
    limit_user(broker, max_message_rate=10)
    timers = broker.timers
    transport, messages = flood(broker)
    transport.receive(messages(100))
    broker.settle()
    transport.lose()
    for client in broker.clients:
        client.transport.lose()
    broker.settle()
    let_pass(broker, 3000)
    assert not broker.broker.rate_limits.paced
    assert broker.timers == timers


def test_connections_of_a_user_share_it_and_take_turns(broker: SimulatedBroker) -> None:
    limit_user(broker, max_message_rate=1000)
    broker.connect().declare("a")
    broker.connect().declare("b")
    clients = [broker.connect() for _ in range(2)]
    for client, queue in zip(clients, "ab", strict=True):
        client.send_bytes(publish_frames(queue, b"m") * 2000)
    broker.settle()
    let_pass(broker, 2000)
    a, b = (broker.queue(queue).ready_count for queue in "ab")
    assert 2900 <= a + b <= 3020
    assert abs(a - 1000 - b) < 200, "who came first had the first second; then both had the same"


def test_each_connection_has_its_own(broker: SimulatedBroker) -> None:
    limit_vhost(broker, max_message_rate_per_connection=100)
    broker.connect().declare("q")
    for client in [broker.connect() for _ in range(3)]:
        client.send_bytes(publish_frames("q", b"m") * 200)
    broker.settle()
    assert 300 <= broker.queue("q").ready_count <= 310


def test_both_limits_hold(broker: SimulatedBroker) -> None:
    """Of a user, and of the virtual host that others use as well."""
    limit_user(broker, max_message_rate=200)
    limit_vhost(broker, max_message_rate=100, max_byte_rate=1_000_000)
    client = broker.connect()
    client.declare("q")
    client.send_bytes(publish_frames("q", b"m") * 1000)
    let_pass(broker, 4000)
    assert 480 <= broker.queue("q").ready_count <= 515


def test_many_who_wait_for_two_limits_all_come_on(broker: SimulatedBroker) -> None:
    limit_user(broker, max_message_rate=100)
    limit_vhost(broker, max_message_rate=100)
    broker.connect().declare("q")
    clients = [broker.connect() for _ in range(25)]
    for client in clients:
        client.send_bytes(publish_frames("q", b"m") * 20)
    let_pass(broker, 4500)
    assert broker.queue("q").ready_count == 500


def test_a_higher_rate_counts_at_once(broker: SimulatedBroker) -> None:
    limit_user(broker, max_message_rate=1)
    client = broker.connect()
    client.declare("q")
    client.send_bytes(publish_frames("q", b"m") * 3000)
    let_pass(broker, 1000)
    assert broker.queue("q").ready_count < 20
    limit_user(broker, max_message_rate=1000)
    let_pass(broker, 4000)
    assert broker.queue("q").ready_count == 3000


def test_consumers_are_not_held_back(broker: SimulatedBroker) -> None:
    limit_user(broker, max_message_rate=10)
    consumer = broker.connect()
    consumer.declare("q")
    consumer.consume("q", no_ack=True)
    publisher = broker.connect()
    publisher.send_bytes(publish_frames("q", b"m") * 30)
    broker.settle()
    assert 10 <= len(consumer.take_bodies()) <= 11
    let_pass(broker, 3000)
    assert len(consumer.take_bodies()) >= 19


def test_amqp_clients_are_told(broker: SimulatedBroker) -> None:
    """Once when they are held back, and once when they haven't been for a second (connection.blocked)."""
    limit_user(broker, max_message_rate=10)
    client = broker.connect()
    client.declare("q")
    client.send_bytes(publish_frames("q", b"m") * 30)
    (blocked,) = client.take_methods()
    assert isinstance(blocked, methods.ConnectionBlocked)
    assert blocked.reason == "user 'guest' sends more than 10 messages per second (max-message-rate)"
    let_pass(broker, 2500 + CALM_MS)
    assert client.take_methods() == [methods.ConnectionUnblocked()]
    assert broker.queue("q").ready_count == 30


def test_an_alarm_that_clears_says_nothing_while_the_rate_holds_on(broker: SimulatedBroker) -> None:
    limit_user(broker, max_message_rate=10)
    client = broker.connect()
    client.declare("q")
    client.send_bytes(publish_frames("q", b"m") * 60)
    assert isinstance(client.take_methods()[0], methods.ConnectionBlocked)
    broker.broker.alarms.set("memory", True)
    let_pass(broker, 1000)
    broker.broker.alarms.set("memory", False)
    let_pass(broker, 100)
    assert client.take_methods() == []
    let_pass(broker, 9000)
    assert client.take_methods() == [methods.ConnectionUnblocked()]
    assert broker.queue("q").ready_count == 60


def test_signs_of_life_count_for_a_client_that_waits(broker: SimulatedBroker) -> None:
    """What is behind a publish waits with it; the broker doesn't take that for silence, and answers it later."""
    limit_user(broker, max_message_rate=1)
    client = MqttClient(broker)
    client.connect(username="guest", password=b"guest", keep_alive_s=2)
    client.transport.receive(
        mqtt_encode.encode(Publish("t", b"m", 0, 0, False, False, {}), client.level) * 30
        + mqtt_encode.encode(PingReq(), client.level)
    )
    let_pass(broker, 14_000)
    assert not client.closed
    assert client.packets() == []
    answers: list[Packet] = []
    while not answers:
        assert broker.vhost.counts.publish <= 30
        let_pass(broker, 1000)
        answers = client.packets()
    assert [type(each) for each in answers] == [PingResp]
    assert broker.vhost.counts.publish == 30


def test_a_tap_sees_what_comes_before_it_waits(broker: SimulatedBroker) -> None:
    limit_user(broker, max_message_rate=10)
    client = broker.connect()
    client.declare("q")
    look_at(broker.broker, client.connection.name)
    client.send_bytes(publish_frames("q", b"m") * 30)
    broker.settle()
    assert 10 <= broker.queue("q").ready_count <= 11
    assert look_at(broker.broker, client.connection.name).passed >= 90
    look_at(broker.broker, client.connection.name, 0)
    client.send_bytes(publish_frames("q", b"m") * 30)
    let_pass(broker, 2000)
    assert broker.queue("q").ready_count < 35, "it is held back without the tap, too"
    let_pass(broker, 5000)
    assert broker.queue("q").ready_count == 60


def test_a_tap_that_ends_after_the_limit_gives_the_session_its_place(broker: SimulatedBroker) -> None:
    limit_user(broker, max_message_rate=10)
    client = broker.connect()
    client.declare("q")
    look_at(broker.broker, client.connection.name)
    limits.clear_of_user(broker.broker, "guest", "all")
    broker.settle()
    client.send_bytes(publish_frames("q", b"m") * 30)
    broker.settle()
    assert broker.queue("q").ready_count == 30
    look_at(broker.broker, client.connection.name, 0)
    assert client.transport.session is client.connection


def test_a_rate_of_nothing_is_no_rate(broker: SimulatedBroker) -> None:
    with pytest.raises(PreconditionFailed, match="max-message-rate is 1 or more; -1 is no limit"):
        limit_user(broker, max_message_rate=0)
    limit_user(broker, max_message_rate=-1)
    client = broker.connect()
    assert client.transport.session is client.connection


def test_buckets_of_users_that_are_gone_go(broker: SimulatedBroker) -> None:
    broker.broker.users.add_user("other", "secret")
    limits.set_of_user(broker.broker, "other", {"max-message-rate": 5})
    broker.broker.users.set_permissions("other", "/", "", "", "")
    broker.settle()
    client = broker.accept()
    client.handshake(user="other", password="secret")
    assert len(broker.broker.rate_limits._shared) == 1
    broker.broker.users.delete_user("other")
    broker.settle()
    limit_user(broker, max_message_rate=5)
    assert not broker.broker.rate_limits._shared
