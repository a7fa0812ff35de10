"""Methods: the list of them, round trips, pamqp as a second opinion, and bytes of the hostile kind."""

from __future__ import annotations

from typing import Any, cast

import pamqp.commands
import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.field_values import keys, texts
from tests.support.method_values import BETWEEN_NODES, METHODS, any_method, argument_values, methods_of
from warren.adapters.amqp091.codec.methods import (
    BasicAck,
    BasicCancel,
    BasicConsume,
    BasicNack,
    BasicPublish,
    BasicQos,
    ConnectionClose,
    ConnectionStart,
    ConnectionStartOk,
    ConnectionTune,
    ExchangeDeclare,
    Method,
    QueueDeclare,
    QueueDeclareOk,
    QueueUnbind,
    TxSelect,
    decode,
    encode,
    encode_frame,
    method_ids,
)
from warren.adapters.amqp091.codec.methods_wire import Bit, Octet, method, registered
from warren.core.errors import BrokerError, CommandInvalid, MalformedField
from warren.core.messages.field_table import Typed, encode_table

IDS_BY_CLASS = {
    10: [10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61, 70, 71],
    20: [10, 11, 20, 21, 40, 41],
    30: [10, 11],
    40: [10, 11, 20, 21, 30, 31, 40, 51],
    50: [10, 11, 20, 21, 30, 31, 40, 41, 50, 51],
    60: [10, 11, 20, 21, 30, 31, 40, 50, 60, 70, 71, 72, 80, 90, 100, 110, 111, 120],
    85: [10, 11],
    90: [10, 11, 20, 21, 30, 31],
}
"""Spec A.2."""

WITH_RAW_TABLE = {
    "connection.start-ok",
    "exchange.declare",
    "exchange.bind",
    "exchange.unbind",
    "queue.declare",
    "queue.bind",
    "queue.unbind",
    "basic.consume",
}


def decode_all(payload: bytes) -> Method:
    return decode(payload, 0, len(payload))


def name_of(method: type[Method]) -> str:
    return method.NAME


def test_the_methods_are_those_of_the_specification() -> None:
    found = [ids for ids in sorted(registered) if ids[0] != BETWEEN_NODES]
    assert found == [(cls, method) for cls, methods in IDS_BY_CLASS.items() for method in methods]
    assert all(ids == (each.CLASS_ID, each.METHOD_ID) for ids, each in registered.items())


def test_content_follows_four_methods() -> None:
    with_content = [each.NAME for each in METHODS if each.has_content]
    assert with_content == ["basic.publish", "basic.return", "basic.deliver", "basic.get-ok"]


def test_which_methods_keep_the_bytes_of_their_table() -> None:
    assert {each.NAME for each in METHODS if each.RAW_TABLES} == WITH_RAW_TABLE


@pytest.mark.parametrize(
    ("method", "payload"),
    [
        (
            ConnectionTune(channel_max=2047, frame_max=131072, heartbeat=60),
            b"\0\x0a\0\x1e\x07\xff\0\x02\0\0\0\x3c",
        ),
        (ConnectionClose(404, "no", 60, 40), b"\0\x0a\0\x32\x01\x94\x02no\0\x3c\0\x28"),
        (
            QueueDeclare(queue="q", durable=True, nowait=True, arguments={"a": True}),
            b"\0\x32\0\x0a\0\0\x01q\x12\0\0\0\x04\x01at\x01",
        ),
        (QueueUnbind(queue="q", exchange="e", routing_key="k"), b"\0\x32\0\x32\0\0\x01q\x01e\x01k\0\0\0\0"),
        (QueueDeclareOk("q", 5, 6), b"\0\x32\0\x0b\x01q\0\0\0\x05\0\0\0\x06"),
        (BasicQos(0, 10, True), b"\0\x3c\0\x0a\0\0\0\0\0\x0a\x01"),
        (BasicNack(2**64 - 1, True, True), b"\0\x3c\0\x78\xff\xff\xff\xff\xff\xff\xff\xff\x03"),
        (TxSelect(), b"\0\x5a\0\x0a"),
    ],
    ids=lambda value: value.NAME if isinstance(value, Method) else "",
)
def test_payloads_by_hand(method: Method, payload: bytes) -> None:
    assert encode(method) == payload
    assert decode_all(payload) == method


@given(any_method)
def test_what_is_encoded_decodes_to_the_same(method: Method) -> None:
    payload = encode(method)
    decoded = decode_all(payload)
    assert decoded == method
    assert type(decoded) is type(method)
    assert encode(decoded) == payload


@given(any_method, st.binary(max_size=9), st.binary(max_size=9))
def test_only_what_lies_between_offset_and_end_is_read(method: Method, before: bytes, after: bytes) -> None:
    payload = encode(method)
    offset = len(before)
    end = offset + len(payload)
    assert decode(before + payload + after, offset, end) == method
    assert method_ids(before + payload + after, offset) == (method.CLASS_ID, method.METHOD_ID)


