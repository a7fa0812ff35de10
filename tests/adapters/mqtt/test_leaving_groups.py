"""Leaving a shared subscription: whoever leaves stays connected, and what it had under way finds its end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import PingReq, PingResp, PubAck, PubComp, Publish, PubRec, PubRel

GROUP = "$share/g/t"


def finish(member: MqttClient, message: Publish) -> None:
    """Acknowledge as the QoS wants it."""
    if message.qos == 1:
        assert member.send(PubAck(message.packet_id)) == []
    else:
        assert member.send(PubRec(message.packet_id)) == [PubRel(message.packet_id)]
        assert member.send(PubComp(message.packet_id)) == []


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_last_member_leaves(client: Connected, level: int, simulated: SimulatedBroker, qos: int) -> None:
    member, publisher = client("m", level), client("p", level)
    member.subscribe(GROUP, "$share/g/t/+", qos=qos)
    publisher.publish_fully("t", b"x", qos)
    (message,) = member.messages()
    publisher.publish_fully("t", b"y", qos)
    member.messages()
    member.unsubscribe(GROUP)
    assert member.send(PingReq()) == [PingResp()]
    if qos:
        finish(member, message)
    publisher.publish_fully("t/1", b"z", qos)
    assert member.take() == [b"z"]
    member.unsubscribe("$share/g/t/+")
    assert not [name for name in simulated.vhost.queues if name.startswith("mqtt-shared")]
    member.lose()
    assert not simulated.mqtt.of(simulated.vhost).sessions.get("m")


@pytest.mark.parametrize("qos", [1, 2])
def test_the_last_member_leaves_and_is_lost(client: Connected, level: int, qos: int) -> None:
    more: dict[str, Any] = {"session_expiry_interval": 60} if level == versions.V5 else {}
    member, publisher = client("m", level, clean_start=False, **more), client("p", level)
    member.subscribe(GROUP, qos=qos)
    publisher.publish_fully("t", b"x", qos)
    assert len(member.messages()) == 1
    member.unsubscribe(GROUP)
    member.lose()
    member = client("m", level, clean_start=False, **more)
    for each in [each for each in member.after_connack if isinstance(each, Publish)]:
        finish(member, each)
    assert not member.session.outgoing


@pytest.mark.parametrize("qos", [1, 2])
def test_a_member_leaves_with_messages_under_way(client: Connected, level: int, qos: int) -> None:
    first, second, publisher = client("a", level), client("b", level), client("p", level)
    for member in (first, second):
        member.subscribe(GROUP, qos=qos)
    for number in range(4):
        publisher.publish_fully("t", b"%d" % number, qos)
    held = first.messages()
    assert len(held) == 2
    others = second.take()
    first.unsubscribe(GROUP)
    publisher.publish_fully("t", b"for the other", qos)
    assert second.take() == [b"for the other"]
    finish(first, held[0])
    first.lose()
    again = second.take()
    assert again == ([held[1].payload] if qos == 1 else []), "MQTT-4.8.2-5: QoS 2 is not sent to anybody else"
    assert sorted([held[0].payload, *others, held[1].payload]) == [b"0", b"1", b"2", b"3"]


@pytest.mark.parametrize("made_in", ["simulated", "durable"])
def test_a_member_that_comes_back_is_given_the_rest_of_qos_2(
    request: pytest.FixtureRequest, level: int, made_in: str
) -> None:
    broker: SimulatedBroker = request.getfixturevalue(made_in)
    more: dict[str, Any] = {"session_expiry_interval": 60} if level == versions.V5 else {}
    first, second = MqttClient(broker, level), MqttClient(broker, level)
    first.connect("a", clean_start=False, **more)
    second.connect("b")
    for member in (first, second):
        member.subscribe(GROUP, qos=2)
    publisher = MqttClient(broker, level)
    publisher.connect("p")
    for number in range(2):
        publisher.publish_fully("t", b"%d" % number, 2)
    (held,) = first.messages()
    first.lose()
    assert second.take() == [b"1" if held.payload == b"0" else b"0"]
    first = MqttClient(broker, level)
    first.connect("a", clean_start=False, **more)
    (again,) = [each for each in first.after_connack if isinstance(each, Publish)]
    assert (again.packet_id, again.payload, again.duplicate) == (held.packet_id, held.payload, True), "MQTT-4.8.2-4"
    finish(first, again)
    assert second.take() == []


def test_a_named_queue_is_left(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    queue = core_clients.queue(simulated, "work", durable=True)
    device = client("d", level)
    device.subscribe("$queue/work", qos=1)
    for number in range(2):
        core_clients.publish(simulated, "", b"%d" % number, core_clients.persistent(), key="work")
    simulated.settle()
    first, _ = device.messages()
    device.unsubscribe("$queue/work")
    assert device.send(PingReq()) == [PingResp()]
    device.send(PubAck(first.packet_id))
    core_clients.publish(simulated, "", b"2", core_clients.persistent(), key="work")
    simulated.settle()
    assert device.messages() == []
    device.lose()
    assert (queue.ready_count, queue.unacked_count) == (2, 0)
    assert core_clients.take(queue) == [b"1", b"2"]
