"""Packets at a time when they mustn't come, valid or not: the client is told, and no answer before is lost."""

from __future__ import annotations

import logging

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    PubAck,
    PubRel,
    Subscribe,
    Subscription,
    Will,
)

SECOND_CONNECTS = {
    "valid": encode(Connect("other"), versions.V5),
    "name MQTX": bytes.fromhex("100e 0004") + b"MQTX" + bytes.fromhex("05 02 003c 00 0001 61"),
    "level 9": bytes.fromhex("100e 0004") + b"MQTT" + bytes.fromhex("09 02 003c 00 0001 61"),
    "level 4": encode(Connect("other", 4), versions.V3_1_1),
    "level 3": encode(Connect("other", 3), versions.V3_1),
    "a bad will": encode(Connect("o", will=Will("t", b"")), versions.V5).replace(b"\0\1t", b"\0\1#"),
    "reserved flags": b"\x1f" + encode(Connect("other"), versions.V5)[1:],
    "empty": b"\x10\0",
    "its first byte alone": b"\x10",
}


@pytest.mark.parametrize("second", SECOND_CONNECTS.values(), ids=SECOND_CONNECTS)
def test_a_second_connect_is_a_protocol_error_whatever_is_in_it(client: Connected, second: bytes) -> None:
    """MQTT-3.1.0-2: also where a first one of the kind would be told something else."""
    made = client("c")
    assert made.send_bytes(second)[0] == Disconnect(
        reason_codes.PROTOCOL_ERROR, {"reason_string": "a second CONNECT [MQTT-3.1.0-2]"}
    )
    assert made.closed


@pytest.mark.parametrize("second", SECOND_CONNECTS.values(), ids=SECOND_CONNECTS)
def test_the_answers_before_it_still_come(simulated: SimulatedBroker, second: bytes) -> None:
    made = MqttClient(simulated)
    subscribe = encode(Subscribe(1, (Subscription("a"),)), versions.V5)
    packets = made.send_bytes(encode(Connect("c"), versions.V5) + subscribe + second)
    assert [type(packet).__name__ for packet in packets] == ["ConnAck", "SubAck", "Disconnect"]


@pytest.mark.parametrize("second", SECOND_CONNECTS.values(), ids=SECOND_CONNECTS)
@pytest.mark.parametrize("level", [versions.V3_1, versions.V3_1_1])
def test_mqtt_3_is_closed_with_a_line(
    client: Connected, level: int, second: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    made = client("c", level)
    assert made.send_bytes(second) == []
    assert made.closed
    assert [record.getMessage() for record in caplog.records if "a second CONNECT" in record.getMessage()]


def scram_begun(simulated: SimulatedBroker) -> MqttClient:
    """A client of whom the broker wants an AUTH next."""
    simulated.broker.users.verifiers.make("guest", "guest")
    made = MqttClient(simulated)
    properties = {"authentication_method": "SCRAM-SHA-256", "authentication_data": b"n,,n=guest,r=abcdefgh"}
    packet = Connect("c", properties=properties)  # type: ignore[arg-type]
    (asked,) = made.send(packet)
    assert isinstance(asked, Auth)
    assert asked.reason_code == reason_codes.CONTINUE_AUTHENTICATION
    return made


DURING_LOGIN = {
    "SUBSCRIBE": encode(Subscribe(1, (Subscription("a"),)), versions.V5),
    "SUBSCRIBE with a bad filter": bytes.fromhex("8207 0001 00 0001") + b"\xff\0",
    "SUBSCRIBE with a filter that can't be": bytes.fromhex("8209 0001 00 0003") + b"a#b\0",
    "UNSUBSCRIBE": bytes.fromhex("a206 0001 00 0001") + b"a",
    "PUBLISH": bytes.fromhex("3004 0001") + b"t\0",
    "PUBLISH with an alias out of range": bytes.fromhex("3007 0001") + b"t" + bytes.fromhex("03 23 ffff"),
    "PUBACK": encode(PubAck(1), versions.V5),
    "PUBREL": encode(PubRel(1), versions.V5),
    "PINGREQ": b"\xc0\0",
    "CONNECT": encode(Connect("other"), versions.V5),
    "CONNECT of level 9": SECOND_CONNECTS["level 9"],
    "CONNACK": b"\x20\3\0\0\0",
    "type 0": b"\0\0",
}


@pytest.mark.parametrize("packet", DURING_LOGIN.values(), ids=DURING_LOGIN)
def test_before_the_login_is_through_only_auth_is_allowed(simulated: SimulatedBroker, packet: bytes) -> None:
    made = scram_begun(simulated)
    (answer,) = made.send_bytes(packet)
    assert isinstance(answer, ConnAck)
    assert answer.reason_code == reason_codes.PROTOCOL_ERROR
    assert "only AUTH is allowed" in answer.properties["reason_string"]
    assert made.closed
    assert not simulated.mqtt.of(simulated.vhost).sessions


def test_a_goodbye_before_the_login_is_through_is_one(simulated: SimulatedBroker) -> None:
    made = scram_begun(simulated)
    assert made.send(Disconnect()) == []
    assert made.closed


@pytest.mark.parametrize("code", [code for code in reason_codes.NAMES if code >= reason_codes.FAILURE])
def test_whatever_a_connection_is_ended_for_is_told(client: Connected, code: int) -> None:
    made = client("c")
    made.connection.disconnect(code, "why")
    made.simulated.settle()
    (answer,) = made.packets()
    assert isinstance(answer, Disconnect)
    assert answer.properties["reason_string"] == "why"
    assert made.closed


def test_a_stop_in_the_middle_of_a_login(simulated: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    made = scram_begun(simulated)
    made.connection.shut_down("the broker stops")
    simulated.settle()
    assert made.closed
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
