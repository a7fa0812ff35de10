"""What a client published itself, and wants none of, it isn't given as a retained message either (MQTT-3.8.3-3)."""

from __future__ import annotations

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec.packets import Publish, SubAck, Subscription
from warren.adapters.mqtt.sessions.place import world_of


def given(client: MqttClient, *, no_local: bool) -> list[bytes]:
    """The retained messages that a new subscription brings."""
    answers = client.subscribe(Subscription("t/#", 1, no_local=no_local))
    client.unsubscribe("t/#")
    return sorted(each.payload for each in answers if isinstance(each, Publish))


def test_own_messages_are_left_out(client: Connected) -> None:
    first, second = client("first"), client("second")
    first.publish("t/1", b"of the first", 1, retain=True)
    second.publish("t/2", b"of the second", 1, retain=True)
    assert given(first, no_local=True) == [b"of the second"]
    assert given(first, no_local=False) == [b"of the first", b"of the second"]
    second.publish("t/1", b"replaced", 1, retain=True)
    assert given(first, no_local=True) == [b"of the second", b"replaced"]


def test_over_a_restart(durable: SimulatedBroker) -> None:
    client = MqttClient(durable)
    client.connect("first")
    client.publish("t/1", b"own", 1, retain=True)
    durable.restart()
    client = MqttClient(durable)
    client.connect("first")
    assert given(client, no_local=True) == []
    assert given(client, no_local=False) == [b"own"]


def test_deep_topics_take_their_share_of_the_room(client: Connected, simulated: SimulatedBroker) -> None:
    world_of(simulated.broker).of(simulated.vhost).retained.bytes_max = 10_000
    made = client("c")
    made.publish("/" * 130, b"x", retain=True)
    made.publish("/" * 139, b"too much", retain=True)
    made.publish("a", b"y", retain=True)
    assert {each.payload for each in made.subscribe("#") if isinstance(each, Publish)} == {b"x", b"y"}
    made.publish("/" * 130, b"", retain=True)
    made.publish("/" * 139, b"fits", retain=True)
    made.unsubscribe("#")
    assert {each.payload for each in made.subscribe("#") if isinstance(each, Publish)} == {b"y", b"fits"}


def test_a_named_queue_is_granted_qos_1_at_most(client: Connected, simulated: SimulatedBroker) -> None:
    core_clients.queue(simulated, "work", durable=True)
    assert only(SubAck, client("c").subscribe("$queue/work", qos=2)).reason_codes == (1,)
