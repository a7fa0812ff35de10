"""A SUBSCRIBE that is refused, at whatever step, leaves no queue behind that would collect messages for nobody."""

from __future__ import annotations

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support import core_clients
from tests.support.simulated_broker import SimulatedBroker
from warren.core.access.permissions import Verb

TOPIC = "/topic/t"


def refuse(simulated: SimulatedBroker, verb: Verb, pattern: str) -> None:
    """Let guest do everything, but of one verb only what the pattern says."""
    allowed = {"configure": ".*", "write": ".*", "read": ".*", verb: pattern}
    simulated.broker.users.set_permissions("guest", "/", allowed["configure"], allowed["write"], allowed["read"])


@pytest.mark.parametrize("durable", ["true", "false"])
@pytest.mark.parametrize(
    ("verb", "pattern"),
    [
        pytest.param("read", "^amq", id="the queue may not be read"),
        pytest.param("write", "^$", id="the queue may not be bound"),
        pytest.param("read", "^stomp", id="the exchange may not be read"),
    ],
)
def test_without_a_permission(
    connect: Connect, simulated: SimulatedBroker, durable: str, verb: Verb, pattern: str
) -> None:
    refuse(simulated, verb, pattern)
    (answer,) = connect().send("SUBSCRIBE", id="s", destination=TOPIC, durable=durable)
    assert (answer.command, answer["message"]) == ("ERROR", "access_refused")
    assert not simulated.vhost.queues


def test_a_queue_that_was_there_before_stays(connect: Connect, simulated: SimulatedBroker) -> None:
    core_clients.queue(simulated, "there")
    refuse(simulated, "read", "^$")
    connect().send("SUBSCRIBE", id="s", destination="/queue/there", durable="false")
    connect().send("SUBSCRIBE", id="s", destination="/amq/queue/there")
    assert list(simulated.vhost.queues) == ["there"]


def test_a_queue_by_name_that_was_made_for_it_goes(connect: Connect, simulated: SimulatedBroker) -> None:
    refuse(simulated, "read", "^$")
    (answer,) = connect().send("SUBSCRIBE", id="s", destination="/queue/new")
    assert answer["message"] == "access_refused"
    assert not simulated.vhost.queues


def test_what_succeeds_later_makes_its_queue_anew(connect: Connect, simulated: SimulatedBroker) -> None:
    refuse(simulated, "read", "^$")
    connect().send("SUBSCRIBE", id="s", destination="/queue/new")
    refuse(simulated, "read", ".*")
    client = connect()
    assert client.send("SUBSCRIBE", id="s", destination="/queue/new", receipt="r")[0]["receipt-id"] == "r"
    (message,) = client.send("SEND", b"x", destination="/queue/new")
    assert message.body == b"x"
