"""Policies match the queues of sessions as they match classic ones, which those are in RabbitMQ."""

from __future__ import annotations

import pytest

from tests.adapters.mqtt.conftest import Connected
from tests.support.simulated_broker import SimulatedBroker
from warren.core.policies.policy import POLICY, make_policy


@pytest.mark.parametrize(
    ("apply_to", "definition", "matches"),
    [
        ("all", {"max-length": 2}, True),
        ("queues", {"max-length": 2}, True),
        ("classic_queues", {"max-length": 2}, True),
        ("quorum_queues", {"max-length": 2}, False),
        ("streams", {"max-length": 2}, False),
        ("classic_queues", {"max-length": 2, "max-age": "1h"}, False),
    ],
)
def test_what_matches(
    client: Connected, simulated: SimulatedBroker, apply_to: str, definition: dict[str, int | str], matches: bool
) -> None:
    simulated.broker.policies.set(simulated.vhost, make_policy(POLICY, "p", "", dict(definition), apply_to=apply_to))
    subscriber = client("s", session_expiry_interval=100)
    subscriber.subscribe("t", "$share/g/t", qos=1)
    for name in ("mqtt-subscription-s", "mqtt-shared-g/t"):
        assert (simulated.vhost.queues[name].policy == "p") == matches
    subscriber.lose()
    for number in range(4):
        client("p").publish("t", b"%d" % number, 1)
    assert simulated.queue("mqtt-subscription-s").ready_count == (2 if matches else 4)
