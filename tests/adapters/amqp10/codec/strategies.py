"""Values of AMQP's types for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from warren.adapters.amqp10.codec.values import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Milliseconds,
    Short,
    Symbol,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)

characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=300)
symbols = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300).map(Symbol)
ulongs = st.integers(0, 2**64 - 1).map(ULong)

numbers: st.SearchStrategy[Value] = st.one_of(
    st.integers(0, 0xFF).map(UByte),
    st.integers(0, 0xFFFF).map(UShort),
    st.integers(0, 2**32 - 1).map(UInt),
    ulongs,
    st.integers(-0x80, 0x7F).map(Byte),
    st.integers(-0x8000, 0x7FFF).map(Short),
    st.integers(-(2**31), 2**31 - 1).map(Int),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Milliseconds),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False, width=32).map(Float),
)

keys: st.SearchStrategy[Value] = st.one_of(symbols, texts, ulongs, st.uuids())

common: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    numbers,
    texts,
    symbols,
    st.binary(max_size=300),
    st.uuids(),
)
"""What every implementation has."""

plain: st.SearchStrategy[Value] = st.one_of(
    common,
    characters.map(Char),
    st.binary(min_size=4, max_size=4).map(Decimal),
    st.binary(min_size=8, max_size=8).map(Decimal),
    st.binary(min_size=16, max_size=16).map(Decimal),
)

arrays: st.SearchStrategy[Value] = st.one_of(
    st.lists(st.integers(0, 2**32 - 1).map(UInt), max_size=5).map(lambda values: Array(list(values), 0x70)),
    st.lists(symbols, max_size=5).map(lambda values: Array(list(values), 0xB3)),
    st.lists(texts, max_size=5).map(lambda values: Array(list(values), 0xB1)),
    st.lists(st.booleans(), max_size=5).map(lambda values: Array(list(values), 0x56)),
)

undescribed: st.SearchStrategy[Value] = st.recursive(
    st.one_of(plain, arrays),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(keys, inner, max_size=5).map(lambda found: dict(found))
    ),
    max_leaves=20,
)

for_proton: st.SearchStrategy[Value] = st.one_of(
    undescribed, st.builds(Described, st.one_of(ulongs, symbols), undescribed)
)
"""Nested values, and described ones, but none of these within others: Proton's encoder miscounts such lists."""


def nested(leaves: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    """These, and lists, maps and described values of them."""
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.dictionaries(keys, inner, max_size=5).map(lambda found: dict(found)),
            st.builds(Described, st.one_of(ulongs, symbols), inner),
        ),
        max_leaves=20,
    )


values: st.SearchStrategy[Value] = nested(st.one_of(plain, arrays))
"""Any value, nested."""


def same(one: Value, other: Value) -> bool:
    """Equal, and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Array) and isinstance(other, Array) and (one.code != other.code):
        return False
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(
            same(a, b) and same(c, d) for (a, c), (b, d) in zip(one.items(), other.items(), strict=True)
        )
    if isinstance(one, Described) and isinstance(other, Described):
        return same(one.descriptor, other.descriptor) and same(one.value, other.value)
    return one == other
