"""What a message is given on its way into a federated queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from warren.adapters.amqp091.client.incoming import Incoming
from warren.core.messages.field_table import Encodable, field_types
from warren.core.messages.properties import EMPTY, Properties, encode_properties
from warren.plugins.federation.queue_headers import QueueHeaders


def way(uri: str = "amqp://up", queue: str = "there", visits: int = 1, *, redelivered: bool = False) -> dict[str, Any]:
    return {"uri": uri, "queue": queue, "redelivered": redelivered, "visit-count": visits}


def arrived(properties: Properties = EMPTY, *, redelivered: bool = False) -> Incoming:
    return Incoming(1, redelivered, "shop", "order.new", properties, b"")


def moved(message: Incoming, *, trust_user_id: bool = False) -> Properties:
    headers = QueueHeaders("here", "amqp://up", "there", trust_user_id=trust_user_id)
    assert headers.address(message) == ("", "here")
    return headers.properties(message)


def headers_of(properties: Properties) -> Mapping[str, Any]:
    assert properties.headers is not None
    return properties.headers


def with_headers(headers: Mapping[str, Encodable]) -> Properties:
    return encode_properties(delivery_mode=2, headers=headers)


def test_the_first_time() -> None:
    properties = moved(arrived(encode_properties(delivery_mode=2, message_id="m"), redelivered=True))
    assert headers_of(properties) == {
        "x-original-exchange": "shop",
        "x-original-routing-key": "order.new",
        "x-received-from": [way(redelivered=True)],
    }
    assert (properties.delivery_mode, properties.message_id) == (2, "m")


def test_where_it_was_published_is_kept_from_the_first_time() -> None:
    before: dict[str, Encodable] = {
        "own": 1,
        "x-received-from": [way("amqp://other", "o", 7)],
        "x-original-exchange": "first",
        "x-original-routing-key": "k",
    }
    found = headers_of(moved(arrived(with_headers(before))))
    assert found == {**before, "x-received-from": [way(), way("amqp://other", "o", 7)]}


def test_each_way_is_counted_and_the_latest_is_first() -> None:
    before: list[Encodable] = [way("amqp://a"), way(visits=3), way("amqp://up", "another"), "nonsense"]
    found = headers_of(moved(arrived(with_headers({"x-received-from": before}))))
    assert found["x-received-from"] == [way(visits=4), way("amqp://a"), way("amqp://up", "another"), "nonsense"]
    assert "x-original-exchange" not in found


@pytest.mark.parametrize("count", ["many", True, None, -5, 1 << 62])
def test_a_count_that_is_none_counts_for_nothing(count: Encodable) -> None:
    before = [{"uri": "amqp://up", "queue": "there", "visit-count": count}]
    assert headers_of(moved(arrived(with_headers({"x-received-from": before}))))["x-received-from"] == [way()]


def test_a_header_of_that_name_that_is_none_is_ignored() -> None:
    found = headers_of(moved(arrived(with_headers({"x-received-from": "me"}))))
    assert found["x-received-from"] == [way()]
    assert found["x-original-exchange"] == "shop"


def test_copies_go_nowhere_again() -> None:
    found = headers_of(moved(arrived(with_headers({"CC": ["a", "b"]}))))
    assert "CC" not in found
    assert found["x-original-cc"] == ["a", "b"]


def test_who_published_it_is_only_kept_from_those_who_are_trusted() -> None:
    message = arrived(encode_properties(user_id="somebody"))
    assert moved(message).user_id is None
    assert moved(message, trust_user_id=True).user_id == "somebody"


def test_types_are_rabbitmqs() -> None:
    raw = moved(arrived()).raw
    at = raw.index(b"\x03uri") - 4
    assert field_types(raw, at) == {"uri": "longstr", "queue": "longstr", "redelivered": "bool", "visit-count": "long"}
