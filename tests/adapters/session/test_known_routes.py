"""What sessions remember of routes is forgotten in all of them for the same causes, of which a new one is one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_mqtt import MqttClient
from tests.support.simulated_stomp import StompClient, frame
from tests.support.tracebacks import tracebacks
from warren.adapters.mqtt.codec import versions
from warren.adapters.mqtt.codec.encode import encode
from warren.adapters.mqtt.codec.packets import Publish
from warren.core.broker import Broker

Known = Callable[[], int]
"""How many routes a session remembers that still hold."""


@pytest.fixture
def simulated(caplog: pytest.LogCaptureFixture) -> Iterator[SimulatedBroker]:
    broker = SimulatedBroker()
    broker.broker.add_vhost("other", {})
    yield broker
    broker.close()
    assert tracebacks(caplog) == []


def amqp(simulated: SimulatedBroker) -> tuple[Known, Callable[[], None]]:
    client = simulated.connect()
    client.declare("q")
    return (lambda: len(client.connection.known.now())), lambda: client.publish("q", b"x")


def stomp(simulated: SimulatedBroker) -> tuple[Known, Callable[[], None]]:
    client = StompClient(simulated).connect()

    def send() -> None:
        client.send_bytes(frame("SEND", b"x", destination="/queue/q"))

    return (lambda: len(client.session.known.now())), send


def mqtt(simulated: SimulatedBroker) -> tuple[Known, Callable[[], None]]:
    client = MqttClient(simulated)
    client.connect("c")

    def publish() -> None:
        client.send_bytes(encode(Publish("q", b"x", 0), versions.V5))

    def known() -> int:
        return len(client.running.inflow.known_now())

    return known, publish


PROTOCOLS = [amqp, stomp, mqtt]

CAUSES: dict[str, Callable[[Broker], object]] = {
    "topology": lambda broker: broker.vhosts["/"].changed(),
    "users": lambda broker: broker.users.add_user("ann", "secret"),
    "permissions": lambda broker: broker.users.set_permissions("guest", "/", ".*", ".*", ".*"),
    "topic permissions": lambda broker: broker.users.set_topic_permissions("guest", "/", "amq.topic", ".*", ".*"),
    "an alarm": lambda broker: broker.alarms.set("memory", True),
    "tracing": lambda broker: broker.set_tracing("/", True),
    "whatever comes next": lambda broker: broker.forget_known_routes(),
}
"""Every cause to forget; the last is what one that isn't thought of yet has to call, and all that it has to do."""

FOR_NOW = ("an alarm", "tracing")
"""While these last, nothing is remembered anew."""


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_is_forgotten(
    simulated: SimulatedBroker,
    protocol: Callable[[SimulatedBroker], tuple[Known, Callable[[], None]]],
    cause: str,
) -> None:
    known, publish = protocol(simulated)
    publish()
    publish()
    assert known() == 1
    CAUSES[cause](simulated.broker)
    assert known() == 0
    publish()
    assert known() == (0 if cause in FOR_NOW else 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_is_remembered_again_when_the_cause_is_over(
    simulated: SimulatedBroker, protocol: Callable[[SimulatedBroker], tuple[Known, Callable[[], None]]]
) -> None:
    known, publish = protocol(simulated)
    simulated.broker.set_tracing("/", True)
    publish()
    simulated.broker.set_tracing("/", False)
    publish()
    assert known() == 1
    simulated.broker.alarms.set("disk", True)
    simulated.broker.alarms.set("disk", False)
    assert known() == 0
    publish()
    assert known() == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_other_virtual_hosts_are_no_cause(
    simulated: SimulatedBroker, protocol: Callable[[SimulatedBroker], tuple[Known, Callable[[], None]]]
) -> None:
    known, publish = protocol(simulated)
    publish()
    simulated.broker.vhosts["other"].changed()
    assert known() == 1
