"""A client's own message that some of its subscriptions match and want, and others match and don't (MQTT-3.8.3-3).

Those that don't have no part in it: not in its QoS, nor its identifiers, nor whether the retain flag shows (3.3.4).
"""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.counting import bind
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec.packets import Publish, Subscription, Will
from warren.adapters.mqtt.sessions.headers import PUBLISHER

SESSION = {"clean_start": False, "session_expiry_interval": 1000}


def shown(messages: list[Publish]) -> list[tuple[bytes, int, list[int], bool]]:
    return [
        (each.payload, each.qos, each.properties.get("subscription_identifiers", []), each.retain) for each in messages
    ]


def overlapping(client: MqttClient) -> MqttClient:
    """One that wants none of its own, with everything high, and one that does, with everything low."""
    client.subscribe(Subscription("h/nl", 2, no_local=True, retain_as_published=True), identifier=1)
    client.subscribe(Subscription("h/+", 0), identifier=2)
    client.messages()
    return client


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_one_that_wants_none_contributes_nothing(client: Connected, qos: int) -> None:
    own = overlapping(client("own"))
    answers = own.publish("h/nl", b"x", qos)
    assert shown([each for each in answers if isinstance(each, Publish)]) == [(b"x", 0, [2], False)]


def test_the_same_topic_again_and_again(client: Connected) -> None:
    """What a topic led to is remembered elsewhere; not here."""
    own = overlapping(client("own"))
    for number in range(3):
        own.transport.receive(b"\x30\x08\0\4h/nl\0" + bytes((48 + number,)))
    own.simulated.settle()
    assert shown(own.messages()) == [(bytes((48 + number,)), 0, [2], False) for number in range(3)]


def test_others_messages_are_as_before(client: Connected) -> None:
    own, other = overlapping(client("own")), client("other")
    other.publish("h/nl", b"theirs", 1)
    own.publish("h/nl", b"own", 1)
    other.publish("h/nl", b"theirs again", 1)
    own.publish("h/else", b"no part", 1)
    own.take()
    other.publish("h/nl", b"theirs", 1)
    assert shown(own.messages()) == [(b"theirs", 1, [1, 2], False)]


def test_mixed_in_one_batch(client: Connected, simulated: SimulatedBroker) -> None:
    own, other = overlapping(client("own")), client("other")
    for _ in range(2):
        other.transport.receive(b"\x30\x07\0\4h/nl\0")
        own.transport.receive(b"\x30\x07\0\4h/nl\0")
    simulated.settle()
    theirs, mine = (b"", 0, [1, 2], False), (b"", 0, [2], False)
    assert shown(own.messages()) == [theirs, mine, theirs, mine]


def test_the_retain_flag_shows_only_by_who_gets_it(client: Connected) -> None:
    own = overlapping(client("own"))
    answers = own.publish("h/nl", b"x", 0, retain=True)
    assert shown([each for each in answers if isinstance(each, Publish)]) == [(b"x", 0, [2], False)]
    own.unsubscribe("h/+")
    own.subscribe(Subscription("h/+", 1, retain_as_published=True, retain_handling=2), identifier=3)
    answers = own.publish("h/nl", b"y", 1, retain=True)
    assert shown([each for each in answers if isinstance(each, Publish)]) == [(b"y", 1, [3], True)]


def test_what_is_retained_says_no_more_than_before(client: Connected) -> None:
    own = overlapping(client("own"))
    own.publish("h/nl", b"kept", 1, retain=True)
    other = client("other")
    answers = other.subscribe(Subscription("h/#", 1), identifier=9)
    assert shown([each for each in answers if isinstance(each, Publish)]) == [(b"kept", 1, [9], True)]
    answers = own.subscribe(Subscription("h/#", 1), identifier=4)
    assert shown([each for each in answers if isinstance(each, Publish)]) == [(b"kept", 1, [4], True)]


def test_a_subscription_that_goes_meanwhile(client: Connected, simulated: SimulatedBroker) -> None:
    own = overlapping(client("own"))
    own.transport.receive(b"\x30\x07\0\4h/nl\0")
    own.session.unsubscribe("h/+")
    own.running.subscriptions.taken_away()
    simulated.settle()
    assert own.messages() == []


def test_a_will_and_what_is_sent_after_a_restart(durable: SimulatedBroker) -> None:
    own = MqttClient(durable)
    own.connect("own", will=Will("h/nl", b"will", 1), **SESSION)  # type: ignore[arg-type]
    own.subscribe(Subscription("h/nl", 2, no_local=True), identifier=1)
    own.subscribe(Subscription("h/+", 1), identifier=2)
    own.publish("h/nl", b"unread", 2)
    own.lose()
    durable.restart()
    again = MqttClient(durable)
    again.connect("own", **SESSION)  # type: ignore[arg-type]
    messages = [each for each in again.after_connack if isinstance(each, Publish)]
    assert shown(messages) == [(b"unread", 1, [2], False), (b"will", 1, [2], False)]


def test_nobody_else_sees_whose_it_is(client: Connected, simulated: SimulatedBroker) -> None:
    own = overlapping(client("own"))
    amqp = simulated.connect()
    amqp.declare("q")
    bind(simulated, "q", "amq.topic", "h.#")
    own.publish("h/nl", b"x", 1)
    got_by_amqp = amqp.get("q")
    assert got_by_amqp is not None
    assert got_by_amqp.body == b"x"
    assert PUBLISHER.encode() not in got_by_amqp.properties
    reader = client("reader")
    reader.subscribe(Subscription("h/#", 0))
    own.publish("h/nl", b"x", 1)
    (got,) = reader.messages()
    assert "user_properties" not in got.properties


def test_a_bridge_gets_nothing_of_its_own(client: Connected) -> None:
    bridge = client("bridge", level=4, is_bridge=True)
    bridge.subscribe("h/nl", "h/+")
    bridge.publish("h/nl", b"x", 1)
    assert bridge.messages() == []
