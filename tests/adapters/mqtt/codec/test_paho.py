"""The Eclipse client as an independent judge: we read what it writes, and it reads what we write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import properties as untyped_properties
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.adapters.mqtt.codec.paho_peer import PahoPeer
from tests.adapters.mqtt.codec.strategies import LEVELS, properties
from warren.adapters.mqtt.codec import reason_codes, versions
from warren.adapters.mqtt.codec.packets import (
    ConnAck,
    Connect,
    Disconnect,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from warren.adapters.mqtt.codec.properties import RULES, WILL, Properties
from warren.adapters.mqtt.codec.reader import Reader
from warren.adapters.mqtt.codec.wire_properties import read_properties, write_properties

PahoProperties: Any = untyped_properties.Properties
"""Its methods have no types."""

PAHO_NAMES = {
    rule.name: rule.name.title().replace("_", "").replace("Qos", "QoS").replace("Identifiers", "Identifier")
    for rule in RULES
} | {"user_properties": "UserProperty"}


def paho_properties(packet: int, **values: object) -> Any:
    made = PahoProperties(PacketTypes.WILLMESSAGE if packet == WILL else packet)
    for name, value in values.items():
        if name == "subscription_identifiers":
            assert isinstance(value, list)
            for identifier in value:
                setattr(made, PAHO_NAMES[name], identifier)
        else:
            setattr(made, PAHO_NAMES[name], int(value) if isinstance(value, bool) else value)
    return made


with_properties = st.sampled_from(sorted({packet for rule in RULES for packet in rule.packets}))
owners_and_properties = with_properties.flatmap(
    lambda packet: st.tuples(st.just(packet), properties(packet, versions.V5))
)


@given(owners_and_properties)
def test_properties_are_read_as_paho_writes_them(owner_and_values: tuple[int, Properties]) -> None:
    packet, values = owner_and_values
    raw = bytes(paho_properties(packet, **values).pack())
    assert read_properties(Reader(raw, 0, len(raw), versions.V5), packet) == values


@given(owners_and_properties)
def test_paho_reads_properties_as_we_write_them(owner_and_values: tuple[int, Properties]) -> None:
    packet, values = owner_and_values
    raw = write_properties(values, packet)
    read = PahoProperties(PacketTypes.WILLMESSAGE if packet == WILL else packet)
    read.unpack(raw)
    assert read.json() == paho_properties(packet, **values).json()


def test_reason_codes_are_pahos() -> None:
    """All but one: payload format invalid in CONNACK (table 2-6), which paho doesn't know."""
    known = {
        (packet, code)
        for code, names in ReasonCode(PacketTypes.CONNACK).names.items()
        for packets in names.values()
        for packet in packets
    }
    ours = {(packet, code) for packet, codes in reason_codes.ALLOWED.items() for code in codes}
    assert ours - known == {(versions.CONNACK, reason_codes.PAYLOAD_FORMAT_INVALID)}
    assert known - ours == set()
    assert set(reason_codes.NAMES) == {code for _, code in ours}


