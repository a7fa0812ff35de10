"""What an MQTT client says beside its messages: announcements, and its will, also when it takes leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.adapters.mqtt.client.test_mqtt_client import GIVER, LEVELS, TAKER, broker, opened, subscribed
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.mqtt.client.connection import SUBSCRIBE_ID, MqttClient
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.decode import decode
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    Subscription,
    Will,
)
from warren.adapters.peers.settled import Settled

__all__ = ["broker"]

WILL = Will("state", b"0", 1, retain=True)


def unopened(level: int = versions.V5, **login: object) -> MqttClient:
    return MqttClient(replace(GIVER, level=level, **login), ClientMemory(), 0)  # type: ignore[arg-type]


def client(level: int = versions.V5, **login: object) -> MqttClient:
    """One whose peer has answered CONNECT, and that has said nothing since."""
    found = unopened(level, **login)
    hears(found, ConnAck(), level)
    found.take()
    return found


def hears(client: MqttClient, packet: Packet, level: int = versions.V5) -> None:
    client.receive(encode(packet, level), 0)


def said(client: MqttClient, level: int = versions.V5) -> list[Packet]:
    data, found, position = client.take(), [], 0
    while position < len(data):
        decoded = decode(data, position, len(data), level)
        assert decoded is not None
        found.append(decoded[0])
        position = decoded[1]
    return found


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("leaves", ["in good order", "lost"])
def test_the_will_is_published_however_the_client_goes(broker: SimulatedBroker, level: int, leaves: str) -> None:
    taker = subscribed(broker, 1)
    giver = opened(broker, replace(GIVER, level=level, will=replace(WILL, topic="t/state")))
    if leaves == "lost":
        giver.lose()
    else:
        giver.client.close()
        giver.exchange()
        giver.lose()
    taker.exchange()
    assert [(message.topic, message.payload) for message in taker.client.arrived] == [("t/state", b"0")]


def test_leave_is_taken_without_a_word_that_takes_the_will_back() -> None:
    with_will, without = client(will=WILL), client()
    with_will.close()
    without.close()
    assert said(with_will) == [Disconnect(reason_codes.DISCONNECT_WITH_WILL)]
    assert said(without) == [Disconnect()]
    old = client(versions.V3_1_1, will=WILL)
    old.close()
    assert said(old, versions.V3_1_1) == []
    assert old.closed is not None


@pytest.mark.parametrize("level", LEVELS)
def test_connect_has_the_will_and_the_bridge(level: int) -> None:
    is_bridge = level == versions.V3_1_1
    (connect,) = said(unopened(level, will=WILL, is_bridge=is_bridge), versions.UNKNOWN)
    assert isinstance(connect, Connect)
    assert (connect.will, connect.is_bridge, connect.level) == (WILL, is_bridge, level)


def test_a_broker_that_knows_no_bridges_is_told_of() -> None:
    bridge = unopened(versions.V3_1_1, is_bridge=True)
    hears(bridge, ConnAck(1), versions.V3_1_1)
    assert bridge.closed is not None
    assert bridge.closed.text.endswith("unacceptable protocol version (return code 1); does it know bridges?")


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_announcement_is_nothing_among_the_messages(broker: SimulatedBroker, qos: int) -> None:
    taker = subscribed(broker, 2)
    giver = opened(broker, GIVER)
    sending = giver.client.sending
    first = giver.client.publish(Publish("t/a", b"1", 1))
    announcement = sending.announce(Publish("t/state", b"up", qos))
    second = giver.client.publish(Publish("t/a", b"2", 1))
    assert sending.is_open(announcement) is bool(qos)
    giver.exchange()
    assert not sending.is_open(announcement)
    assert sending.take_refusal(announcement) is None
    assert [settled for settled in sending.settled if settled.number > 0] == [
        Settled(first, None),
        Settled(second, None),
    ]
    taker.exchange()
    assert [message.payload for message in taker.client.arrived] == [b"1", b"up", b"2"]


@pytest.mark.parametrize("answer", [PubAck(1, 0x87), PubRec(1, 0x87)])
def test_a_refused_announcement_is_no_refused_message(answer: PubAck | PubRec) -> None:
    giver = client()
    qos = 1 if isinstance(answer, PubAck) else 2
    announcement = giver.sending.announce(Publish("state", b"up", qos))
    hears(giver, answer)
    assert not giver.sending.is_open(announcement)
    assert giver.sending.settled == []
    assert "Not authorized (0x87)" in (giver.sending.take_refusal(announcement) or "")
    assert giver.sending.take_refusal(announcement) is None


def test_it_waits_for_its_place_in_the_window() -> None:
    giver = unopened()
    hears(giver, ConnAck(properties={"receive_maximum": 1}))
    giver.take()
    giver.publish(Publish("a", b"1", 2))
    announcement = giver.sending.announce(Publish("state", b"up", 1))
    assert [packet.payload for packet in said(giver) if isinstance(packet, Publish)] == [b"1"]
    hears(giver, PubRec(1))
    assert giver.sending.is_open(announcement)
    hears(giver, PubComp(1))
    assert [packet.payload for packet in said(giver) if isinstance(packet, Publish)] == [b"up"]
    assert giver.sending.is_open(announcement)
    hears(giver, PubAck(2))
    assert not giver.sending.is_open(announcement)


def test_no_message_ever_has_the_identifier_of_a_subscribe() -> None:
    """A source may subscribe over a connection that its other direction publishes over already."""
    giver = client()
    for _ in range(SUBSCRIBE_ID + 10):
        giver.publish(Publish("a", b"", 1))
    giver.subscribe(Subscription("b"))
    sent = said(giver)
    identifiers = [packet.packet_id for packet in sent if isinstance(packet, Publish)]
    assert len(identifiers) == len(set(identifiers)) == SUBSCRIBE_ID - 1
    assert SUBSCRIBE_ID not in identifiers
    assert giver.sending.waiting == 11
    hears(giver, PubAck(7))
    again = [packet.packet_id for packet in said(giver) if isinstance(packet, Publish)]
    assert again == [7]


def test_without_its_own_messages(broker: SimulatedBroker) -> None:
    for level, more in ((versions.V5, {}), (versions.V3_1_1, {"is_bridge": True})):
        both = opened(broker, replace(TAKER, client_id=f"both {level}", level=level, **more))  # type: ignore[arg-type]
        both.client.subscribe(Subscription("t/#", 1, no_local=level == versions.V5))
        both.exchange()
        other = opened(broker, GIVER)
        both.client.publish(Publish("t/a", b"own", 1))
        both.exchange()
        other.client.publish(Publish("t/a", b"other's", 1))
        other.exchange()
        both.exchange()
        assert [message.payload for message in both.client.arrived] == [b"other's"]
        other.lose()
        both.lose()
