"""Damage on disk that costs a message of QoS 2 under way, with its packet identifier, costs no other one (doubt.py)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import Packet, PubComp, Publish, PubRec, PubRel
from warren.adapters.mqtt.sessions.doubt import ROW_FIELD, Doubt
from warren.adapters.mqtt.sessions.strides import PACKET_ID_MAX

LOST = b"the message that is lost"


@pytest.fixture(params=[versions.V3_1_1, versions.V5], ids=["3.1.1", "5"])
def level(request: pytest.FixtureRequest) -> int:
    """The two that differ."""
    found: int = request.param
    return found


def connect(broker: SimulatedBroker, client_id: str, level: int, *, clean_start: bool = False) -> MqttClient:
    made = MqttClient(broker, level)
    more: dict[str, Any] = {"session_expiry_interval": 3600} if level == versions.V5 else {}
    assert made.connect(client_id, clean_start=clean_start, **more).reason_code == 0
    return made


def publish(broker: SimulatedBroker, level: int, payload: bytes, qos: int = 2) -> None:
    publisher = connect(broker, "p", level)
    publisher.publish_fully("t", payload, qos)
    publisher.lose()


def publishes(packets: list[Packet]) -> list[tuple[int, bytes, bool]]:
    return [(each.packet_id, each.payload, each.duplicate) for each in packets if isinstance(each, Publish)]


def flip_a_bit(directory: Path) -> None:
    """Of the last record with the message: the one that says under which packet identifier it is under way."""
    (log,) = directory.rglob("*.log")
    content = bytearray(log.read_bytes())
    content[content.rindex(LOST)] ^= 1
    log.write_bytes(content)


def go_on() -> None:
    """Waits for an identifier."""


def row_of(broker: SimulatedBroker) -> Mapping[str, object]:
    (row,) = [row for kind, _, name, row in broker.broker.definitions.load() if (kind, name) == ("mqtt_session", "s")]
    return row


def come_round(broker: SimulatedBroker, level: int) -> MqttClient:
    """The subscriber is back, and the next message goes under the first of all identifiers."""
    subscriber = connect(broker, "s", level)
    assert subscriber.after_connack == []
    subscriber.session.number_from(0)
    return subscriber


@pytest.fixture
def subscriber(durable: SimulatedBroker, tmp_path: Path, level: int) -> MqttClient:
    """It is back after a crash, and has a message under the identifier 1 that the broker has lost."""
    subscriber, other = connect(durable, "s", level), connect(durable, "other", level)
    subscriber.subscribe("t", qos=2)
    other.subscribe("u", qos=1)
    publish(durable, level, LOST)
    assert publishes(subscriber.packets()) == [(1, LOST, False)]
    # The end of the log is what a crash may tear; this is behind it.
    other.publish_fully("u", b"behind it", 1)
    durable.crash(partial(flip_a_bit, tmp_path))
    assert durable.broker.found_damage()
    return come_round(durable, level)


def test_an_identifier_is_freed_before_a_message_goes_under_it(
    durable: SimulatedBroker, subscriber: MqttClient, level: int
) -> None:
    publish(durable, level, b"next")
    assert subscriber.packets() == [PubRel(1)]
    code = reason_codes.PACKET_IDENTIFIER_NOT_FOUND if level == versions.V5 else 0
    assert publishes(subscriber.send(PubComp(1, code))) == [(1, b"next", False)]
    assert subscriber.send(PubRec(1)) == [PubRel(1)]
    assert subscriber.send(PubComp(1)) == []
    assert not subscriber.session.outgoing
    assert subscriber.running.outflow.window == subscriber.running.outflow.window_max


def test_a_client_that_goes_before_it_answers_is_asked_again(
    durable: SimulatedBroker, subscriber: MqttClient, level: int
) -> None:
    publish(durable, level, b"next")
    assert subscriber.packets() == [PubRel(1)]
    subscriber.lose()
    subscriber = connect(durable, "s", level)
    assert subscriber.after_connack == [PubRel(1)]
    assert publishes(subscriber.send(PubComp(1))) == [(1, b"next", False)]


def test_each_identifier_is_freed_once(durable: SimulatedBroker, subscriber: MqttClient, level: int) -> None:
    publish(durable, level, b"first")
    subscriber.send(PubComp(1))
    subscriber.send(PubRec(1), PubComp(1))
    subscriber.session.number_from(0)
    publish(durable, level, b"second")
    assert publishes(subscriber.packets()) == [(1, b"second", False)]
    publish(durable, level, b"third")
    assert subscriber.packets() == [PubRel(2)]


def test_it_is_still_known_at_later_starts(durable: SimulatedBroker, subscriber: MqttClient, level: int) -> None:
    subscriber.lose()
    durable.restart()
    durable.crash()
    assert row_of(durable)[ROW_FIELD] is True
    subscriber = come_round(durable, level)
    publish(durable, level, b"next")
    assert subscriber.packets() == [PubRel(1)]


def test_it_ends_with_the_session(durable: SimulatedBroker, subscriber: MqttClient, level: int) -> None:
    subscriber.lose()
    subscriber = connect(durable, "s", level, clean_start=True)
    subscriber.subscribe("t", qos=2)
    publish(durable, level, b"next")
    assert publishes(subscriber.packets()) == [(1, b"next", False)]
    assert subscriber.session.doubt is None
    assert not durable.mqtt.of(durable.vhost).doubts


def test_it_ends_when_all_identifiers_are_free(durable: SimulatedBroker, subscriber: MqttClient, level: int) -> None:
    doubt = subscriber.session.doubt
    assert doubt is not None
    for packet_id in range(2, PACKET_ID_MAX + 1):
        doubt.waiting[packet_id] = go_on
        assert doubt.freed(packet_id) is go_on
    assert not doubt.is_over
    publish(durable, level, b"next")
    assert publishes(subscriber.send(PubComp(1))) == [(1, b"next", False)]
    assert subscriber.session.doubt is None
    durable.settle()
    assert ROW_FIELD not in row_of(durable)


def test_messages_of_qos_1_wait_for_nothing(durable: SimulatedBroker, subscriber: MqttClient, level: int) -> None:
    publish(durable, level, b"next", 1)
    assert publishes(subscriber.packets()) == [(1, b"next", False)]


def test_a_crash_without_damage_leaves_no_doubt(durable: SimulatedBroker, level: int) -> None:
    connect(durable, "s", level).subscribe("t", qos=2)
    publish(durable, level, b"first")
    durable.crash()
    subscriber = connect(durable, "s", level)
    assert publishes(subscriber.after_connack) == [(1, b"first", True)]
    subscriber.session.number_from(0)
    publish(durable, level, b"next")
    assert publishes(subscriber.packets()) == [(2, b"next", False)]
    assert subscriber.session.doubt is None


def test_each_start_numbers_from_another_place(durable: SimulatedBroker, level: int) -> None:
    connect(durable, "s", level).subscribe("t", qos=2)
    first = []
    for number in range(3):
        durable.crash(partial(durable.sleep, 1_000 + number))
        subscriber = connect(durable, "s", level)
        assert subscriber.after_connack == []
        publish(durable, level, b"%d" % number)
        ((packet_id, payload, _),) = publishes(subscriber.packets())
        assert payload == b"%d" % number
        subscriber.send(PubRec(packet_id), PubComp(packet_id))
        first.append(packet_id)
    assert [after - before for before, after in pairwise(first)] == [1_001, 1_002]


def test_an_answer_that_nobody_asked_for_frees_nothing() -> None:
    doubt = Doubt()
    assert doubt.freed(7) is None
    assert not doubt.is_free(7)
    doubt.waiting[7] = go_on
    assert doubt.freed(7) is go_on
    assert [packet_id for packet_id in range(1, 64) if doubt.is_free(packet_id)] == [7]