def test_a_whole_frame() -> None:
    assert encode_frame(0x1234, BasicAck(7)) == (
        b"\x01\x12\x34\0\0\0\x0d" + b"\0\x3c\0\x50\0\0\0\0\0\0\0\x07\0" + b"\xce"
    )


def test_the_types_of_table_entries_survive_in_the_raw_table() -> None:
    raw = encode_table({"x-max-length": Typed("B", 5), "x-expires": Typed("I", 1000)})
    decoded = decode_all(encode(QueueDeclare(queue="q", arguments_raw=raw)))
    assert isinstance(decoded, QueueDeclare)
    assert decoded.arguments == {"x-max-length": 5, "x-expires": 1000}
    assert decoded.arguments_raw == raw
    assert encode(decoded).endswith(raw)


def test_raw_client_properties_end_before_the_next_argument() -> None:
    method = ConnectionStartOk({"product": "x"}, "PLAIN", b"\0u\0p", "en_US")
    decoded = decode_all(encode(method))
    assert isinstance(decoded, ConnectionStartOk)
    assert decoded == method
    assert decoded.client_properties_raw == encode_table({"product": "x"})


def test_secrets_are_not_shown() -> None:
    assert "hidden" not in repr(ConnectionStartOk(response=b"\0u\0hidden"))


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (QueueDeclare(queue="q" * 256), "queue.declare: argument queue: longer than 255 bytes"),
        (BasicCancel("é" * 128), "basic.cancel: argument consumer_tag: longer than 255 bytes"),
        (
            BasicQos(prefetch_count=2**16),
            "basic.qos: argument prefetch_count: 65536 doesn't fit 2 unsigned bytes",
        ),
        (BasicAck(-1), "basic.ack: argument delivery_tag: -1 doesn't fit 8 unsigned bytes"),
        (
            ConnectionStart(server_properties={"n": 2**63}),
            "connection.start: argument server_properties: field 'n'",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(method: Method, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        encode(method)


# pamqp as a second opinion

THEIRS: dict[tuple[int, int], type[Any]] = {
    (index >> 16, index & 0xFFFF): cls for index, cls in pamqp.commands.INDEX_MAPPING.items()
}

OUR_NAMES = {"exchange_type": "type"}


KNOWN_TO_BOTH = [each for each in METHODS if each.CLASS_ID != 30]
"""pamqp has no class access."""

# pamqp warns whenever it makes a basic.recover-async.
may_make_deprecated_methods = pytest.mark.filterwarnings("ignore:This command is deprecated")


@pytest.mark.parametrize("method", KNOWN_TO_BOTH, ids=name_of)
def test_pamqp_declares_the_same_arguments(method: type[Method]) -> None:
    theirs = THEIRS[method.CLASS_ID, method.METHOD_ID]
    assert [(name, wire.name) for name, wire in method.ARGUMENTS] == [
        (OUR_NAMES.get(name, name), theirs.amqp_type(name)) for name in theirs.attributes()
    ]


def test_pamqp_knows_the_same_methods() -> None:
    assert sorted(THEIRS) == [(each.CLASS_ID, each.METHOD_ID) for each in KNOWN_TO_BOTH]


plain_argument_values: dict[str, st.SearchStrategy[Any]] = {
    **argument_values,
    "longlong": st.integers(0, 2**63 - 1),
    "shortstr": st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    "longstr": texts.map(str.encode),
    "table": st.dictionaries(keys, texts | st.booleans() | st.integers(-(2**63), 2**63 - 1), max_size=4),
}
"""What pamqp can say too: delivery tags below 2**63, strings of valid UTF-8, tables of simple types."""

plain_methods = st.sampled_from(KNOWN_TO_BOTH).flatmap(lambda method: methods_of(method, plain_argument_values))


def _arguments(method: Method) -> dict[str, object]:
    return {name: getattr(method, name) for name, _ in method.ARGUMENTS}


def _as_text(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


@may_make_deprecated_methods
@given(plain_methods)
def test_pamqp_reads_what_we_write(method: Method) -> None:
    frame = encode_frame(7, method)
    consumed, channel, theirs = pamqp.frame.unmarshal(frame)
    assert (consumed, channel) == (len(frame), 7)
    assert isinstance(theirs, THEIRS[method.CLASS_ID, method.METHOD_ID])
    assert {OUR_NAMES.get(name, name): _as_text(value) for name, value in cast("Any", theirs)} == {
        name: _as_text(value) for name, value in _arguments(method).items()
    }


@may_make_deprecated_methods
@given(plain_methods)
def test_we_read_what_pamqp_writes(method: Method) -> None:
    theirs = THEIRS[method.CLASS_ID, method.METHOD_ID]()
    for name in theirs.attributes():
        setattr(theirs, name, _as_text(getattr(method, OUR_NAMES.get(name, name))))
    theirs.validate = lambda: None
    frame = pamqp.frame.marshal(theirs, 7)
    assert decode(frame, 7, len(frame) - 1) == method


# Bytes of the hostile kind


@given(any_method)
def test_every_truncation_is_malformed(method: Method) -> None:
    payload = encode(method)
    for end in range(len(payload)):
        with pytest.raises(MalformedField):
            decode(payload, 0, end)
        with pytest.raises(MalformedField):
            decode_all(payload[:end])


@given(any_method, st.binary(min_size=1, max_size=3))
def test_bytes_behind_the_arguments_are_malformed(method: Method, more: bytes) -> None:
    with pytest.raises(MalformedField, match=f"{method.NAME}: {len(more)} bytes are left over"):
        decode_all(encode(method) + more)


@given(any_method, st.data())
def test_flipped_bytes_raise_nothing_but_broker_errors(method: Method, data: st.DataObject) -> None:
    payload = bytearray(encode(method))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    _decode_or_refuse(bytes(payload))


@given(st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_but_broker_errors(payload: bytes) -> None:
    _decode_or_refuse(payload)


@given(st.sampled_from(sorted(registered)), st.binary(max_size=60))
def test_arbitrary_arguments_raise_nothing_but_malformed_field(ids: tuple[int, int], arguments: bytes) -> None:
    payload = ids[0].to_bytes(2, "big") + ids[1].to_bytes(2, "big") + arguments
    try:
        decode_all(payload)
    except MalformedField as error:
        text = error.text
    else:
        return
    assert text.startswith(registered[ids].NAME + ": ")


def _decode_or_refuse(payload: bytes) -> None:
    try:
        decode_all(payload)
    except BrokerError:
        pass


@given(st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1), st.binary(max_size=4))
def test_unknown_methods_are_invalid_commands(class_id: int, method_id: int, arguments: bytes) -> None:
    payload = class_id.to_bytes(2, "big") + method_id.to_bytes(2, "big") + arguments
    assert method_ids(payload, 0) == (class_id, method_id)
    if (class_id, method_id) in registered:
        return
    with pytest.raises(CommandInvalid) as caught:
        decode_all(payload)
    assert caught.value.text == f"unimplemented method; there is none of class {class_id} and id {method_id}"


def test_ids_of_a_payload_that_is_too_short_are_zero() -> None:
    assert method_ids(b"\0\x0a\0", 0) == (10, 0)
    assert method_ids(b"", 0) == (0, 0)


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"\0\x32\0\x0a\0\0\x05q", "queue.declare: argument queue is cut short"),
        (
            b"\0\x32\0\x0a\0\0\x01q\0\0\0\0\x09\x01k",
            "queue.declare: argument arguments: field table is longer than",
        ),
        (b"\0\x32\0\x0a\0\0\x01q\0\0\0\0\x03\x01k?", "argument arguments: field 'k' has the unknown type"),
        (b"\0\x0a\0\x15\xff\xff\xff\xff1234", "connection.secure-ok: argument response is cut short"),
        (b"\0\x0a\0", "too short for a class id and a method id"),
    ],
)
def test_texts_name_the_culprit(payload: bytes, text: str) -> None:
    with pytest.raises(MalformedField, match=text):
        decode_all(payload)


