"""A message published in one protocol and consumed in another, row by row of docs/conversions.md.

What is published by AMQP 1.0 and consumed by it is byte for byte what it was, also from disk.

Longer than 400 lines because it is the rows of one page.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import proton
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.amqp10.codec.strategies import texts
from tests.support.simulated_amqp10 import Amqp10Client, annotations_of, body_of, messages, of
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.encoding import encode
from warren.adapters.amqp10.codec.performatives import Transfer
from warren.adapters.amqp10.codec.sections import APPLICATION_PROPERTIES, MESSAGE_ANNOTATIONS, PROPERTIES, sections_of
from warren.adapters.amqp10.codec.values import Byte, Float, Int, Short, Symbol, UByte, UInt, UShort, Value
from warren.adapters.mqtt.codec import versions
from warren.core.messages.field_table import Encodable, Typed, encode_value, raw_entries
from warren.core.messages.properties import Properties, encode_properties
from warren.core.messages.timestamp import Timestamp

UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.fixture
def broker(simulated: SimulatedBroker) -> SimulatedBroker:
    """With a queue `q`."""
    made = simulated.connect()
    made.declare("q", durable=True)
    made.close()
    return simulated


def publish(broker: SimulatedBroker, message: proton.Message | bytes) -> None:
    """By AMQP 1.0, to `q`."""
    client = Amqp10Client(broker).open().begin()
    client.attach_sender("/queues/q")
    client.publish(bytes(message if isinstance(message, bytes) else message.encode()), settled=True)
    client.close()


def consume(broker: SimulatedBroker) -> proton.Message:
    """By AMQP 1.0, from `q`."""
    client = Amqp10Client(broker).open().begin()
    client.attach_receiver("/queues/q", snd_settle_mode=1)
    (message,) = messages(client.credit(1))
    client.close()
    return message


def raw(broker: SimulatedBroker) -> bytes:
    """The sections that come, as they are."""
    client = Amqp10Client(broker).open().begin()
    client.attach_receiver("/queues/q", snd_settle_mode=1)
    frames = [frame for frame in client.credit(1) if isinstance(frame.body, Transfer)]
    client.close()
    return b"".join(frame.payload for frame in frames)


def publish_091(broker: SimulatedBroker, body: bytes = b"body", **fields: Any) -> None:
    """By AMQP 0-9-1, to `q`."""
    client = broker.connect()
    client.publish("q", body, properties=encode_properties(**fields).raw)
    client.settle()
    client.close()


def get_091(broker: SimulatedBroker) -> tuple[Properties, bytes]:
    """By AMQP 0-9-1, from `q`."""
    client = broker.connect()
    event = client.get("q", no_ack=True)
    assert event is not None
    client.close()
    return Properties.parse(event.properties), event.body


# AMQP 1.0 to AMQP 0-9-1

TO_091: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("durable", {"durable": True}, {"delivery_mode": 2}),
    ("not durable", {"durable": False}, {}),
    ("priority", {"priority": 7}, {"priority": 7}),
    ("ttl", {"ttl": 60.0}, {"expiration": "60000"}),
    ("message-id text", {"id": "id"}, {"message_id": "id"}),
    ("message-id uuid", {"id": UUID}, {"message_id": f"urn:uuid:{UUID}"}),
    ("message-id ulong", {"id": proton.ulong(7)}, {"headers": {"x-message-id": 7}}),
    ("message-id binary", {"id": b"\xff\x00"}, {"headers": {"x-message-id": b"\xff\x00"}}),
    ("message-id long", {"id": "i" * 256}, {"headers": {"x-message-id": "i" * 256}}),
    ("correlation-id text", {"correlation_id": "id"}, {"correlation_id": "id"}),
    ("correlation-id long", {"correlation_id": "c" * 300}, {"headers": {"x-correlation-id": "c" * 300}}),
    ("user-id", {"user_id": b"guest"}, {"user_id": "guest"}),
    ("reply-to queue", {"reply_to": "/queues/a%2Fb"}, {"reply_to": "a/b"}),
    ("reply-to other", {"reply_to": "somewhere"}, {"reply_to": "somewhere"}),
    ("reply-to topic", {"reply_to": "/exchanges/amq.topic/a.b"}, {"headers": {"x-reply-to-topic": "a.b"}}),
    ("content-type", {"content_type": "text/plain"}, {"content_type": "text/plain"}),
    ("content-encoding", {"content_encoding": "gzip"}, {"content_encoding": "gzip"}),
    ("creation-time", {"creation_time": 1_700_000_000.5}, {"timestamp": 1_700_000_000}),
    ("group-id", {"group_id": "app"}, {"app_id": "app"}),
    ("annotation x-basic-type", {"annotations": {"x-basic-type": "kind"}}, {"type": "kind"}),
    ("annotation x-", {"annotations": {"x-mine": 5}}, {"headers": {"x-mine": 5}}),
    ("annotation x-opt-deaths", {"annotations": {"x-opt-deaths": 5, "x-exchange": "e"}}, {}),
    ("annotation other", {"annotations": {"mine": 5}}, {}),
    ("application null", {"properties": {"a": None}}, {"headers": {"a": None}}),
    ("application bool", {"properties": {"a": True}}, {"headers": {"a": True}}),
    ("application negative", {"properties": {"a": proton.int32(-5)}}, {"headers": {"a": -5}}),
    ("application ulong", {"properties": {"a": proton.ulong(2**63)}}, {"headers": {"a": str(2**63)}}),
    ("application double", {"properties": {"a": 1.5}}, {"headers": {"a": 1.5}}),
    ("application infinity", {"properties": {"a": float("inf")}}, {"headers": {"a": float("inf")}}),
    ("application timestamp", {"properties": {"a": proton.timestamp(5000)}}, {"headers": {"a": 5}}),
    ("application before 1970", {"properties": {"a": proton.timestamp(-5000)}}, {"headers": {"a": -5000}}),
    ("application uuid", {"properties": {"a": UUID}}, {"headers": {"a": f"urn:uuid:{UUID}"}}),
    ("application binary", {"properties": {"a": b"\xff"}}, {"headers": {"a": b"\xff"}}),
    ("application decimal", {"properties": {"a": proton.decimal64(5), "b": 1}}, {"headers": {"b": 1}}),
    (
        "application symbol",
        {"properties": {"a": proton.symbol("s"), "b": proton.char("c")}},
        {"headers": {"a": "s", "b": "c"}},
    ),
    ("application described", {"properties": {"a": proton.Described(1, "x"), "b": 1}}, {"headers": {"b": 1}}),
    ("annotation map", {"annotations": {"x-m": {"k": ["v"]}}}, {"headers": {"x-m": {"k": ["v"]}}}),
    ("application CC", {"properties": {"CC": "elsewhere", "BCC": "too"}}, {}),
]


@pytest.mark.parametrize(("fields", "wanted"), [row[1:] for row in TO_091], ids=[row[0] for row in TO_091])
def test_to_amqp_091(broker: SimulatedBroker, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    fields = dict(fields)
    annotations = {proton.symbol(name): value for name, value in fields.pop("annotations", {}).items()}
    publish(broker, proton.Message(body=b"body", inferred=True, annotations=annotations or None, **fields))
    properties, body = get_091(broker)
    assert body == b"body"
    found = properties.fields()
    for name in set(found) - set(wanted):
        assert found[name] in ({}, None, 4), name
    assert {name: found[name] for name in wanted} == wanted


def test_not_a_number_is_one_there_too(broker: SimulatedBroker) -> None:
    publish(broker, proton.Message(body=b"", inferred=True, properties={"a": float("nan")}))
    headers = get_091(broker)[0].headers or {}
    assert headers["a"] != headers["a"]


def test_copies_go_to_further_keys(broker: SimulatedBroker) -> None:
    client = broker.connect()
    client.declare("copy", durable=True)
    client.close()
    publish(broker, proton.Message(body=b"x", annotations={proton.symbol("x-cc"): ["copy"]}))
    assert broker.queue("copy").ready_count == 1
    assert annotations_of(consume(broker))["x-cc"] == ["copy"]


BODIES = {
    "data": (b"\x00\x53\x75\xa0\x05bytes", b"bytes"),
    "value": (b"\x00\x53\x77\xa1\x04text", b"\x00\x53\x77\xa1\x04text"),
    "sequence": (b"\x00\x53\x76\xc0\x03\x01\x55\x01", b"\x00\x53\x76\xc0\x03\x01\x55\x01"),
}


@pytest.mark.parametrize(("data", "body"), BODIES.values(), ids=list(BODIES))
def test_bodies_to_amqp_091(broker: SimulatedBroker, data: bytes, body: bytes) -> None:
    publish(broker, data)
    properties, found = get_091(broker)
    assert found == body
    assert properties.type == (None if body == b"bytes" else "amqp-1.0")


# AMQP 0-9-1 to AMQP 1.0

FROM_091: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("persistent", {"delivery_mode": 2}, {"durable": True}),
    ("absent", {}, {"durable": False, "id": None, "properties": None, "group_id": None}),
    ("priority", {"priority": 7}, {"priority": 7}),
    ("expiration", {"expiration": "60000"}, {"ttl": 60.0}),
    ("message_id", {"message_id": "id"}, {"id": "id"}),
    ("message_id uuid", {"message_id": f"urn:uuid:{UUID}"}, {"id": UUID}),
    ("message_id no uuid", {"message_id": "urn:uuid:x"}, {"id": "urn:uuid:x"}),
    ("x-message-id", {"headers": {"x-message-id": Typed("l", 7)}}, {"id": 7}),
    ("x-correlation-id", {"headers": {"x-correlation-id": b"\xff"}}, {"correlation_id": b"\xff"}),
    ("user_id", {"user_id": "guest"}, {"user_id": b"guest"}),
    ("reply_to", {"reply_to": "a/b"}, {"reply_to": "/queues/a%2Fb"}),
    ("x-reply-to-topic", {"headers": {"x-reply-to-topic": "a.b"}}, {"reply_to": "/exchanges/amq.topic/a.b"}),
    ("content_type", {"content_type": "text/plain"}, {"content_type": "text/plain"}),
    ("content_encoding", {"content_encoding": "gzip"}, {"content_encoding": "gzip"}),
    ("timestamp", {"timestamp": 1_700_000_000}, {"creation_time": 1_700_000_000.0}),
    ("app_id", {"app_id": "app"}, {"group_id": "app"}),
    ("type", {"type": "kind"}, {"annotations": {"x-basic-type": "kind"}}),
    ("header x-", {"headers": {"x-mine": [1, {"a": None}]}}, {"annotations": {"x-mine": [1, {"a": None}]}}),
    (
        "header",
        {"headers": {"a": Typed("I", -5), "b": None, "c": True}},
        {"properties": {"a": -5, "b": None, "c": True}},
    ),
    ("header table", {"headers": {"a": {"b": 1}, "c": 1}}, {"properties": {"c": 1}}),
    ("header timestamp", {"headers": {"a": Timestamp(5)}}, {"properties": {"a": 5000}}),
    ("header binary", {"headers": {"a": b"\xff"}}, {"properties": {"a": b"\xff"}}),
]


@pytest.mark.parametrize(("fields", "wanted"), [row[1:] for row in FROM_091], ids=[row[0] for row in FROM_091])
def test_from_amqp_091(broker: SimulatedBroker, fields: dict[str, Any], wanted: dict[str, Any]) -> None:
    publish_091(broker, **fields)
    message = consume(broker)
    assert body_of(message) == b"body"
    for name, value in wanted.items():
        found = getattr(message, name)
        if name == "annotations":
            shown = annotations_of(message)
            assert {each: shown[each] for each in value} == value
        elif isinstance(found, memoryview):
            assert bytes(found) == value
        elif isinstance(found, dict):
            assert {k: bytes(v) if isinstance(v, memoryview) else v for k, v in found.items()} == value
        else:
            assert found == value, name


NUMBERS: list[tuple[str, int | float, Callable[[Any], Value]]] = [
    ("B", 200, UByte),
    ("u", 60_000, UShort),
    ("i", 4_000_000_000, UInt),
    ("b", -5, Byte),
    ("s", -5000, Short),
    ("I", -5_000_000, Int),
    ("l", -(2**40), int),
    ("f", 0.5, Float),
    ("d", 0.1, float),
]


@pytest.mark.parametrize(("tag", "number", "kind"), NUMBERS, ids=[row[0] for row in NUMBERS])
def test_numbers_keep_their_width_both_ways(
    broker: SimulatedBroker, tag: str, number: float, kind: Callable[[Any], Value]
) -> None:
    nested: Encodable = {"n": [Typed(tag, number), {"m": Typed(tag, number)}]}
    publish_091(broker, headers={"a": Typed(tag, number), "x-a": nested})
    whole = raw(broker)
    by_code = {section.code: section for section in sections_of(whole)}
    value = kind(number)
    section = by_code[APPLICATION_PROPERTIES]
    assert whole[section.value_at : section.end] == encode({"a": value})
    section = by_code[MESSAGE_ANNOTATIONS]
    found, _ = decode(whole, section.value_at)
    assert isinstance(found, dict)
    assert encode(found[Symbol("x-a")]) == encode({"n": [value, {"m": value}]})
    publish(broker, whole)
    client = broker.connect()
    event = client.get("q", no_ack=True)
    assert event is not None
    client.close()
    entries = raw_entries(Properties.parse(event.properties).with_changes().raw, 2)
    assert entries["a"] == encode_value(Typed(tag, number), "a")
    assert entries["x-a"] == encode_value(nested, "x-a")


def test_every_message_says_where_it_was_published(broker: SimulatedBroker) -> None:
    publish_091(broker)
    assert annotations_of(consume(broker)) == {"x-exchange": "", "x-routing-key": "q"}


def test_a_body_of_the_type_amqp_1_0_is_sections(broker: SimulatedBroker) -> None:
    publish_091(broker, b"\x00\x53\x77\xa1\x04text", type="amqp-1.0")
    assert consume(broker).body == "text"
    publish_091(broker, b"none of that", type="amqp-1.0")
    assert body_of(consume(broker)) == b"none of that"


# AMQP 1.0 to itself


def bare_of(data: bytes) -> bytes:
    """A message from its properties on."""
    return b"".join(data[section.at : section.end] for section in sections_of(data) if section.code >= PROPERTIES)


OF_PROTON = [
    proton.Message(body=b"x", inferred=True),
    proton.Message(body="text", id=proton.ulong(5), subject="s", properties={"x-a": 1, "b": None}),
    proton.Message(body={"a": [1, 2.5, proton.symbol("s")]}, address="/queues/else", group_sequence=7),
    proton.Message(body=[1, 2], inferred=True, reply_to="/queues/x", expiry_time=5.0),
    proton.Message(),
]

BARE = [
    *(bytes(message.encode()) for message in OF_PROTON),
    b"\x00\x53\x75\xb0\x00\x00\x00\x01x",
    b"\x00\x53\x75\xa0\x01x\x00\x53\x75\xa0\x01y",
    b"\x00\x80\x00\x00\x00\x00\x00\x00\x00\x75\xa0\x01x",
    b"\x00\xa3\x10amqp:data:binary\xa0\x01x\x00\x53\x78\xc1\x05\x02\xa3\x01a\x41",
    b"\x00\x53\x76\x45\x00\x53\x76\xc0\x02\x01\x41",
    b"\x00\x53\x73\xd0\x00\x00\x00\x05\x00\x00\x00\x01\x40\x00\x53\x77\x40",
]


@pytest.mark.parametrize("data", BARE)
def test_the_bare_message_is_as_it_was(broker: SimulatedBroker, data: bytes) -> None:
    publish(broker, data)
    assert bare_of(raw(broker)) == bare_of(data)


@pytest.mark.parametrize("data", BARE)
def test_so_it_is_from_disk(tmp_path: Path, data: bytes) -> None:
    durable = SimulatedBroker(tmp_path)
    made = durable.connect()
    made.declare("q", durable=True)
    made.close()
    publish(durable, b"\x00\x53\x70\xc0\x02\x01\x41" + bare_of(data))
    durable.restart()
    assert bare_of(raw(durable)) == bare_of(data)
    durable.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.dictionaries(texts, st.one_of(st.none(), st.booleans(), texts, st.binary(max_size=20), st.integers(0, 9))),
    st.dictionaries(st.sampled_from(["x-a", "x-opt-b", "c"]).map(proton.symbol), texts),
    st.one_of(texts, st.binary(max_size=600), st.lists(st.integers(0, 5))),
)
def test_so_is_any(
    broker: SimulatedBroker, properties: dict[str, Any], annotations: dict[proton.symbol, str], body: Any
) -> None:
    data = bytes(proton.Message(body=body, properties=properties, annotations=annotations).encode())
    publish(broker, data)
    client = Amqp10Client(broker).open().begin()
    client.attach_receiver("/queues/q", snd_settle_mode=1)
    frames = client.credit(1)
    assert bare_of(b"".join(each.payload for each in frames)) == bare_of(data)
    (message,) = messages(frames)
    assert annotations_of(message) == {
        **{str(name): value for name, value in annotations.items()},
        "x-exchange": "",
        "x-routing-key": "q",
    }
    assert len(of(Transfer, frames)) == 1
    client.close()


# MQTT and STOMP


def test_between_mqtt_5_and_amqp_1_0(broker: SimulatedBroker) -> None:
    mqtt = MqttClient(broker, versions.V5)
    mqtt.connect("m")
    mqtt.publish_fully(
        "$queue/q",
        b"m",
        1,
        content_type="text/plain",
        correlation_data=b"\xff",
        response_topic="a/b",
        user_properties=[("one", "1")],
        message_expiry_interval=60,
    )
    message = consume(broker)
    assert (body_of(message), message.durable, message.content_type) == (b"m", True, "text/plain")
    assert message.correlation_id == b"\xff"
    assert message.reply_to == "/exchanges/amq.topic/a.b"
    assert message.properties == {"one": "1"}
    assert message.ttl == 60.0
    mqtt.subscribe("t", qos=1)
    client = Amqp10Client(broker).open().begin()
    client.attach_sender("/exchanges/amq.topic/t")
    client.publish(
        proton.Message(
            body=b"back",
            inferred=True,
            durable=True,
            content_type="text/plain",
            correlation_id=b"\xff",
            reply_to="/exchanges/amq.topic/a.b",
            properties={"one": "1", "two": 2},
        ).encode()
    )
    (got,) = mqtt.messages()
    assert (got.payload, got.qos) == (b"back", 1)
    assert got.properties["content_type"] == "text/plain"
    assert got.properties["correlation_data"] == b"\xff"
    assert got.properties["response_topic"] == "a/b"
    assert got.properties["user_properties"] == [("one", "1"), ("two", "2")]


def test_between_stomp_and_amqp_1_0(broker: SimulatedBroker) -> None:
    stomp = StompClient(broker).connect()
    stomp.send("SEND", b"s", destination="/amq/queue/q", persistent="true", content_type="text/plain", own="1")
    message = consume(broker)
    assert (body_of(message), message.durable, message.content_type) == (b"s", True, "text/plain")
    assert message.properties == {"own": "1"}
    publish(
        broker,
        proton.Message(
            body=b"back",
            inferred=True,
            properties={"own": 2},
            id="i",
            correlation_id="c",
            content_type="text/plain",
            reply_to="/queues/r",
        ),
    )
    (got,) = stomp.send("SUBSCRIBE", destination="/amq/queue/q", id="0", ack="auto")
    assert got.body == b"back"
    assert {name: got[name] for name in ("own", "amqp-message-id", "correlation-id", "content-type", "reply-to")} == {
        "own": "2",
        "amqp-message-id": "i",
        "correlation-id": "c",
        "content-type": "text/plain",
        "reply-to": "/reply-queue/r",
    }
