"""Values, performatives and messages from our codec to that of Azure's clients, and from theirs to ours."""

from __future__ import annotations

from typing import Any

import pytest
from azure.eventhub._pyamqp import _decode, _encode, endpoints, error, message, outcomes, performatives
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.amqp10.codec.azure_peer import (
    UNREAD,
    UNWRITTEN,
    as_azure,
    azure_composite,
    for_azure,
    frame_read_by_azure,
    is_unwritten,
    read_by_azure,
    written_by_azure,
)
from tests.adapters.amqp10.codec.drawn_composites import objects, shown, values_of
from tests.adapters.amqp10.codec.strategies import arrays, common, nested, same, symbols, texts, ulongs
from warren.adapters.amqp10.codec import sasl, sections
from warren.adapters.amqp10.codec.composites import COMPOSITES, decode_composite, encode_composite
from warren.adapters.amqp10.codec.decoding import decode
from warren.adapters.amqp10.codec.encoding import described, encode
from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.framing import HEADER_BYTES, frame
from warren.adapters.amqp10.codec.performatives import Close, End, Transfer
from warren.adapters.amqp10.codec.values import Array, Char, Decimal, Described, UInt, Value

assert sasl

PERFORMATIVES: tuple[Any, ...] = (
    performatives.OpenFrame,
    performatives.BeginFrame,
    performatives.AttachFrame,
    performatives.FlowFrame,
    performatives.TransferFrame,
    performatives.DispositionFrame,
    performatives.DetachFrame,
    performatives.EndFrame,
    performatives.CloseFrame,
    performatives.SASLMechanism,
    performatives.SASLInit,
    performatives.SASLChallenge,
    performatives.SASLResponse,
    performatives.SASLOutcome,
)
CODES: dict[Any, int] = {COMPOSITES[each._code].make: each._code for each in PERFORMATIVES}
OTHERS: tuple[Any, ...] = (
    endpoints.Source,
    endpoints.Target,
    error.AMQPError,
    outcomes.Received,
    outcomes.Accepted,
    outcomes.Rejected,
    outcomes.Released,
    outcomes.Modified,
    message.Header,
    message.Properties,
)

FIELDS = st.dictionaries(symbols, st.one_of(texts, st.booleans(), st.binary(max_size=9)), min_size=1, max_size=3)
"""Maps that Azure's encoder writes: keys are symbols, and values those that Python has words for."""

LEFT_OUT = {
    (0x28, "filter"): "filters are written in another shape than they are read in",
    (0x28, "dynamic_node_properties"): "always written as an empty map",
    (0x29, "dynamic_node_properties"): "always written as an empty map",
}
"""Fields that Azure's encoder doesn't write as they are."""


@given(nested(st.one_of(common, arrays.filter(bool))))
def test_azure_reads_what_we_write(value: Value) -> None:
    assert same(read_by_azure(encode(value)), as_azure(value))


@given(nested(st.one_of(common, arrays.filter(lambda each: not is_unwritten(each)))))
def test_we_read_what_azure_writes(value: Value) -> None:
    data = written_by_azure(for_azure(value))
    found, end = decode(data)
    assert end == len(data)
    assert same(found, value)


