"""The client's Maximum Packet Size: what has to be sent and doesn't fit ends the connection (MQTT-3.1.2-24)."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    ConnAck,
    Connect,
    Disconnect,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    Unsubscribe,
)
from warren.adapters.mqtt.codec.properties import Properties

CONNACK_REFUSED_BYTES = 5
"""The shortest CONNACK: its flags, a reason code, no properties."""

DISCONNECT_BYTES = 3


def connack_bytes(simulated: SimulatedBroker) -> int:
    """How long the CONNACK is that a client with a name gets."""
    made = MqttClient(simulated)
    made.transport.receive(encode(Connect("c"), versions.V5))
    simulated.settle()
    return len(made.transport.take())


def connecting(simulated: SimulatedBroker, size: int, **properties: object) -> MqttClient:
    made = MqttClient(simulated)
    packet: Properties = {"maximum_packet_size": size, **properties}  # type: ignore[typeddict-item]
    made.transport.receive(encode(Connect("c", properties=packet), versions.V5))
    simulated.settle()
    return made


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_where_nothing_fits_the_connection_is_closed_with_a_line(
    simulated: SimulatedBroker, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    made = connecting(simulated, size)
    assert made.transport.closed
    assert made.transport.take() == b""
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if f"CONNACK doesn't fit into {size} bytes" in line]
    assert not simulated.mqtt.of(simulated.vhost).sessions
    assert not simulated.broker.client_count
    assert simulated.timers == 0


@pytest.mark.parametrize("short_by", [1, 2], ids=str)
def test_where_only_a_refusal_fits_it_is_told(simulated: SimulatedBroker, short_by: int) -> None:
    made = connecting(simulated, connack_bytes(simulated) - short_by)
    (answer,) = made.packets()
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == reason_codes.PACKET_TOO_LARGE
    assert made.transport.closed
    assert not made.connection.broker.client_count - 1, "the one that measured is there still"


def test_the_shortest_refusal(simulated: SimulatedBroker) -> None:
    made = connecting(simulated, CONNACK_REFUSED_BYTES)
    assert made.transport.take() == bytes((0x20, 3, 0, reason_codes.PACKET_TOO_LARGE, 0))
    assert made.transport.closed


def test_exactly_enough_is_enough(simulated: SimulatedBroker) -> None:
    size = connack_bytes(simulated)
    made = connecting(simulated, size)
    (answer,) = made.packets()
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == 0
    assert made.send(PingReq()) == [PingResp()]
    (published,) = made.publish("nobody/wants", b"x", 1)
    assert isinstance(published, PubAck)
    assert not made.closed


def test_a_session_that_is_there_is_not_touched_by_a_client_that_cant_have_it(simulated: SimulatedBroker) -> None:
    kept = MqttClient(simulated)
    kept.connect("c", session_expiry_interval=1000)
    kept.subscribe("a", qos=1)
    connecting(simulated, 1)
    assert not kept.closed, "who can't be told that it is in doesn't take over"
    assert kept.publish("a", b"x", 0)


@pytest.mark.parametrize("count", [300, 5000], ids=["short", "in slices"])
def test_a_suback_that_doesnt_fit(client: Connected, count: int) -> None:
    made = client("c", maximum_packet_size=200)
    filters = tuple(Subscription(str(number)) for number in range(count))
    (answer,) = made.send(Subscribe(1, filters))
    assert isinstance(answer, Disconnect)
    assert answer.reason_code == reason_codes.PACKET_TOO_LARGE
    assert "SUBACK doesn't fit into 200 bytes" in answer.properties["reason_string"]
    assert made.closed


@pytest.mark.parametrize("count", [300, 5000], ids=["short", "in slices"])
def test_an_unsuback_that_doesnt_fit(client: Connected, count: int) -> None:
    made = client("c", maximum_packet_size=100)
    (answer,) = made.send(Unsubscribe(1, tuple(str(number) for number in range(count))))
    assert isinstance(answer, Disconnect)
    assert answer.reason_code == reason_codes.PACKET_TOO_LARGE
    assert made.closed


def test_a_suback_that_just_fits(client: Connected) -> None:
    made = client("c", maximum_packet_size=100)
    fixed = len(encode(SubAck(1, (0,)), versions.V5)) - 1
    exactly = tuple(Subscription(str(number)) for number in range(100 - fixed))
    (answer,) = made.send(Subscribe(1, exactly))
    assert isinstance(answer, SubAck)
    (answer,) = made.send(Subscribe(2, (*exactly, Subscription("more"))))
    assert isinstance(answer, Disconnect)


def test_an_auth_that_doesnt_fit(simulated: SimulatedBroker) -> None:
    simulated.broker.users.verifiers.make("guest", "guest")
    made = connecting(
        simulated, 30, authentication_method="SCRAM-SHA-256", authentication_data=b"n,,n=guest,r=abcdefgh"
    )
    (answer,) = made.packets()
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == reason_codes.PACKET_TOO_LARGE
    assert made.transport.closed


def test_a_message_that_doesnt_fit_is_left_out_and_the_connection_goes_on(client: Connected) -> None:
    """MQTT-3.1.2-25: it counts as sent."""
    made = client("c", maximum_packet_size=60)
    made.subscribe("t", qos=1)
    made.publish("t", b"x" * 100, 0)
    answers = made.publish("t", b"small", 0)
    assert [each.payload for each in answers if isinstance(each, Publish)] == [b"small"]


def test_a_goodbye_leaves_its_text_out_before_it_isnt_said(client: Connected) -> None:
    made = client("c", maximum_packet_size=30)
    made.connection.disconnect(reason_codes.ADMINISTRATIVE_ACTION, "a long reason, " * 10)
    made.simulated.settle()
    taken = made.transport.take()
    assert taken == bytes((0xE0, 1, reason_codes.ADMINISTRATIVE_ACTION))
    assert len(taken) == DISCONNECT_BYTES
