"""Streams that a policy makes for the history of exchanges."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from tests.adapters.amqp091.streams.talk import Talk
from tests.adapters.amqp091.streams.test_ending_in_one import declare_exchange
from tests.support.simulated_broker import SimulatedBroker
from warren.core.administration import operations
from warren.core.policies.policy import POLICY, make_policy
from warren.core.queues.stream.queue import StreamQueue
from warren.core.storage.definitions.store import JSON

BOUNDS: dict[str, JSON] = {"history-stream-max-age": "7D", "history-stream-max-length-bytes": 1_000_000}


def set_policy(broker: SimulatedBroker, bounds: Mapping[str, JSON] = BOUNDS, stream: str = "s") -> None:
    policy = make_policy(POLICY, "history", "^orders", {"history-stream": stream, **bounds}, apply_to="exchanges")
    broker.broker.policies.set(broker.vhost, policy)
    broker.settle()


def made(broker: SimulatedBroker, name: str = "s") -> StreamQueue:
    queue = broker.vhost.queues[name]
    assert isinstance(queue, StreamQueue)
    return queue


@pytest.mark.parametrize("first", ["policy", "exchange"])
def test_a_policy_with_a_bound_makes_the_stream(talk: Talk, broker: SimulatedBroker, first: str) -> None:
    if first == "exchange":
        declare_exchange(talk, "orders", "fanout")
    set_policy(broker, {**BOUNDS, "history-stream-max-segment-size-bytes": 500_000})
    assert ("s" in broker.vhost.queues) is (first == "exchange")
    if first == "policy":
        declare_exchange(talk, "orders", "fanout")
        broker.settle()
    stream = made(broker)
    assert stream.durable
    assert stream.arguments == {
        "x-queue-type": "stream",
        "x-max-age": "7D",
        "x-max-length-bytes": 1_000_000,
        "x-stream-max-segment-size-bytes": 500_000,
    }
    talk.client.publish("k", b"kept", exchange="orders")
    broker.settle()
    assert talk.read("first") == [b"kept"]
    talk.declare(x_max_age="7D", x_max_length_bytes=1_000_000, x_stream_max_segment_size_bytes=500_000)


def test_without_a_bound_none_is_made(talk: Talk, broker: SimulatedBroker) -> None:
    declare_exchange(talk, "orders", "fanout")
    set_policy(broker, {"history-stream-max-segment-size-bytes": 500_000})
    assert "s" not in broker.vhost.queues


def test_many_exchanges_share_one_and_each_name_is_made(talk: Talk, broker: SimulatedBroker) -> None:
    for number in range(3):
        declare_exchange(talk, f"orders{number}", "fanout")
    declare_exchange(talk, "invoices", "fanout")
    set_policy(broker)
    other = make_policy(POLICY, "other", "^invoices", {"history-stream": "t", **BOUNDS}, apply_to="exchanges")
    broker.broker.policies.set(broker.vhost, other)
    broker.settle()
    assert [name for name, queue in broker.vhost.queues.items() if isinstance(queue, StreamQueue)] == ["s", "t"]


@pytest.mark.parametrize("stop", ["restart", "crash"])
def test_it_stays_when_policy_and_exchange_go(talk: Talk, broker: SimulatedBroker, stop: str) -> None:
    declare_exchange(talk, "orders", "fanout")
    set_policy(broker)
    talk.client.publish("k", b"1", exchange="orders")
    broker.settle()
    broker.broker.policies.clear(broker.vhost, POLICY, "history")
    operations.exchanges.delete(broker.broker, "/", "orders")
    broker.settle()
    getattr(broker, stop)()
    talk.reconnect()
    assert made(broker).ready_count == 1
    assert talk.read("first") == [b"1"]


def test_one_that_was_deleted_comes_back_with_the_next_start(talk: Talk, broker: SimulatedBroker) -> None:
    declare_exchange(talk, "orders", "fanout")
    set_policy(broker)
    operations.queues.delete(broker.broker, "/", "s")
    broker.settle()
    assert "s" not in broker.vhost.queues
    broker.restart()
    broker.settle()
    assert made(broker).ready_count == 0


def test_a_queue_of_that_name_is_left_alone(
    talk: Talk, broker: SimulatedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    declare_exchange(talk, "orders", "fanout")
    talk.client.declare("s")
    set_policy(broker)
    talk.client.publish("k", b"x", exchange="orders")
    assert broker.vhost.queues["s"].type_name == "classic"
    assert "which is no stream" in caplog.text


def test_what_cannot_be_made_is_told(talk: Talk, broker: SimulatedBroker, caplog: pytest.LogCaptureFixture) -> None:
    declare_exchange(talk, "orders", "fanout")
    set_policy(broker, stream="amq.history")
    assert "the stream 'amq.history' for the history of exchange 'orders' can't be made" in caplog.text
    broker.broker.parameters.set("/", "vhost-limits", "limits", {"max-queues": 0})
    set_policy(broker, stream="t")
    assert "queue limit in vhost '/' (0) is reached" in caplog.text
    assert not broker.vhost.queues


def test_a_policy_that_changes_its_mind_within_a_turn_makes_nothing(talk: Talk, broker: SimulatedBroker) -> None:
    declare_exchange(talk, "orders", "fanout")
    definition: dict[str, JSON] = {"history-stream": "s", **BOUNDS}
    policies = broker.broker.policies
    policies.set(broker.vhost, make_policy(POLICY, "history", "^orders", definition, apply_to="exchanges"))
    policies.clear(broker.vhost, POLICY, "history")
    broker.settle()
    assert not broker.vhost.queues


def test_definitions_have_both(talk: Talk, broker: SimulatedBroker) -> None:
    declare_exchange(talk, "orders", "fanout")
    set_policy(broker)
    versions = {"product_name": "x", "product_version": "1", "rabbitmq_version": "4.1.0"}
    steps = operations.definitions.export(broker.broker, "/", **versions)
    while steps.step():
        pass
    document = json.dumps(steps.result)
    arguments = {"x-queue-type": "stream", "x-max-age": "7D", "x-max-length-bytes": 1_000_000}
    assert [each["arguments"] for each in json.loads(document)["queues"]] == [arguments]
    with_other_bounds = document.replace('"x-max-age": "7D"', '"x-max-age": "1h"')
    operations.queues.delete(broker.broker, "/", "s")
    operations.exchanges.delete(broker.broker, "/", "orders")
    broker.broker.policies.clear(broker.vhost, POLICY, "history")
    broker.settle()
    # What the document says of the stream counts, although its policy is set before.
    operations.definitions.import_document(broker.broker, with_other_bounds, "/", source="a test")
    broker.settle()
    assert made(broker).arguments == {**arguments, "x-max-age": "1h"}
    assert broker.vhost.exchanges["orders"].history == "s"
