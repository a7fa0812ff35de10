"""MQTT clients and a queue that answers late: PUBACK and PUBREC wait in their turn, also over a reconnect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Packet, PubAck, PubComp, PubRec, PubRel

LEVELS = [versions.V3_1_1, versions.V5]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    with late_queues():
        broker = SimulatedBroker(tmp_path)
        core_clients.queue(broker, "late", {"x-queue-type": "late"}, durable=True)
        core_clients.bind(broker, "late", "amq.topic", "late")
        yield broker
        broker.settle()
        broker.close()


def late(broker: SimulatedBroker) -> LateQueue:
    queue = broker.vhost.queue("late")
    assert isinstance(queue, LateQueue)
    return queue


def connected(broker: SimulatedBroker, level: int, *, clean: bool = True) -> MqttClient:
    client = MqttClient(broker, level)
    if level == versions.V5 and not clean:
        client.connect("client", clean_start=False, session_expiry_interval=100)
    else:
        client.connect("client", clean_start=clean)
    return client


def later(broker: SimulatedBroker, client: MqttClient) -> list[Packet]:
    """What the client is told once the queue has answered."""
    broker.advance(LATE_BY_MS)
    return client.packets()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("qos", [1, 2])
def test_an_answer_comes_after_the_queues(broker: SimulatedBroker, level: int, qos: int) -> None:
    client = connected(broker, level)
    assert client.publish("late", b"1", qos) == []
    answer = later(broker, client)
    assert answer == [PubAck(1) if qos == 1 else PubRec(1)]
    assert late(broker).ready_count == 1
    if qos == 2:
        assert client.send(PubRel(1)) == [PubComp(1)]


@pytest.mark.parametrize("level", LEVELS)
def test_answers_keep_their_order(broker: SimulatedBroker, level: int) -> None:
    core_clients.queue(broker, "fast", {}, durable=True)
    core_clients.bind(broker, "fast", "amq.topic", "fast")
    client = connected(broker, level)
    assert client.publish("late", b"1", 1) == []
    assert client.publish("fast", b"2", 1) == []
    assert client.publish("fast", b"3", 1) == []
    assert later(broker, client) == [PubAck(1), PubAck(2), PubAck(3)]


@pytest.mark.parametrize("qos", [1, 2])
def test_a_late_refusal_is_told_where_it_can_be(broker: SimulatedBroker, qos: int) -> None:
    client = connected(broker, versions.V5)
    client.publish("late", b"1", qos)
    late(broker).refuses = True
    (answer,) = later(broker, client)
    assert isinstance(answer, PubAck if qos == 1 else PubRec)
    assert answer.reason_code == reason_codes.QUOTA_EXCEEDED
    late(broker).refuses = False
    assert client.publish("late", b"1", qos, packet_id=1) == []
    assert later(broker, client) == [PubAck(1) if qos == 1 else PubRec(1)]
    assert late(broker).ready_count == 1


@pytest.mark.parametrize("qos", [1, 2])
def test_mqtt_3_is_not_answered_and_sends_again(broker: SimulatedBroker, qos: int) -> None:
    client = connected(broker, versions.V3_1_1, clean=False)
    client.publish("late", b"1", qos)
    late(broker).refuses = True
    assert later(broker, client) == []
    late(broker).refuses = False
    client.lose()
    again = connected(broker, versions.V3_1_1, clean=False)
    assert again.publish("late", b"1", qos, packet_id=1, duplicate=True) == []
    assert later(broker, again) == [PubAck(1) if qos == 1 else PubRec(1)]
    assert late(broker).ready_count == 1


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("refuses", [False, True])
def test_a_message_of_qos_2_is_not_doubled_while_its_answer_is_outstanding(
    broker: SimulatedBroker, level: int, refuses: bool
) -> None:
    client = connected(broker, level, clean=False)
    client.publish("late", b"1", 2)
    client.lose()
    again = connected(broker, level, clean=False)
    assert again.publish("late", b"1", 2, packet_id=1, duplicate=True) == []
    late(broker).refuses = refuses
    answers = later(broker, again)
    if not refuses:
        assert answers == [PubRec(1)]
        assert again.send(PubRel(1)) == [PubComp(1)]
    elif level == versions.V5:
        (answer,) = answers
        assert isinstance(answer, PubRec)
        assert answer.reason_code == reason_codes.QUOTA_EXCEEDED
    else:
        assert answers == []
    assert late(broker).ready_count == (0 if refuses else 1)
