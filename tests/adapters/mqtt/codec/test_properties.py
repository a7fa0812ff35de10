"""The properties of every packet survive being written and read: values, order, and what comes more than once."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.mqtt.codec.strategies import blobs, properties, texts
from warren.adapters.mqtt.codec import versions, writer
from warren.adapters.mqtt.codec.errors import PacketError
from warren.adapters.mqtt.codec.properties import RULES, WILL, Properties
from warren.adapters.mqtt.codec.publish import add_properties, read_publish_properties, write_publish_properties
from warren.adapters.mqtt.codec.reader import Reader
from warren.adapters.mqtt.codec.wire_properties import read_properties, write_properties

OWNERS = sorted({WILL} | {packet for rule in RULES for packet in rule.packets})

pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)


def read(raw: bytes, packet: int) -> Properties:
    reader = Reader(raw, 0, len(raw), versions.V5)
    found = read_properties(reader, packet)
    assert reader.position == len(raw)
    return found


@given(st.sampled_from(OWNERS).flatmap(lambda owner: st.tuples(st.just(owner), properties(owner, versions.V5))))
def test_what_is_written_is_read(owner_and_properties: tuple[int, Properties]) -> None:
    owner, values = owner_and_properties
    raw = write_properties(values, owner)
    assert read(raw, owner) == values
    assert list(read(raw, owner)) == list(values), "the order of properties is kept too"


@pytest.mark.parametrize("owner", OWNERS)
@given(pairs=pairs)
def test_user_properties_keep_their_order_and_duplicates(owner: int, pairs: list[tuple[str, str]]) -> None:
    values: Properties = {"user_properties": [*pairs, *reversed(pairs), pairs[0]]}
    assert read(write_properties(values, owner), owner) == values


@given(st.lists(st.integers(1, 268_435_455), min_size=1, max_size=5), pairs)
def test_user_properties_and_subscription_identifiers_in_turns(
    identifiers: list[int], pairs: list[tuple[str, str]]
) -> None:
    body = b""
    for index in range(max(len(identifiers), len(pairs))):
        if index < len(identifiers):
            body += write_publish_properties({"subscription_identifiers": identifiers[index : index + 1]})[1:]
        if index < len(pairs):
            body += _without_length(write_publish_properties({"user_properties": pairs[index : index + 1]}))
    assert read_publish_properties(writer.variable(len(body)) + body) == {
        "subscription_identifiers": identifiers,
        "user_properties": pairs,
    }


@given(pairs, blobs, st.integers(1, 65_535))
def test_added_ones_stand_behind(pairs: list[tuple[str, str]], data: bytes, alias: int) -> None:
    raw = write_publish_properties({"user_properties": pairs, "correlation_data": data})
    added = add_properties(raw, write_publish_properties({"topic_alias": alias}))
    assert list(read_publish_properties(added).items()) == [
        ("user_properties", pairs),
        ("correlation_data", data),
        ("topic_alias", alias),
    ]


@given(
    st.sampled_from(OWNERS).flatmap(lambda owner: st.tuples(st.just(owner), properties(owner, versions.V5))), st.data()
)
def test_cut_short_they_are_refused(owner_and_properties: tuple[int, Properties], data: st.DataObject) -> None:
    owner, values = owner_and_properties
    raw = write_properties(values, owner)
    end = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(PacketError):
        read_properties(Reader(raw, 0, end, versions.V5), owner)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_is_written_where_it_may_stand_and_nowhere_else(rule: Any) -> None:
    value: Any = {"byte": 1, "two byte integer": 1, "four byte integer": 1, "byte, 0 or 1": True}.get(rule.kind.value)
    if value is None:
        value = {"UTF-8 encoded string": "x", "binary data": b"x", "UTF-8 string pair": [("k", "v")]}.get(
            rule.kind.value, [1]
        )
    values: dict[str, Any] = {rule.name: value}
    if rule.name == "authentication_data":
        values["authentication_method"] = "M"
    for owner in OWNERS:
        if owner in rule.packets:
            assert read(write_properties(cast("Properties", values), owner), owner) == values
        else:
            with pytest.raises(ValueError, match="no place"):
                write_properties(cast("Properties", values), owner)


def _without_length(raw: bytes) -> bytes:
    start = 1
    while raw[start - 1] > 0x7F:
        start += 1
    return raw[start:]
