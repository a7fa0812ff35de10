"""A shared subscription lives as long as any member's session, whoever came first."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions

QUEUE = "mqtt-shared-g/t"


def member(durable: SimulatedBroker, client_id: str, *, persistent: bool) -> MqttClient:
    """A client that is in the group."""
    made = MqttClient(durable)
    made.connect(client_id, clean_start=not persistent, session_expiry_interval=100 if persistent else 0)
    made.subscribe("$share/g/t", qos=1)
    return made


def publish(durable: SimulatedBroker, payload: bytes) -> None:
    """One message from somebody else."""
    made = MqttClient(durable)
    made.connect("publisher")
    made.publish_fully("t", payload, 1)
    made.disconnect()


@pytest.mark.parametrize("persistent_first", [False, True])
@pytest.mark.parametrize("crash", [False, True])
def test_it_survives_by_any_member(durable: SimulatedBroker, persistent_first: bool, crash: bool) -> None:
    members = [
        member(durable, f"persistent{persistent}", persistent=persistent)
        for persistent in (persistent_first, not persistent_first)
    ]
    for each in members:
        each.lose()
    publish(durable, b"kept")
    if crash:
        durable.crash()
    else:
        durable.restart()
    publish(durable, b"after")
    back = MqttClient(durable)
    assert back.connect("persistentTrue", clean_start=False, session_expiry_interval=100).session_present
    assert [each.payload for each in back.after_connack + back.messages() if hasattr(each, "payload")] == [
        b"kept",
        b"after",
    ]


@pytest.mark.parametrize("crash", [False, True])
def test_it_goes_with_members_that_do_not_survive(durable: SimulatedBroker, crash: bool) -> None:
    member(durable, "a", persistent=False)
    publish(durable, b"lost")
    if crash:
        durable.crash()
    else:
        durable.restart()
    assert QUEUE not in durable.vhost.queues
    fresh = member(durable, "a", persistent=False)
    publish(durable, b"new")
    assert fresh.take() == [b"new"]


def test_it_goes_when_the_last_member_has_expired(durable: SimulatedBroker) -> None:
    first = member(durable, "first", persistent=True)
    second = member(durable, "second", persistent=True)
    first.lose()
    durable.advance(50_000)
    second.lose()
    durable.advance(50_000)
    assert QUEUE in durable.vhost.queues, "the second one may still come back"
    durable.advance(50_000)
    assert QUEUE not in durable.vhost.queues


def test_a_version_3_member_counts_too(durable: SimulatedBroker) -> None:
    made = MqttClient(durable, versions.V3_1_1)
    made.connect("old", clean_start=False)
    made.subscribe("$share/g/t", qos=1)
    made.lose()
    durable.restart()
    publish(durable, b"kept")
    back = MqttClient(durable, versions.V3_1_1)
    back.connect("old", clean_start=False)
    assert [each.payload for each in back.after_connack if hasattr(each, "payload")] == [b"kept"]
