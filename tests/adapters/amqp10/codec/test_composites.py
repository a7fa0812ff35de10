"""Performatives, termini and states: through their declarations and back, by hand and by declaration alike."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.amqp10.codec.drawn_composites import objects, shown, values_of
from tests.adapters.amqp10.codec.proton_peer import through_proton
from warren.adapters.amqp10.codec import quick, sasl, sections, termini
from warren.adapters.amqp10.codec.composites import COMPOSITES, Composite, Place, decode_composite, encode_composite
from warren.adapters.amqp10.codec.encoding import described, encode, list_of, uint
from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.performatives import Disposition, Transfer
from warren.adapters.amqp10.codec.values import Described, ULong

assert sasl
assert sections


@given(objects())
def test_every_declared_type_comes_back_as_it_was(made: Any) -> None:
    data = encode_composite(made)
    for each in (data, through_proton(data)):
        found, end = decode_composite(each, 0, len(each))
        assert end == len(each)
        assert shown(found) == shown(made)


@given(st.data())
def test_a_transfer_is_read_by_hand_as_by_its_declaration(draw: st.DataObject) -> None:
    made = Transfer()
    for name, kind in (
        ("handle", "uint"),
        ("delivery_id", "uint"),
        ("delivery_tag", "binary"),
        ("message_format", "uint"),
        ("settled", "boolean"),
        ("more", "boolean"),
        ("rcv_settle_mode", "ubyte"),
        ("resume", "boolean"),
        ("aborted", "boolean"),
        ("batchable", "boolean"),
    ):
        if name == "handle" or draw.draw(st.booleans()):
            setattr(made, name, draw.draw(values_of(kind)))
    data = encode_composite(made)
    found, payload_at = quick.read_transfer(b"\x40" + data + b"payload", 1, len(data) + 8)
    assert payload_at == 1 + len(data)
    assert shown(found) == shown(made)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_a_disposition_is_written_and_read_by_hand_as_by_its_declaration(
    first: int, last: int, receiver: bool, settled: bool
) -> None:
    made = Disposition()
    made.role, made.first, made.last, made.settled, made.state = receiver, first, last, settled, termini.Accepted()
    data = encode_composite(made)
    assert shown(quick.read_disposition(data, 0, len(data))) == shown(made)
    if settled:
        written = quick.disposition(3, receiver=receiver, first=first, last=last, state=quick.ACCEPTED_BYTES)
        found, _ = decode_composite(written, 8, len(written))
        assert shown(found) == shown(made)
        assert int.from_bytes(written[:4], "big") == len(written)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_heads_of_transfers_say_what_their_declaration_says(
    handle: int, delivery_id: int, settled: bool, more: bool
) -> None:
    begin, end_of_list = quick.transfer_around(1, uint(handle), settled=settled, payload_bytes=5)
    whole = begin + quick.pack_id_and_tag(delivery_id, quick.TAG_OF_4, delivery_id) + end_of_list
    part = quick.part_head(1, uint(handle), delivery_id, settled=settled, more=more, payload_bytes=5)
    later = quick.part_head(1, uint(handle), None, settled=settled, more=more, payload_bytes=5)
    for data, is_more, is_first in ((whole, False, True), (part, more, True), (later, more, False)):
        assert int.from_bytes(data[:4], "big") == len(data) + 5
        found, end = decode_composite(data, 8, len(data))
        assert end == len(data)
        assert (found.handle, found.settled, found.more) == (handle, settled, is_more)
        assert found.delivery_id == (delivery_id if is_first else None)
        assert found.delivery_tag == (delivery_id.to_bytes(4, "big") if is_first else None)


@pytest.mark.parametrize("composite", COMPOSITES.values(), ids=lambda each: each.name)
def test_a_field_of_another_type_is_named(composite: Composite) -> None:
    for number, place in enumerate(composite.places):
        if place.kind in ("*", "error"):
            continue
        values = [encode(None)] * number + [encode(Described(ULong(9), 1))]
        data = described(composite.code, list_of(values))
        mandatory = next((each.name for each in composite.places[:number] if each.mandatory), "")
        with pytest.raises(Undecodable, match=mandatory or place.name):
            decode_composite(data, 0, len(data))


@pytest.mark.parametrize("composite", COMPOSITES.values(), ids=lambda each: each.name)
def test_too_many_fields_and_missing_ones_are_told(composite: Composite) -> None:
    data = described(composite.code, list_of([encode(None)] * (len(composite.places) + 1)))
    with pytest.raises(Undecodable, match=f"there are {len(composite.places)}"):
        decode_composite(data, 0, len(data))
    missing: Place | None = next((each for each in composite.places if each.mandatory), None)
    if missing is not None:
        data = described(composite.code, list_of([]))
        with pytest.raises(Undecodable, match=f"{missing.name}, which is mandatory"):
            decode_composite(data, 0, len(data))
