"""Another exchange than amq.topic, and Sparkplug's routing keys."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import PubAck, SubAck, Will
from warren.adapters.mqtt.sessions.names import TopicNames
from warren.core.declaring.exchanges import delete_exchange


def use(simulated: SimulatedBroker, exchange: str = "devices", *, sparkplug: bool = False) -> None:
    """Configure it."""
    simulated.mqtt.names = TopicNames(exchange, sparkplug=sparkplug)


def test_another_exchange(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    use(simulated)
    core_clients.exchange(simulated, "devices", "topic", durable=True)
    bound = core_clients.bound_queue(simulated, "bound", "devices", "a.*")
    elsewhere = core_clients.bound_queue(simulated, "elsewhere", "amq.topic", "#")
    subscriber = client("s", level)
    subscriber.subscribe("a/+", "$share/g/a/#", qos=1)
    client("p", level).publish("a/b", b"x", 1)
    assert subscriber.take() == [b"x", b"x"]
    assert [message.address.routing_key for message in core_clients.take_messages(bound)] == ["a.b"]
    assert elsewhere.ready_count == 0
    subscriber.unsubscribe("a/+", "$share/g/a/#")
    client("p", level).publish("a/b", b"x", 1)
    assert subscriber.take() == []


@pytest.mark.parametrize("kind", ["", "fanout", "transient topic"])
def test_connecting_without_it(simulated: SimulatedBroker, level: int, kind: str) -> None:
    use(simulated)
    if kind:
        core_clients.exchange(simulated, "devices", kind.split()[-1], durable=not kind.startswith("transient"))
    answer = MqttClient(simulated, level).connect("c")
    assert answer.reason_code == (0x88 if level == versions.V5 else 3)
    if level == versions.V5:
        assert "no durable topic exchange 'devices'" in answer.properties["reason_string"]


def test_it_goes_and_comes_back(client: Connected, simulated: SimulatedBroker) -> None:
    use(simulated)
    core_clients.exchange(simulated, "devices", "topic", durable=True)
    made = client("c")
    made.subscribe("t", "$share/g/t", qos=1)
    delete_exchange(core_clients.guest(simulated), "devices", if_unused=False)
    assert only(SubAck, made.subscribe("u", qos=1)).reason_codes == (0x80,)
    assert only(PubAck, made.publish("t", b"x", 1)).reason_code == 0x80
    made.unsubscribe("u")
    core_clients.exchange(simulated, "devices", "topic", durable=True)
    made.subscribe("t", qos=1)
    other = client("d")
    other.subscribe("$share/g/t", qos=1)
    publisher = client("p")
    for body in (b"1", b"2"):
        publisher.publish("t", body, 1)
    assert sorted(made.take() + other.take()) == [b"1", b"1", b"2", b"2"]


def test_a_will_without_it_is_lost_and_said_so(
    client: Connected, simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    use(simulated)
    core_clients.exchange(simulated, "devices", "topic", durable=True)
    made = client("c", will=Will("w", b"will", 1))
    delete_exchange(core_clients.guest(simulated), "devices", if_unused=False)
    made.lose()
    assert "'w' is not published" in caplog.text


def test_sessions_follow_to_another_exchange(durable: SimulatedBroker) -> None:
    core_clients.exchange(durable, "devices", "topic", durable=True)
    made = MqttClient(durable)
    made.connect("c", clean_start=False, session_expiry_interval=1000)
    made.subscribe("t", qos=1)
    durable.mqtt_names = TopicNames("devices")
    durable.restart()
    publisher = MqttClient(durable)
    publisher.connect("p")
    publisher.publish("t", b"x", 1)
    made = MqttClient(durable)
    made.connect("c", clean_start=False, session_expiry_interval=1000)
    assert [getattr(each, "payload", b"") for each in made.after_connack] == [b"x"]


def test_sparkplug(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    use(simulated, "amq.topic", sparkplug=True)
    bound = core_clients.bound_queue(simulated, "bound", "amq.topic", "spBv1___0.*.NDATA.#")
    subscriber = client("s", level)
    subscriber.subscribe("spBv1.0/+/NDATA/#", qos=1)
    client("p", level).publish("spBv1.0/plant/NDATA/node.1", b"x", 1)
    (message,) = core_clients.take_messages(bound)
    assert message.address.routing_key == "spBv1___0.plant.NDATA.node%2E1"
    assert subscriber.take() == [b"x"]
    core_clients.publish(simulated, "amq.topic", b"y", core_clients.persistent(), key="spBv1___0.plant.NDATA.n")
    simulated.settle()
    (found,) = subscriber.messages()
    assert (found.topic, found.payload) == ("spBv1.0/plant/NDATA/n", b"y")


def test_sparkplug_in_response_topics(client: Connected, simulated: SimulatedBroker) -> None:
    use(simulated, "amq.topic", sparkplug=True)
    bound = core_clients.bound_queue(simulated, "bound", "amq.topic", "#")
    client("p").publish("t", b"x", 1, response_topic="spBv1.0/plant/NCMD/n")
    (message,) = core_clients.take_messages(bound)
    assert (message.properties.headers or {})["x-reply-to-topic"] == "spBv1___0.plant.NCMD.n"
