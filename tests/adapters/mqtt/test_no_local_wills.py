"""A will counts as published by its client, which gets it only if it wants its own messages (MQTT-3.8.3-3)."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec.packets import Publish, Subscription, Will

SESSION = {"clean_start": False, "session_expiry_interval": 1000}


@pytest.mark.parametrize(("no_local", "expected"), [(True, []), (False, [b"will"])])
def test_a_will_that_is_published_at_once(client: Connected, no_local: bool, expected: list[bytes]) -> None:
    other = client("other")
    other.subscribe(Subscription("w/#", 1, no_local=True))
    first = client("own", will=Will("w/own", b"will", 1), **SESSION)
    first.subscribe(Subscription("w/#", 1, no_local=no_local))
    first.lose()
    assert other.take() == [b"will"]
    again = client("own", **SESSION)
    assert [each.payload for each in again.after_connack if isinstance(each, Publish)] == expected


def test_where_another_subscription_of_the_client_wants_it(client: Connected) -> None:
    first = client("own", will=Will("w/own", b"will", 1), **SESSION)
    first.subscribe(Subscription("w/#", 1, no_local=True), Subscription("w/own", 1))
    first.lose()
    again = client("own", **SESSION)
    assert [each.payload for each in again.after_connack if isinstance(each, Publish)] == [b"will"]


def test_a_will_on_takeover(client: Connected) -> None:
    other = client("other")
    other.subscribe("w/#", qos=1)
    client("own", will=Will("w/own", b"will", 1), **SESSION).subscribe(Subscription("w/#", 1, no_local=True))
    again = client("own", **SESSION)
    assert other.take() == [b"will"]
    assert again.messages() == []
    assert not [each for each in again.after_connack if isinstance(each, Publish)]


def test_a_delayed_will_over_a_restart(durable: SimulatedBroker) -> None:
    def connected(client_id: str, **more: object) -> MqttClient:
        made = MqttClient(durable)
        assert made.connect(client_id, **SESSION, **more).reason_code == 0  # type: ignore[arg-type]
        return made

    connected("other").subscribe("w/#", qos=1)
    will = Will("w/own", b"will", 1, properties={"will_delay_interval": 10})
    first = connected("own", will=will)
    first.subscribe(Subscription("w/#", 1, no_local=True))
    first.lose()
    durable.restart()
    durable.advance(11_000)
    assert [each.payload for each in connected("other").after_connack if isinstance(each, Publish)] == [b"will"]
    assert not [each for each in connected("own").after_connack if isinstance(each, Publish)]


def test_a_retained_will(client: Connected) -> None:
    client("own", will=Will("w/own", b"will", 1, retain=True), **SESSION).lose()
    again = client("own", **SESSION)
    for no_local, expected in ((True, []), (False, [b"will"])):
        answers = again.subscribe(Subscription("w/#", 1, no_local=no_local))
        again.unsubscribe("w/#")
        assert [each.payload for each in answers if isinstance(each, Publish)] == expected
