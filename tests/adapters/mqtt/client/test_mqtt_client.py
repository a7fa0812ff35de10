"""The MQTT client half against the broker's own: login, messages of every QoS, lost links, refusals, silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.mqtt_pair import MqttPair
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.mqtt.client.connection import SUBSCRIBE_ID, MqttClient, MqttLogin
from warren.adapters.mqtt.client.memory import ClientMemory
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import PINGREQ, PINGRESP, encode
from warren.adapters.mqtt.codec.packets import (
    ConnAck,
    Packet,
    PingReq,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    SubAck,
    Subscription,
)
from warren.adapters.mqtt.settings import MqttSettings
from warren.adapters.peers.settled import Settled

LEVELS = [versions.V3_1_1, versions.V5]
TAKER = MqttLogin("taker", clean_start=False, session_expiry_s=3600, user="guest", password="guest")
GIVER = replace(TAKER, client_id="giver", clean_start=True, session_expiry_s=0)


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


def opened(
    broker: SimulatedBroker, login: MqttLogin, memory: ClientMemory | None = None, cut: int | None = None
) -> MqttPair:
    pair = MqttPair(broker, login, memory, cut)
    pair.exchange()
    assert pair.client.opened, pair.client.closed
    return pair


def subscribed(broker: SimulatedBroker, qos: int, level: int = versions.V5, cut: int | None = None) -> MqttPair:
    pair = opened(broker, replace(TAKER, level=level), cut=cut)
    pair.client.subscribe(Subscription("t/#", qos))
    pair.exchange()
    assert pair.client.subscribed == SubAck(SUBSCRIBE_ID, (qos,))
    return pair


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("cut", [1, 5, None])
def test_messages_of_every_qos(broker: SimulatedBroker, level: int, qos: int, cut: int | None) -> None:
    taker = subscribed(broker, qos, level, cut)
    giver = opened(broker, replace(GIVER, level=level), cut=cut)
    bodies = [b"%d" % number for number in range(20)] + [b"x" * 20_000]
    numbers = [giver.client.publish(Publish("t/a", body, qos)) for body in bodies]
    giver.exchange()
    assert giver.client.sending.settled == [Settled(number, None) for number in numbers]
    taker.exchange()
    arrived = list(taker.client.arrived)
    assert [message.payload for message in arrived] == bodies
    assert {(message.topic, message.qos) for message in arrived} == {("t/a", qos)}
    for message in arrived:
        taker.client.acknowledge(message)
    taker.exchange()
    again = opened(broker, replace(TAKER, level=level))
    assert again.client.session_present
    assert not again.client.arrived


@pytest.mark.parametrize("qos", [1, 2])
def test_what_isnt_acknowledged_comes_again(broker: SimulatedBroker, qos: int) -> None:
    memory = ClientMemory()
    taker = subscribed(broker, qos)
    giver = opened(broker, GIVER)
    for number in range(3):
        giver.client.publish(Publish("t/a", b"%d" % number, qos))
    giver.exchange()
    taker.exchange()
    taker.client.acknowledge(taker.client.arrived[0])
    taker.exchange()
    taker.lose()
    again = opened(broker, TAKER, memory)
    assert [message.payload for message in again.client.arrived] == [b"1", b"2"]


def test_qos_2_comes_once_though_the_peer_hadnt_heard_of_it(broker: SimulatedBroker) -> None:
    memory = ClientMemory()
    taker = opened(broker, TAKER, memory)
    taker.client.subscribe(Subscription("t/#", 2))
    taker.exchange()
    giver = opened(broker, GIVER)
    giver.client.publish(Publish("t/a", b"once", 2))
    giver.exchange()
    taker.exchange()
    taker.client.acknowledge(taker.client.arrived.popleft())
    assert taker.client.take(), "a PUBREC, which gets lost"
    taker.lose()
    again = opened(broker, TAKER, memory)
    assert not again.client.arrived
    assert memory.received == set(), "PUBREL has come"
    assert broker.mqtt is not None
    third = opened(broker, TAKER, memory)
    assert not third.client.arrived


@pytest.mark.parametrize("told", ["acknowledge", "remember"])
def test_qos_2_comes_once_though_it_was_safe_only_when_the_link_was_gone(broker: SimulatedBroker, told: str) -> None:
    memory = ClientMemory()
    taker = opened(broker, TAKER, memory)
    taker.client.subscribe(Subscription("t/#", 2))
    taker.exchange()
    giver = opened(broker, GIVER)
    giver.client.publish(Publish("t/a", b"1", 2))
    giver.client.publish(Publish("t/a", b"2", 2))
    giver.exchange()
    taker.exchange()
    taker.lose()
    getattr(taker.client, told)(taker.client.arrived[1])
    again = opened(broker, TAKER, memory)
    assert [message.payload for message in again.client.arrived] == [b"1"]
    again.client.acknowledge(again.client.arrived.popleft())
    again.exchange()
    assert memory.received == set(), "PUBREL has come for both"


def test_what_a_client_remembers_ends_with_the_session(broker: SimulatedBroker) -> None:
    memory = ClientMemory()
    memory.received.add(1)
    pair = opened(broker, GIVER, memory)
    assert not pair.client.session_present
    assert memory.received == set()


@pytest.mark.parametrize("qos", [1, 2])
def test_the_peers_receive_maximum_is_kept(broker: SimulatedBroker, qos: int) -> None:
    pair = MqttPair(broker, GIVER, settings=MqttSettings(receive_maximum=5))
    pair.exchange()
    for number in range(30):
        pair.client.publish(Publish("t/a", b"%d" % number, qos))
    first = pair.client.take()
    assert first.count(b"t/a") == 5
    pair.transport.receive(first)
    pair.exchange()
    assert pair.client.closed is None
    assert [settled.number for settled in pair.client.sending.settled] == list(range(1, 31))


def test_a_refused_message_is_told_with_the_reason(broker: SimulatedBroker) -> None:
    pair = opened(broker, GIVER)
    pair.client.publish(Publish("$SYS/mine", b"", 1))
    pair.exchange()
    ((number, refused),) = pair.client.sending.settled
    assert number == 1
    assert refused is not None
    assert refused.startswith("the peer refused a message: Not authorized (0x87)")


@pytest.mark.parametrize("level", LEVELS)
def test_a_wrong_password_is_told(broker: SimulatedBroker, level: int) -> None:
    pair = MqttPair(broker, replace(GIVER, level=level, password="wr0ng"))
    pair.exchange()
    broker.advance(broker.broker.refused_logins.delay_ms)
    pair.exchange()
    assert pair.client.closed is not None
    assert "refused the login: " in pair.client.closed.text
    assert "not authorized" in pair.client.closed.text.lower() or "bad user name" in pair.client.closed.text.lower()
    assert "wr0ng" not in pair.client.closed.text


def test_the_peers_disconnect_is_told(broker: SimulatedBroker) -> None:
    pair = opened(broker, GIVER)
    opened(broker, GIVER)
    pair.exchange()
    assert pair.client.closed is not None
    assert "Session taken over (0x8e)" in pair.client.closed.text


def test_leaving_in_good_order(broker: SimulatedBroker) -> None:
    pair = opened(broker, GIVER)
    pair.client.close()
    pair.transport.receive(pair.client.take())
    broker.settle()
    assert pair.transport.closed or pair.transport.closing
    assert pair.client.closed is not None


@pytest.mark.parametrize(
    "packet", [Publish("t/a", b"x" * 100, 1), Publish("t/a", b"x" * 100), Publish("nul\0", b"", 1), Publish("", b"", 1)]
)
@pytest.mark.parametrize("window", [0, 10])
def test_what_cant_be_sent_is_refused_here(packet: Publish, window: int) -> None:
    client = MqttClient(GIVER, ClientMemory(), 0)
    client.receive(encode(ConnAck(properties={"maximum_packet_size": 50}), versions.V5), 0)
    client.sending.window = window
    client.take()
    with pytest.raises(ValueError, match=r"50 bytes|U\+0000|topic"):
        client.publish(packet)
    assert client.take() == b""
    assert client.closed is None


def test_pings_and_silence() -> None:
    client = MqttClient(replace(GIVER, keep_alive_s=10), ClientMemory(), 0)
    client.take()
    client.receive(encode(ConnAck(), versions.V5), 0)
    assert client.next_at_ms() == 5_000
    client.advance(4_999)
    assert client.take() == b""
    client.advance(5_000)
    assert client.take() == PINGREQ
    client.receive(PINGRESP, 6_000)
    client.advance(9_999)
    assert client.take() == b""
    client.advance(10_000)
    assert client.take() == PINGREQ
    client.advance(19_999)
    assert client.closed is None
    client.advance(20_000)
    assert client.closed is not None
    assert "silent for 14 s: no PINGRESP" in client.closed.text
    assert client.next_at_ms() is None


def test_the_peers_keep_alive_counts() -> None:
    client = MqttClient(replace(GIVER, keep_alive_s=100), ClientMemory(), 0)
    client.take()
    client.receive(encode(ConnAck(properties={"server_keep_alive": 4}), versions.V5), 0)
    assert client.next_at_ms() == 2_000


@pytest.mark.parametrize(
    ("packets", "said"),
    [
        ([Publish("t", b"")], "PUBLISH instead of CONNACK"),
        ([ConnAck(), PingReq()], "sent PINGREQ"),
        ([ConnAck(), ConnAck()], "sent CONNACK"),
        ([ConnAck(), PubAck(7)], "PUBACK for the message 7, which nobody had sent"),
        ([ConnAck(), PubRec(7)], "PUBREC for the message 7, which nobody had sent"),
        ([ConnAck(), PubComp(7)], "PUBCOMP for the message 7, which nobody had sent"),
    ],
)
@pytest.mark.parametrize("cut", [1, None])
def test_a_peer_that_breaks_the_rules_is_given_up(packets: list[Packet], said: str, cut: int | None) -> None:
    client = MqttClient(GIVER, ClientMemory(), 0)
    data = b"".join(encode(packet, versions.V5) for packet in packets)
    for start in range(0, len(data), cut or len(data)):
        client.receive(data[start : start + (cut or len(data))], 0)
    assert client.closed is not None
    assert said in client.closed.text


def test_bytes_that_are_no_packet_are_told() -> None:
    client = MqttClient(GIVER, ClientMemory(), 0)
    client.receive(b"HTTP/1.1 400 Bad Request", 0)
    assert client.closed is not None
    assert "can't be read" in client.closed.text
