"""Rows of publishes to a queue of another node: what is confirmed is there, however it was cut, refused or lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.node_pair import NodePair
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import NO_PROPERTIES, SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import Encodable
from warren.core.messages.properties import encode_properties

CAPACITY = 7


def said(client: SimulatedClient, count: int) -> tuple[set[int], set[int]]:
    """The publishes that were confirmed, and those that were refused; none is both, or either twice."""
    confirmed: set[int] = set()
    refused: set[int] = set()
    for method in client.take_methods():
        if isinstance(method, methods.BasicAck):
            numbers = range(1, method.delivery_tag + 1) if method.multiple else [method.delivery_tag]
            confirmed.update(number for number in numbers if number not in refused)
        elif isinstance(method, methods.BasicNack):
            assert not method.multiple
            assert method.delivery_tag not in confirmed | refused
            refused.add(method.delivery_tag)
    assert confirmed | refused <= set(range(1, count + 1))
    return confirmed, refused


def publisher(pair: NodePair) -> SimulatedClient:
    client = pair.near.connect()
    client.confirm_select()
    pair.settle()
    client.take_methods()
    return client


@pytest.mark.parametrize("persistent", [True, False])
def test_a_row_is_confirmed_at_once(persistent: bool) -> None:
    pair = NodePair(SimulatedBroker(), SimulatedBroker())
    own, _ = pair.declare()
    client = publisher(pair)
    properties = encode_properties(delivery_mode=2).raw if persistent else NO_PROPERTIES
    row = b"".join(publish_frames("q", b"%04d" % number, properties=properties) for number in range(200))
    client.send_bytes(row)
    pair.settle()
    assert said(client, 200) == (set(range(1, 201)), set())
    assert [message.body for message in own.browse(0, 999)] == [b"%04d" % number for number in range(200)]
    assert client.connection.known.rows


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_what_is_confirmed_is_there(reads: list[int], broken_after: int) -> None:
    """The queue refuses what is too much; the link may break behind any read; consumers make room."""
    pair = NodePair(SimulatedBroker(), SimulatedBroker())
    arguments: dict[str, Encodable] = {"x-max-length": CAPACITY, "x-overflow": "reject-publish"}
    own, _ = pair.declare("q", arguments)
    client = publisher(pair)
    number = 0
    for index, count in enumerate(reads):
        rows = [publish_frames("q", b"%04d" % (number + each + 1)) for each in range(count)]
        number += count
        client.send_bytes(b"".join(rows))
        if index == broken_after:
            pair.near.settle()
            pair.lose_links()
            pair.advance(1000)
        elif index % 2:
            pair.settle()
    pair.advance(20_000)
    confirmed, refused = said(client, number)
    there = {int(message.body) for message in own.browse(0, 999)}
    assert confirmed | refused == set(range(1, number + 1))
    assert confirmed <= there
    assert len(there) <= CAPACITY
