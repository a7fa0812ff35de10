"""What came before a crash comes again marked as such, in each protocol's way, where the broker can know of it.

Consumers don't wait for the disk: a message may have come, and be lost with the crash.  Where its publisher sends it
again it is a new one, as nothing says that it ever was (MQTT-3.3.1-2, AMQP 0-9-1 1.8.3.13, AMQP 1.0 3.2.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import simulated_amqp10
from tests.support.simulated_amqp10 import Amqp10Client
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient
from tests.support.simulated_mqtt import MqttClient, only
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp091.codec import methods
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.packets import Publish, PubRec

QUEUES = ("consumed", "polled", "amqp10", "stomp")
EVERYWHERE = (*QUEUES, "mqtt 3.1.1", "mqtt 5")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    """It has the queues, bound to amq.topic."""
    made = SimulatedBroker(tmp_path)
    client = made.connect()
    for queue in QUEUES:
        client.declare(queue, durable=True)
        client.send(1, methods.QueueBind(queue=queue, exchange="amq.topic", routing_key="t"))
        client.expect(methods.QueueBindOk)
    yield made
    made.close()


class Consumers:
    """One of each protocol; they get messages, and never acknowledge them."""

    def __init__(self, broker: SimulatedBroker) -> None:
        self._amqp: SimulatedClient = broker.connect()
        self._amqp.consume("consumed")
        self._amqp10 = Amqp10Client(broker).open().begin()
        broker.peers.append(self._amqp10)
        self._amqp10.attach_receiver("/queues/amqp10")
        self._frames = self._amqp10.credit(100)
        self._stomp = StompClient(broker).connect()
        self._answers = self._stomp.send("SUBSCRIBE", id="1", destination="/amq/queue/stomp", ack="client-individual")
        self._mqtt = {
            "mqtt 3.1.1": MqttClient(broker, versions.V3_1_1),
            "mqtt 5": MqttClient(broker, versions.V5),
        }
        self._packets = {}
        for name, client in self._mqtt.items():
            properties: dict[str, Any] = {"session_expiry_interval": 3600} if client.level == versions.V5 else {}
            client.connect(name, clean_start=False, **properties)
            self._packets[name] = client.after_connack + client.subscribe("t", qos=1)

    def came(self) -> dict[str, list[tuple[bytes, bool]]]:
        """By queue or session: the bodies, and whether each is marked."""
        found: dict[str, list[tuple[bytes, bool]]] = {each: [] for each in EVERYWHERE}
        while isinstance((answer := self._get())[0], methods.BasicGetOk):
            found["polled"].append((answer[1], answer[0].redelivered))
        for event in self._amqp.take():
            assert isinstance(event.method, methods.BasicDeliver)
            found["consumed"].append((event.body, event.method.redelivered))
        for message in simulated_amqp10.messages(self._frames + self._amqp10.take()):
            found["amqp10"].append((bytes(simulated_amqp10.body_of(message)), not message.first_acquirer))
        for each in self._answers + self._stomp.answers():
            found["stomp"].append((each.body, each["redelivered"] == "true"))
        for name, client in self._mqtt.items():
            packets = self._packets[name] + client.packets()
            found[name] = [(each.payload, each.duplicate) for each in packets if isinstance(each, Publish)]
        return found

    def _get(self) -> tuple[methods.Method | None, bytes]:
        """The answer to basic.get, and the body."""
        self._amqp.send(1, methods.BasicGet(queue="polled"))
        self._amqp.settle()
        self._amqp.collect()
        events = self._amqp.events
        at = next(
            n for n, each in enumerate(events) if isinstance(each.method, methods.BasicGetOk | methods.BasicGetEmpty)
        )
        event = events.pop(at)
        return event.method, event.body


def everywhere(body: bytes, *, marked: bool) -> dict[str, list[tuple[bytes, bool]]]:
    """What has come when a single message has, in all places."""
    return {each: [(body, marked)] for each in EVERYWHERE}


def publisher_of(broker: SimulatedBroker) -> MqttClient:
    made = MqttClient(broker)
    made.connect("publisher", clean_start=False, session_expiry_interval=3600)
    return made


@pytest.mark.parametrize("is_written", [True, False], ids=["written", "not written"])
def test_what_comes_again_is_marked_if_it_was_on_disk(broker: SimulatedBroker, is_written: bool) -> None:
    consumers, publisher = Consumers(broker), publisher_of(broker)
    broker.commits_by_itself = False
    assert publisher.publish("t", b"x", 2, packet_id=7) == []
    assert consumers.came() == everywhere(b"x", marked=False)
    if is_written:
        broker.begin_commit()
    # Either way its publisher doesn't know, and sends it again.
    broker.crash()
    broker.commits_by_itself = True
    only(PubRec, publisher_of(broker).publish("t", b"x", 2, packet_id=7, duplicate=True))
    assert Consumers(broker).came() == everywhere(b"x", marked=is_written)


def test_marks_stay_over_further_crashes(broker: SimulatedBroker) -> None:
    """Also where a start is killed before anybody comes."""
    consumers = Consumers(broker)
    only(PubRec, publisher_of(broker).publish("t", b"x", 2, packet_id=7))
    assert consumers.came() == everywhere(b"x", marked=False)
    broker.crash()
    broker.crash()
    assert Consumers(broker).came() == everywhere(b"x", marked=True)
    broker.crash()
    assert Consumers(broker).came() == everywhere(b"x", marked=True)
