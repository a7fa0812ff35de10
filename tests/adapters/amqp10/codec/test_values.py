"""Every value to bytes and back, by ourselves and through Proton; what is none is Undecodable, and nothing else."""

from __future__ import annotations

import contextlib

import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.amqp10.codec.proton_peer import of_proton, through_proton
from tests.adapters.amqp10.codec.strategies import for_proton, same, values
from warren.adapters.amqp10.codec.decoding import NESTING_MAX, VALUES_MAX, decode, skip
from warren.adapters.amqp10.codec.encoding import encode
from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.values import Array, Symbol, UInt, ULong, Value


@given(values)
def test_what_was_encoded_is_decoded(value: Value) -> None:
    data = encode(value)
    found, end = decode(b"\x40" + data + b"\x40", 1, 1 + len(data))
    assert end == 1 + len(data)
    assert same(found, value)


@given(for_proton)
def test_proton_reads_what_we_write_and_we_read_what_it_writes(value: Value) -> None:
    found, _ = decode(through_proton(encode(value)))
    assert same(found, value)


@given(values)
def test_skipping_ends_where_decoding_does(value: Value) -> None:
    data = encode(value) + b"\x40\x40"
    assert skip(data, 0, len(data)) == len(data) - 2


@given(values, st.data())
def test_nothing_is_read_beyond_a_cut(value: Value, draw: st.DataObject) -> None:
    data = encode(value)
    cut = draw.draw(st.integers(0, len(data) - 1))
    with pytest.raises(Undecodable):
        decode(data, 0, cut)


@given(values, st.data())
def test_any_bytes_are_a_value_or_undecodable(value: Value, draw: st.DataObject) -> None:
    data = bytearray(encode(value))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    for read in (lambda: decode(bytes(data)), lambda: skip(bytes(data), 0, len(data))):
        with contextlib.suppress(Undecodable):
            read()


def test_types_arrive_at_proton_as_they_are_meant() -> None:
    assert isinstance(of_proton(encode(UInt(7))), proton.uint)
    assert isinstance(of_proton(encode(ULong(7))), proton.ulong)
    assert isinstance(of_proton(encode(Symbol("a"))), proton.symbol)
    assert of_proton(encode(Array([Symbol("a"), Symbol("b")], 0xA3))).elements == ("a", "b")


@pytest.mark.parametrize("width", [1, 4])
def test_a_count_that_is_only_declared_makes_nothing(width: int) -> None:
    code = {1: b"\xc0", 4: b"\xd0"}[width]
    size = (width + 1).to_bytes(width, "big")
    with pytest.raises(Undecodable, match="values in 1 bytes"):
        decode(code + size + b"\xff" * width + b"\x40")


def test_an_array_of_what_has_no_bytes_is_bounded() -> None:
    with pytest.raises(Undecodable, match=f"more than {VALUES_MAX} values"):
        decode(b"\xf0\0\0\0\x05\xff\xff\xff\xff\x40")


def test_values_within_each_other_are_bounded() -> None:
    def nested(levels: int) -> bytes:
        data = b"\x45"
        for _ in range(levels):
            data = b"\xd0" + (len(data) + 4).to_bytes(4, "big") + b"\0\0\0\x01" + data
        return data

    decode(nested(NESTING_MAX - 1))
    with pytest.raises(Undecodable, match="deep"):
        decode(nested(NESTING_MAX + 1))
    with pytest.raises(Undecodable, match="deep"):
        decode(b"\0" * 100_000)
    with pytest.raises(Undecodable):
        skip(b"\0" * 100_000, 0, 100_000)
