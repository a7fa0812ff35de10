"""Virtual hosts share nothing: names, bindings and errors belong to one of them (A.3.7, A.6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Workbench, channel_refusal, drain, send
from tests.support.brokers import Broker

OTHER = "other/host"


@pytest.fixture(scope="module")
def other_host(broker_process: Broker) -> Iterator[str]:
    """A second virtual host that guest may use."""
    broker_process.ctl("add_vhost", OTHER)
    broker_process.ctl("set_permissions", "-p", OTHER, "guest", ".*", ".*", ".*")
    yield OTHER
    broker_process.ctl("delete_vhost", OTHER)


@pytest.fixture
def other(bench: Workbench, other_host: str) -> BlockingChannel:
    """A channel in the second virtual host."""
    return bench.connect(virtual_host=other_host).channel()


def test_names_are_separate(bench: Workbench, channel: BlockingChannel, other: BlockingChannel) -> None:
    queue = bench.queue(channel)
    assert other.queue_declare(queue, auto_delete=True).method.message_count == 0
    for each, body in ((channel, b"here"), (other, b"there")):
        each.queue_bind(queue, "amq.topic", "a.*")
        send(each, "amq.topic", "a.b", body)
    assert drain(channel, queue) == [b"here"]
    assert drain(other, queue) == [b"there"]


def test_what_is_deleted_in_one_stays_in_the_other(
    bench: Workbench, channel: BlockingChannel, other: BlockingChannel
) -> None:
    exchange = bench.exchange(channel, "fanout")
    other.exchange_declare(exchange, "direct")
    other.exchange_delete(exchange)
    channel.exchange_declare(exchange, passive=True)


def test_errors_name_the_virtual_host(bench: Workbench, other: BlockingChannel) -> None:
    name = bench.name("missing")
    with channel_refusal(404, f"NOT_FOUND - no queue '{name}' in vhost '{OTHER}'"):
        other.queue_declare(name, passive=True)


@pytest.mark.parametrize("name", ["amq.direct", "amq.fanout", "amq.topic", "amq.headers", "amq.match"])
def test_every_virtual_host_has_the_predeclared_exchanges(other: BlockingChannel, name: str) -> None:
    other.exchange_declare(name, passive=True)
