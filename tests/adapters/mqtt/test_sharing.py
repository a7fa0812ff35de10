"""Shared subscriptions, named queues, $SYS, and AMQP on the other side."""

from __future__ import annotations

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import only
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import PubAck, Publish, SubAck
from warren.adapters.mqtt.sessions.names import DEFAULT_TOPIC_EXCHANGE
from warren.core.messages.shown import shown_properties
from warren.core.queues.base import Queue


def test_a_group_shares_messages(client: Connected, level: int) -> None:
    members = [client("a", level), client("b", level)]
    for member in members:
        member.subscribe("$share/g/t/#", qos=1)
    publisher = client("p", level)
    for number in range(10):
        publisher.publish("t/x", b"%d" % number, 1)
    taken = [member.take() for member in members]
    assert sorted(taken[0] + taken[1]) == sorted(b"%d" % number for number in range(10))
    assert all(len(each) == 5 for each in taken)


def test_what_a_member_had_goes_to_another(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    first = client("a", level)
    first.subscribe("$share/g/t", qos=1)
    client("p", level).publish("t", b"x", 1)
    assert len(first.messages()) == 1
    second = client("b", level)
    second.subscribe("$share/g/t", qos=1)
    first.lose()
    (message,) = second.messages()
    assert (message.payload, message.duplicate) == (b"x", True)
    second.unsubscribe("$share/g/t")
    assert not [name for name in simulated.vhost.queues if name.startswith("mqtt-shared")]


def test_a_named_queue(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    queue = core_clients_queue(simulated, "work")
    device = client("d", level)
    assert only(SubAck, device.subscribe("$queue/work", qos=1)).reason_codes == (1,)
    core_clients.publish(simulated, "", b"job", core_clients.persistent(), key="work")
    simulated.settle()
    (message,) = device.messages()
    assert (message.topic, message.payload, message.qos) == ("$queue/work", b"job", 1)
    assert queue.unacked_count == 1
    device.send(PubAck(message.packet_id))
    assert (queue.unacked_count, queue.ready_count) == (0, 0)
    only(Publish, device.publish("$queue/work", b"another", 1))
    device.lose()
    assert queue.ready_count == 1


def test_a_named_queue_that_is_not_there(client: Connected) -> None:
    assert only(SubAck, client("d").subscribe("$queue/none", qos=1)).reason_codes == (0x80,)


def core_clients_queue(simulated: SimulatedBroker, name: str) -> Queue:
    """A durable queue that AMQP clients declared."""
    return core_clients.queue(simulated, name, durable=True)


def test_from_mqtt_to_amqp(client: Connected, simulated: SimulatedBroker) -> None:
    queue = core_clients.bound_queue(simulated, "q", DEFAULT_TOPIC_EXCHANGE, "a.*")
    client("p").publish(
        "a/b%2E.c",
        b"body",
        1,
        content_type="text/plain",
        correlation_data=b"id",
        response_topic="answers/1",
        user_properties=[("k", "1"), ("k", "2")],
        message_expiry_interval=5,
    )
    (message,) = core_clients.take_messages(queue)
    assert message.address.routing_key == "a.b%252E%2Ec"
    shown = shown_properties(queue, message, redelivered=False)
    assert shown.fields() == {
        "content_type": "text/plain",
        "headers": {"k": "2", "x-reply-to-topic": "answers.1"},
        "delivery_mode": 2,
        "correlation_id": "id",
        "expiration": "5000",
    }


def test_from_amqp_to_mqtt(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    subscriber = client("s", level)
    subscriber.subscribe("#", qos=2)
    properties = core_clients.properties(
        delivery_mode=2,
        content_type="text/plain",
        correlation_id="id",
        reply_to="answers",
        headers={"number": 1, "text": "x"},
    )
    core_clients.publish(simulated, DEFAULT_TOPIC_EXCHANGE, b"persistent", properties, key="a.b/c")
    core_clients.publish(simulated, DEFAULT_TOPIC_EXCHANGE, b"transient", key="x")
    simulated.settle()
    first, second = subscriber.messages()
    assert (first.topic, first.qos, first.payload) == ("a/b%2Fc", 1, b"persistent")
    assert (second.topic, second.qos, second.payload) == ("x", 0, b"transient")
    if level == versions.V5:
        assert first.properties == {
            "content_type": "text/plain",
            "correlation_data": b"id",
            "response_topic": "$queue/answers",
            "user_properties": [("number", "1"), ("text", "x")],
        }


def test_system_topics(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    subscriber = client("s", level)
    found = {each.topic: each.payload for each in subscriber.subscribe("$SYS/broker/#") if isinstance(each, Publish)}
    assert found["$SYS/broker/clients/connected"] == b"1"
    simulated.advance(10_000)
    assert "$SYS/broker/publish/messages/dropped" in [each.topic for each in subscriber.messages()]
    subscriber.unsubscribe("$SYS/broker/#")
    simulated.advance(20_000)
    assert subscriber.messages() == []