@pytest.mark.parametrize("level", LEVELS)
def test_connect(level: int) -> None:
    v5 = level == versions.V5
    with PahoPeer(level, "device-1", clean_start=False) as peer:
        peer.client.username_pw_set("user", "secret")
        will_properties = paho_properties(WILL, will_delay_interval=5, content_type="t") if v5 else None
        peer.client.will_set("gone/device-1", b"\x00bye", 2, True, will_properties)
        login = paho_properties(versions.CONNECT, session_expiry_interval=60, user_properties=[("a", "b"), ("a", "b")])
        received = peer.connect(keep_alive_s=17, clean_start=False, properties=login if v5 else None)
    assert received == Connect(
        "device-1",
        level,
        False,
        17,
        Will("gone/device-1", b"\x00bye", 2, True, {"will_delay_interval": 5, "content_type": "t"} if v5 else {}),
        "user",
        b"secret",
        properties={"session_expiry_interval": 60, "user_properties": [("a", "b"), ("a", "b")]} if v5 else {},
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("accepted", [True, False])
def test_connack(level: int, accepted: bool) -> None:
    seen: list[tuple[bool, bool]] = []

    def on_connect(client: Client, data: object, flags: Any, code: ReasonCode, properties: Any) -> None:
        seen.append((flags.session_present, code.is_failure))

    with PahoPeer(level) as peer:
        peer.client.on_connect = on_connect
        peer.connect()
        code = 0 if accepted else reason_codes.BAD_USER_NAME_OR_PASSWORD
        peer.send(ConnAck(code, accepted, {"receive_maximum": 10, "reason_string": "so"}))
        assert seen == [(accepted and level != versions.V3_1, not accepted)]


@pytest.mark.parametrize("level", LEVELS)
def test_publish_from_paho(level: int) -> None:
    v5 = level == versions.V5
    carried = paho_properties(versions.PUBLISH, content_type="t", correlation_data=b"\xff") if v5 else None
    ours: Properties = {"content_type": "t", "correlation_data": b"\xff"} if v5 else {}
    with PahoPeer(level) as peer:
        peer.connect()
        peer.send(ConnAck())
        peer.client.publish("a/ü", b"x" * 200, 0, True, carried)
        assert peer.receive() == Publish("a/ü", b"x" * 200, 0, 0, True, properties=ours)
        first = peer.client.publish("a", b"", 1, properties=carried)
        assert peer.receive() == Publish("a", b"", 1, first.mid, properties=ours)
        second = peer.client.publish("a", b"x", 2, properties=carried)
        assert peer.receive() == Publish("a", b"x", 2, second.mid, properties=ours)
        peer.send(PubAck(first.mid, 0, {"reason_string": "thanks"}))
        assert first.is_published()
        peer.send(PubRec(second.mid))
        assert peer.receive() == PubRel(second.mid)
        peer.send(PubComp(second.mid))
        assert second.is_published()


@pytest.mark.parametrize("level", LEVELS)
def test_publish_to_paho(level: int) -> None:
    seen: list[tuple[str, bytes | bytearray, int, bool, object]] = []

    def on_message(client: Client, data: object, message: MQTTMessage) -> None:
        users = getattr(message.properties, "UserProperty", None)
        seen.append((message.topic, message.payload, message.qos, message.retain, users))

    pairs = [("a", "1"), ("a", "2"), ("a", "1")]
    users = pairs if level == versions.V5 else None
    with PahoPeer(level) as peer:
        peer.client.on_message = on_message
        peer.connect()
        peer.send(ConnAck())
        for qos in (0, 1, 2):
            peer.send(
                Publish("a/b", b"x" * 130, qos, qos, True, properties={"user_properties": pairs, "topic_alias": 1})
            )
        assert peer.receive() == PubAck(1)
        assert peer.receive() == PubRec(2)
        peer.send(PubRel(2))
        assert peer.receive() == PubComp(2)
    assert seen == [("a/b", b"x" * 130, qos, True, users) for qos in (0, 1, 2)]


@pytest.mark.parametrize("level", LEVELS)
def test_subscribing(level: int) -> None:
    v5 = level == versions.V5
    answers: list[list[int]] = []

    def on_answer(client: Client, data: object, packet_id: int, codes: list[ReasonCode], properties: Any) -> None:
        answers.append([code.value for code in codes])

    with PahoPeer(level) as peer:
        peer.client.on_subscribe = on_answer
        peer.client.on_unsubscribe = on_answer
        peer.connect()
        peer.send(ConnAck())
        if v5:
            options = SubscribeOptions(2, noLocal=True, retainAsPublished=True, retainHandling=2)
            identifier = paho_properties(versions.SUBSCRIBE, subscription_identifiers=[268_435_455])
            _, packet_id = peer.client.subscribe(
                [("a/+", options), ("$share/g/b/#", SubscribeOptions(1))], properties=identifier
            )
        else:
            _, packet_id = peer.client.subscribe([("a/+", 2), ("$share/g/b/#", 1)])
        assert packet_id is not None
        assert peer.receive() == Subscribe(
            packet_id,
            (Subscription("a/+", 2, v5, v5, 2 if v5 else 0), Subscription("$share/g/b/#", 1)),
            {"subscription_identifiers": [268_435_455]} if v5 else {},
        )
        peer.send(SubAck(packet_id, (2, reason_codes.NOT_AUTHORIZED)))
        _, packet_id = peer.client.unsubscribe(["a/+", "x"])
        assert packet_id is not None
        assert peer.receive() == Unsubscribe(packet_id, ("a/+", "x"))
        peer.send(UnsubAck(packet_id, (0, reason_codes.NO_SUBSCRIPTION_EXISTED)))
    assert answers == [[2, 0x87 if v5 else 0x80], [0, 0x11] if v5 else []]


@pytest.mark.parametrize("level", LEVELS)
def test_disconnect_from_paho(level: int) -> None:
    with PahoPeer(level) as peer:
        peer.connect()
        peer.send(ConnAck())
        peer.client.disconnect()
        assert peer.receive() == Disconnect()


def test_disconnect_to_paho() -> None:
    seen: list[int] = []

    def on_disconnect(client: Client, data: object, flags: object, code: ReasonCode, properties: Any) -> None:
        seen.append(code.value)

    with PahoPeer(versions.V5) as peer:
        peer.client.on_disconnect = on_disconnect
        peer.connect()
        peer.send(ConnAck())
        peer.send(Disconnect(reason_codes.SESSION_TAKEN_OVER, {"reason_string": "elsewhere"}))
        assert seen == [reason_codes.SESSION_TAKEN_OVER]
