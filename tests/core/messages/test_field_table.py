"""Field tables: every type by hand, round trips, pamqp as a second opinion, and bytes of the hostile kind."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

import pamqp.common
import pamqp.decode
import pamqp.encode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.field_values import RawValue, keys, raw_tables, tables, texts
from warren.core.errors import MalformedField
from warren.core.messages.field_table import (
    NESTING_MAX,
    Encodable,
    FieldTable,
    FieldValue,
    Timestamp,
    Typed,
    decode_table,
    decode_table_body,
    encode_table,
    encode_value,
    field_types,
    join_entries,
    raw_entries,
    type_name,
)

BY_HAND: list[tuple[bytes, FieldValue, str]] = [
    (b"S\0\0\0\x03abc", "abc", "longstr"),
    (b"S\0\0\0\x02\xff\xfe", "\udcff\udcfe", "longstr"),
    (b"I\xff\xff\xff\xfe", -2, "signedint"),
    (b"i\xff\xff\xff\xfe", 2**32 - 2, "unsignedint"),
    (b"l\xff\xff\xff\xff\xff\xff\xff\xfe", -2, "long"),
    (b"L\xff\xff\xff\xff\xff\xff\xff\xfe", -2, "long"),
    (b"s\xff\xfe", -2, "short"),
    (b"u\xff\xfe", 2**16 - 2, "unsignedshort"),
    (b"b\xfe", -2, "byte"),
    (b"B\xfe", 254, "unsignedbyte"),
    (b"t\x01", True, "bool"),
    (b"t\0", False, "bool"),
    (b"d\x3f\xf8\0\0\0\0\0\0", 1.5, "double"),
    (b"f\x3f\xc0\0\0", 1.5, "float"),
    (b"D\x02\0\0\0\x96", Decimal("1.50"), "decimal"),
    (b"D\x02\xff\xff\xff\x6a", Decimal("-1.50"), "decimal"),
    (b"T\0\0\0\0\x5f\x5e\x10\0", Timestamp(1_600_000_000), "timestamp"),
    (b"F\0\0\0\x04\x01kt\x01", {"k": True}, "table"),
    (b"A\0\0\0\x03Vt\0", [None, False], "array"),
    (b"V", None, "void"),
    (b"x\0\0\0\x02\xff\0", b"\xff\0", "binary"),
]


def _exact(value: object) -> object:
    """The value with its types, since True == 1 == 1.0 == Timestamp(1)."""
    if isinstance(value, dict):
        return {key: _exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_exact(inner) for inner in value]
    return type(value), str(value)


def _table_of(value: bytes) -> bytes:
    return join_entries({"k": value})


@pytest.mark.parametrize(("raw", "value", "name"), BY_HAND)
def test_each_type_by_hand(raw: bytes, value: FieldValue, name: str) -> None:
    data = (2 + len(raw)).to_bytes(4, "big") + b"\x01k" + raw
    table, end = decode_table(b"??" + data + b"!", 2)
    assert _exact(table) == _exact({"k": value})
    assert end == 2 + len(data)
    assert field_types(data, 0) == {"k": name}
    assert raw_entries(data, 0) == {"k": raw}
    assert _exact(decode_table_body(data[4:])) == _exact({"k": value})


@given(raw_tables)
def test_hand_made_bytes_mean_what_they_should(raw: RawValue) -> None:
    table, end = decode_table(raw.data, 0)
    assert end == len(raw.data)
    assert _exact(table) == _exact(raw.value)


@given(tables)
def test_what_is_encoded_decodes_to_the_same(table: FieldTable) -> None:
    data = encode_table(table)
    decoded, end = decode_table(data, 0)
    assert end == len(data)
    assert _exact(decoded) == _exact(table)
    assert list(decoded) == list(table)


@given(raw_tables)
def test_splitting_and_joining_changes_no_byte(raw: RawValue) -> None:
    assert join_entries(raw_entries(raw.data, 0)) == raw.data


def test_any_bytes_survive_in_strings_and_keys() -> None:
    every_byte = bytes(range(256))
    body = b"\xff" + every_byte[1:] + b"S" + (256).to_bytes(4, "big") + every_byte
    data = len(body).to_bytes(4, "big") + body
    assert encode_table(cast("dict[str, Encodable]", decode_table(data, 0)[0])) == data


def test_integers_are_i64_unless_typed() -> None:
    assert encode_value(5) == b"l\0\0\0\0\0\0\0\x05"
    assert encode_value(Typed("I", -5)) == b"I\xff\xff\xff\xfb"
    assert encode_value([Typed("B", 5), {"f": Typed("f", 1.5)}]) == (
        b"A\0\0\0\x0e" + b"B\x05" + b"F\0\0\0\x07" + b"\x01ff\x3f\xc0\0\0"
    )


def test_the_first_of_duplicate_keys_wins() -> None:
    data = b"\0\0\0\x08" + b"\x01kt\x01" + b"\x01kB\x07"
    assert decode_table(data, 0) == ({"k": True}, 12)
    assert raw_entries(data, 0) == {"k": b"t\x01"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**63, "doesn't fit type 'l'"),
        (-(2**63) - 1, "doesn't fit type 'l'"),
        (Typed("B", 256), "doesn't fit type 'B'"),
        (Typed("I", 1.5), "doesn't fit type 'I'"),
        (Typed("f", 1e300), "doesn't fit type 'f'"),
        (Typed("S", 1), "isn't a numeric type"),
        (Timestamp(-1), "doesn't fit 8 unsigned bytes"),
        (Decimal("NaN"), "doesn't fit a decimal"),
        (Decimal("Infinity"), "doesn't fit a decimal"),
        (Decimal(2**31), "doesn't fit a decimal"),
        (Decimal("1e300"), "doesn't fit a decimal"),
        (Decimal("1e-256"), "doesn't fit a decimal"),
        (object(), "can't hold a object"),
        ([object()], "can't hold a object"),
    ],
)
def test_what_a_table_cannot_hold_is_refused_by_name(value: Encodable, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        encode_table({"culprit": value})
    assert "'culprit'" in str(caught.value)


def test_a_key_may_have_255_bytes_and_no_more() -> None:
    assert decode_table(encode_table({"k" * 255: 1}), 0)[0] == {"k" * 255: 1}
    with pytest.raises(ValueError, match="longer than 255 bytes"):
        encode_table({"é" * 128: 1})


def test_decimals_with_positive_exponents_are_multiplied_out() -> None:
    assert encode_value(Decimal("12e3")) == b"D\0" + (12000).to_bytes(4, "big")


def test_type_names_of_unknown_tags_are_refused() -> None:
    with pytest.raises(MalformedField, match="unknown field type"):
        type_name("?")


# pamqp as a second opinion


def _as_pamqp_reads(value: FieldValue) -> object:
    if isinstance(value, dict):
        return {key: _as_pamqp_reads(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_pamqp_reads(inner) for inner in value]
    if isinstance(value, Timestamp):
        return datetime.fromtimestamp(value, tz=UTC)
    if isinstance(value, bytes):
        return bytearray(value)
    return value


plain_leaves: st.SearchStrategy[FieldValue] = st.one_of(
    texts,
    st.binary(max_size=12),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, width=32),
    st.integers(0, 2**32 - 1).map(Timestamp),
    st.builds(lambda n, scale: Decimal(n).scaleb(-scale), st.integers(0, 2**31 - 1), st.integers(0, 20)),
)
"""What pamqp can say too: valid UTF-8, times before 2106, decimals not below 0, floats of 32 bits."""

plain_tables: st.SearchStrategy[FieldTable] = st.dictionaries(
    keys,
    st.recursive(
        plain_leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
        max_leaves=8,
    ),
    max_size=5,
)


@given(plain_tables)
def test_pamqp_reads_what_we_write(table: FieldTable) -> None:
    data = encode_table(table)
    consumed, decoded = pamqp.decode.field_table(data)
    assert consumed == len(data)
    assert decoded == _as_pamqp_reads(table)


@given(plain_tables)
def test_we_read_what_pamqp_writes(table: FieldTable) -> None:
    data = pamqp.encode.field_table(cast("pamqp.common.FieldTable", _as_pamqp_reads(table)))
    decoded, end = decode_table(data, 0)
    assert end == len(data)
    assert _exact(decoded) == _exact(table)


# Bytes of the hostile kind


@given(raw_tables)
def test_every_truncation_is_malformed(raw: RawValue) -> None:
    for length in range(len(raw.data)):
        for read in (decode_table, raw_entries, field_types):
            with pytest.raises(MalformedField):
                read(raw.data[:length], 0)


@pytest.mark.parametrize(("raw", "value", "name"), BY_HAND)
@pytest.mark.parametrize("behind", [b"", b"\0" * 16])
def test_no_value_may_reach_over_the_end_of_its_table(raw: bytes, value: FieldValue, name: str, behind: bytes) -> None:
    for length in range(1, 2 + len(raw)):
        entry = (b"\x01k" + raw)[:length]
        inner = length.to_bytes(4, "big") + entry
        nested = _table_of(b"F" + inner)
        for data in (inner, nested):
            with pytest.raises(MalformedField):
                decode_table(data + behind, 0)


@given(raw_tables, st.data())
def test_a_table_cut_within_bounds_is_malformed_or_shorter(raw: RawValue, data: st.DataObject) -> None:
    """The length announces less than there is: a value may reach over the table's end, not the buffer's."""
    length = data.draw(st.integers(0, len(raw.data) - 4))
    shortened = length.to_bytes(4, "big") + raw.data[4:]
    try:
        _, end = decode_table(shortened, 0)
    except MalformedField:
        return
    assert end == 4 + length


@given(raw_tables, st.data())
def test_flipped_bytes_raise_nothing_else(raw: RawValue, data: st.DataObject) -> None:
    changed = bytearray(raw.data)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    _decode_or_refuse(bytes(changed))


@given(st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_else(body: bytes) -> None:
    _decode_or_refuse(body)
    _decode_or_refuse(len(body).to_bytes(4, "big") + body)


def _decode_or_refuse(data: bytes) -> None:
    for read in (
        lambda: decode_table(data, 0),
        lambda: field_types(data, 0),
        lambda: decode_table_body(data),
    ):
        try:
            read()
        except MalformedField:
            pass


def _nested_tables(levels: int) -> bytes:
    data = b"\0\0\0\0"
    for _ in range(levels - 1):
        data = _table_of(b"F" + data)
    return data


def _nested_arrays(levels: int) -> bytes:
    value = b"V"
    for _ in range(levels - 1):
        value = b"A" + len(value).to_bytes(4, "big") + value
    return _table_of(value)


@pytest.mark.parametrize("nested", [_nested_tables, _nested_arrays])
def test_nesting_is_bounded(nested: Callable[[int], bytes]) -> None:
    decode_table(nested(NESTING_MAX), 0)
    for levels in (NESTING_MAX + 1, 3_000):
        with pytest.raises(MalformedField, match="more than 32 levels deep"):
            decode_table(nested(levels), 0)


@pytest.mark.parametrize("tag", [b"S", b"x", b"F", b"A"])
@pytest.mark.parametrize("length", [8, 2**31, 2**32 - 1])
def test_a_length_that_is_only_declared_allocates_nothing(tag: bytes, length: int) -> None:
    body = b"\x01k" + tag + length.to_bytes(4, "big") + b"1234567"
    whole = len(body).to_bytes(4, "big") + body
    tracemalloc.start()
    try:
        for data in (whole, length.to_bytes(4, "big") + b"1234567"):
            with pytest.raises(MalformedField, match="longer than the 7 bytes left"):
                decode_table(data, 0)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("tag", sorted(set(range(256)) - set(b"SIilLsubBtdfDTFAVx")))
def test_every_other_tag_is_refused(tag: int) -> None:
    with pytest.raises(MalformedField, match="unknown type"):
        decode_table(_table_of(bytes((tag,)) + b"\0" * 16), 0)