def test_unused_bits_of_an_octet_are_ignored() -> None:
    assert decode_all(b"\0\x3c\0\x46\0\0\x01q\xff") == decode_all(b"\0\x3c\0\x46\0\0\x01q\x01")


def test_bits_share_octets_with_their_neighbours_alone() -> None:
    @method("test.bits", 999, 1)
    class Bits(Method):
        first: Bit = False
        second: Bit = False
        between: Octet = 0
        third: Bit = False

    try:
        value = Bits(first=False, second=True, between=5, third=True)
        assert encode(value) == b"\x03\xe7\0\x01" + b"\x02\x05\x01"
        assert decode_all(encode(value)) == value
    finally:
        del registered[999, 1]


def test_names_that_are_not_utf8_keep_their_bytes() -> None:
    payload = encode(BasicPublish(exchange="\udcff", routing_key="a"))
    assert payload == b"\0\x3c\0\x28\0\0\x01\xff\x01a\0"
    assert decode_all(payload) == BasicPublish(exchange="\udcff", routing_key="a")


def test_equality_does_not_ask_where_the_table_came_from() -> None:
    assert decode_all(encode(BasicConsume(queue="q"))) == BasicConsume(queue="q")
    assert ExchangeDeclare(exchange="a") != ExchangeDeclare(exchange="b")
