"""After each test the broker must still serve, whatever it was sent.

RabbitMQ takes three seconds over many a refusal, so it is held to these cases only when asked for by name
(`--broker rabbitmq`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Address, WireClient, wire_client
from tests.support.brokers import Broker

DIRECTORY = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--broker both`, tests of this directory run on Warren alone."""
    if config.getoption("--broker") == "both":
        config.hook.pytest_deselected(items=[item for item in items if is_slow(item)])
        items[:] = [item for item in items if not is_slow(item)]


def is_slow(item: pytest.Item) -> bool:
    """Whether it is a test of this directory on RabbitMQ."""
    callspec = getattr(item, "callspec", None)
    on_rabbitmq = callspec is not None and callspec.params.get("broker_process") == "rabbitmq"
    return on_rabbitmq and item.path.parent == DIRECTORY


@pytest.fixture
def broker(broker: Broker) -> Iterator[Broker]:
    """The broker under test; a fresh connection can publish and get when the test is over."""
    yield broker
    assert_serves(broker.address)


def assert_serves(address: Address) -> None:
    """A whole life of a connection: handshake, declare, publish, get, close."""
    with wire_client(address) as client:
        queue = client.declare_queue(1, "")
        client.send(wire.publish(1, "", queue, b"message"))
        client.send(wire.method(1, "basic.get", wire.short(0), wire.shortstr(queue), wire.bits(True)))
        client.expect("basic.get-ok", 1)
        assert client.expect_content(1).body == b"message"
        client.close()


def open_client(address: Address) -> WireClient:
    """A client past the handshake with channel 1 open, for the caller to close."""
    client = WireClient(address)
    client.handshake()
    client.open_channel(1)
    return client
