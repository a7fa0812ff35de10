"""Virtual hosts share nothing: names, bindings and errors belong to one of them (A.3.7, A.6)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Refusal,
    Workbench,
    assert_refused,
    channel_refusal,
    drain,
    refusal_of,
    send,
)
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


@pytest.fixture
def by_default(broker: Broker) -> Iterator[str]:
    """A virtual host whose queues are quorum queues unless they say otherwise."""
    if not broker.is_warren:
        pytest.skip("3.10 has no --default-queue-type")
    broker.ctl("add_vhost", "by-default", "--default-queue-type", "quorum")
    broker.ctl("set_permissions", "-p", "by-default", "guest", ".*", ".*", ".*")
    yield "by-default"
    broker.ctl("delete_vhost", "by-default")


def types_of(broker: Broker, vhost: str) -> dict[str, str]:
    rows = json.loads(broker.ctl("list_queues", "-p", vhost, "name", "type", "--formatter", "json"))
    return {row["name"]: str(row["type"]).removeprefix("rabbit_").removesuffix("_queue") for row in rows}


def test_the_default_queue_type(bench: Workbench, broker: Broker, by_default: str) -> None:
    channel = bench.connect(virtual_host=by_default).channel()
    channel.queue_declare("plain", durable=True)
    channel.queue_declare("said", durable=True, arguments={"x-queue-type": "classic"})
    channel.queue_declare("transient")
    channel.queue_declare("mine", exclusive=True)
    channel.queue_declare("brief", durable=True, auto_delete=True)
    found = types_of(broker, by_default)
    expected = {"plain": "quorum", "said": "classic", "transient": "classic", "mine": "classic", "brief": "classic"}
    assert found == expected
    channel.queue_declare("plain", durable=True)
    channel.queue_declare("plain", durable=True, arguments={"x-queue-type": "quorum"})
    refusal = refusal_of(
        lambda: channel.queue_declare("plain", durable=True, arguments={"x-queue-type": "classic"}), channel
    )
    text = "inequivalent arg 'x-queue-type' for queue 'plain' in vhost 'by-default': received 'classic' but current is"
    assert_refused(refusal, Refusal("channel", 406, f"PRECONDITION_FAILED - {text}"))
    channel.connection.close()
