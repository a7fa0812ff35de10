"""A filter of a SUBSCRIBE takes few calls: what there is to do for each is done for many at once, where it can be."""

from __future__ import annotations

import sys
from types import FrameType

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Subscribe, Subscription

FILTERS = 2000

CALLS_PER_FILTER = 40
"""Of functions in Python and in C, rows and all.

They took 54, and 65 with `+`, when each was done by itself, and 8,000 of them most of 100 ms.
"""


@pytest.mark.parametrize("last_word", ["x", "+"])
def test_a_filter_takes_few_calls(simulated: SimulatedBroker, last_word: str) -> None:
    client = MqttClient(simulated)
    client.connect("c", clean_start=False, session_expiry_interval=1000)
    asked = tuple(Subscription(f"f/{number}/{last_word}", 1) for number in range(FILTERS))
    packet = encode(Subscribe(1, asked), versions.V5)
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        client.transport.receive(packet)
        simulated.settle()
    finally:
        sys.setprofile(None)
    assert len(client.session.subscriptions) == FILTERS
    assert FILTERS < calls <= CALLS_PER_FILTER * FILTERS
