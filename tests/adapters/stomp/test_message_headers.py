"""Headers to properties and back: nothing is lost that can be expressed (spec B.5, B.6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.field_values import RawValue, raw_tables
from warren.adapters.session.field_text import text_of
from warren.adapters.stomp.codec.errors import StompError
from warren.adapters.stomp.codec.escaping import ESCAPES
from warren.adapters.stomp.codec.frames import encode_headers
from warren.adapters.stomp.destinations import destination_of, parse_destination
from warren.adapters.stomp.message_headers import OWN_HEADERS, RESERVED, headers_of, properties_of
from warren.core.messages.address import Address
from warren.core.messages.properties import Properties
from warren.core.messages.timestamp import Timestamp

text = st.text(max_size=60)
names = st.text(min_size=1, max_size=60).filter(lambda name: name not in OWN_HEADERS | RESERVED)

sent = st.fixed_dictionaries(
    {},
    optional={
        "content-type": text,
        "content-encoding": text,
        "correlation-id": text,
        "reply-to": text.map(lambda name: f"/queue/{name}"),
        "expiration": st.integers(0, 10**9).map(str),
        "amqp-message-id": text,
        "type": text,
        "user-id": text,
        "app-id": text,
        "priority": st.integers(0, 255).map(str),
        "timestamp": st.integers(0, 2**40).map(str),
        "persistent": st.just("true"),
    },
)


@given(sent, st.dictionaries(names, text, max_size=6))
def test_what_is_sent_comes_back(own: dict[str, str], others: dict[str, str]) -> None:
    properties = properties_of({**own, **others})
    assert Properties.parse(properties.raw) == properties
    assert dict(headers_of(properties)) == {**own, **others}


@given(raw_tables, st.sampled_from(sorted(ESCAPES)))
def test_entries_of_every_type_can_be_written(table: RawValue, version: str) -> None:
    properties = Properties.parse(b"\x20\x00" + table.data)
    shown = list(headers_of(properties))
    assert {name for name, _ in shown} == set(properties.headers or {}) - RESERVED - {""}
    assert encode_headers(shown, version).count(b"\n") == len(shown)


def test_a_reply_queue_is_its_name_in_amqp() -> None:
    properties = properties_of({"reply-to": "/reply-queue/a b"})
    assert properties.reply_to == "a b"
    assert dict(headers_of(properties)) == {"reply-to": "/reply-queue/a b"}


def test_times_are_seconds() -> None:
    assert text_of(Timestamp(5)) == "5"
    assert text_of({"at": Timestamp(5)}) == '{"at":5}'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("priority", "256"),
        ("priority", "-1"),
        ("priority", "1.5"),
        ("priority", ""),
        ("timestamp", "now"),
        ("timestamp", "9" * 30),
        ("content-type", "x" * 256),
        ("reply-to", "é" * 128),
        ("x" * 256, "y"),
    ],
)
def test_values_that_no_property_can_hold(name: str, value: str) -> None:
    with pytest.raises(StompError) as raised:
        properties_of({name: value})
    assert raised.value.message == "Invalid header"
    assert not raised.value.fatal


@given(st.sampled_from(["", "amq.topic", "x/y%z", "é"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_destinations_can_be_sent_back_to(exchange: str, key: str) -> None:
    if exchange in ("", "amq.topic") and not key:
        return
    address = Address(exchange, key)
    found = parse_destination(destination_of(address, "amq.topic"), "amq.topic")
    assert (found.exchange, found.key) == (exchange, key)


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "a/b", "/queue", "/queue/", "/queue/a/b", "/topic/", "/topic/a/b", "/amq/queue/", "/amq/queue/a/b"),
        *("/exchange", "/exchange/", "/exchange/a/b/c", "/exchange//k", "/temp-queue/a", "/reply-queue/", "/Queue/a"),
        "/queue/" + "x" * 256,
    ],
)
def test_invalid_destinations(text: str) -> None:
    with pytest.raises(StompError) as raised:
        parse_destination(text, "amq.topic")
    assert raised.value.message in ("Invalid destination", "Unknown destination")
    assert not raised.value.fatal


@pytest.mark.parametrize(
    ("text", "exchange", "key"),
    [
        ("/reply-queue/a/b%2F", "", "a/b%2F"),
        ("/exchange/x", "x", ""),
        ("/exchange/x/", "x", ""),
        ("/topic/a.*.#", "t", "a.*.#"),
        ("/queue/100%25%zz", "", "100%%zz"),
    ],
)
def test_valid_destinations(text: str, exchange: str, key: str) -> None:
    found = parse_destination(text, "t")
    assert (found.exchange, found.key) == (exchange, key)