UNREAD_EXAMPLES: dict[str, Value] = {
    "char": Char("x"),
    "decimal of 4 bytes": Decimal(bytes.fromhex("22500001")),
    "decimal of 8 bytes": Decimal(bytes.fromhex("2238000000000001")),
    "decimal of 16 bytes": Decimal(bytes.fromhex("3040") + bytes(13) + b"\x01"),
    "empty array": Array([], 0x70),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_azure_cannot_read_is_legal_all_the_same(name: str) -> None:
    value = UNREAD_EXAMPLES[name]
    assert same(decode(encode(value))[0], value)
    with pytest.raises((TypeError, AssertionError, ArithmeticError)):
        read_by_azure(encode(value))


@pytest.mark.parametrize("value", [Array([UInt(1), UInt(0)], 0x70), Array([True, True], 0x56), Array([], 0x70)])
def test_what_azure_writes_wrongly_is_refused(value: Array) -> None:
    assert is_unwritten(value)
    with pytest.raises(Undecodable):
        decode(written_by_azure(for_azure(value)))


def test_every_reason_is_a_type_that_is_left_out() -> None:
    assert set(UNREAD_EXAMPLES) == set(UNREAD)
    assert {name for name in UNWRITTEN if "array" in name} == {
        "array of uint with a zero",
        "array of booleans",
        "empty array",
    }


@given(objects())
def test_azure_reads_every_composite_that_we_write(made: Any) -> None:
    data = encode_composite(made)
    value, _ = decode(data)
    if isinstance(value, Described) and _is_readable(value.value):
        assert same(read_by_azure(data), as_azure(value))


def _is_readable(value: Value) -> bool:
    if isinstance(value, dict):
        return all(map(_is_readable, value.values()))
    return all(map(_is_readable, value)) if isinstance(value, list) else not isinstance(value, Char | Decimal)


@given(objects().filter(lambda made: type(made) in CODES), st.binary())
def test_azure_reads_our_frames(made: Any, payload: bytes) -> None:
    body = frame(0, made)[HEADER_BYTES:]
    value, _ = decode(body)
    assert isinstance(value, Described)
    assert isinstance(value.value, list)
    if not _is_readable(value.value):
        return
    found, fields = frame_read_by_azure(body + (payload if isinstance(made, Transfer) else b""))
    assert found == CODES[type(made)]
    assert same(fields, [*as_azure(value.value), *([payload] if isinstance(made, Transfer) else [])])


@pytest.mark.parametrize("made", [End(), Close()])
def test_azure_reads_a_performative_without_fields(made: object) -> None:
    assert frame_read_by_azure(frame(0, made)[HEADER_BYTES:]) == (0x17 if isinstance(made, End) else 0x18, [])


@given(st.data())
@pytest.mark.parametrize("kind", PERFORMATIVES + OTHERS, ids=lambda each: each.__name__)
def test_we_read_every_composite_that_azure_writes(kind: Any, draw: st.DataObject) -> None:
    composite = COMPOSITES[kind._code]
    made = composite.make()
    for place in composite.places:
        if (kind._code, place.name) not in LEFT_OUT and (place.mandatory or draw.draw(st.booleans())):
            setattr(made, place.name, draw.draw(_for_azure(place.name, place.kind)))
    data = written_by_azure(_encode.describe_performative(azure_composite(kind, made)))
    found, end = decode_composite(data, 0, len(data))
    assert end == len(data)
    assert shown(found) == shown(made)


def _for_azure(name: str, kind: str) -> st.SearchStrategy[Any]:
    if kind == "map":
        return FIELDS if name != "unsettled" else st.dictionaries(st.binary(min_size=1), st.none(), min_size=1)
    if name == "address":
        return texts
    if kind == "*":
        made = {"source": 0x28, "target": 0x29, "state": 0x27, "default_outcome": 0x26}[name]
        return st.builds(COMPOSITES[made].make)
    return values_of(kind)


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    st.dictionaries(texts, st.one_of(texts, st.booleans()), min_size=1, max_size=3),
    FIELDS,
    st.one_of(texts, st.uuids(), st.binary(max_size=20), ulongs),
    st.integers(0, 2**32 - 1),
)
def test_messages_of_azure_have_the_sections_that_they_should(
    contents: list[bytes], properties: Any, annotations: Any, id: Any, ttl: int
) -> None:
    made = message.Message(
        header=message.Header(durable=True, ttl=ttl),
        properties=message.Properties(message_id=id),
        application_properties=properties,
        message_annotations=annotations,
        data=contents,
    )
    output = bytearray()
    _encode.encode_payload(output, made)
    data = bytes(output)
    found = sections.sections_of(data)
    assert [each.code for each in found] == [0x70, 0x72, 0x73, 0x74, *[0x75] * len(contents)]
    header, _ = decode_composite(data, found[0].at, found[0].end)
    assert (header.durable, header.ttl) == (True, ttl)
    assert same(decode(data, found[1].value_at, found[1].end)[0], annotations)
    read, _ = decode_composite(data, found[2].at, found[2].end)
    assert read.message_id == id
    assert same(decode(data, found[3].value_at, found[3].end)[0], properties)
    assert [decode(data, each.value_at, each.end)[0] for each in found[4:]] == contents


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    st.dictionaries(texts, st.one_of(texts, st.booleans(), ulongs), max_size=3),
    st.dictionaries(symbols, texts, max_size=3),
    texts,
)
def test_azure_reads_the_sections_of_our_messages(
    contents: list[bytes], properties: Any, annotations: Any, subject: str
) -> None:
    header = sections.MessageHeader()
    header.durable, header.priority = True, 7
    ours = sections.MessageProperties()
    ours.subject, ours.message_id = subject, "i"
    data = b"".join(
        [
            encode_composite(header),
            described(sections.MESSAGE_ANNOTATIONS, encode(annotations)),
            encode_composite(ours),
            described(sections.APPLICATION_PROPERTIES, encode(properties)),
            *[described(sections.DATA, encode(each)) for each in contents],
        ]
    )
    found: Any = _decode.decode_payload(memoryview(data))
    assert found.header[:2] == (True, 7)
    assert (found.properties.subject, found.properties.message_id) == (subject.encode(), b"i")
    assert same(found.message_annotations, as_azure(annotations))
    assert same(found.application_properties, as_azure(properties))
    assert found.data == contents
