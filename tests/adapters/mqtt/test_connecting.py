"""Logging in, being refused, keep-alive, alarms, and what ends a connection."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient, only
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import (
    Connect,
    Disconnect,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    PubRec,
    SubAck,
    Subscribe,
    Subscription,
)
from warren.adapters.mqtt.settings import MqttSettings
from warren.core.policies.policy import POLICY, make_policy


@pytest.mark.parametrize(
    ("arguments", "v3", "v5"),
    [
        ({"username": "guest", "password": b"wrong"}, 4, 0x86),
        ({"username": "guest"}, 4, 0x86),
        ({"username": "nobody", "password": b"x"}, 4, 0x86),
        ({"username": "missing:guest", "password": b"guest"}, 4, 0x86),
        ({"username": "/:guest", "password": b"guest"}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_credentials(simulated: SimulatedBroker, level: int, arguments: dict[str, Any], v3: int, v5: int) -> None:
    made = MqttClient(simulated, level)
    answer = made.connect("c", **arguments)
    assert answer.reason_code == (v5 if level == versions.V5 else v3)
    assert made.closed == (answer.reason_code != 0)


def test_guests_come_from_this_machine_only(simulated: SimulatedBroker) -> None:
    assert MqttClient(simulated, peer_host="192.0.2.1").connect("c").reason_code == reason_codes.NOT_AUTHORIZED


def test_an_empty_client_identifier(simulated: SimulatedBroker) -> None:
    assert MqttClient(simulated, versions.V3_1_1).connect("", clean_start=False).reason_code == 2
    assert MqttClient(simulated, versions.V3_1_1).connect("").reason_code == 0


def test_before_connect_nothing_else_is_taken(simulated: SimulatedBroker, level: int) -> None:
    made = MqttClient(simulated, level)
    made.send_bytes(encode(PingReq(), level))
    assert made.closed


def test_a_second_connect(client: Connected, level: int) -> None:
    made = client("c", level)
    answers = made.send(Connect("c", level))
    assert made.closed
    if level == versions.V5:
        assert only(Disconnect, answers).reason_code == reason_codes.PROTOCOL_ERROR


def test_who_says_nothing_is_not_waited_for(simulated: SimulatedBroker) -> None:
    made = MqttClient(simulated)
    simulated.advance(9_999)
    assert not made.closed
    simulated.advance(1)
    assert made.closed


def test_keep_alive(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    made = client("c", level, keep_alive_s=10)
    simulated.advance(14_000)
    only(PingResp, made.send(PingReq()))
    simulated.advance(14_999)
    assert not made.closed
    simulated.advance(1)
    assert made.closed


def test_acknowledging_with_the_wrong_packet(client: Connected) -> None:
    subscriber = client("s")
    subscriber.subscribe("t", qos=2)
    client("p").publish_fully("t", b"x", 2)
    (message,) = subscriber.messages()
    assert only(Disconnect, subscriber.send(PubAck(message.packet_id))).reason_code == reason_codes.PROTOCOL_ERROR


def test_acknowledging_what_is_not_there(client: Connected, level: int) -> None:
    made = client("c", level)
    made.send(PubAck(5))
    made.send(PubRec(6))
    assert not made.closed


def test_permissions(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    users = simulated.broker.users
    users.set_topic_permissions("guest", "/", "amq.topic", r"^own\.{client_id}\.", r"^(own|shared)\.")
    made = client("me", level)
    codes = only(SubAck, made.subscribe("own/x", "other/x")).reason_codes
    refused = {versions.V3_1: 0, versions.V3_1_1: 0x80, versions.V5: 0x87}[level]
    assert codes == (0, refused), "MQTT 3.1 can't say no (3.8); nothing comes all the same"
    core_clients.publish(simulated, "amq.topic", b"not for it", key="other.x")
    simulated.settle()
    assert made.messages() == []
    made.publish("own/me/x", b"x")
    assert not made.closed
    answers = made.publish("own/you/x", b"x", 1)
    if level == versions.V5:
        assert only(PubAck, answers).reason_code == reason_codes.NOT_AUTHORIZED
        answers = made.publish("own/you/x", b"x")
        assert only(Disconnect, answers).reason_code == reason_codes.NOT_AUTHORIZED
    assert made.closed


def test_an_alarm_holds_publishes_and_new_clients(client: Connected, level: int, simulated: SimulatedBroker) -> None:
    subscriber, publisher = client("s", level), client("p", level)
    subscriber.subscribe("t")
    publisher.publish("t", b"0")
    simulated.broker.alarms.set("memory", True)
    refused = MqttClient(simulated, level).connect("new").reason_code
    assert refused == (reason_codes.SERVER_BUSY if level == versions.V5 else 3)
    publisher.publish("t", b"1")
    only(PingResp, publisher.send(PingReq()))
    publisher.publish("t", b"2", 1)
    assert subscriber.take() == [b"0"]
    simulated.broker.alarms.set("memory", False)
    simulated.settle()
    assert subscriber.take() == [b"1", b"2"]
    only(PubAck, publisher.packets())


def test_a_full_queue_refuses(client: Connected, simulated: SimulatedBroker) -> None:
    policy = make_policy(POLICY, "limit", "^mqtt-", {"max-length": 1, "overflow": "reject-publish"})
    simulated.broker.policies.set(simulated.vhost, policy)
    subscriber = client("s", clean_start=False, session_expiry_interval=60)
    subscriber.subscribe("t", qos=1)
    subscriber.lose()
    publisher = client("p")
    assert only(PubAck, publisher.publish("t", b"1", 1)).reason_code == 0
    assert only(PubAck, publisher.publish("t", b"2", 1)).reason_code == reason_codes.QUOTA_EXCEEDED


def test_a_slow_subscriber_loses_messages_of_qos_0(client: Connected, simulated: SimulatedBroker) -> None:
    subscriber, publisher = client("slow", versions.V3_1_1), client("p", versions.V3_1_1)
    subscriber.subscribe("t")
    subscriber.transport.socket_room = 0
    packet = encode(Publish("t", b"x" * 4000), versions.V3_1_1)
    for _ in range(120):
        publisher.send_bytes(packet * 100)
    dropped = simulated.mqtt.dropped
    assert dropped > 0
    subscriber.transport.read_by_peer(None)
    simulated.settle()
    received = 0
    while taken := subscriber.messages():
        received += len(taken)
        simulated.settle()
    assert received == 12_000 - dropped


@pytest.mark.parametrize("packet_bytes", [5_000, 200_000])
def test_packets_that_are_too_large(simulated: SimulatedBroker, packet_bytes: int) -> None:
    made = MqttClient(simulated, settings=MqttSettings(packet_bytes_max=4096))
    made.connect("c")
    answers = made.publish("t", b"x" * packet_bytes)
    assert only(Disconnect, answers).reason_code == reason_codes.PACKET_TOO_LARGE


TOO_LARGE = {
    "the first": [b"x" * 4090],
    "the first whose end isn't there yet": [b"x" * 200_000],
    "behind others": [b"x" * 4089, b"x" * 4090],
    "of another kind": [b"x" * 4089, "f" * 5000],
}
"""Payloads of PUBLISHes, filters of SUBSCRIBEs; a PUBLISH to `t` is 7 bytes longer than its payload."""


@pytest.mark.parametrize("sent", TOO_LARGE.values(), ids=TOO_LARGE.keys())
def test_packets_that_are_too_large_are_not_held_back(simulated: SimulatedBroker, sent: list[bytes | str]) -> None:
    made = MqttClient(simulated, settings=MqttSettings(packet_bytes_max=4096))
    made.connect("c")
    simulated.broker.alarms.set("memory", True)
    answers = []
    for each in sent:
        assert not made.closed
        if isinstance(each, str):
            answers += made.send(Subscribe(1, (Subscription(each),)))
        else:
            answers += made.send_bytes(encode(Publish("t", each), versions.V5)[:10_000])
    assert only(Disconnect, answers).reason_code == reason_codes.PACKET_TOO_LARGE
