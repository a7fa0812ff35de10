"""Which message a return means, though it doesn't say so."""

from __future__ import annotations

from typing import cast

import pytest

from warren.adapters.amqp091.client.channel import ClientChannel, Confirm
from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import EMPTY, Properties, encode_properties
from warren.gateway.plugin import AmqpPeer
from warren.plugins.bridging.amqp_ends import AmqpDestination

UNSORTED = encode_properties(headers={"z": 1, "a": 2}, message_id="m")
SORTED = encode_properties(headers={"a": 2, "z": 1}, message_id="m", delivery_mode=1)
OTHER = encode_properties(headers={"a": 3, "z": 1}, message_id="m")
CHANGED = encode_properties(headers={"a": 2, "z": 1, "timestamp_in_ms": 5}, message_id="m")


class Channel:
    """As much of a channel as a destination uses."""

    def __init__(self) -> None:
        self.returned: list[tuple[methods.BasicReturn, Incoming]] = []
        self.confirmed: list[Confirm] = []
        self.arrived: list[Incoming] = []
        self.published = 0

    def publish(self, *what: object, **more: object) -> int:
        self.published += 1
        return self.published


def destination() -> tuple[AmqpDestination, Channel]:
    channel = Channel()
    return AmqpDestination(cast("AmqpPeer", None), cast("ClientChannel", channel), mandatory=True), channel


def message(properties: Properties, body: bytes = b"b") -> Incoming:
    return Incoming(1, False, "x", "k", properties, body)


def numbers_returned(sent: list[Properties], returned: list[Properties]) -> tuple[AmqpDestination, list[int]]:
    found, channel = destination()
    for each in sent:
        found.publish(message(each), "x", "k", each)
    channel.returned = [(methods.BasicReturn(312, "NO_ROUTE", "x", "k"), message(each)) for each in returned]
    return found, [number for number, _ in found._returned()]


@pytest.mark.parametrize(
    ("sent", "returned", "numbers"),
    [
        ([EMPTY, UNSORTED], [UNSORTED], [2]),
        ([EMPTY, EMPTY, UNSORTED], [EMPTY, EMPTY], [1, 2]),
        ([OTHER, UNSORTED], [SORTED], [2]),
        ([UNSORTED, UNSORTED], [SORTED, SORTED], [1, 2]),
        ([UNSORTED], [CHANGED], [1]),
    ],
)
def test_the_oldest_that_is_the_same(sent: list[Properties], returned: list[Properties], numbers: list[int]) -> None:
    assert numbers_returned(sent, returned)[1] == numbers


def test_a_return_that_nothing_tells_whose_it_is_acknowledges_nothing() -> None:
    with pytest.raises(PeerError, match="can't be told from others"):
        numbers_returned([OTHER, UNSORTED], [CHANGED])


def test_what_is_settled_is_forgotten() -> None:
    found, _ = numbers_returned([EMPTY, UNSORTED, EMPTY], [EMPTY])
    found._forget(2, multiple=True)
    assert list(found._sent) == [3]
    found._forget(3, multiple=False)
    assert not found._sent
    assert not found._by_content


async def test_what_comes_back_is_told_before_its_confirm() -> None:
    """A peer that returns messages and confirms none fills no memory."""
    found, channel = destination()
    found.publish(message(EMPTY), "x", "k", EMPTY)
    channel.returned = [(methods.BasicReturn(312, "NO_ROUTE", "x", "k"), message(EMPTY))]
    outcomes = await found.outcomes()
    assert [(each.number, each.multiple) for each in outcomes] == [(1, False)]
    assert "NO_ROUTE" in (outcomes[0].refused or "")
    assert channel.returned == []


async def test_a_peer_that_sends_messages_nobody_consumes_is_given_up() -> None:
    found, channel = destination()
    channel.arrived.append(message(EMPTY))
    with pytest.raises(PeerError, match="nobody consumes from it"):
        await found.wait_ended()
