"""Property lists: parsing, reading, changing, with pamqp as a second opinion."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic

from tests.support.field_values import keys, raw_tables, tables, texts
from warren.core.errors import MalformedField
from warren.core.messages.field_table import Typed, encode_table, join_entries, raw_entries
from warren.core.messages.properties import EMPTY, Properties, PropertyChanges, encode_properties

SHORT_STRINGS = [
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
]
SPECIAL = {"headers", "priority", "expiration", "reply_to", "user_id"}

AFTER_HEADERS = cast(
    "PropertyChanges",
    dict.fromkeys(PropertyChanges.__annotations__.keys() - {"content_type", "content_encoding"}),
)
"""Changes that remove everything but the two properties that stand before the headers."""

short_strings = st.binary(max_size=255).map(lambda data: data.decode("utf-8", "surrogateescape"))

property_values: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(SHORT_STRINGS, short_strings),
    "headers": tables,
    "delivery_mode": st.integers(0, 255),
    "priority": st.integers(0, 255),
    "timestamp": st.integers(0, 2**64 - 1),
}

property_sets = st.fixed_dictionaries({}, optional=property_values).map(lambda fields: cast("PropertyChanges", fields))


def test_no_properties() -> None:
    assert EMPTY.raw == b"\0\0"
    assert EMPTY.fields() == {}
    assert [EMPTY.persistent, EMPTY.has_headers, EMPTY.special] == [False, False, False]
    assert encode_properties() == EMPTY


def test_each_property_stands_where_the_specification_says() -> None:
    everything: PropertyChanges = {
        "content_type": "a",
        "content_encoding": "b",
        "headers": {"k": True},
        "delivery_mode": 2,
        "priority": 9,
        "correlation_id": "c",
        "reply_to": "d",
        "expiration": "60000",
        "message_id": "e",
        "timestamp": 1_600_000_000,
        "type": "f",
        "user_id": "g",
        "app_id": "h",
        "cluster_id": "i",
    }
    raw = (
        b"\xff\xfc"
        b"\x01a\x01b"
        b"\0\0\0\x04\x01kt\x01"
        b"\x02\x09"
        b"\x01c\x01d\x0560000\x01e"
        b"\0\0\0\0\x5f\x5e\x10\0"
        b"\x01f\x01g\x01h\x01i"
    )
    assert encode_properties(**everything).raw == raw
    assert Properties.parse(raw).fields() == everything
    assert list(Properties.parse(raw).fields()) == list(everything)


@given(property_sets)
def test_what_is_encoded_is_read_back(fields: PropertyChanges) -> None:
    made = encode_properties(**fields)
    parsed = Properties.parse(made.raw)
    for properties in (made, parsed):
        assert properties.fields() == fields
        assert properties.persistent == (fields.get("delivery_mode") == 2)
        assert properties.has_headers == ("headers" in fields)
        assert properties.special == bool(fields.keys() & SPECIAL)


@pytest.mark.parametrize("name", sorted(property_values))
def test_what_is_special(name: str) -> None:
    value: Any = "x" if name in SHORT_STRINGS else {} if name == "headers" else 1
    properties = encode_properties(**cast("PropertyChanges", {name: value}))
    assert properties.special == (name in SPECIAL)


@given(property_sets, st.fixed_dictionaries({}, optional={n: st.none() | s for n, s in property_values.items()}))
def test_changing_touches_nothing_else(before: PropertyChanges, changes: dict[str, object]) -> None:
    original = encode_properties(**before)
    raw = original.raw
    changed = original.with_changes(**cast("PropertyChanges", changes))
    expected = {name: value for name, value in {**before, **changes}.items() if value is not None}
    assert changed.fields() == expected
    assert Properties.parse(changed.raw) == changed
    assert changed.persistent == (expected.get("delivery_mode") == 2)
    assert original.raw is raw
    assert original.fields() == before


@given(raw_tables, property_sets, st.dictionaries(keys, texts, max_size=3), st.sets(keys, max_size=3), st.data())
def test_header_entries_that_are_not_touched_keep_their_bytes(
    headers: Any, fields: PropertyChanges, added: dict[str, str], removed: set[str], data: st.DataObject
) -> None:
    before = raw_entries(headers.data, 0)
    if before:
        removed = removed | data.draw(st.sets(st.sampled_from(sorted(before)), max_size=2))
    # A list with these headers, byte for byte: an empty table is put in, then swapped for them.
    with_empty = encode_properties(**cast("PropertyChanges", {**fields, "headers": {}}))
    at = len(with_empty.with_changes(**AFTER_HEADERS).raw)
    original = Properties.parse(with_empty.raw[:at] + headers.data + with_empty.raw[at + 4 :])

    changed = original.with_header_entries(added, removed)

    after = raw_entries(changed.raw, at)
    kept = {key: raw for key, raw in before.items() if key not in removed and key not in added}
    assert {key: raw for key, raw in after.items() if key not in added} == kept
    assert {key: value for key, value in (changed.headers or {}).items() if key in added} == added
    assert changed.with_changes(headers={}) == with_empty
    assert Properties.parse(changed.raw) == changed


def test_headers_are_added_where_there_are_none() -> None:
    assert EMPTY.with_header_entries({"n": Typed("I", 5)}, ()).raw == b"\x20\0\0\0\0\x07\x01nI\0\0\0\x05"
    assert EMPTY.with_header_entries({}, ["n"]) is EMPTY


def test_headers_stay_when_the_last_entry_is_removed() -> None:
    assert encode_properties(headers={"BCC": ["x"]}).with_header_entries({}, ["BCC"]).headers == {}


def test_decoded_headers_can_be_dropped_and_come_back() -> None:
    properties = Properties.parse(encode_properties(app_id="a", headers={"k": [1, 2]}).raw)
    first = properties.headers
    assert properties.headers is first
    properties.drop_decoded()
    assert properties.headers == first
    assert properties.headers is not first


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"type": "x" * 256}, "property type is longer than 255 bytes"),
        ({"app_id": "é" * 128}, "property app_id is longer than 255 bytes"),
        ({"priority": 256}, "property priority can't be 256"),
        ({"priority": -1}, "property priority can't be -1"),
        ({"timestamp": 2**64}, "property timestamp can't be"),
        ({"timestamp": "now"}, "property timestamp can't be 'now'"),
        ({"message_id": 5}, "property message_id can't be 5"),
        ({"headers": []}, "property headers can't be"),
        ({"headers": {"k": object()}}, "'k'"),
        ({"colour": "red"}, "there is no property 'colour'"),
    ],
)
def test_what_a_property_cannot_hold_is_refused_by_name(fields: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        encode_properties(**cast("PropertyChanges", fields))


# pamqp as a second opinion

valid_short_strings = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)

plain_property_sets = st.fixed_dictionaries(
    {},
    optional={
        **{name: valid_short_strings for name in SHORT_STRINGS if name != "cluster_id"},
        "headers": st.dictionaries(keys, texts | st.booleans() | st.integers(-(2**63), 2**63 - 1), max_size=4),
        "delivery_mode": st.sampled_from([1, 2]),
        "priority": st.integers(0, 255),
        "timestamp": st.integers(0, 2**32 - 1),
    },
)
"""What pamqp can say too: it skips empty strings, and forbids cluster_id and other delivery modes."""


def _as_pamqp(fields: dict[str, Any]) -> dict[str, Any]:
    renamed = {"message_type" if name == "type" else name: value for name, value in fields.items()}
    if "timestamp" in renamed:
        renamed["timestamp"] = datetime.fromtimestamp(renamed["timestamp"], tz=UTC)
    return renamed


@given(plain_property_sets)
def test_pamqp_reads_what_we_write(fields: dict[str, Any]) -> None:
    raw = encode_properties(**cast("PropertyChanges", fields)).raw
    theirs = Basic.Properties()
    theirs.unmarshal(struct.unpack_from(">H", raw)[0], raw[2:])
    assert {name: value for name, value in theirs if value not in (None, "")} == _as_pamqp(fields)


@given(plain_property_sets)
def test_we_read_what_pamqp_writes(fields: dict[str, Any]) -> None:
    raw = Basic.Properties(**_as_pamqp(fields)).marshal()
    assert Properties.parse(raw).fields() == fields


# Bytes of the hostile kind


@given(property_sets)
def test_every_truncation_and_any_addition_is_malformed(fields: PropertyChanges) -> None:
    raw = encode_properties(**fields).raw
    for length in range(len(raw)):
        with pytest.raises(MalformedField):
            Properties.parse(raw[:length])
    with pytest.raises(MalformedField, match="bytes behind the property list"):
        Properties.parse(raw + b"\0")


@given(st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_else(raw: bytes) -> None:
    try:
        properties = Properties.parse(raw)
    except MalformedField:
        return
    assert properties.raw == raw
    assert Properties.parse(encode_properties(**cast("PropertyChanges", properties.fields())).raw) is not None


@given(st.integers(0, 2**16 - 1), st.binary(max_size=200))
def test_any_flags_raise_nothing_else(flags: int, values: bytes) -> None:
    try:
        Properties.parse(flags.to_bytes(2, "big") + values).fields()
    except MalformedField:
        pass


def test_continued_flags_are_malformed() -> None:
    with pytest.raises(MalformedField, match="continue"):
        Properties.parse(b"\x80\x01\0\0\x01a")


def test_an_invalid_headers_table_is_malformed() -> None:
    with pytest.raises(MalformedField, match="unknown type"):
        Properties.parse(b"\x20\0" + join_entries({"k": b"?"}))


def test_a_headers_table_may_not_reach_over_the_end() -> None:
    table = encode_table({"k": "v"})
    with pytest.raises(MalformedField):
        Properties.parse(b"\x20\0" + (len(table) - 3).to_bytes(4, "big") + table[4:])


def test_the_reserved_flag_is_ignored_as_in_rabbitmq() -> None:
    assert Properties.parse(b"\x10\x02\x02").persistent
