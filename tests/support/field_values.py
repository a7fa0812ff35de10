"""Hypothesis strategies for field tables: as Python values, and as hand-made bytes with what they mean."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import NamedTuple

from hypothesis import strategies as st

from warren.core.messages.field_table import FieldTable, FieldValue, Timestamp


class RawValue(NamedTuple):
    """The tagged bytes of a value and what they are to be decoded to."""

    data: bytes
    value: FieldValue


def _pack(layout: str, *values: float) -> bytes:
    return struct.pack(">" + layout, *values)


def _raw_integers(tag: bytes, layout: str, least: int, most: int) -> st.SearchStrategy[RawValue]:
    return st.integers(least, most).map(lambda n: RawValue(tag + _pack(layout, n), n))


def _raw_table(entries: dict[str, RawValue]) -> RawValue:
    body = b"".join(bytes((len(key.encode()),)) + key.encode() + entry.data for key, entry in entries.items())
    return RawValue(_pack("I", len(body)) + body, {key: entry.value for key, entry in entries.items()})


def _raw_array(items: list[RawValue]) -> RawValue:
    body = b"".join(item.data for item in items)
    return RawValue(b"A" + _pack("I", len(body)) + body, [item.value for item in items])


def _raw_decimal(scale: int, unscaled: int) -> RawValue:
    sign, digits = int(unscaled < 0), tuple(int(digit) for digit in str(abs(unscaled)))
    return RawValue(b"D" + _pack("Bi", scale, unscaled), Decimal((sign, digits, -scale)))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
wild_bytes = st.binary(max_size=12)

raw_leaves: st.SearchStrategy[RawValue] = st.one_of(
    wild_bytes.map(lambda data: RawValue(b"S" + _pack("I", len(data)) + data, data.decode("utf-8", "surrogateescape"))),
    wild_bytes.map(lambda data: RawValue(b"x" + _pack("I", len(data)) + data, data)),
    _raw_integers(b"I", "i", -(2**31), 2**31 - 1),
    _raw_integers(b"i", "I", 0, 2**32 - 1),
    _raw_integers(b"l", "q", -(2**63), 2**63 - 1),
    _raw_integers(b"L", "q", -(2**63), 2**63 - 1),
    _raw_integers(b"s", "h", -(2**15), 2**15 - 1),
    _raw_integers(b"u", "H", 0, 2**16 - 1),
    _raw_integers(b"b", "b", -128, 127),
    _raw_integers(b"B", "B", 0, 255),
    st.integers(0, 2**64 - 1).map(lambda n: RawValue(b"T" + _pack("Q", n), Timestamp(n))),
    st.integers(0, 255).map(lambda n: RawValue(b"t" + _pack("B", n), n != 0)),
    st.floats(allow_nan=False).map(lambda x: RawValue(b"d" + _pack("d", x), x)),
    st.floats(allow_nan=False, width=32).map(lambda x: RawValue(b"f" + _pack("f", x), x)),
    st.builds(_raw_decimal, st.integers(0, 255), st.integers(-(2**31), 2**31 - 1)),
    st.just(RawValue(b"V", None)),
)

raw_values: st.SearchStrategy[RawValue] = st.recursive(
    raw_leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(_raw_array),
        st.dictionaries(keys, inner, max_size=4).map(_raw_table).map(lambda raw: RawValue(b"F" + raw.data, raw.value)),
    ),
    max_leaves=8,
)

raw_tables: st.SearchStrategy[RawValue] = st.dictionaries(keys, raw_values, max_size=5).map(_raw_table)
"""Whole tables with their length, of every type there is."""

leaves: st.SearchStrategy[FieldValue] = st.one_of(
    texts,
    wild_bytes.map(lambda data: data.decode("utf-8", "surrogateescape")),
    wild_bytes,
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
    st.integers(0, 2**64 - 1).map(Timestamp),
    st.builds(lambda n, scale: Decimal(n).scaleb(-scale), st.integers(-(2**31), 2**31 - 1), st.integers(0, 99)),
)

tables: st.SearchStrategy[FieldTable] = st.dictionaries(
    keys,
    st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
        max_leaves=8,
    ),
    max_size=5,
)
"""Tables as Python values."""
